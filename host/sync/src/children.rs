//! Merges two lists of child records: the tasks, notes or appointments of one contact.
//!
//! The lists are first [matched](matching), child by child. Each pair is then merged like any record, and each child without
//! a counterpart is created, removed or let go. Nothing is written here: a [`Pair`] says what to write on each side, and
//! [`Pair::link`] makes the link that the next merge starts from.
//!
//! - A child that HighLevel lost is removed at the partner. A child that the partner lost is only let go: its link stays as
//!   a tombstone, so that it is not shown again, until HighLevel's child changes.
//! - A child for which the condition `include` does not hold is not shown to the partner. The condition is asked about
//!   HighLevel's child as it is after the merge, so a task that the partner completed is completed in HighLevel first.

mod echo;
mod matching;

use std::collections::BTreeSet;

pub use echo::Glimpse;
use jiff::Timestamp;

use crate::expression::{CompileError, Expression};
use crate::fingerprint::Hasher;
use crate::offers::record;
use crate::{
    Base, Context, Direction, Fields, Fingerprint, Mapping, Merge, Side, Value, View, merge, settle,
};

/// One child as a side shows it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Child {
    /// Its id on that side. Only the partner's may be missing: whoever adds to a list of objects need not name them.
    pub id: Option<String>,
    /// Its fields.
    pub fields: Fields,
    /// When that side last updated it, if it says so.
    pub updated_at: Option<Timestamp>,
}

impl Child {
    fn view(&self) -> View {
        View { fields: self.fields.clone(), updated_at: self.updated_at }
    }
}

/// What is remembered about a pair of children.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildLink {
    /// HighLevel's id.
    pub highlevel_id: String,
    /// The partner's id.
    pub partner_id: String,
    /// What both sides last agreed on.
    pub base: Base,
    /// Of HighLevel's child when it was last seen or written.
    pub highlevel_fingerprint: Fingerprint,
    /// Of the partner's.
    pub partner_fingerprint: Fingerprint,
    /// The side that lost its child: the other one is kept and not shown again.
    pub lost: Option<Side>,
}

/// The condition of an entity's `include`, compiled.
#[derive(Debug)]
pub struct Condition(Expression);

impl Condition {
    /// Compiles a condition over HighLevel's fields.
    ///
    /// # Errors
    /// What is wrong with the expression.
    pub fn compile(expression: &str) -> Result<Self, String> {
        Expression::compile(expression).map(Self).map_err(|CompileError(reason)| reason)
    }

    /// Whether it holds: nothing, no, zero, and an empty text or list do not hold.
    ///
    /// # Errors
    /// Why it could not be evaluated for this record.
    pub fn holds(&self, fields: &Fields, context: &Context) -> Result<bool, String> {
        Ok(match self.0.evaluate(&record(fields, context), &Value::Null)? {
            Value::Boolean(yes) => yes,
            Value::Integer(number) => number != 0,
            Value::Number(number) => number != 0.0,
            value => !value.is_empty(),
        })
    }
}

/// How the lists of one kind of child are merged.
#[derive(Clone, Copy, Debug)]
pub struct ListRules<'a> {
    /// The mapping of the child's fields.
    pub mapping: &'a Mapping,
    /// Ways in which children travel.
    pub direction: Direction,
    /// HighLevel's children that the partner is shown; all without a condition.
    pub include: Option<&'a Condition>,
    /// The partner's list is that of another record than last time: what is missing there was never shown.
    pub moved: bool,
}

/// What becomes of a child on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Write {
    /// It stays as it is, or is not there.
    #[default]
    Nothing,
    /// It is created from the merge's fields.
    Create,
    /// The merge's fields are written.
    Update,
    /// It is removed.
    Remove,
}

/// What becomes of the link once the writes are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Then {
    /// There is none, or it stays as it is.
    #[default]
    Nothing,
    /// It is made or renewed; see [`Pair::link`].
    Link,
    /// It is kept as a tombstone: this side lost its child.
    Lost(Side),
    /// It goes.
    Unlink,
}

/// One child, on one side or on both, and what to do about it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Pair {
    /// HighLevel's child, as an index into its list.
    pub highlevel: Option<usize>,
    /// The partner's child, as an index into its list.
    pub partner: Option<usize>,
    /// The link so far.
    pub link: Option<ChildLink>,
    /// The fields to write. Only what [`Pair::on`] says is written.
    pub merge: Merge,
    /// What to do in HighLevel.
    pub to_highlevel: Write,
    /// What to do at the partner.
    pub to_partner: Write,
    /// What becomes of the link.
    pub then: Then,
    /// Why the child is left alone, if it is.
    pub problem: Option<String>,
}

impl Pair {
    /// What to do on `side`.
    pub fn on(&self, side: Side) -> Write {
        match side {
            Side::Highlevel => self.to_highlevel,
            Side::Partner => self.to_partner,
        }
    }

    /// Whether nothing is written and nothing is remembered anew.
    pub fn is_settled(&self) -> bool {
        (self.to_highlevel, self.to_partner) == (Write::Nothing, Write::Nothing)
            && match self.then {
                Then::Nothing => true,
                Then::Link => self.link.as_ref().is_some_and(|link| link.lost.is_none()),
                Then::Lost(side) => self.link.as_ref().is_some_and(|link| link.lost == Some(side)),
                Then::Unlink => self.link.is_none(),
            }
    }

    /// HighLevel created the child and answered it like this. What it made of the values, or added, is given to the
    /// partner in the same go.
    pub fn created(&mut self, rules: &ListRules<'_>, after: &Fields, partner: &Child, context: &Context) {
        let after = View::new(after.clone());
        let Ok(filled) = merge(rules.mapping, None, Some(&after), Some(&partner.view()), context) else {
            return;
        };
        let written = std::mem::replace(&mut self.merge, filled).to_highlevel;
        self.merge.to_highlevel = written;
        self.merge.conflicts.clear();
        if self.to_partner != Write::Remove {
            let changes = rules.direction.flows_from(Side::Highlevel) && !self.merge.to_partner.is_empty();
            self.to_partner = if changes { Write::Update } else { Write::Nothing };
        }
    }

    /// The link after the writes, from both children as they are then.
    pub fn link(
        &self,
        rules: &ListRules<'_>,
        (highlevel_id, highlevel_after): (&str, &Fields),
        (partner_id, partner_after): (&str, &Fields),
        context: &Context,
    ) -> ChildLink {
        let previous = self.link.as_ref().map(|link| &link.base);
        ChildLink {
            highlevel_id: highlevel_id.to_owned(),
            partner_id: partner_id.to_owned(),
            base: settle(rules.mapping, previous, &self.merge, highlevel_after, partner_after, context),
            highlevel_fingerprint: rules.mapping.fingerprint(Side::Highlevel, highlevel_after, context),
            partner_fingerprint: rules.mapping.fingerprint(Side::Partner, partner_after, context),
            lost: None,
        }
    }
}

/// Decides what to write so that both lists agree. The order of the lists and of the links does not matter.
pub fn merge_children(
    rules: &ListRules<'_>,
    links: &[ChildLink],
    highlevel: &[Child],
    partner: &[Child],
    context: &Context,
) -> Vec<Pair> {
    let partner = &with_own_ids(partner);
    let lists = Lists { rules, highlevel, partner, context };
    matching::pairs(&lists, links).into_iter().map(|pair| lists.decide(pair)).collect()
}

/// Of two children with the same id the first keeps it: a list of objects that people edit has copies.
fn with_own_ids(children: &[Child]) -> Vec<Child> {
    let mut seen = BTreeSet::new();
    let own = |child: &Child| child.id.clone().filter(|id| seen.insert(id.clone()));
    let ids: Vec<_> = children.iter().map(own).collect();
    children.iter().zip(ids).map(|(child, id)| Child { id, ..child.clone() }).collect()
}

/// What both sides show.
struct Lists<'a> {
    rules: &'a ListRules<'a>,
    highlevel: &'a [Child],
    partner: &'a [Child],
    context: &'a Context,
}

impl Lists<'_> {
    fn decide(&self, pair: Pair) -> Pair {
        match (pair.highlevel.map(|at| &self.highlevel[at]), pair.partner.map(|at| &self.partner[at])) {
            (Some(highlevel), Some(partner)) => self.both(pair, highlevel, partner),
            (Some(highlevel), None) => self.only_highlevel(pair, highlevel),
            (None, Some(partner)) => self.only_partner(pair, partner),
            (None, None) => Pair { then: Then::Unlink, ..pair },
        }
    }

    fn flows_from(&self, side: Side) -> bool {
        self.rules.direction.flows_from(side)
    }

    fn both(&self, pair: Pair, highlevel: &Child, partner: &Child) -> Pair {
        let base = pair.link.as_ref().map(|link| &link.base);
        let mut merged = self.merged(base, Some(highlevel), Some(partner));
        // An admin's row may go both ways although the records do not.
        if !self.flows_from(Side::Partner) {
            merged.to_highlevel.clear();
        }
        if !self.flows_from(Side::Highlevel) {
            merged.to_partner.clear();
        }
        let shown = match self.is_shown(&highlevel.fields, &merged) {
            Ok(shown) => shown,
            Err(problem) => return Pair { problem: Some(problem), ..pair },
        };
        let write = |fields: &Fields| if fields.is_empty() { Write::Nothing } else { Write::Update };
        let to_highlevel = write(&merged.to_highlevel);
        if !shown && self.flows_from(Side::Highlevel) {
            return Pair {
                to_highlevel,
                to_partner: Write::Remove,
                then: Then::Unlink,
                merge: merged,
                ..pair
            };
        }
        // Only a child with an id can be linked; one that has none is written once more with it.
        let to_partner = if partner.id.is_none() { Write::Update } else { write(&merged.to_partner) };
        Pair { to_highlevel, to_partner, then: Then::Link, merge: merged, ..pair }
    }

    fn only_highlevel(&self, pair: Pair, highlevel: &Child) -> Pair {
        if !self.flows_from(Side::Highlevel) {
            return Pair {
                then: if pair.link.is_some() { Then::Lost(Side::Partner) } else { Then::Nothing },
                ..pair
            };
        }
        let merged = self.merged(None, Some(highlevel), None);
        match self.is_shown(&highlevel.fields, &merged) {
            Err(problem) => return Pair { problem: Some(problem), ..pair },
            Ok(false) => {
                return Pair { then: if pair.link.is_some() { Then::Unlink } else { Then::Nothing }, ..pair };
            }
            Ok(true) => {}
        }
        let stays_away =
            pair.link.as_ref().is_some_and(|link| !self.rules.moved && !self.is_news(link, highlevel));
        if stays_away {
            return Pair { then: Then::Lost(Side::Partner), ..pair };
        }
        if merged.to_partner.is_empty() {
            return pair;
        }
        Pair { to_partner: Write::Create, then: Then::Link, merge: merged, ..pair }
    }

    fn only_partner(&self, pair: Pair, partner: &Child) -> Pair {
        match &pair.link {
            Some(_) if self.flows_from(Side::Highlevel) => {
                Pair { to_partner: Write::Remove, then: Then::Unlink, ..pair }
            }
            Some(_) => Pair { then: Then::Lost(Side::Highlevel), ..pair },
            None if !self.flows_from(Side::Partner) => pair,
            None => {
                let merged = self.merged(None, None, Some(partner));
                if merged.to_highlevel.is_empty() {
                    return pair;
                }
                match self.is_shown(&Fields::new(), &merged) {
                    Err(problem) => Pair { problem: Some(problem), ..pair },
                    Ok(false) if self.flows_from(Side::Highlevel) => Pair {
                        to_highlevel: Write::Create,
                        to_partner: Write::Remove,
                        then: Then::Unlink,
                        merge: merged,
                        ..pair
                    },
                    Ok(_) => {
                        let to_partner = if partner.id.is_none() { Write::Update } else { Write::Nothing };
                        Pair {
                            to_highlevel: Write::Create,
                            to_partner,
                            then: Then::Link,
                            merge: merged,
                            ..pair
                        }
                    }
                }
            }
        }
    }

    fn merged(&self, base: Option<&Base>, highlevel: Option<&Child>, partner: Option<&Child>) -> Merge {
        // An element of a list comes whole: it has no keys that are unknown.
        let whole = |child: &Child| View { fields: self.rules.mapping.whole(&child.fields), ..child.view() };
        let (highlevel, partner) = (highlevel.map(Child::view), partner.map(whole));
        // It fails only when there is neither.
        merge(self.rules.mapping, base, highlevel.as_ref(), partner.as_ref(), self.context)
            .unwrap_or_default()
    }

    /// Whether the partner is shown HighLevel's child as it is after the merge.
    fn is_shown(&self, before: &Fields, merged: &Merge) -> Result<bool, String> {
        let Some(include) = self.rules.include else { return Ok(true) };
        let mut after = before.clone();
        after.extend(merged.to_highlevel.clone());
        let holds = include.holds(&after, self.context);
        holds.map_err(|reason| format!("the condition `{}` failed: {reason}", include.0.source()))
    }

    /// Whether HighLevel's child offers something else than when both sides last agreed.
    fn is_news(&self, link: &ChildLink, highlevel: &Child) -> bool {
        let offers = self.rules.mapping.offers(Side::Highlevel, &highlevel.fields, self.context);
        offers.values.iter().any(|(row, now)| link.base.get(row).is_some_and(|then| then.highlevel != *now))
    }
}

/// Fingerprint of a whole list as one side shows it, whatever its order.
pub fn list_fingerprint(mapping: &Mapping, side: Side, children: &[Child], context: &Context) -> Fingerprint {
    let mut prints: Vec<_> = children
        .iter()
        .map(|child| {
            (child.id.as_deref().unwrap_or_default(), mapping.fingerprint(side, &child.fields, context))
        })
        .collect();
    prints.sort();
    let mut hasher = Hasher::new("contactor list 1");
    for (id, print) in &prints {
        hasher.text(id);
        hasher.text(print.as_str());
    }
    hasher.finish()
}
