//! `contactor compile-worker`: compiles one component for a host. See `contactor_runtime::WorkerConfig`.

use std::process::exit;

use crate::exit::Failure;

/// What it is begun with.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// MiB of memory that it may take.
    memory_mib: u64,
    /// Ends when it gets too little of a core.
    #[arg(long)]
    gives_up: bool,
}

/// Ends the process.
#[expect(
    clippy::exit,
    reason = "whoever began it reads exit codes of another kind than those of a person's commands"
)]
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    exit(contactor_runtime::work(args.memory_mib, args.gives_up))
}
