//! What the guard against mass changes counts.

use jiff::Timestamp;

use super::{RecordId, Side};

/// How many linked records a connection changed of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guarded {
    /// Records changed in HighLevel.
    pub in_highlevel: u64,
    /// Records changed at the partner.
    pub at_partner: u64,
    /// Links in use, also those of which one record was not found at the last look; lists of a contact are not among them.
    pub links: u64,
    /// How many more a person allowed; they are not counted.
    pub allowed: u64,
}

impl Guarded {
    /// Records changed on a side.
    pub fn changed(&self, side: Side) -> u64 {
        match side {
            Side::Highlevel => self.in_highlevel,
            Side::Partner => self.at_partner,
        }
    }
}

/// How many more records a person lets a connection change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// So many, in the place of what was allowed before; they are not counted.
    pub records: u64,
    /// Whether what was counted until now is forgotten, so that there is room for the edits of the day besides.
    pub anew: bool,
}

/// A linked record that is about to be counted, on one side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counted {
    /// HighLevel's id, whichever side was changed.
    pub record: RecordId,
    /// On which side it was changed.
    pub side: Side,
}

/// A record that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// On which side.
    pub side: Side,
    /// HighLevel's id.
    pub record: RecordId,
    /// When last.
    pub at: Timestamp,
}
