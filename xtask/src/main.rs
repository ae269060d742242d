//! cargo xtask demo | test | build | bench | converge | torture | fuzz | supply | docs: the workspace's own commands.

mod bench;
mod cargo;
mod components;
#[cfg(test)]
mod connectors;
mod converge;
mod demo;
mod docs;
mod fuzz;
#[cfg(test)]
mod guides;
#[cfg(test)]
mod published;
mod supply;
mod test;
mod torture;

use clap::{Parser, Subcommand};

/// The workspace's own commands. Each does its own set-up.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds everything and plays the main job against doubles of HighLevel and Prefinery.
    Demo(demo::Demo),
    /// Builds everything and runs all tests.
    Test(test::Test),
    /// Builds every connector into a component.
    Build(components::Build),
    /// Writes the pages of documentation that are made from the code and the manifests.
    Docs(docs::Docs),
    /// Edits five connections of one workspace at random, with faults, and looks whether all sides agree in the end.
    Converge(converge::Converge),
    /// Plays random histories of edits, faults and deaths of the real host, and looks whether all that was promised holds.
    Torture(torture::Torture),
    /// Runs the fuzz targets, each with its corpus, and reports what they did.
    Fuzz(fuzz::Fuzz),
    /// Looks at what the product is made of: licences, known flaws, sources; and writes its bill of materials.
    Supply(supply::Supply),
    /// Measures the host against floors of the same run.
    Bench(bench::Bench),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Demo(demo) => demo.run(),
        Command::Test(test) => test.run(),
        Command::Build(build) => build.run(),
        Command::Converge(converge) => converge.run(),
        Command::Torture(torture) => torture.run(),
        Command::Docs(docs) => docs.run(),
        Command::Fuzz(fuzz) => fuzz.run(),
        Command::Supply(supply) => supply.run(),
        Command::Bench(bench) => bench.run(),
    }
}
