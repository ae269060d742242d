//! `contactor guard`: how many records a connection changed of late, and how many it may before it is stopped.

use clap::{Args, Subcommand};
use contactor_server::dto::{AllowRequest, GuardReport};

use super::Context;
use crate::exit::Failure;
use crate::output::{or_dash, when, word};

#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  contactor guard show acme
  contactor guard allow acme prefinery --records 5")]
pub(crate) enum Command {
    /// Show what was changed, what may be, and whether the guard stopped a connection.
    Show(ShowArguments),
    /// Let more records pass and have a connection that the guard stopped go on.
    Allow(AllowArguments),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor guard show acme
  contactor guard show acme prefinery
  contactor --json guard show acme prefinery")]
pub(crate) struct ShowArguments {
    /// The workspace's id.
    workspace: String,
    /// The connector's id; all connections of the workspace when left out.
    connector: Option<String>,
}

#[derive(Args)]
#[command(after_help = "\
Look at what waits first; then try it on a few, and let the rest follow.

Examples:
  contactor sync acme prefinery --preview
  contactor guard allow acme prefinery --records 5
  contactor guard allow acme prefinery
  contactor guard allow acme prefinery --all")]
pub(crate) struct AllowArguments {
    /// The workspace's id.
    workspace: String,
    /// The connector's id.
    connector: String,
    /// So many more records and not one beyond, on both sides together: to see on a few whether they come out right. What was
    /// counted stays counted. Without this and without --all, those that wait now are allowed and the guard counts anew.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    records: Option<u64>,
    /// As many as are linked, for a sync that has not read all of them yet. The guard counts anew.
    #[arg(long, conflicts_with = "records")]
    all: bool,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::Show(ShowArguments { workspace, connector: Some(connector) }) => {
            let report = client.guard(&workspace, &connector).await?;
            show(context, &report)?;
        }
        Command::Show(ShowArguments { workspace, connector: None }) => {
            let header = ["CONNECTION", "STATE", "IN HIGHLEVEL", "AT PARTNER", "OF", "ALLOWED", "WAITING"];
            context.out.list(&client.guards(&workspace).await?, header, |report| {
                [
                    report.connection.clone(),
                    if report.stopped.is_some() { "stopped" } else { "-" }.to_owned(),
                    report.changed_in_highlevel.to_string(),
                    report.changed_at_partner.to_string(),
                    report.limit.map_or_else(|| "off".to_owned(), |limit| limit.to_string()),
                    report.allowed.to_string(),
                    report.waiting.to_string(),
                ]
            })?;
        }
        Command::Allow(AllowArguments { workspace, connector, records, all }) => {
            let report = client.allow(&workspace, &connector, &AllowRequest { records, all }).await?;
            show(context, &report)?;
            let beyond =
                if records.is_some() { "beyond them it is stopped" } else { "the guard counts anew" };
            context.out.note(&format!("{} more records may be changed; {beyond}", report.allowed))?;
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
