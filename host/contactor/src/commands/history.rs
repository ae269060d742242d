//! `contactor timeline` and `events`: what happened.

use clap::{Args, Subcommand};

use super::Context;
use crate::exit::Failure;
use crate::output::{self, or_dash, when, word};

#[derive(Args)]
#[command(after_help = "Example:\n  contactor timeline acme ocQHyuzHvysMo5N5VsXc")]
pub(crate) struct TimelineArgs {
    /// The workspace's id.
    workspace: String,
    /// HighLevel's id of the contact.
    contact: String,
}

pub(crate) async fn timeline(context: &Context, args: &TimelineArgs) -> Result<(), Failure> {
    let timeline = context.client()?.timeline(&args.workspace, &args.contact).await?;
    if context.out.json {
        return Ok(output::json(&timeline)?);
    }
    for link in &timeline.links {
        let of = format!("{} {} {}", link.connection, link.entity, link.partner_id);
        context.out.text(&format!(
            "linked with {of} since {} ({})",
            when(link.created_at),
            word(&link.state)
        ))?;
    }
    Ok(context.out.list(&timeline.entries, ["AT", "WHAT", "RUN", "SUMMARY"], |entry| {
        [when(entry.at), word(&entry.kind), or_dash(entry.run.as_ref()), entry.summary.clone()]
    })?)
}

#[derive(Subcommand)]
pub(crate) enum EventsCommand {
    /// List accepted webhooks of a workspace, newest first.
    List(Newest),
}

#[derive(Args)]
pub(crate) struct Newest {
    /// The workspace's id.
    workspace: String,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

pub(crate) async fn events(context: &Context, command: EventsCommand) -> Result<(), Failure> {
    let EventsCommand::List(args) = command;
    let events = context.client()?.events(&args.workspace, Some(args.limit)).await?;
    Ok(context.out.list(&events, ["SEQ", "AT", "FROM", "KIND", "STATE", "CONNECTION"], |e| {
        [
            e.seq.to_string(),
            when(e.received_at),
            word(&e.source),
            e.kind.clone(),
            word(&e.state),
            or_dash(e.connection.as_ref()),
        ]
    })?)
}
