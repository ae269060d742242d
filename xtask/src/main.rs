//! cargo xtask demo | test | build | bench: the workspace's own commands.

mod components;
#[cfg(test)]
mod published;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// The workspace's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds every connector into a component.
    Build(components::Build),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Build(build) => build.run(),
    }
}

/// The workspace's root.
fn workspace() -> anyhow::Result<PathBuf> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace's root")?;
    Ok(root.to_owned())
}
