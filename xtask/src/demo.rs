//! `cargo xtask demo`: the main job, played against doubles of the vendors.

use std::io::Write as _;

use clap::Args;

use crate::cargo::{self, Workspace};
use crate::components;

#[derive(Args)]
pub(crate) struct Demo {
    /// End after the table of stories, with status 0 only if every story held.
    #[arg(long)]
    exit: bool,
    /// Contacts in the bulk pull.
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    contacts: usize,
}

impl Demo {
    /// Does not come back when the demo could be started: Ctrl-C and the status are the demo's own.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let workspace = Workspace::find()?;
        cargo::require_c_compiler()?;
        writeln!(
            std::io::stderr(),
            "building the host, the doubles and the connectors; the first time takes minutes"
        )?;
        components::build(&workspace, &[])?;
        let mut build = workspace.cargo("build");
        build.args(["--release", "--package", "contactor", "--package", "contactor-tests"]);
        build.args(["--bin", "contactor", "--bin", "demo"]);
        cargo::step(&mut build, "the demo does not compile")?;
        let mut demo = workspace.released("demo");
        if self.exit {
            demo.arg("--exit");
        }
        cargo::hand_over(demo.arg("--contacts").arg(self.contacts.to_string()))
    }
}
