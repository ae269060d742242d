//! What both sides offered when they last agreed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::offers::{Shown, record};
use crate::{Context, Fields, Mapping, RowKey, Side, Value};

/// What both sides of one row offered when they last agreed. The two may differ: an expression need not be reversible,
/// and a system may store something else than it was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreed {
    /// HighLevel's offer, in the partner's terms.
    pub highlevel: Value,
    /// The partner's offer, in HighLevel's terms.
    pub partner: Value,
}

impl Agreed {
    /// A side's offer, in the other side's terms.
    pub fn of(&self, side: Side) -> &Value {
        match side {
            Side::Highlevel => &self.highlevel,
            Side::Partner => &self.partner,
        }
    }
}

/// The common ancestor of a three-way merge: row by row, what both sides offered when they last agreed.
///
/// A row without an entry has never been agreed on: it was added to the mapping later, waits for a person, or held a
/// value that could not be read.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Base {
    rows: BTreeMap<RowKey, Agreed>,
}

impl Base {
    /// The base of two records that agree as they are, for example after a match that a person approved.
    pub fn of(mapping: &Mapping, highlevel: &Fields, partner: &Fields, context: &Context) -> Self {
        let (highlevel, partner) = (record(highlevel, context), record(partner, context));
        let mut base = Self::default();
        for row in mapping.compiled() {
            let highlevel = Shown::of(row, Side::Highlevel, &highlevel, context).offered;
            let partner = Shown::of(row, Side::Partner, &partner, context).offered;
            if let (Ok(highlevel), Ok(partner)) = (highlevel, partner) {
                base.insert(row.key.clone(), Agreed { highlevel, partner });
            }
        }
        base
    }

    /// The base of the same HighLevel record with another record of the partner, which takes the place of the one that the
    /// base was agreed on with. What the successor does not say counts as unchanged; what it says otherwise is a change. A set that
    /// lacks something was never agreed on with it: nothing was removed there, and what is missing travels to it.
    #[must_use]
    pub fn for_successor(&self, mapping: &Mapping, partner: &Fields, context: &Context) -> Self {
        let partner = record(partner, context);
        let mut base = Self::default();
        for row in mapping.compiled() {
            let Some(agreed) = self.get(&row.key) else { continue };
            let offered = Shown::of(row, Side::Partner, &partner, context).offered;
            let Agreed { mut highlevel, mut partner } = agreed.clone();
            if let (Value::Set(_), Ok(offered @ (Value::Set(_) | Value::Null))) = (&partner, &offered) {
                let present: BTreeSet<_> = lower(offered).collect();
                let missing: BTreeSet<_> = lower(&partner).filter(|name| !present.contains(name)).collect();
                highlevel = without(&highlevel, &missing);
                partner = without(&partner, &missing);
            } else if offered.is_ok_and(|value| value == Value::Null) {
                partner = Value::Null;
            }
            base.insert(row.key.clone(), Agreed { highlevel, partner });
        }
        base
    }

    /// What was agreed on in a row.
    pub fn get(&self, row: &RowKey) -> Option<&Agreed> {
        self.rows.get(row)
    }

    /// The rows in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&RowKey, &Agreed)> {
        self.rows.iter()
    }

    /// Whether nothing was ever agreed on.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn insert(&mut self, row: RowKey, agreed: Agreed) {
        self.rows.insert(row, agreed);
    }
}

fn lower(set: &Value) -> impl Iterator<Item = String> {
    set.elements().into_iter().map(|name| name.to_lowercase())
}

fn without(set: &Value, missing: &BTreeSet<String>) -> Value {
    let kept: BTreeSet<String> =
        set.elements().into_iter().filter(|name| !missing.contains(&name.to_lowercase())).collect();
    if kept.is_empty() { Value::Null } else { Value::Set(kept) }
}
