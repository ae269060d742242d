//! `contactor completions`: what a shell needs to complete the command line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Failure;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  contactor completions bash > /etc/bash_completion.d/contactor")]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    // Collected first: the generator panics when a pipe closes, `write_all` answers.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "contactor", &mut script);
    Ok(std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?)
}
