//! The decision for one row that holds a single value.

use jiff::Timestamp;

use super::Facts;
use crate::mapping::Row;
use crate::{Agreed, ConflictRecord, Policy, Side, Value};

/// When each side last updated the record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) highlevel: Option<Timestamp>,
    pub(super) partner: Option<Timestamp>,
}

/// What to do about one row.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// The side whose offer is written to the other side.
    pub(super) write_from: Option<Side>,
    /// The disagreement, if there was one.
    pub(super) conflict: Option<ConflictRecord>,
}

impl Verdict {
    /// A record that one side lacks: everything that the other side offers goes there.
    pub(super) fn create(row: &Row, facts: &Facts, missing: Side) -> Self {
        let source = missing.other();
        if row.spec.direction.flows_from(source) && facts.of(source).offered != Value::Null {
            Self::write(source)
        } else {
            Self::default()
        }
    }

    fn write(source: Side) -> Self {
        Self { write_from: Some(source), conflict: None }
    }
}

pub(super) fn decide(row: &Row, base: Option<&Agreed>, facts: &Facts, times: Times) -> Verdict {
    let question = Question { row, base, facts, times };
    if row.spec.policy == Policy::Stricter {
        question.stricter()
    } else if let Some(source) = row.spec.direction.only_source() {
        question.one_way(source)
    } else {
        question.two_way()
    }
}

struct Question<'q> {
    row: &'q Row,
    base: Option<&'q Agreed>,
    facts: &'q Facts,
    times: Times,
}

impl Question<'_> {
    fn two_way(&self) -> Verdict {
        let (highlevel, partner) = (self.changed(Side::Highlevel), self.changed(Side::Partner));
        let either_has_the_others = self.other_has_it(Side::Highlevel) || self.other_has_it(Side::Partner);
        match (highlevel, partner) {
            (false, false) => Verdict::default(),
            (true, false) => self.write_unless_there(Side::Highlevel),
            (false, true) => self.write_unless_there(Side::Partner),
            (true, true) if either_has_the_others => Verdict::default(),
            (true, true) if self.base.is_none() && !self.holds(Side::Partner) => self.give(Side::Highlevel),
            (true, true) if self.base.is_none() && !self.holds(Side::Highlevel) => self.give(Side::Partner),
            (true, true) => self.conflict(self.winner()),
        }
    }

    fn one_way(&self, source: Side) -> Verdict {
        let target = source.other();
        if !self.changed(source) || self.other_has_it(source) {
            Verdict::default()
        } else if self.base.is_none() && !self.holds(target) {
            self.give(source)
        } else if self.changed(target) {
            self.conflict(self.winner())
        } else {
            Verdict::write(source)
        }
    }

    /// True wins. Which of the two values is the strict one is judged in HighLevel's terms, because the partner's flag
    /// may be turned round ("subscribed").
    fn stricter(&self) -> Verdict {
        let moved = [Side::Highlevel, Side::Partner]
            .into_iter()
            .any(|side| self.row.spec.direction.flows_from(side) && self.changed(side));
        let winner = match (self.strict(Side::Highlevel), self.strict(Side::Partner)) {
            _ if !moved => return Verdict::default(),
            (true, false) => Side::Highlevel,
            (false, true) => Side::Partner,
            (false, false) if !self.holds(Side::Partner) => return self.give(Side::Highlevel),
            (false, false) if !self.holds(Side::Highlevel) => return self.give(Side::Partner),
            (true, true) | (false, false) => return Verdict::default(),
        };
        let loser = winner.other();
        if self.other_has_it(winner) {
            Verdict::default()
        } else if self.holds(loser) && self.changed(loser) {
            self.conflict(Some(winner))
        } else {
            Verdict::write(winner)
        }
    }

    fn strict(&self, side: Side) -> bool {
        let in_highlevels_terms = match side {
            Side::Highlevel => &self.facts.highlevel.held,
            Side::Partner => &self.facts.partner.offered,
        };
        self.row.spec.direction.flows_from(side) && *in_highlevels_terms == Value::Boolean(true)
    }

    /// Whether a side offers something else than it did; without a base everything is new.
    fn changed(&self, side: Side) -> bool {
        self.base.is_none_or(|base| {
            let before = match side {
                Side::Highlevel => &base.highlevel,
                Side::Partner => &base.partner,
            };
            *before != self.facts.of(side).offered
        })
    }

    fn holds(&self, side: Side) -> bool {
        self.facts.of(side).held != Value::Null
    }

    fn other_has_it(&self, source: Side) -> bool {
        self.facts.of(source).offered == self.facts.of(source.other()).held
    }

    fn write_unless_there(&self, source: Side) -> Verdict {
        if self.other_has_it(source) { Verdict::default() } else { Verdict::write(source) }
    }

    /// Fills a side that has no value; there is nothing to give when the source offers nothing either.
    fn give(&self, source: Side) -> Verdict {
        let flows = self.row.spec.direction.flows_from(source);
        if flows && self.facts.of(source).offered != Value::Null {
            Verdict::write(source)
        } else {
            Verdict::default()
        }
    }

    fn winner(&self) -> Option<Side> {
        match (self.row.spec.policy, self.row.spec.direction.only_source()) {
            (Policy::Ask, _) => None,
            (Policy::Highlevel, _) => Some(Side::Highlevel),
            (Policy::Partner, _) => Some(Side::Partner),
            (_, Some(source)) => Some(source),
            (_, None) => Some(match (self.times.highlevel, self.times.partner) {
                (Some(highlevel), Some(partner)) if partner > highlevel => Side::Partner,
                _ => Side::Highlevel,
            }),
        }
    }

    fn conflict(&self, winner: Option<Side>) -> Verdict {
        let spec = &self.row.spec;
        let write_from = winner.filter(|winner| {
            let clears = self.facts.of(*winner).offered == Value::Null;
            spec.direction.flows_from(*winner) && !(clears && self.base.is_none())
        });
        let conflict = ConflictRecord {
            row: self.row.key.clone(),
            highlevel_field: spec.highlevel.clone(),
            partner_field: spec.partner.clone(),
            base: self.base.map(|base| (base.highlevel.clone(), base.partner.clone())),
            highlevel: self.facts.highlevel.offered.clone(),
            partner: self.facts.partner.offered.clone(),
            policy: spec.policy,
            winner,
            overwritten: write_from.map(|winner| self.facts.of(winner.other()).held.clone()),
            held: Some((self.facts.highlevel.held.clone(), self.facts.partner.held.clone())),
        };
        Verdict { write_from, conflict: Some(conflict) }
    }
}
