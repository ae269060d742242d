//! `contactor sync`: bring a connection's contacts in step, or show what that would do.

use std::time::Duration;

use contactor_server::dto::{
    ConnectionState, PlannedConflict, PreviewReport, PreviewRequest, RecordRef, Side, SyncProgress,
    SyncRequest,
};

use super::Context;
use super::matching::cost;
use super::parked::SideArg;
use super::progress::Bar;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::{self, value, word};

/// How often a running synchronisation is asked how far it is.
const LOOK: Duration = Duration::from_secs(1);

/// Bring a connection's contacts in step, or show what that would do. The host does the work: it goes on when this command is
/// interrupted, and after a restart of the host it continues where it was.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  contactor sync acme prefinery --preview            what would happen to the first contacts; writes nothing
  contactor sync acme prefinery --estimate           what it would cost: requests, share of the day, minutes; begins nothing
  contactor sync acme prefinery                      do it, and wait with a progress bar
  contactor sync acme prefinery --full --no-wait     walk through all contacts again, in the background
  contactor sync acme prefinery --record ocQHyuzHvysMo5N5VsXc     one contact, before everything else
  contactor sync acme prefinery --record 1042 --side partner --preview      what that would do to one record; writes nothing")]
pub(crate) struct Args {
    /// The workspace's id.
    workspace: String,
    /// The connector's id.
    connector: String,
    /// Show what would happen and write nothing.
    #[arg(long, conflicts_with_all = ["full", "no_wait"])]
    preview: bool,
    /// Say what a sync of all contacts would cost, and begin nothing.
    #[arg(long, conflicts_with_all = ["preview", "full", "wait", "no_wait", "record"])]
    estimate: bool,
    /// Records that a preview looks at; each costs requests to both vendors.
    #[arg(long, requires = "preview", conflicts_with = "record", value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: Option<u32>,
    /// Walk through all contacts from the beginning, even if an earlier walk was not at its end.
    #[arg(long, conflicts_with = "record")]
    full: bool,
    /// Wait until everything is in step (this is the default).
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Start it and return at once.
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
    /// Only the record with this id.
    #[arg(long, value_name = "ID")]
    record: Option<String>,
    /// The kind of that record.
    #[arg(long, requires = "record", default_value = "contact")]
    entity: String,
    /// Whose id it is.
    #[arg(long, requires = "record", value_enum, default_value = "highlevel")]
    side: SideArg,
}

pub(crate) async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let client = context.client()?;
    if args.preview {
        return preview(context, &client, args).await;
    }
    if args.estimate {
        return estimate(context, &client, args).await;
    }
    if let Some(record) = one(args) {
        client.sync_record(&args.workspace, &args.connector, &record).await?;
        let look = format!("contactor runs list --workspace {} --record {}", args.workspace, record.record);
        if context.out.json {
            return Ok(output::json(&serde_json::json!({ "record": record, "queued": true }))?);
        }
        return Ok(context.out.note(&format!("the record is next; `{look}` shows what became of it"))?);
    }
    let request = SyncRequest { full: args.full };
    let mut progress = client.start_sync(&args.workspace, &args.connector, request).await?;
    if !args.no_wait {
        progress = wait(context, &client, args, progress).await?;
    }
    show(context, &progress)?;
    if progress.parked > 0 {
        context.out.note(&format!("`contactor parked list {}` shows what needs a person", args.workspace))?;
    }
    Ok(())
}

/// The one record that is meant.
fn one(args: &Args) -> Option<RecordRef> {
    let record = args.record.clone()?;
    Some(RecordRef { entity: args.entity.clone(), side: args.side.into(), record })
}

async fn wait(
    context: &Context,
    client: &Client,
    args: &Args,
    mut progress: SyncProgress,
) -> Result<SyncProgress, Failure> {
    let bar = Bar::new(context.out.quiet);
    loop {
        bar.show(&progress);
        if progress.is_finished() {
            bar.clear();
            return Ok(progress);
        }
        if progress.state != ConnectionState::Enabled {
            bar.clear();
            return Err(Failure::say(
                Exit::Failed,
                format_args!(
                    "the synchronisation stopped: the connection is {}\n\
                     `contactor connection show {} {}` says why",
                    word(&progress.state),
                    args.workspace,
                    args.connector
                ),
            ));
        }
        tokio::time::sleep(LOOK).await;
        progress = client.sync_progress(&args.workspace, &args.connector).await?;
    }
}

fn show(context: &Context, progress: &SyncProgress) -> std::io::Result<()> {
    let total = progress.total.map(|total| format!(" of {total}")).unwrap_or_default();
    let state = match (progress.is_finished(), &progress.waits_for) {
        (true, _) => "in step".to_owned(),
        (false, Some(other)) => format!("waits for the backfill of {other}"),
        (false, None) if progress.walking => "reading contacts".to_owned(),
        (false, None) => "working".to_owned(),
    };
    let left = if progress.is_finished() { String::new() } else { cost(&progress.estimate) };
    let lines = [
        ("connection", progress.connection.clone()),
        ("state", state),
        ("left to do", left),
        ("contacts read", format!("{}{total}", progress.seen)),
        ("waiting", progress.waiting.to_string()),
        ("parked", progress.parked.to_string()),
        ("links", progress.links.to_string()),
        (
            "HighLevel quota left",
            progress.quota_daily_remaining.map(|left| left.to_string()).unwrap_or_default(),
        ),
    ];
    context.out.one(progress, &lines)
}

async fn estimate(context: &Context, client: &Client, args: &Args) -> Result<(), Failure> {
    let first = client.sync_estimate(&args.workspace, &args.connector).await?;
    let lines = [
        ("contacts", first.contacts.to_string()),
        ("would cost about", cost(&first.estimate)),
        ("HighLevel quota left", first.quota_daily_remaining.to_string()),
    ];
    context.out.one(&first, &lines)?;
    Ok(context.out.note("nothing was begun; run the command without --estimate to do it")?)
}

async fn preview(context: &Context, client: &Client, args: &Args) -> Result<(), Failure> {
    let request = PreviewRequest { limit: args.limit, record: one(args) };
    let report = client.preview(&args.workspace, &args.connector, request).await?;
    if context.out.json {
        return Ok(output::json(&report)?);
    }
    for item in &report.items {
        let ids = [&item.label, &item.highlevel_id, &item.partner_id];
        let who = ids.into_iter().flatten().next().map_or("(no id)", String::as_str);
        let why = item.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        context.out.text(&format!("{:<17} {who}{why}", word(&item.verdict)))?;
        for change in &item.changes {
            let (before, after) = (value(&change.before), value(&change.after));
            context.out.text(&format!("    {} {}: {before} → {after}", word(&change.side), change.field))?;
        }
        for conflict in &item.conflicts {
            context.out.text(&format!("    {}", clash(conflict)))?;
        }
    }
    if let Some(deletion) = &report.deletion {
        super::deletes::show_planned(context, deletion)?;
    }
    context.out.text(&summary(&report))?;
    for remark in &report.remarks {
        context.out.note(remark)?;
    }
    Ok(context.out.note("nothing was written; run the command without --preview to do it")?)
}

/// Both values of a conflict, and what the policy makes of them.
pub(super) fn clash(conflict: &PlannedConflict) -> String {
    let outcome = match conflict.winner {
        Some(Side::Highlevel) => "HighLevel's is taken",
        Some(Side::Partner) => "the partner's is taken",
        None => "both stay until a person decides",
    };
    format!(
        "conflict: HighLevel {}: {}, partner {}: {}; policy {}: {outcome}",
        conflict.highlevel_field,
        value(&conflict.highlevel),
        conflict.partner_field,
        value(&conflict.partner),
        value(&conflict.policy),
    )
}

fn summary(report: &PreviewReport) -> String {
    let of = report.total.map(|total| format!(" of {total}")).unwrap_or_default();
    format!(
        "\n{looked}{of} records: {} to create, {} to change, {} in step, {} skipped, {} conflicts, {} for a person\n\
         HighLevel requests: {} for this preview, about {} for synchronising these records; the partner's: {} and about {}",
        report.creates,
        report.updates,
        report.unchanged,
        report.skipped,
        report.conflicts,
        report.parked,
        report.highlevel_calls,
        report.estimated_highlevel_calls,
        report.partner_calls,
        report.estimated_partner_calls,
        looked = report.items.len(),
    )
}
