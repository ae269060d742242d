//! A person's decision on one row, held against what both sides show now.

use super::Facts;
use crate::mapping::Row;
use crate::{Agreed, Decision, Outcome, Side, Value};

/// What a decision has the merge write.
pub(super) enum Carried {
    /// Nothing: it is in place, or void.
    Nothing,
    /// What this side offers goes to the other side, together with what other rows carry there.
    Copy(Side),
    /// These values of these fields.
    Values(Vec<(Side, String, Value)>),
}

pub(super) fn carry(row: &Row, facts: &Facts, decision: &Decision) -> (Outcome, Carried) {
    let sides = [Side::Highlevel, Side::Partner];
    let in_place =
        |side: Side| decision.target(row, side).is_some_and(|target| *target == facts.of(side).held);
    let as_seen = |side: Side| *decision.seen.of(side) == facts.of(side).offered;
    // A side that has the decided value already was written by a run that did not come to its end.
    if !sides.into_iter().all(|side| as_seen(side) || in_place(side)) {
        let now =
            Agreed { highlevel: facts.highlevel.offered.clone(), partner: facts.partner.offered.clone() };
        return (Outcome::Void { now }, Carried::Nothing);
    }
    let missing: Vec<_> = sides
        .into_iter()
        .filter(|side| !in_place(*side))
        .filter_map(|side| Some((side, decision.target(row, side)?.clone())))
        .collect();
    let carried = match missing.as_slice() {
        [] => Carried::Nothing,
        [(side, _)] if decision.restore.is_none() => Carried::Copy(side.other()),
        _ => Carried::Values(
            missing.into_iter().map(|(side, value)| (side, row.spec.field(side).to_owned(), value)).collect(),
        ),
    };
    (Outcome::CarriedOut, carried)
}
