//! `cargo xtask torture`: random histories of edits, faults and deaths of the real host; what was promised must hold.

use clap::Args;

use crate::cargo::{self, Workspace};
use crate::components;

#[derive(Args)]
pub(crate) struct Torture {
    /// How many seeds are played, one history each.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    first: u64,
    /// Plays this one seed, as a failed run says.
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
}

impl Torture {
    /// Does not come back when it could be started: the status is its own.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let workspace = Workspace::find()?;
        cargo::require_c_compiler()?;
        components::build(&workspace, &[])?;
        // As the tests build it: with the places to die, which no release has.
        cargo::step(workspace.cargo("build").args(["--workspace", "--bins"]), "the binaries do not compile")?;
        let (first, seeds) = self.seed.map_or((self.first, self.seeds), |seed| (seed, 1));
        let mut torture = workspace.built("torture");
        cargo::hand_over(torture.args([first.to_string(), seeds.to_string()]))
    }
}
