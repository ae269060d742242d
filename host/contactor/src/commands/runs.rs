//! `contactor runs`: what was done.

use clap::{Args, Subcommand};
use contactor_server::dto::{Call, FailureClass, Run, RunOutcome, RunQuery};

use super::{Context, replay};
use crate::exit::Failure;
use crate::output::{duration, or_dash, value, when, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List runs, newest first.
    List(List),
    /// Show one run with every request it made.
    #[command(after_help = "Example:\n  contactor runs show 019ac1f0-0000-7000-8000-000000000000")]
    Show {
        /// The run's id.
        run: String,
    },
    /// Run a recorded run of a connector again, offline, with the same component or a newer build, and show where the two part.
    Replay(replay::Replay),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor runs list --workspace acme --outcome parked
  contactor runs list --workspace acme --record ocQHyuzHvysMo5N5VsXc --json
  contactor runs list --before LAST-ID-OF-THE-PAGE")]
pub(crate) struct List {
    /// Only of this workspace.
    #[arg(long)]
    workspace: Option<String>,
    /// Only of this connector.
    #[arg(long, requires = "workspace")]
    connector: Option<String>,
    /// Only of the record with this id, on either side.
    #[arg(long, value_name = "ID")]
    record: Option<String>,
    /// Only those that ended like this.
    #[arg(long, value_parser = outcome, value_name = "applied|unchanged|skipped|retrying|parked")]
    outcome: Option<RunOutcome>,
    /// Only runs older than this one.
    #[arg(long, value_name = "RUN")]
    before: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

fn outcome(text: &str) -> Result<RunOutcome, String> {
    serde_json::from_value(text.into())
        .map_err(|_| "one of applied, unchanged, skipped, retrying, parked".to_owned())
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List(list) => {
            let query = RunQuery {
                workspace: list.workspace,
                connector: list.connector,
                record: list.record,
                outcome: list.outcome,
                before: list.before,
                limit: Some(list.limit),
            };
            let runs = client.runs(&query).await?;
            let headings = ["RUN", "AT", "CONNECTION", "KIND", "OUTCOME", "TOOK", "SUMMARY"];
            Ok(context.out.list(&runs, headings, |r| {
                [
                    r.id.clone(),
                    when(r.started_at),
                    r.connection.clone(),
                    word(&r.kind),
                    word(&r.outcome),
                    duration(r.duration_us),
                    r.summary.clone(),
                ]
            })?)
        }
        Command::Replay(args) => replay::run(context, args).await,
        Command::Show { run } => Ok(show(context, &client.run(&run).await?)?),
    }
}

fn show(context: &Context, run: &Run) -> std::io::Result<()> {
    let mut lines = vec![
        ("run", run.id.clone()),
        ("connection", run.connection.clone()),
        ("component", run.component.clone().unwrap_or_default()),
        ("kind", word(&run.kind)),
        ("entity", run.entity.clone().unwrap_or_default()),
        ("HighLevel id", or_dash(run.highlevel_id.as_ref())),
        ("partner id", or_dash(run.partner_id.as_ref())),
        ("at", when(run.started_at)),
        ("took", duration(run.duration_us)),
        ("outcome", word(&run.outcome)),
        ("failure", run.class.map(|class| fault(class, "the other system")).unwrap_or_default()),
        ("summary", run.summary.clone()),
        ("led to by", run.cause.as_ref().map(word).unwrap_or_default()),
        ("event", run.event.map(|event| event.to_string()).unwrap_or_default()),
    ];
    lines.extend(run.changes.iter().map(|change| {
        let (before, after) = (value(&change.before), value(&change.after));
        ("wrote", format!("{} {}: {before} → {after}", word(&change.side), change.field))
    }));
    lines.extend(
        run.remarks
            .iter()
            .map(|left| ("left alone", format!("{} {}: {}", word(&left.side), left.field, left.words))),
    );
    for call in &run.calls {
        lines.push(("call", headline(call)));
        let fault = call.class.map(|class| fault(class, &call.target));
        let details = [
            ("  path", &call.path),
            ("  request", &call.request),
            ("  response", &call.response),
            ("  error", &call.error),
            ("  fault", &fault),
            ("  trace", &call.trace_id),
        ];
        lines.extend(details.into_iter().filter_map(|(name, text)| text.clone().map(|text| (name, text))));
    }
    lines.extend(run.log.iter().map(|line| ("log", line.clone())));
    context.out.one(run, &lines)
}

fn headline(call: &Call) -> String {
    let mut parts = vec![format!("{} {} ({})", call.target, call.operation, duration(call.duration_us))];
    parts.extend(call.status.map(|status| format!("status {status}")));
    parts.extend(call.quota_remaining.map(|left| format!("quota left {left}")));
    parts.extend(call.daily_remaining.map(|left| format!("left today {left}")));
    parts.extend((call.waited_us > 0).then(|| format!("waited {}", duration(call.waited_us))));
    parts.extend(call.write.then(|| "writes".to_owned()));
    parts.join(", ")
}

/// The class of a failure, and whose fault that is.
fn fault(class: FailureClass, target: &str) -> String {
    let whose = match class {
        FailureClass::Transient => target,
        FailureClass::Quota => "nobody's: the quota is used up",
        FailureClass::Guard => {
            "nobody's yet: too many records were about to change, and a person has to look"
        }
        FailureClass::Auth => "the credential",
        FailureClass::Config => "how the connection is set up",
        FailureClass::Data => "the record's values",
        FailureClass::Conflict => "two records or values that contradict each other",
        FailureClass::Unsure => {
            "nobody's: an answer was lost, and only a look at the other system tells whether it was done"
        }
        FailureClass::Loop => "connections or rules that answer each other's writes",
        FailureClass::Denied => "what was not granted",
        FailureClass::GuestBug => "the connector",
        FailureClass::Host => "this host: its log says more",
    };
    format!("{}: {whose}", word(&class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_spelled_as_the_api_spells_them() {
        assert_eq!(outcome("parked"), Ok(RunOutcome::Parked));
        assert!(outcome("Parked").is_err());
    }
}
