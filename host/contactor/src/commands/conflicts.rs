//! `contactor conflicts`: fields that both sides changed, and what people decide about them.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use contactor_server::dto::{
    Conflict, ConflictQuery, ConflictReport, ConflictState, ResolveAnswer, ResolveConflict, ResolvePreview,
};

use super::Context;
use super::parked::SideArg;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::{self, or_dash, value, when, word};

/// How often a decision is looked at until its run has carried it out, and for how long.
const LOOK: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List conflicts of a workspace: those that wait for a person first, then the newest.
    #[command(after_help = "\
Examples:
  contactor conflicts list acme --open
  contactor conflicts list acme --connection prefinery --json")]
    List(List),
    /// Explain one conflict: what both sides had, who decided and why, and what can be done.
    #[command(after_help = "Example:\n  contactor conflicts show acme 12")]
    Show(Which),
    /// Decide about a conflict: put one side's value in place on both. Settles one that waits for a person, and reverses one that a
    /// policy decided. What was changed since is never overwritten.
    #[command(after_help = "\
Examples:
  contactor conflicts resolve acme 12 --take partner --preview       what would be written; writes nothing
  contactor conflicts resolve acme 12 --take partner")]
    Resolve(Resolve),
}

#[derive(Args)]
pub(crate) struct List {
    /// The workspace's id.
    workspace: String,
    /// Only those that nobody decided.
    #[arg(long)]
    open: bool,
    /// Only of this connector.
    #[arg(long, value_name = "CONNECTOR")]
    connection: Option<String>,
    /// Only of the record with this id of HighLevel's.
    #[arg(long, value_name = "ID")]
    record: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

#[derive(Args)]
pub(crate) struct Which {
    /// The workspace's id.
    workspace: String,
    /// The conflict's number, as `contactor conflicts list` shows it.
    conflict: i64,
}

#[derive(Args)]
pub(crate) struct Resolve {
    #[command(flatten)]
    which: Which,
    /// The side whose value is to be in place on both.
    #[arg(long, value_enum)]
    take: SideArg,
    /// Show what would be written on both sides, and write nothing.
    #[arg(long)]
    preview: bool,
    /// Who decides, for the timeline; the user of this machine unless given.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    by: Option<String>,
    /// Return at once, without waiting for the run that carries it out.
    #[arg(long, conflicts_with = "preview")]
    no_wait: bool,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List(list) => {
            let query = ConflictQuery {
                open: list.open,
                connector: list.connection,
                record: list.record,
                limit: Some(list.limit),
            };
            Ok(show_list(context, &client.conflicts(&list.workspace, &query).await?)?)
        }
        Command::Show(which) => Ok(show(context, &client.conflict(&which.workspace, which.conflict).await?)?),
        Command::Resolve(resolve) => decide(context, &client, resolve).await,
    }
}

fn show_list(context: &Context, conflicts: &[Conflict]) -> std::io::Result<()> {
    let headings =
        ["ID", "STATE", "CONNECTION", "RECORD", "FIELD", "HIGHLEVEL", "PARTNER", "POLICY", "WON", "AT"];
    context.out.list(conflicts, headings, |c| {
        [
            c.id.to_string(),
            word(&c.state),
            c.connection.clone(),
            who(c),
            field(c),
            value(&c.highlevel),
            value(&c.partner),
            word(&c.policy),
            or_dash(c.in_place.as_ref().map(word)),
            when(c.at),
        ]
    })
}

fn who(conflict: &Conflict) -> String {
    let id = &conflict.record.record;
    conflict.label.as_ref().map_or_else(|| id.clone(), |label| format!("{label} ({id})"))
}

fn field(conflict: &Conflict) -> String {
    if conflict.highlevel_field == conflict.partner_field {
        conflict.highlevel_field.clone()
    } else {
        format!("{} = {}", conflict.highlevel_field, conflict.partner_field)
    }
}

fn show(context: &Context, report: &ConflictReport) -> std::io::Result<()> {
    if context.out.json {
        return output::json(report);
    }
    let conflict = &report.conflict;
    context.out.text(&format!(
        "conflict {} of {}: {} {}, {}, {}\n",
        conflict.id,
        conflict.connection,
        conflict.record.entity,
        who(conflict),
        field(conflict),
        word(&conflict.state),
    ))?;
    for line in &report.explanation {
        context.out.text(line)?;
    }
    context.out.text("")?;
    for line in &report.options {
        context.out.text(&format!("→ {line}"))?;
    }
    Ok(())
}

async fn decide(context: &Context, client: &Client, resolve: Resolve) -> Result<(), Failure> {
    let Resolve { which: Which { workspace, conflict }, take, preview, by, no_wait } = resolve;
    let request = ResolveConflict { take: take.into(), by, preview };
    let mut answer = client.resolve_conflict(&workspace, conflict, &request).await?;
    if let Some(planned) = &answer.preview {
        return Ok(show_preview(context, &answer, planned)?);
    }
    let begun = Instant::now();
    while !no_wait && answer.conflict.state == ConflictState::Pending && begun.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
        answer.conflict = client.conflict(&workspace, conflict).await?.conflict;
    }
    if context.out.json {
        output::json(&answer)?;
    } else {
        context.out.text(&told(&answer.conflict))?;
    }
    match answer.conflict.state {
        ConflictState::Void => Err(Failure::say(
            Exit::Failed,
            format_args!(
                "the decision counts for nothing; `contactor conflicts show {workspace} {conflict}` says what can be done"
            ),
        )),
        ConflictState::Pending if !no_wait => Ok(context.out.note(&format!(
            "the run of the record has not carried it out yet; `contactor runs list --workspace {workspace} --record {}` shows why",
            answer.conflict.record.record
        ))?),
        _ => Ok(()),
    }
}

/// How a conflict stands after a decision, in a sentence.
fn told(conflict: &Conflict) -> String {
    let name = format!("conflict {} on {} of {}", conflict.id, field(conflict), who(conflict));
    let last = conflict.decisions.last();
    match (conflict.state, last) {
        (ConflictState::Resolved, Some(last)) => format!(
            "{name} is resolved: {}'s value is in place (run {})",
            word(&last.take),
            or_dash(last.run.as_ref())
        ),
        (ConflictState::Void, Some(last)) => {
            format!("{name} is void: {}", last.void.as_deref().unwrap_or_default())
        }
        (ConflictState::Pending, _) => format!("{name} waits for the run of its record"),
        (state, _) => format!("{name} is {} again: the decision is withdrawn", word(&state)),
    }
}

fn show_preview(context: &Context, answer: &ResolveAnswer, planned: &ResolvePreview) -> std::io::Result<()> {
    if context.out.json {
        return output::json(answer);
    }
    let conflict = &answer.conflict;
    context.out.text(&format!("conflict {} on {} of {}", conflict.id, field(conflict), who(conflict)))?;
    for change in &planned.changes {
        let (before, after) = (value(&change.before), value(&change.after));
        context.out.text(&format!("    {} {}: {before} → {after}", word(&change.side), change.field))?;
    }
    if planned.changes.is_empty() {
        context.out.text("    nothing would be written")?;
    }
    for why in [&planned.void, &planned.reason].into_iter().flatten() {
        context.out.text(&format!("    but: {why}"))?;
    }
    context.out.note("nothing was written; run the command without --preview to do it")
}
