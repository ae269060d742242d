//! What becomes of conflicts that wait: a run carries out what people decided, and sees which of them are over.

use contactor_store::{ConflictEnd, LinkState, NotedConflicts, RecordId, RecordKey, StoredConflict};
use contactor_sync::{Agreed, ConflictRecord, Decision, Mapping, Merge, Outcome, Side};

use super::plan::Plan;
use super::preview::{PreviewItem, item};
use super::sides::RunContext;
use crate::convert::show;
use crate::failure::{Failure, of_store};

impl RunContext {
    /// What people decided about the record of this run; of several about one field the last counts.
    pub(crate) fn decisions(&self, entity: &str) -> Vec<Decision> {
        let own = self.conflicts.iter().filter(|stored| stored.key.entity == entity);
        own.filter_map(|stored| Some(stored.pending()?.decision.clone())).collect()
    }

    /// Keeps what a policy is about to overwrite before it does. When the run then fails or dies between its writes, the next one
    /// finds both sides alike and would never know that there was a conflict.
    pub(super) async fn note_conflicts(
        &self,
        record: &RecordId,
        conflicts: impl IntoIterator<Item = &ConflictRecord>,
    ) -> Result<(), Failure> {
        let overwrite = conflicts.into_iter().filter(|conflict| conflict.overwritten.is_some());
        let conflicts: Vec<_> = overwrite.cloned().collect();
        let Some(claimed) = self.claimed.as_ref().filter(|_| !conflicts.is_empty()) else { return Ok(()) };
        let noted = NotedConflicts {
            claim: claimed.key.clone(),
            record: record.clone(),
            run: claimed.run.clone(),
            at: self.started_at,
            conflicts,
        };
        self.engine.store().note_conflicts(&claimed.lease, noted).await.map_err(of_store)
    }

    /// The conflicts that are over once the merge is written. While a clean-up rule holds writes back, a decision waits.
    pub(super) fn conflicts_ended(
        &self,
        mapping: &Mapping,
        merge: &Merge,
        held_back: bool,
    ) -> Vec<ConflictEnd> {
        let partner = &self.active.manifest.partner.name;
        let end = |(at, stored): (usize, &StoredConflict)| {
            let replaced = || {
                let mut later = self.conflicts[at + 1..].iter().filter(|later| later.pending().is_some());
                later.any(|later| later.conflict.row == stored.conflict.row)
            };
            let void = match stored.pending() {
                Some(_) if replaced() => {
                    Some("a later decision about the same field took its place".to_owned())
                }
                Some(_) => of_decision(stored, merge, held_back, partner)?,
                None => Some(of_open(stored, mapping, merge)?),
            };
            Some(ConflictEnd { id: stored.id, decided_at: stored.pending().map(|one| one.at), void })
        };
        self.conflicts.iter().enumerate().filter_map(end).collect()
    }

    /// The same when there are not two records any more.
    pub(super) fn conflicts_gone(&self, why: &str) -> Vec<ConflictEnd> {
        let end = |stored: &StoredConflict| ConflictEnd {
            id: stored.id,
            decided_at: stored.pending().map(|one| one.at),
            void: Some(why.to_owned()),
        };
        self.conflicts.iter().map(end).collect()
    }

    /// What a run says about the conflicts that it ended.
    pub(super) fn told(&self, ended: &[ConflictEnd]) -> Vec<String> {
        let told = |end: &ConflictEnd| {
            let stored = self.conflicts.iter().find(|stored| stored.id == end.id)?;
            let field = &stored.conflict.highlevel_field;
            Some(match (stored.pending(), &end.void) {
                (Some(one), None) => {
                    let side = self.system(one.decision.take);
                    format!(
                        "conflict {} on {field} resolved: {side}'s value, as {} decided",
                        stored.id, one.by
                    )
                }
                (Some(one), Some(why)) => {
                    format!(
                        "what {} decided about conflict {} on {field} counts for nothing: {why}",
                        one.by, stored.id
                    )
                }
                (None, why) => {
                    format!(
                        "conflict {} on {field} is over: {}",
                        stored.id,
                        why.as_deref().unwrap_or_default()
                    )
                }
            })
        };
        ended.iter().filter_map(told).collect()
    }

    fn system(&self, side: Side) -> &str {
        match side {
            Side::Highlevel => "HighLevel",
            Side::Partner => &self.active.manifest.partner.name,
        }
    }

    /// What the next run of a linked record would write under the decisions of this context, and why the last of them would count for
    /// nothing, if it would.
    pub(crate) async fn preview_decisions(&self, key: &RecordKey) -> (PreviewItem, Option<String>) {
        let link = match self.link(&key.entity, key.side, &key.record).await {
            Ok(link) => link.filter(|link| link.state == LinkState::Active),
            Err(failure) => return (PreviewItem::parked(key.record.clone(), failure.message), None),
        };
        match self.plan(key, link).await {
            Ok(plan) => {
                let void = match (&plan, self.active.mapping(&key.entity)) {
                    (Plan::Sync(plan), Ok(mapping)) => self
                        .conflicts_ended(mapping, &plan.merge, !plan.held_back.is_empty())
                        .into_iter()
                        .rev()
                        .find(|end| end.decided_at.is_some())
                        .and_then(|end| end.void),
                    _ => Some("there are not two records to be kept in step any more".to_owned()),
                };
                (item(key.record.clone(), &plan), void)
            }
            Err(failure) => (PreviewItem::parked(key.record.clone(), failure.message), None),
        }
    }
}

/// Why a decision counts for nothing, or that it was carried out; none while it waits.
#[expect(clippy::option_option, reason = "whether it is over, and why it is void if it is")]
fn of_decision(
    stored: &StoredConflict,
    merge: &Merge,
    held_back: bool,
    partner: &str,
) -> Option<Option<String>> {
    let row = &stored.conflict.row;
    match merge.decided.get(row)? {
        Outcome::CarriedOut if held_back || merge.open.contains(row) => None,
        Outcome::CarriedOut => Some(None),
        Outcome::Void { now } => Some(Some(changed(now, partner))),
        Outcome::NoRow => Some(Some(NO_ROW.to_owned())),
    }
}

/// Why a conflict that nobody decided is over; none while it waits.
fn of_open(stored: &StoredConflict, mapping: &Mapping, merge: &Merge) -> Option<String> {
    let row = &stored.conflict.row;
    let met = merge.conflicts.iter().find(|met| met.row == *row);
    match met {
        Some(met) if met.winner.is_some() => {
            Some("the field has another policy by now, which decided".to_owned())
        }
        Some(met) if met.id() == stored.conflict.id() => None,
        Some(_) => Some("the field was changed since; the conflict as it is now is listed anew".to_owned()),
        // It cannot be read at the moment.
        None if merge.open.contains(row) => None,
        None if mapping.rows().all(|spec| spec.key() != *row) => Some(NO_ROW.to_owned()),
        None => Some("one side gave way, and both agree by now".to_owned()),
    }
}

const NO_ROW: &str = "the mapping joins these two fields no more";

fn changed(now: &Agreed, partner: &str) -> String {
    format!(
        "the field was changed since (HighLevel has {} now, {partner} has {}), and no newer edit is overwritten",
        show(&now.highlevel),
        show(&now.partner)
    )
}
