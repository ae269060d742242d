//! `contactor`: runs a host, and talks to a running one.

mod cli;
mod client;
mod commands;
mod config;
mod dumps;
mod exit;
mod keys;
mod logging;
mod output;
mod secrets;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::exit::Exit;

fn main() -> ExitCode {
    // Before anything that is a secret is read.
    if let Err(error) = dumps::disable() {
        let _ = writeln!(std::io::stderr().lock(), "contactor: core dumps cannot be switched off: {error}");
        return Exit::Failed.into();
    }
    let cli = Cli::parse();
    match commands::run(cli) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            if failure.exit != Exit::Ok {
                // Nothing can be done when even standard error is closed.
                let _ = writeln!(std::io::stderr().lock(), "contactor: {failure}");
            }
            failure.exit.into()
        }
    }
}
