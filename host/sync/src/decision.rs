//! What a person decides about a conflict, for the next merge to carry out.

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::mapping::Row;
use crate::{Agreed, ConflictRecord, Policy, RowKey, Side, Value};

/// A person's decision on one row of one record: one side's value is to be in place on both.
///
/// It is not a write of its own. The next [`merge_decided`](crate::merge_decided) of the record carries it out together with
/// whatever else changed, and only while the row is as the person saw it. So it can be carried out twice without harm, and
/// it never replaces a newer edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The row.
    pub row: RowKey,
    /// The side whose value is to be in place.
    pub take: Side,
    /// What both sides offered when the person decided.
    pub seen: Agreed,
    /// What the other side is given: the value that is taken, in the other side's terms.
    pub give: Value,
    /// What the side itself gets back, when its value was replaced; absent while it still holds it. Nothing is a value, too.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub restore: Option<Value>,
}

/// A member that is there is a value, also when it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Why nobody can decide about a conflict any more, or not like this.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Undecidable {
    /// That side's value is in place already.
    #[error("{0}'s value is in place already")]
    InPlace(Side),
    /// Consent only gets stricter.
    #[error(
        "the policy of the field is `stricter`: consent that was withdrawn on one side is not given back by a decision; change it on \
         both sides instead"
    )]
    Stricter,
    /// The field has other values by now.
    #[error("the field was changed since")]
    Changed {
        /// What both sides last agreed on; absent when they do not agree on the field at all.
        now: Option<Agreed>,
    },
    /// The conflict was recorded without the value that was replaced.
    #[error("what {0} held before was not recorded")]
    NotKept(Side),
}

impl Decision {
    /// The decision to take one side's value.
    ///
    /// `in_place` is the side whose value stands on both sides, if the conflict was settled before: by its policy, or by an
    /// earlier decision. `base` is what both sides last agreed on in the row; it tells whether the field was changed since the
    /// conflict was settled.
    ///
    /// # Errors
    /// Why it cannot be decided so.
    pub fn on(
        conflict: &ConflictRecord,
        in_place: Option<Side>,
        base: Option<&Agreed>,
        take: Side,
    ) -> Result<Self, Undecidable> {
        let give = conflict.offer(take).clone();
        let row = conflict.row.clone();
        let Some(standing) = in_place else {
            let seen = Agreed { highlevel: conflict.highlevel.clone(), partner: conflict.partner.clone() };
            return Ok(Self { row, take, seen, give, restore: None });
        };
        if conflict.policy == Policy::Stricter {
            return Err(Undecidable::Stricter);
        }
        if standing == take {
            return Err(Undecidable::InPlace(take));
        }
        let Some(seen) = base.filter(|base| base.of(standing) == conflict.offer(standing)) else {
            return Err(Undecidable::Changed { now: base.cloned() });
        };
        let restore = conflict.held(take).ok_or(Undecidable::NotKept(take))?.clone();
        Ok(Self { row, take, seen: seen.clone(), give, restore: Some(restore) })
    }

    /// What has to be in `side`'s field, if the row lets anything be written there.
    pub(crate) fn target(&self, row: &Row, side: Side) -> Option<&Value> {
        let value = if side == self.take { self.restore.as_ref() } else { Some(&self.give) };
        value.filter(|_| row.spec.direction.flows_from(side.other()))
    }
}

/// What became of a decision in a merge.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The merge writes what was decided, or both sides have it already. Once the merge is written, the decision is spent.
    CarriedOut,
    /// Somebody changed the field after the person decided: the decision counts for nothing, and the row was merged without it.
    Void {
        /// What both sides offer now.
        now: Agreed,
    },
    /// The mapping joins these fields no more.
    NoRow,
}
