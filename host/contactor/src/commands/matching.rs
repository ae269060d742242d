//! `contactor match`: look at what a first synchronisation would do before it does it, and approve it bucket by bucket.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use contactor_server::dto::{
    ApproveMatch, BucketReport, ConnectionState, Match, MatchBucket, MatchQuery, MatchReport, StartMatch,
    SyncEstimate,
};

use super::Context;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::{or_dash, when, word};

/// How often a report under way is asked how far it is.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Begin the report, or go on with the one under way. Nothing is written.
    Start(Start),
    /// Show how far it is, what every bucket would cost, and records of each.
    Show(Show),
    /// Let the records of some buckets be linked, created and changed. The others wait.
    Approve(Approve),
}

#[derive(Args)]
pub(crate) struct Which {
    /// The workspace's id.
    workspace: String,
    /// The connector's id.
    connector: String,
}

/// Begin the match report, or go on with the one under way: every contact of the location is read on both sides, and the partner's
/// records as its connector lists them, but nothing is written. The host does the work in the background and goes on after a restart.
///
/// From now on the connection is under review: people who are not linked yet wait until their bucket is approved. Those who are linked
/// stay in step.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor match start acme prefinery
  contactor match start acme prefinery --anew --no-wait")]
pub(crate) struct Start {
    #[command(flatten)]
    which: Which,
    /// Begin again, even if a report is under way. What was approved has to be approved again.
    #[arg(long)]
    anew: bool,
    /// Start it and return at once.
    #[arg(long)]
    no_wait: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor match show acme prefinery
  contactor match show acme prefinery --bucket new-in-partner --limit 100
  contactor match show acme prefinery --bucket ambiguous --json")]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
    /// Records of this bucket only.
    #[arg(long, value_enum)]
    bucket: Option<BucketArg>,
    /// At most this many records of each bucket.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=500))]
    limit: u32,
    /// Leave out this many first.
    #[arg(long, default_value_t = 0)]
    skip: u32,
}

/// Let the records of some buckets be linked, created and changed. Each is read again before it is written: one that would fall into
/// another bucket by then waits for that one's approval. With matched, new-in-partner and new-in-highlevel approved the review is over.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor match approve acme prefinery --bucket matched
  contactor match approve acme prefinery --bucket new-in-partner,new-in-highlevel
  contactor match approve acme prefinery --all")]
pub(crate) struct Approve {
    #[command(flatten)]
    which: Which,
    /// These buckets.
    #[arg(long = "bucket", value_enum, value_delimiter = ',', required_unless_present = "all")]
    buckets: Vec<BucketArg>,
    /// Every bucket. Ambiguous and failed records are parked for a person then.
    #[arg(long, conflicts_with = "buckets")]
    all: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum BucketArg {
    Matched,
    NewInPartner,
    NewInHighlevel,
    Ambiguous,
    Skipped,
    Failed,
    Linked,
}

impl From<BucketArg> for MatchBucket {
    fn from(bucket: BucketArg) -> Self {
        match bucket {
            BucketArg::Matched => Self::Matched,
            BucketArg::NewInPartner => Self::NewInPartner,
            BucketArg::NewInHighlevel => Self::NewInHighlevel,
            BucketArg::Ambiguous => Self::Ambiguous,
            BucketArg::Skipped => Self::Skipped,
            BucketArg::Failed => Self::Failed,
            BucketArg::Linked => Self::Linked,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::Start(start) => {
            let Which { workspace, connector } = &start.which;
            let request = StartMatch { anew: start.anew };
            let mut report = client.start_match(workspace, connector, request).await?;
            if !start.no_wait {
                report = wait(context, &client, &start.which, report).await?;
            }
            show(context, &report)?;
            context.out.note(&format!(
                "nothing was written; `contactor match show {workspace} {connector} --bucket BUCKET` lists more, \
                 `contactor match approve {workspace} {connector} --bucket BUCKET` lets it happen"
            ))?;
        }
        Command::Show(args) => {
            let query = MatchQuery {
                bucket: args.bucket.map(Into::into),
                skip: Some(args.skip),
                limit: Some(args.limit),
            };
            show(context, &client.matches(&args.which.workspace, &args.which.connector, &query).await?)?;
        }
        Command::Approve(approve) => {
            let Which { workspace, connector } = &approve.which;
            let request = ApproveMatch {
                buckets: approve.buckets.into_iter().map(Into::into).collect(),
                all: approve.all,
            };
            let report = client.approve_match(workspace, connector, &request).await?;
            show(context, &report)?;
            let then = if report.under_review {
                "the other buckets wait"
            } else {
                "everything that would be written is approved: the review is over"
            };
            context.out.note(&format!(
                "{then}; `contactor match show {workspace} {connector}` tells how far it is"
            ))?;
        }
    }
    Ok(())
}

async fn wait(
    context: &Context,
    client: &Client,
    which: &Which,
    mut report: MatchReport,
) -> Result<MatchReport, Failure> {
    let Which { workspace, connector } = which;
    let mut told = 0;
    while !report.is_complete() {
        if report.state != ConnectionState::Enabled {
            return Err(Failure::say(
                Exit::Failed,
                format_args!(
                    "the report stopped: the connection is {}\n`contactor connection show {workspace} {connector}` says why",
                    word(&report.state)
                ),
            ));
        }
        if report.seen != told {
            told = report.seen;
            context.out.note(&format!("{} contacts looked at", progress(&report)))?;
        }
        tokio::time::sleep(LOOK).await;
        report = client.matches(workspace, connector, &MatchQuery::default()).await?;
    }
    Ok(report)
}

fn progress(report: &MatchReport) -> String {
    let total = report.total.map(|total| format!(" of {total}")).unwrap_or_default();
    format!("{}{total}", report.seen)
}

fn show(context: &Context, report: &MatchReport) -> std::io::Result<()> {
    let approved: Vec<_> = report.approved.iter().map(word).collect();
    let state = match (report.is_complete(), report.begun_at.is_some()) {
        (_, false) => "not begun",
        (true, true) => "complete",
        (false, true) => "under way",
    };
    let lines = [
        ("connection", report.connection.clone()),
        ("report", state.to_owned()),
        ("begun", or_dash(report.begun_at.map(when))),
        ("contacts looked at", progress(report)),
        ("partner's lists to read", report.unread_streams.join(", ")),
        ("records that wait", (report.waiting + report.unreleased).to_string()),
        (
            "unlinked people",
            if report.under_review { "wait for approval" } else { "are synchronised" }.to_owned(),
        ),
        ("approved", approved.join(", ")),
        ("not approved would cost", cost(&report.estimate)),
    ];
    if context.out.json {
        return crate::output::json(report);
    }
    context.out.one(report, &lines)?;
    context.out.text("")?;
    let headings = ["BUCKET", "RECORDS", "HANDED OVER", "TO HIGHLEVEL", "TO PARTNER", "CONFLICTS", "COST"];
    context.out.list(&report.buckets, headings, |b| {
        [
            format!("{}{}", word(&b.bucket), if b.approved { ", approved" } else { "" }),
            b.records.to_string(),
            b.released.to_string(),
            b.to_highlevel.to_string(),
            b.to_partner.to_string(),
            b.conflicts.to_string(),
            if b.estimate.highlevel_calls + b.estimate.partner_calls > 0 {
                cost(&b.estimate)
            } else {
                String::new()
            },
        ]
    })?;
    for bucket in report.buckets.iter().filter(|bucket| !bucket.examples.is_empty()) {
        examples(context, bucket)?;
    }
    for remark in &report.remarks {
        context.out.note(remark)?;
    }
    Ok(())
}

fn examples(context: &Context, bucket: &BucketReport) -> std::io::Result<()> {
    context.out.text(&format!("\n{}", word(&bucket.bucket)))?;
    for example in &bucket.examples {
        context.out.text(&format!("    {}: {}", who(example), example.note))?;
    }
    Ok(())
}

fn who(example: &Match) -> String {
    let ids: Vec<&str> =
        [&example.highlevel_id, &example.partner_id].into_iter().flatten().map(String::as_str).collect();
    match &example.label {
        Some(label) => format!("{label} ({})", ids.join(" = ")),
        None => ids.join(" = "),
    }
}

pub(super) fn cost(estimate: &SyncEstimate) -> String {
    format!(
        "{} requests to HighLevel ({:.1} min at the allowed rate, {:.1} % of a day), {} to the partner",
        estimate.highlevel_calls, estimate.minutes, estimate.day_percent, estimate.partner_calls
    )
}
