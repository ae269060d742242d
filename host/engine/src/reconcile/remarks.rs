//! The fields that a run leaves as they are, with the reason: kept with the run, so that a field's story can be told.

use contactor_store::{FieldRemark, RemarkReason, Side};
use contactor_sync::{Fields, KeptConsent, Mapping, Merge, RowSpec};

use super::plan::SyncPlan;
use super::sides::RunContext;
use crate::convert;
use crate::dropped;

/// The fields that a clean-up rule keeps from being written to a side.
pub(super) fn held_back(side: Side, fields: &Fields, reason: &str) -> Vec<FieldRemark> {
    let remark = |field: &String| FieldRemark {
        side,
        field: field.clone(),
        reason: RemarkReason::Rule,
        words: reason.to_owned(),
    };
    fields.keys().map(remark).collect()
}

/// Takes out of a write to a contact what would give back consent that was withdrawn; answers what was left alone.
pub(crate) fn keep_consent(present: &Fields, wanted: &mut Fields) -> Vec<FieldRemark> {
    keep_consent_of_any(std::slice::from_ref(present), wanted)
}

/// The same where any of these contacts may be the one that is written.
pub(crate) fn keep_consent_of_any(present: &[Fields], wanted: &mut Fields) -> Vec<FieldRemark> {
    let remark = |kept: KeptConsent| FieldRemark {
        side: Side::Highlevel,
        field: kept.field.to_owned(),
        reason: RemarkReason::Consent,
        words: kept.to_string(),
    };
    contactor_sync::keep_consent_of_any(present, wanted).into_iter().map(remark).collect()
}

/// The same for a merge. A row whose field is not written as it was to be stays open.
pub(super) fn keep_consent_in(mapping: &Mapping, present: &Fields, merge: &mut Merge) -> Vec<FieldRemark> {
    let left = keep_consent(present, &mut merge.to_highlevel);
    let is_left = |row: &&RowSpec| left.iter().any(|remark| remark.field == row.highlevel);
    merge.open.extend(mapping.rows().filter(is_left).map(RowSpec::key));
    left
}

/// Everything that a run left alone: by a rule, because a conflict waits, because of a problem, or because the system dropped it.
pub(super) fn left_alone(mapping: &Mapping, plan: &SyncPlan, dropped: Vec<FieldRemark>) -> Vec<FieldRemark> {
    let waiting = plan.merge.conflicts.iter().filter(|conflict| conflict.winner.is_none());
    let waiting = waiting.map(|conflict| FieldRemark {
        side: Side::Highlevel,
        field: conflict.highlevel_field.clone(),
        reason: RemarkReason::Conflict,
        words: format!(
            "both sides changed it ({} and {}), and a person has to decide",
            convert::show(&conflict.highlevel),
            convert::show(&conflict.partner)
        ),
    });
    let problems = plan.merge.problems.iter().filter_map(|problem| {
        let target = problem.side.other();
        let row = mapping.rows().find(|row| row.key() == problem.row)?;
        Some(FieldRemark {
            side: convert::side(target),
            field: row.field(target).to_owned(),
            reason: RemarkReason::Problem,
            words: problem.to_string(),
        })
    });
    plan.left.iter().cloned().chain(waiting).chain(problems).chain(dropped).collect()
}

impl RunContext {
    /// What an admin has not been told yet of values that a system accepted and did not keep. Each field is told once, and kept in
    /// view with its connection.
    pub(super) async fn told_of_dropped(&self, left: &[FieldRemark]) -> Vec<String> {
        let mut told = Vec::new();
        for remark in left.iter().filter(|remark| remark.reason == RemarkReason::Dropped) {
            if self.tells(&dropped::about(remark.side, &remark.field)).await {
                self.engine.note_dropped(&self.active.connection, remark.side, &remark.field).await;
                told.push(remark.words.clone());
            }
        }
        told
    }
}
