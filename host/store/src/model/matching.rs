//! The match report: what a first sync would do with each record, before it does it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConnectionId, RecordId, Side};

/// What a sync would do with a record that is not linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatchBucket {
    /// It has one counterpart and would be linked with it.
    Matched,
    /// It would be created at the partner.
    NewInPartner,
    /// It would be created in HighLevel.
    NewInHighlevel,
    /// It has several counterparts, or one that belongs to somebody else.
    Ambiguous,
    /// A rule leaves it alone, or it lacks what a record needs.
    Skipped,
    /// It could not be planned.
    Failed,
    /// It is linked already.
    Linked,
}

impl MatchBucket {
    /// Every bucket, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Matched,
        Self::NewInPartner,
        Self::NewInHighlevel,
        Self::Ambiguous,
        Self::Skipped,
        Self::Failed,
        Self::Linked,
    ];
    /// Those whose records would be written: with all of them approved a review is over.
    pub const WRITES: [Self; 3] = [Self::Matched, Self::NewInPartner, Self::NewInHighlevel];

    /// Its name, as a person types it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::NewInPartner => "new-in-partner",
            Self::NewInHighlevel => "new-in-highlevel",
            Self::Ambiguous => "ambiguous",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Linked => "linked",
        }
    }
}

/// A review of a connection. Until it ends, records that are not linked wait for the approval of their bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The connection.
    pub connection: ConnectionId,
    /// How many reports were begun; 0 before the first.
    pub walk: u32,
    /// When the review, or its present report, was begun.
    pub begun_at: Timestamp,
    /// Tells the mapping and the settings of the report from others.
    pub basis: String,
    /// What a person approved.
    pub approved: BTreeSet<MatchBucket>,
    /// When everything that would be written was approved.
    pub ended_at: Option<Timestamp>,
}

impl Review {
    /// Everything that would be written was approved.
    pub fn is_approved(&self) -> bool {
        MatchBucket::WRITES.iter().all(|bucket| self.approved.contains(bucket))
    }
}

/// What a sync would do with one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// HighLevel's id, if it is there.
    pub highlevel_id: Option<RecordId>,
    /// The partner's id, if it is there.
    pub partner_id: Option<RecordId>,
    /// What would happen.
    pub bucket: MatchBucket,
    /// For people.
    pub told: Told,
    /// Fields that would be written in HighLevel.
    pub to_highlevel: u32,
    /// Fields that would be written at the partner.
    pub to_partner: u32,
    /// Fields on which both sides differ.
    pub conflicts: u32,
    /// Requests to HighLevel that the record would cost, reads included.
    pub highlevel_calls: u32,
    /// Requests to the partner that it would cost.
    pub partner_calls: u32,
    /// When it was looked at.
    pub at: Timestamp,
    /// Its bucket was approved, and it was marked dirty because of it.
    pub released: bool,
}

/// What a person reads of a record. It is forgotten with the person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Who it is: an email, else a name, else a phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Which fields would be written, or why nothing would.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A record as it was found by a look from one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundMatch {
    /// The side whose record was looked at. A look from HighLevel's side searched the partner for every counterpart; a look from the
    /// partner's side knows of one.
    pub from: Side,
    /// What was found.
    pub found: Match,
}

/// The records of one bucket, added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchCount {
    /// The bucket.
    pub bucket: MatchBucket,
    /// Records in it.
    pub records: u64,
    /// Those of them that were released.
    pub released: u64,
    /// Fields that would be written in HighLevel, and at the partner.
    pub to_highlevel: u64,
    /// See `to_highlevel`.
    pub to_partner: u64,
    /// Fields on which both sides differ.
    pub conflicts: u64,
    /// Requests to HighLevel that the records which were not released would cost.
    pub highlevel_calls: u64,
    /// Requests to the partner that they would cost.
    pub partner_calls: u64,
}

/// Which records of a report to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchFilter {
    /// The connection.
    pub connection: ConnectionId,
    /// Of this bucket.
    pub bucket: MatchBucket,
    /// After this many.
    pub skip: u32,
    /// At most this many.
    pub limit: u32,
}
