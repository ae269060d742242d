//! What is kept of a conflict.

use serde::{Deserialize, Serialize};

use crate::fingerprint::Hasher;
use crate::{Fingerprint, Policy, RowKey, Side, Value};

/// Both sides changed a field, to different values. Recorded whether or not a policy settled it, with all that is
/// needed to explain it and to reverse it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConflictRecord {
    /// The row.
    pub row: RowKey,
    /// HighLevel's field.
    pub highlevel_field: String,
    /// The partner's field.
    pub partner_field: String,
    /// What HighLevel and the partner offered when they last agreed; absent when they never did.
    pub base: Option<(Value, Value)>,
    /// What HighLevel offers, in the partner's terms: writing it to the partner's field makes HighLevel win.
    pub highlevel: Value,
    /// What the partner offers, in HighLevel's terms: writing it to HighLevel's field makes the partner win.
    pub partner: Value,
    /// The row's policy.
    pub policy: Policy,
    /// Who won; absent while a person has to decide ([`Policy::Ask`]).
    pub winner: Option<Side>,
    /// The value that the winner's replaced, as the losing side held it: writing it back reverses the decision. Absent
    /// when nothing was written.
    pub overwritten: Option<Value>,
    /// What HighLevel's field and the partner's field held, each in its own terms: what a decision for that side gives back.
    /// Conflicts of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<(Value, Value)>,
}

impl ConflictRecord {
    /// What a side offers, in the other side's terms.
    pub fn offer(&self, side: Side) -> &Value {
        match side {
            Side::Highlevel => &self.highlevel,
            Side::Partner => &self.partner,
        }
    }

    /// What a side's own field held, if that was recorded.
    pub fn held(&self, side: Side) -> Option<&Value> {
        match (&self.held, side) {
            (Some((highlevel, _)), Side::Highlevel) => Some(highlevel),
            (Some((_, partner)), Side::Partner) => Some(partner),
            (None, side) => self.overwritten.as_ref().filter(|_| self.winner == Some(side.other())),
        }
    }

    /// The same for the same disagreement, however often a merge meets it: same row, same base, same offers. A conflict
    /// that waits for a person is stored once under it.
    pub fn id(&self) -> Fingerprint {
        let mut hasher = Hasher::new("contactor conflict 1");
        hasher.text(self.row.as_str());
        match &self.base {
            None => hasher.text("never agreed"),
            Some((highlevel, partner)) => {
                hasher.text("agreed");
                hasher.value(highlevel);
                hasher.value(partner);
            }
        }
        hasher.value(&self.highlevel);
        hasher.value(&self.partner);
        hasher.finish()
    }
}
