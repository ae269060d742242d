//! `cargo xtask bench`: the numbers to hold, measured against floors in the same run.

use std::path::PathBuf;

use clap::Args;

use crate::cargo::{self, Workspace};
use crate::components;

#[derive(Args)]
#[command(after_help = "\
docs/benchmarks.md says what each figure means. Every figure is a ratio to a floor of the same run, because the absolute
numbers belong to the machine.")]
pub(crate) struct Bench {
    /// Also write the figures as JSON into this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Small numbers: shows that the benchmark works, measures nothing worth quoting.
    #[arg(long)]
    quick: bool,
    /// Of the attacks just those whose names have these words.
    #[arg(long, value_name = "WORDS")]
    beside: Option<String>,
    /// Just these measurements; all of them when none is named.
    #[arg(value_name = "MEASUREMENT")]
    only: Vec<String>,
}

impl Bench {
    /// Does not come back when the benchmark could be started.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let workspace = Workspace::find()?;
        cargo::require_c_compiler()?;
        components::build(&workspace, &[])?;
        let mut build = workspace.cargo("build");
        build.args(["--release", "--package", "contactor", "--package", "contactor-bench", "--bins"]);
        // The runtime measures its own floor, with its own test host.
        build.args(["--package", "contactor-runtime", "--example", "call_floor"]);
        cargo::step(&mut build, "the benchmark does not compile")?;
        let mut bench = workspace.released("bench");
        if let Some(file) = &self.json {
            // The benchmark runs where the caller is, so a relative path keeps its meaning.
            bench.arg("--json").arg(file);
        }
        if self.quick {
            bench.arg("--quick");
        }
        if let Some(words) = &self.beside {
            bench.args(["--beside", words]);
        }
        cargo::hand_over(bench.args(&self.only))
    }
}
