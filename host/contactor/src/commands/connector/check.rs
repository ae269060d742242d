//! `contactor connector check`: the acceptance suite.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value as Json};

use super::super::Context;
use super::super::connection::{json_setting, text_setting};
use crate::exit::{Exit, Failure};
use crate::output;

#[derive(Args)]
#[command(after_help = "\
Runs the component in the sandbox against a host that answers by a script; nothing is sent anywhere. A line for each check, and what
is wrong below it; exit code 1 when something is. A check that needs a record that the connector understands is skipped when the suite
can make none up: samples in the manifest help.

Example:
  contactor connector check target/components/acme-people.wasm
  contactor connector check prefinery.wasm --set beta_id=1234 --json")]
pub(crate) struct CheckArgs {
    /// The component file.
    file: PathBuf,
    /// One setting that is a text. What is required and not given is guessed.
    #[arg(long = "set", value_name = "NAME=TEXT", value_parser = text_setting)]
    set: Vec<(String, Json)>,
    /// One setting that is a number, a boolean or a list, as JSON.
    #[arg(long = "set-json", value_name = "NAME=JSON", value_parser = json_setting)]
    set_json: Vec<(String, Json)>,
}

pub(crate) fn run(context: &Context, args: &CheckArgs) -> Result<(), Failure> {
    let bytes = super::read(&args.file)?;
    let settings: Map<String, Json> = args.set.iter().chain(&args.set_json).cloned().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime
        .block_on(contactor_check::check(bytes, &settings))
        .map_err(|error| Failure::say(Exit::Failed, format_args!("{}: {error}", args.file.display())))?;
    if context.out.json {
        output::json(&report)?;
    } else {
        context.out.text(&report.to_string())?;
    }
    if report.passed() {
        return Ok(());
    }
    Err(Failure::say(Exit::Failed, format_args!("{} does not pass", args.file.display())))
}
