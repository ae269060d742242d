//! `contactor run`: one action of the catalogue.

use std::path::Path;

use contactor_server::dto::{ActionReport, ActionRequest};
use serde_json::Value;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::output;

/// Run one action of the catalogue in a workspace: an operation of HighLevel's, or one of a connector's. `contactor catalog` lists
/// them, with the parameters of each and an example. Every run leaves a record with its requests.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  contactor run acme highlevel.contacts.get --input '{\"contactId\": \"ocQHyuzHvysMo5N5VsXc\"}'
  contactor run acme highlevel.tasks.create --input @task.json --preview      writes nothing, says what it would
  contactor run acme prefinery.points.award --input '{\"email\": \"ann@example.com\", \"quantity\": 5}'")]
pub(crate) struct Args {
    /// The workspace's id.
    workspace: String,
    /// The action, for example `highlevel.contacts.create`.
    action: String,
    /// Its parameters as JSON, or @FILE, or - for standard input.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    input: String,
    /// Check everything, make the reads, hold every write back and show what it would have been.
    #[arg(long)]
    preview: bool,
}

pub(crate) async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let request = ActionRequest { input: input(&args.input)?, preview: args.preview };
    let report = context.client()?.run_action(&args.workspace, &args.action, &request).await?;
    show(context, &report)
}

fn show(context: &Context, report: &ActionReport) -> Result<(), Failure> {
    if report.preview || context.out.json {
        output::json(report)?;
    } else {
        // The result is the answer and nothing else, so that it can be piped on.
        output::json(&report.output)?;
    }
    let next = if report.preview {
        let held = report.calls.iter().filter(|call| call.held_back).count();
        format!("nothing was written; {held} writes were held back")
    } else {
        format!("`contactor runs show {}` shows its requests", report.run)
    };
    Ok(context.out.note(&next)?)
}

/// JSON from the command line, a file or standard input.
pub(crate) fn input(given: &str) -> Result<Value, Failure> {
    let wrong = |what: &str, error: &dyn std::fmt::Display| {
        Failure::say(Exit::Usage, format_args!("--input: {what}: {error}"))
    };
    let (what, text) = match given.strip_prefix('@') {
        Some(file) => {
            let text = std::fs::read_to_string(Path::new(file)).map_err(|error| wrong(file, &error))?;
            (file, text)
        }
        None if given == "-" => {
            let text =
                std::io::read_to_string(std::io::stdin()).map_err(|error| wrong("standard input", &error))?;
            ("standard input", text)
        }
        None => ("no JSON", given.to_owned()),
    };
    serde_json::from_str(&text).map_err(|error| wrong(what, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_comes_from_the_command_line_or_a_file() {
        assert_eq!(input(r#"{"a": 1}"#).unwrap()["a"], 1);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("task.json");
        std::fs::write(&path, r#"{"title": "Call"}"#).unwrap();
        assert_eq!(input(&format!("@{}", path.display())).unwrap()["title"], "Call");
        assert!(input("{").unwrap_err().to_string().starts_with("--input: no JSON: "));
        assert!(input("@/no/such/file").unwrap_err().to_string().starts_with("--input: /no/such/file: "));
    }
}
