//! `cargo xtask converge`: five connections on one workspace, random edits on all sides, faults; do all sides agree in the end?

use clap::Args;

use crate::cargo::{self, Workspace};
use crate::components;

#[derive(Args)]
pub(crate) struct Converge {
    /// Contacts at the beginning, each with a tag, a task and a note.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    contacts: usize,
    /// Edits of people, on any side.
    #[arg(long, value_name = "COUNT", default_value_t = 2_000)]
    edits: usize,
    /// Decides people, edits and faults: the same number plays the same story.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

impl Converge {
    /// Does not come back when it could be started: the status is its own.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let workspace = Workspace::find()?;
        cargo::require_c_compiler()?;
        components::build(&workspace, &[])?;
        let mut build = workspace.cargo("build");
        build.args(["--release", "--package", "contactor-tests", "--bin", "converge"]);
        cargo::step(&mut build, "the program does not compile")?;
        let mut converge = workspace.released("converge");
        let numbers = [self.contacts.to_string(), self.edits.to_string(), self.seed.to_string()];
        cargo::hand_over(converge.args(numbers))
    }
}
