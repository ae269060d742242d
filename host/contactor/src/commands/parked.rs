//! `contactor parked`: records that a person must look at.

use clap::{Args, Subcommand, ValueEnum};
use contactor_server::dto::{RecordRef, Side};

use super::Context;
use crate::exit::{Exit, Failure};
use crate::output::{self, or_dash, when, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the parked records of a workspace, with the reasons.
    List {
        /// The workspace's id.
        workspace: String,
    },
    /// Try parked records again, once their reason is dealt with.
    Retry(Retry),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor parked retry acme prefinery ocQHyuzHvysMo5N5VsXc
  contactor parked retry acme prefinery --all")]
pub(crate) struct Retry {
    /// The workspace's id.
    workspace: String,
    /// The connector's id.
    connector: String,
    /// The record's id, as `parked list` shows it.
    #[arg(required_unless_present = "all")]
    record: Option<String>,
    /// Every parked record of the connection.
    #[arg(long, conflicts_with = "record")]
    all: bool,
    /// The kind of record.
    #[arg(long, default_value = "contact")]
    entity: String,
    /// Whose id it is.
    #[arg(long, value_enum, default_value = "highlevel")]
    side: SideArg,
}

/// A side, on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SideArg {
    /// HighLevel's id.
    Highlevel,
    /// The partner's id.
    Partner,
}

impl From<SideArg> for Side {
    fn from(side: SideArg) -> Self {
        match side {
            SideArg::Highlevel => Self::Highlevel,
            SideArg::Partner => Self::Partner,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List { workspace } => {
            let parked = client.parked(&workspace).await?;
            let headings = ["CONNECTION", "ENTITY", "SIDE", "RECORD", "SINCE", "RUN", "REASON"];
            Ok(context.out.list(&parked, headings, |p| {
                [
                    p.connection.clone(),
                    p.record.entity.clone(),
                    word(&p.record.side),
                    p.record.record.clone(),
                    when(p.since),
                    or_dash(p.run.as_ref()),
                    p.reason.clone(),
                ]
            })?)
        }
        Command::Retry(retry) => {
            let connection = format!("{}/{}", retry.workspace, retry.connector);
            let records = match retry.record {
                Some(record) => vec![RecordRef { entity: retry.entity, side: retry.side.into(), record }],
                None => {
                    let parked = client.parked(&retry.workspace).await?;
                    parked.into_iter().filter(|p| p.connection == connection).map(|p| p.record).collect()
                }
            };
            let mut released = 0;
            for record in &records {
                if client.retry_parked(&retry.workspace, &retry.connector, record).await?.released {
                    released += 1;
                }
            }
            if released < records.len() && !retry.all {
                let message = "that record is not parked; `contactor parked list` shows those that are";
                return Err(Failure::say(Exit::NotFound, message));
            }
            if context.out.json {
                return Ok(output::json(&serde_json::json!({ "released": released }))?);
            }
            Ok(context.out.text(&format!("released {released}"))?)
        }
    }
}
