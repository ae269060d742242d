//! The fields that a run leaves as they are, with the reason: kept with the run, so that a field's story can be told.

use contactor_store::{FieldRemark, RemarkReason, Side};
use contactor_sync::{Fields, Mapping};

use super::plan::SyncPlan;
use crate::convert;

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
