//! `contactor guard`: how many records a connection changed of late, and how many it may before it is stopped.

use clap::{Args, Subcommand};
use contactor_server::dto::{AllowRequest, GuardReport};

use super::Context;
use crate::exit::Failure;
use crate::output::{or_dash, when, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what was changed, what may be, and whether the guard stopped the connection.
    Show(Of),
    /// Let more records pass and have a connection that the guard stopped go on.
    Allow(AllowArguments),
}

#[derive(Args)]
pub(crate) struct Of {
    /// The workspace's id.
    workspace: String,
    /// The connector's id.
    connector: String,
}

#[derive(Args)]
#[command(
    after_help = "Look at what waits first: contactor sync WORKSPACE CONNECTOR --preview shows what a run would write."
)]
pub(crate) struct AllowArguments {
    #[command(flatten)]
    of: Of,
    /// How many records may be changed without being counted; all that wait when left out. Beyond them the guard counts anew.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    records: Option<u64>,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::Show(of) => {
            let report = client.guard(&of.workspace, &of.connector).await?;
            show(context, &report)?;
        }
        Command::Allow(AllowArguments { of, records }) => {
            let report = client.allow(&of.workspace, &of.connector, &AllowRequest { records }).await?;
            show(context, &report)?;
            context.out.note(&format!(
                "{} more records may be changed; beyond them the guard counts anew",
                report.allowed
            ))?;
        }
    }
    Ok(())
}

fn show(context: &Context, report: &GuardReport) -> std::io::Result<()> {
    context.out.one(report, &lines(report))?;
    if context.out.json {
        return Ok(());
    }
    context.out.list(&report.latest, ["CHANGED", "ON", "AT"], |changed| {
        [changed.record.clone(), word(&changed.side), when(changed.at)]
    })
}

fn lines(report: &GuardReport) -> Vec<(&'static str, String)> {
    let of = |changed: u64| match report.limit {
        Some(limit) => format!("{changed} of {limit} within {} minutes", report.minutes),
        None => format!("{changed}; the guard is switched off"),
    };
    vec![
        ("connection", report.connection.clone()),
        ("stopped", or_dash(report.stopped.clone())),
        ("changed in HighLevel", of(report.changed_in_highlevel)),
        ("changed at the partner", of(report.changed_at_partner)),
        ("linked records", report.links.to_string()),
        ("allowed besides", report.allowed.to_string()),
        ("waiting", report.waiting.to_string()),
    ]
}
