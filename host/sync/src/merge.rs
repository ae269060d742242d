//! The three-way merge of one record.

mod carry;
mod decide;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use crate::expression::Record;
use crate::mapping::Row;
use crate::offers::{FieldProblem, Shown, record};
use crate::sets::{Delta, Fold};
use crate::{
    Agreed, Base, ConflictRecord, Context, Decision, FieldType, Fields, Mapping, Outcome, RowKey, Side, Value,
};

use carry::{Carried, carry};
use decide::{Times, Verdict, decide};
pub use settle::settle;

/// What one side shows of a record.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct View {
    /// The record's fields, as they were read.
    pub fields: Fields,
    /// When that side last updated the record, if it says so. Only [`crate::Policy::LatestUpdate`] looks at it.
    pub updated_at: Option<Timestamp>,
}

impl View {
    /// A record that does not say when it was updated.
    pub fn new(fields: Fields) -> Self {
        Self { fields, updated_at: None }
    }

    /// The same record with the time of its last update.
    #[must_use]
    pub fn updated_at(mut self, instant: Timestamp) -> Self {
        self.updated_at = Some(instant);
        self
    }
}

/// What a merge decided. Nothing is written yet.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Merge {
    /// The fields to write to HighLevel, and nothing that it has already. [`Value::Null`] clears; a set is the whole
    /// new set.
    pub to_highlevel: Fields,
    /// The fields to write to the partner.
    pub to_partner: Fields,
    /// Every disagreement, settled by policy or waiting for a person.
    pub conflicts: Vec<ConflictRecord>,
    /// The rows that were left out because of a value or an expression.
    pub problems: Vec<FieldProblem>,
    /// The rows without a decision: they wait for a person or were left out. [`settle`] keeps their old base.
    pub open: BTreeSet<RowKey>,
    /// What became of each decision that the merge was given.
    pub decided: BTreeMap<RowKey, Outcome>,
    /// What both sides offered, for [`settle`].
    seen: Base,
}

impl Merge {
    /// Whether there is nothing to write on either side.
    pub fn is_empty(&self) -> bool {
        self.to_highlevel.is_empty() && self.to_partner.is_empty()
    }

    /// The fields to write to `side`.
    pub fn writes(&self, side: Side) -> &Fields {
        match side {
            Side::Highlevel => &self.to_highlevel,
            Side::Partner => &self.to_partner,
        }
    }

    /// What both sides offered, row by row.
    pub(crate) fn seen_rows(&self) -> impl Iterator<Item = (&RowKey, &Agreed)> {
        self.seen.iter()
    }

    fn writes_mut(&mut self, side: Side) -> &mut Fields {
        match side {
            Side::Highlevel => &mut self.to_highlevel,
            Side::Partner => &mut self.to_partner,
        }
    }
}

/// A merge that cannot be done at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MergeError {
    /// Neither side has the record.
    #[error(
        "neither HighLevel nor the partner has the record, so there is nothing to merge; unlink it instead"
    )]
    NoRecord,
}

/// Decides what to write so that both sides of a record agree again.
///
/// For every row, against what both sides offered in `base`:
///
/// - changed on one side: its offer goes to the other side, unless that has it already;
/// - changed on both sides to the same: agreed;
/// - changed on both sides differently: the row's [`Policy`](crate::Policy) decides, and a [`ConflictRecord`] is kept;
/// - sets: each side's additions and removals are applied to the other side; there is no conflict.
///
/// A row without a base has no history: a side without a value takes the other's, two different values are a
/// conflict, sets are united, and nothing is cleared.
///
/// A side that is `None` does not have the record yet: everything that the other side offers is written to it.
///
/// A field that the partner's record does not mention is unknown, not empty (HighLevel leaves out what is empty): rows that
/// read it take the partner's value as it was when both sides last agreed. A row without a base takes it as empty.
///
/// A row that goes one way never writes the other way. The source's change replaces the target's own, unless the policy
/// names the target or asks; as long as the source does not change, the target keeps what it has.
pub fn merge(
    mapping: &Mapping,
    base: Option<&Base>,
    highlevel: Option<&View>,
    partner: Option<&View>,
    context: &Context,
) -> Result<Merge, MergeError> {
    merge_decided(mapping, base, highlevel, partner, &[], context)
}

/// The same under a person's decisions, at most one for each row; of several the last counts.
///
/// A row with a decision takes the decided value on both sides, in the directions that the row has, instead of what [`merge`] makes of
/// it, as long as each side either offers what it did when the person decided or holds what was decided already. Otherwise the
/// decision is [void](Outcome::Void) and the row is merged without it, so that no newer edit is lost. A row that cannot be read has
/// no outcome: the decision waits.
pub fn merge_decided(
    mapping: &Mapping,
    base: Option<&Base>,
    highlevel: Option<&View>,
    partner: Option<&View>,
    decisions: &[Decision],
    context: &Context,
) -> Result<Merge, MergeError> {
    if highlevel.is_none() && partner.is_none() {
        return Err(MergeError::NoRecord);
    }
    let sides = Sides {
        highlevel: highlevel.map(|view| record(&view.fields, context)),
        partner: partner.map(|view| record(&view.fields, context)),
    };
    let times = Times {
        highlevel: highlevel.and_then(|view| view.updated_at),
        partner: partner.and_then(|view| view.updated_at),
    };

    let mut merge = Merge::default();
    let (mut copies, mut restored) = (Vec::new(), Vec::new());
    let missing = [Side::Highlevel, Side::Partner].into_iter().find(|side| sides.of(*side).is_none());
    let decisions: BTreeMap<&RowKey, &Decision> =
        decisions.iter().filter(|_| missing.is_none()).map(|decision| (&decision.row, decision)).collect();
    for row in mapping.compiled() {
        // A record that is created anew starts without a history.
        let base = base.filter(|_| missing.is_none()).and_then(|base| base.get(&row.key));
        let Some(facts) = merge.look(row, base, &sides, context) else { continue };
        if let Some(decision) = decisions.get(&row.key) {
            let (outcome, carried) = carry(row, &facts, decision);
            let is_void = matches!(outcome, Outcome::Void { .. });
            merge.decided.insert(row.key.clone(), outcome);
            match carried {
                Carried::Nothing if is_void => {}
                Carried::Nothing => continue,
                Carried::Copy(source) => {
                    copies.push(Copy { row, source, facts });
                    continue;
                }
                Carried::Values(values) => {
                    restored.extend(values);
                    continue;
                }
            }
        }
        if row.spec.is_set() {
            merge.join_sets(row, base, &facts);
            continue;
        }
        let Verdict { write_from, conflict } = match missing {
            Some(missing) => Verdict::create(row, &facts, missing),
            None => decide(row, base, &facts, times),
        };
        if conflict.as_ref().is_some_and(|conflict| conflict.winner.is_none()) {
            merge.open.insert(row.key.clone());
        }
        merge.conflicts.extend(conflict);
        copies.extend(write_from.map(|source| Copy { row, source, facts }));
    }
    for row in decisions.into_keys().filter(|key| mapping.compiled().iter().all(|row| row.key != **key)) {
        merge.decided.insert(row.clone(), Outcome::NoRow);
    }
    merge.copy(copies, &sides, context);
    // A person has the last word about a field that another row writes as well.
    for (side, field, value) in restored {
        merge.writes_mut(side).insert(field, value);
    }
    Ok(merge)
}

/// Both sides' records as expressions read them.
struct Sides {
    highlevel: Option<Arc<Record>>,
    partner: Option<Arc<Record>>,
}

impl Sides {
    fn of(&self, side: Side) -> Option<&Arc<Record>> {
        match side {
            Side::Highlevel => self.highlevel.as_ref(),
            Side::Partner => self.partner.as_ref(),
        }
    }
}

/// What both sides show in one row, all of it readable.
struct Facts {
    highlevel: Showing,
    partner: Showing,
}

struct Showing {
    offered: Value,
    held: Value,
}

impl Showing {
    /// A partner's record that does not say what the row reads: it is taken to be as it was agreed on.
    fn as_agreed(row: &Row, base: &Agreed) -> Self {
        let both =
            [Side::Highlevel, Side::Partner].into_iter().all(|side| row.spec.direction.flows_from(side));
        // What was agreed on in a row that goes both ways is HighLevel's offer; in one that does not leave the partner, its
        // offer is what it holds.
        let held = if both { &base.highlevel } else { &base.partner };
        Self { offered: base.partner.clone(), held: held.clone() }
    }
}

impl Facts {
    fn of(&self, side: Side) -> &Showing {
        match side {
            Side::Highlevel => &self.highlevel,
            Side::Partner => &self.partner,
        }
    }
}

/// One value on its way to the other side.
struct Copy<'m> {
    row: &'m Row,
    source: Side,
    facts: Facts,
}

impl Merge {
    /// Reads both sides of a row; `None` when one of them cannot be read, which leaves the row open.
    fn look(&mut self, row: &Row, base: Option<&Agreed>, sides: &Sides, context: &Context) -> Option<Facts> {
        let mut show = |side: Side| {
            let unknown = sides.of(side).is_some_and(|record| row.is_unknown(side, &record.fields));
            if let (Some(base), true) = (base, unknown) {
                return Some(Showing::as_agreed(row, base));
            }
            let shown =
                sides.of(side).map_or_else(Shown::nothing, |record| Shown::of(row, side, record, context));
            match shown.offered {
                Ok(offered) => Some(Showing { offered, held: shown.held }),
                Err(problem) => {
                    let field = row.spec.field(side).to_owned();
                    self.problems.push(FieldProblem { side, row: row.key.clone(), field, problem });
                    None
                }
            }
        };
        let (highlevel, partner) = (show(Side::Highlevel), show(Side::Partner));
        if let Some((highlevel, partner)) = highlevel.zip(partner) {
            let agreed = Agreed { highlevel: highlevel.offered.clone(), partner: partner.offered.clone() };
            self.seen.insert(row.key.clone(), agreed);
            Some(Facts { highlevel, partner })
        } else {
            self.open.insert(row.key.clone());
            None
        }
    }

    fn join_sets(&mut self, row: &Row, base: Option<&Agreed>, facts: &Facts) {
        let tags = [row.spec.highlevel_type, row.spec.partner_type].contains(&FieldType::Tags);
        let fold = if tags { Fold::Caseless } else { Fold::Exact };
        let delta = |side: Side| {
            let before = base.map(|base| match side {
                Side::Highlevel => &base.highlevel,
                Side::Partner => &base.partner,
            });
            Delta::between(before, &facts.of(side).offered, fold)
        };
        for source in [Side::Highlevel, Side::Partner] {
            let target = source.other();
            if !row.spec.direction.flows_from(source) {
                continue;
            }
            let field = row.spec.field(target);
            let held = &facts.of(target).held;
            // Another row may have changed the same set already.
            let current = self.writes(target).get(field).unwrap_or(held);
            let merged = delta(source).apply(current, &delta(target), fold);
            if merged != *current {
                self.writes_mut(target).insert(field.to_owned(), merged);
            }
        }
    }

    /// Carries the values over: to HighLevel first, then to the partner what HighLevel's record offers with that in it.
    ///
    /// Partner fields are often put together from several of HighLevel's (a full name). When both parts of a name
    /// changed, one on each side, the partner gets the name of which both are part.
    fn copy(&mut self, copies: Vec<Copy<'_>>, sides: &Sides, context: &Context) {
        let (from_partner, from_highlevel): (Vec<_>, Vec<_>) =
            copies.into_iter().partition(|copy| copy.source == Side::Partner);
        for Copy { row, facts, .. } in from_partner {
            self.to_highlevel.insert(row.spec.highlevel.clone(), facts.partner.offered);
        }
        let merged = sides.highlevel.as_ref().filter(|_| !self.to_highlevel.is_empty()).map(|before| {
            let mut fields = before.fields.clone();
            fields.extend(self.to_highlevel.clone());
            record(&fields, context)
        });
        for Copy { row, facts, .. } in from_highlevel {
            let again = merged
                .as_ref()
                .and_then(|merged| Shown::of(row, Side::Highlevel, merged, context).offered.ok());
            let value = again.unwrap_or(facts.highlevel.offered);
            if value != facts.partner.held {
                self.to_partner.insert(row.spec.partner.clone(), value);
            }
        }
    }
}
