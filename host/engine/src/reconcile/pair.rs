//! What is done about the two records of a pair, as their plan says, and what the run tells of it.

use contactor_store::{ClaimedRecord, ConflictEnd, LinkState, RecordKey, RunOutcome, Side};

use super::apply::{Applied, note_writes};
use super::deletes::Lost;
use super::ending::Ending;
use super::plan::{Plan, SyncPlan};
use super::remarks::left_alone;
use super::sides::{RunContext, SideRecord};
use crate::engine::Engine;
use crate::failure::Failure;

impl Engine {
    pub(super) async fn reconcile(
        &self,
        run: &RunContext,
        claim: &ClaimedRecord,
        guards: &mut Vec<tokio::sync::OwnedMutexGuard<()>>,
    ) -> Result<Ending, Failure> {
        if let Some(ending) = self.before_return(run, claim).await? {
            return Ok(ending);
        }
        let plan = run.plan(&claim.key, claim.link.clone()).await;
        if let Some(waits) = self.held(run, claim, &plan).await? {
            return Ok(waits);
        }
        match plan? {
            Plan::Skip { reason, highlevel, partner } => {
                Ok(Ending::done(RunOutcome::Skipped, format!("left alone: {reason}"))
                    .between(highlevel.map(|r| r.id), partner.map(|r| r.id)))
            }
            Plan::Nowhere => {
                let why = "the record is on neither side";
                Ok(Ending { ended: run.conflicts_gone(why), ..Ending::done(RunOutcome::Unchanged, why) })
            }
            Plan::Gone { link, seen, left } => {
                // Boxed: it is rare, and every run would carry its state.
                Box::pin(self.gone(run, &claim.key, Lost { link, seen, left }, guards)).await
            }
            Plan::Fill { highlevel, partner, fields } => fill(run, &highlevel, &partner, &fields).await,
            Plan::Sync(mut plan) => {
                guards.append(&mut plan.creating);
                self.bring_into_step(run, &claim.key, *plan).await
            }
        }
    }

    pub(super) async fn bring_into_step(
        &self,
        run: &RunContext,
        key: &RecordKey,
        plan: SyncPlan,
    ) -> Result<Ending, Failure> {
        // Also of a pair that was given up or is looked for again: what comes back may come back changed.
        let both = plan.highlevel.is_some() && plan.partner.is_some();
        if let Some(link) = plan.link.as_ref().filter(|_| both) {
            let mut changed = Vec::new();
            changed.extend(Some(Side::Highlevel).filter(|_| !plan.merge.to_highlevel.is_empty()));
            changed.extend(Some(Side::Partner).filter(|_| !plan.merge.to_partner.is_empty()));
            run.pass_guard(&link.highlevel_id, &changed).await?;
        }
        if let Some(highlevel) = &plan.highlevel {
            run.note_conflicts(&highlevel.id, &plan.merge.conflicts).await?;
        }
        let (plan, mut applied) = run.apply(&key.entity, plan).await?;
        applied.notes = run.told_of_dropped(&applied.left).await;
        let outcome =
            match (&applied.created, applied.changes.is_empty(), &plan.link, plan.held_back.is_empty()) {
                (None, true, Some(_), false) => RunOutcome::Skipped,
                (None, true, Some(_), true) => RunOutcome::Unchanged,
                _ => RunOutcome::Applied,
            };
        // A contact that is linked anew brings its tasks, notes and appointments with it.
        let same = plan.link.as_ref().is_some_and(|link| {
            link.state == LinkState::Active
                && (&link.highlevel_id, &link.partner_id)
                    == (&applied.link.highlevel_id, &applied.link.partner_id)
        });
        let marks =
            if same { Vec::new() } else { run.list_marks(Side::Highlevel, &applied.link.highlevel_id) };
        let moved = plan.link.as_ref().filter(|_| run.active.rekeys(&key.entity) && !same);
        let children = match moved {
            Some(_) => run.rekeyed_lists(&applied.link).await?,
            None => Vec::new(),
        };
        let mapping = run.active.mapping(&key.entity)?;
        let ended = run.conflicts_ended(mapping, &plan.merge, !plan.held_back.is_empty());
        Ok(Ending {
            marks,
            children,
            summary: summary(run, &plan, &applied, &ended),
            remarks: left_alone(mapping, &plan, applied.left),
            ended,
            conflicts: plan.merge.conflicts,
            changes: applied.changes,
            ids: (Some(applied.link.highlevel_id.clone()), Some(applied.link.partner_id.clone())),
            link: Some(applied.link),
            replaces: plan.link,
            ..Ending::done(outcome, "")
        })
    }
}

/// An older record of somebody whose newest one is linked.
async fn fill(
    run: &RunContext,
    highlevel: &SideRecord,
    partner: &SideRecord,
    fields: &contactor_sync::Fields,
) -> Result<Ending, Failure> {
    if !fields.is_empty() {
        run.pass_guard(&highlevel.id, &[Side::Highlevel]).await?;
    }
    run.update_highlevel(highlevel, fields).await?;
    let mut changes = Vec::new();
    note_writes(Side::Highlevel, Some(highlevel), fields, &mut changes);
    let outcome = if changes.is_empty() { RunOutcome::Unchanged } else { RunOutcome::Applied };
    let summary = "a newer record of the same person is linked; this one only fills what is empty";
    let ending = Ending { changes, ..Ending::done(outcome, summary) };
    Ok(ending.between(Some(highlevel.id.clone()), Some(partner.id.clone())))
}

fn summary(run: &RunContext, plan: &SyncPlan, applied: &Applied, ended: &[ConflictEnd]) -> String {
    let partner = &run.active.manifest.partner.name;
    let mut parts = Vec::new();
    match applied.created {
        Some(Side::Highlevel) => parts.push("created in HighLevel".to_owned()),
        Some(Side::Partner) => parts.push(format!("created in {partner}")),
        None if plan.link.is_none() => parts.push("matched and linked".to_owned()),
        None => {}
    }
    for (side, system) in [(Side::Highlevel, "HighLevel"), (Side::Partner, partner.as_str())] {
        let fields: Vec<&str> =
            applied.changes.iter().filter(|c| c.side == side).map(|c| c.field.as_str()).collect();
        if !fields.is_empty() && applied.created != Some(side) {
            parts.push(format!("{system}: {}", fields.join(", ")));
        }
    }
    for conflict in &plan.merge.conflicts {
        parts.push(format!("conflict on {}", conflict.highlevel_field));
    }
    parts.extend(run.told(ended));
    for problem in &plan.merge.problems {
        parts.push(problem.to_string());
    }
    for (side, reason) in &plan.held_back {
        let system = if *side == Side::Partner { partner.as_str() } else { "HighLevel" };
        parts.push(format!("not written to {system}: {reason}"));
    }
    parts.extend(plan.remarks.iter().cloned());
    parts.extend(applied.notes.iter().cloned());
    if parts.is_empty() { "in step".to_owned() } else { parts.join("; ") }
}
