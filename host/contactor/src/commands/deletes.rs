//! `contactor deletes`: records that somebody deleted on one side, and what becomes of the other one.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use contactor_server::dto::{
    DecideDeletion, DecideDeletions, DeletePolicies, DeletePolicy, DeleteThen, Deletion, DeletionPreview,
    DeletionQuery, DeletionState, PreviewDeletion, SetDeletePolicies, Side,
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
    /// List records that one side lost: in quarantine, waiting for a person, and done; each with what happens next.
    #[command(after_help = "\
Examples:
  contactor deletes list acme
  contactor deletes list acme prefinery --ended --json")]
    List(List),
    /// Delete the other record as well, where the policy asks for it and waits for a person.
    #[command(after_help = "\
Examples:
  contactor deletes confirm acme 7
  contactor deletes confirm acme 7 9 12
  contactor deletes confirm acme --all --expect 3")]
    Confirm(Decide),
    /// Leave the other record as it is; both are no longer kept in step. Also while a run tries to delete it: what is there then stays.
    #[command(after_help = "\
Examples:
  contactor deletes keep acme 7
  contactor deletes keep acme --all --expect 3 --by ann")]
    Keep(Decide),
    /// Take back what was done: the tag goes, a deleted record is created again (with a new id) from what was kept of it. The record
    /// that somebody deleted stays deleted; the pair is in step again once it is back.
    #[command(after_help = "\
Examples:
  contactor deletes list acme            # tells until when each can be undone
  contactor deletes undo acme 7
  contactor deletes undo acme 7 --no-wait --json")]
    Undo(Undo),
    /// Show or set what is done to one record when the other one is gone.
    #[command(after_help = "\
Examples:
  contactor deletes policy acme prefinery
  contactor deletes policy acme prefinery --highlevel-gone tag --partner-gone delete
  contactor deletes policy acme prefinery --highlevel-gone tag=former-contact
  contactor deletes policy acme prefinery --highlevel-gone archive=profile.custom_var1=left
  contactor deletes policy acme prefinery --highlevel-gone unlink")]
    Policy(Policy),
    /// Show what would follow if a linked contact were deleted on one side. Writes nothing.
    #[command(
        after_help = "Example:\n  contactor deletes preview acme prefinery ocQHyuzHvysMo5N5VsXc --gone highlevel"
    )]
    Preview(Preview),
}

#[derive(Args)]
pub(crate) struct List {
    /// The workspace's id.
    workspace: String,
    /// Only of this connector.
    connector: Option<String>,
    /// Those that ended, too.
    #[arg(long)]
    ended: bool,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

#[derive(Args)]
pub(crate) struct Decide {
    /// The workspace's id.
    workspace: String,
    /// The deletion's number, as `contactor deletes list` shows it; several only of those that wait for a person.
    #[arg(required_unless_present = "all", value_name = "ID")]
    ids: Vec<i64>,
    /// All that wait for a person, in all connections of the workspace.
    #[arg(long, conflicts_with = "ids", requires = "expect")]
    all: bool,
    /// With --all: how many you saw. Refused, with the present number, when more or fewer wait by now.
    #[arg(long, value_name = "N", requires = "all")]
    expect: Option<u64>,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
pub(crate) struct Undo {
    /// The workspace's id.
    workspace: String,
    /// The deletion's number, as `contactor deletes list` shows it.
    id: i64,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
struct How {
    /// Who decides, for the timeline; the user of this machine unless given.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    by: Option<String>,
    /// Return at once, without waiting for the run that carries it out.
    #[arg(long)]
    no_wait: bool,
}

#[derive(Args)]
pub(crate) struct Policy {
    /// The workspace's id.
    workspace: String,
    /// The connector's id.
    connector: String,
    /// The kind of record.
    #[arg(default_value = "contact")]
    entity: String,
    /// For records that are gone in HighLevel: `unlink`, `tag`, `tag=NAME`, `archive=FIELD=VALUE` or `delete`.
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    highlevel_gone: Option<DeletePolicy>,
    /// For records that are gone at the partner: `unlink`, `tag`, `tag=NAME`, `archive=FIELD=VALUE` or `delete`.
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    partner_gone: Option<DeletePolicy>,
}

#[derive(Args)]
pub(crate) struct Preview {
    /// The workspace's id.
    workspace: String,
    /// The connector's id.
    connector: String,
    /// HighLevel's or the partner's id of a linked contact.
    record: String,
    /// The side on which it would be deleted.
    #[arg(long, value_enum, default_value = "highlevel")]
    gone: SideArg,
}

fn policy(text: &str) -> Result<DeletePolicy, String> {
    let given = text.split_once('=');
    Ok(match (given, text) {
        (Some(("tag", tag)), _) => {
            DeletePolicy { tag: Some(tag.to_owned()), ..DeletePolicy::plain(DeleteThen::Tag) }
        }
        (Some(("archive", field)), _) => {
            let (field, value) =
                field.split_once('=').ok_or("archive needs a field and its value: `archive=FIELD=VALUE`")?;
            DeletePolicy {
                field: Some(field.to_owned()),
                value: Some(value.to_owned()),
                ..DeletePolicy::plain(DeleteThen::Archive)
            }
        }
        (None, "unlink") => DeletePolicy::plain(DeleteThen::Unlink),
        (None, "tag") => DeletePolicy::plain(DeleteThen::Tag),
        (None, "delete") => DeletePolicy::plain(DeleteThen::Delete),
        _ => {
            return Err(
                "it has to be `unlink`, `tag`, `tag=NAME`, `archive=FIELD=VALUE` or `delete`".to_owned()
            );
        }
    })
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List(list) => {
            let query =
                DeletionQuery { connector: list.connector, ended: list.ended, limit: Some(list.limit) };
            Ok(show_list(context, &client.deletions(&list.workspace, &query).await?)?)
        }
        Command::Confirm(decide) => decide_all(context, &client, decide, "confirm").await,
        Command::Keep(decide) => decide_all(context, &client, decide, "keep").await,
        Command::Undo(Undo { workspace, id, how }) => {
            let decide = Decide { workspace, ids: vec![id], all: false, expect: None, how };
            decide_all(context, &client, decide, "undo").await
        }
        Command::Policy(policy) => {
            let Policy { workspace, connector, entity, highlevel_gone, partner_gone } = policy;
            let policies = if highlevel_gone.is_none() && partner_gone.is_none() {
                client.delete_policies(&workspace, &connector, &entity).await?
            } else {
                let change = SetDeletePolicies { entity: Some(entity), highlevel_gone, partner_gone };
                client.set_delete_policies(&workspace, &connector, &change).await?
            };
            Ok(show_policies(context, &policies)?)
        }
        Command::Preview(preview) => {
            let request = PreviewDeletion { record: preview.record, gone: preview.gone.into() };
            let planned = client.preview_deletion(&preview.workspace, &preview.connector, &request).await?;
            Ok(show_preview(context, &planned)?)
        }
    }
}

fn show_list(context: &Context, deletions: &[Deletion]) -> std::io::Result<()> {
    let headings =
        ["ID", "STATE", "CONNECTION", "WHO", "HIGHLEVEL", "PARTNER", "GONE IN", "POLICY", "SINCE", "NEXT"];
    context.out.list(deletions, headings, |one| {
        [
            one.id.to_string(),
            word(&one.state),
            one.connection.clone(),
            or_dash(one.label.as_ref()),
            one.highlevel_id.clone(),
            one.partner_id.clone(),
            word(&one.gone),
            told(&one.policy),
            when(one.since),
            one.next.clone(),
        ]
    })
}

fn told(policy: &DeletePolicy) -> String {
    match (policy.then, &policy.tag, &policy.field, &policy.value) {
        (DeleteThen::Tag, Some(tag), ..) => format!("tag={tag}"),
        (DeleteThen::Archive, _, Some(field), Some(value)) => format!("archive={field}={value}"),
        (then, ..) => word(&then),
    }
}

fn show_policies(context: &Context, policies: &DeletePolicies) -> std::io::Result<()> {
    let lines = [
        ("entity", policies.entity.clone()),
        ("gone in HighLevel", told(&policies.highlevel_gone)),
        ("gone at the partner", told(&policies.partner_gone)),
    ];
    context.out.one(policies, &lines)
}

/// Decides, and waits for the runs that carry it out.
async fn decide_all(
    context: &Context,
    client: &Client,
    decide: Decide,
    decision: &str,
) -> Result<(), Failure> {
    let Decide { workspace, ids, all: _, expect, how: How { by, no_wait } } = decide;
    let one = ids.len() == 1;
    let mut decided = match ids[..] {
        [id] => vec![client.decide_deletion(&workspace, id, decision, &DecideDeletion { by }).await?],
        _ => client.decide_deletions(&workspace, decision, &DecideDeletions { by, expect, ids }).await?,
    };
    let waits = |one: &Deletion| {
        use DeletionState::{Acting, Confirmed, Kept, Undoing};
        matches!(one.state, Confirmed | Kept | Acting | Undoing)
    };
    let begun = Instant::now();
    while !no_wait && decided.iter().any(waits) && begun.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
        for one in decided.iter_mut().filter(|one| waits(one)) {
            *one = client.deletion(&workspace, one.id).await?;
        }
    }
    match (&decided[..], one) {
        ([one], true) if context.out.json => output::json(one)?,
        _ if context.out.json => output::json(&decided)?,
        ([], _) => context.out.note("nothing waits for a person")?,
        _ => show_list(context, &decided)?,
    }
    // The run had deleted it before it learned of the decision.
    let missed: Vec<_> = decided
        .iter()
        .filter(|one| one.state == DeletionState::Done && one.policy.then != DeleteThen::Unlink)
        .map(|one| one.id.to_string())
        .collect();
    if decision == "keep" && !missed.is_empty() {
        return Err(Failure::say(
            Exit::Failed,
            format_args!(
                "too late to keep {}: it was deleted before; `contactor deletes undo {workspace} ID` creates it again",
                missed.join(", ")
            ),
        ));
    }
    let late = decided.iter().filter(|one| waits(one)).count();
    if no_wait || late == 0 {
        return Ok(());
    }
    Err(Failure::say(
        Exit::Failed,
        format_args!(
            "{late} of {} are not carried out yet; `contactor runs list --workspace {workspace}` and `contactor parked list {workspace}` \
             show why",
            decided.len()
        ),
    ))
}

fn show_preview(context: &Context, planned: &DeletionPreview) -> std::io::Result<()> {
    if context.out.json {
        return output::json(planned);
    }
    let who = planned.label.as_ref().unwrap_or(&planned.highlevel_id);
    let side = if planned.gone == Side::Highlevel { "HighLevel" } else { "the partner" };
    context.out.text(&format!(
        "if {who} ({} = {}) were deleted in {side}, with the policy {}:",
        planned.highlevel_id,
        planned.partner_id,
        told(&planned.policy)
    ))?;
    show_planned(context, planned)?;
    context.out.note("nothing was written")
}

/// What would follow, step by step, with what would be written and the calls.
pub(super) fn show_planned(context: &Context, planned: &DeletionPreview) -> std::io::Result<()> {
    for step in &planned.steps {
        context.out.text(&format!("→ {step}"))?;
    }
    for change in &planned.changes {
        let (before, after) = (value(&change.before), value(&change.after));
        context.out.text(&format!("    {} {}: {before} → {after}", word(&change.side), change.field))?;
    }
    for call in &planned.calls {
        let kind = if call.write { "writes" } else { "reads" };
        context.out.text(&format!("    {} {} ({kind})", word(&call.side), call.operation))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_a_word_and_a_tag_may_have_a_name() {
        assert_eq!(policy("tag=former").unwrap().tag.as_deref(), Some("former"));
        assert_eq!(policy("delete").unwrap(), DeletePolicy::plain(DeleteThen::Delete));
        let archive = policy("archive=customFields.state=gone = left").unwrap();
        assert_eq!(
            (archive.field.as_deref(), archive.value.as_deref()),
            (Some("customFields.state"), Some("gone = left"))
        );
        assert_eq!(told(&archive), "archive=customFields.state=gone = left");
        for bad in ["", "archive", "archive=field", "delete=x"] {
            assert!(policy(bad).is_err(), "{bad}");
        }
    }
}
