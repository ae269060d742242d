//! Work on records: claims, links, and how a run of one ends.

use contactor_sync::{Base, ConflictRecord, Fields, Fingerprint};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ConflictEnd, ConnectionId, Counted, Deletion, Event, EventSeq, FailureClass, Mark, NewRecording,
    Priority, RecordId, Run, RunId, Side, StoredConflict, WorkspaceId,
};

/// A record of one connection, by one side's id. When a link is known it is always addressed by HighLevel's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey {
    /// The connection.
    pub connection: ConnectionId,
    /// The entity.
    pub entity: String,
    /// Which side's id follows.
    pub side: Side,
    /// The id.
    pub record: RecordId,
}

/// A dirty record that this host has claimed, with everything that its run needs from the store.
#[derive(Clone, Debug)]
pub struct ClaimedRecord {
    /// The record.
    pub key: RecordKey,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its priority.
    pub priority: Priority,
    /// How often a run of it failed since the last success.
    pub attempts: u32,
    /// The mark's generation at claiming. A mark that arrives during the run makes the record dirty again.
    pub generation: i64,
    /// The hints since the last run, oldest first. `None` marks one without a snapshot: the record has to be read.
    pub hints: Vec<Hint>,
    /// The link, if the record has one.
    pub link: Option<Link>,
    /// Conflicts of the record that wait for a person or for this run, the oldest first.
    pub conflicts: Vec<StoredConflict>,
    /// When the oldest hint was received.
    pub first_marked_at: Timestamp,
}

/// One mark on a dirty record.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// The event; `None` for a sweep, a backfill or an operator.
    pub event: Option<EventSeq>,
    /// Which side spoke.
    pub side: Side,
    /// The values it carried.
    pub snapshot: Option<Fields>,
    /// It said that the record was deleted.
    pub deleted: bool,
    /// A person had it done again.
    pub asked: bool,
}

/// A claimed event that the connector has to turn into changes.
#[derive(Clone, Debug)]
pub struct ClaimedEvent {
    /// The event.
    pub event: Event,
    /// The connection that it belongs to.
    pub connection: ConnectionId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// How often reading it failed.
    pub attempts: u32,
}

/// HighLevel id ↔ partner id for one record, with what both sides last agreed on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The connection.
    pub connection: ConnectionId,
    /// The entity.
    pub entity: String,
    /// HighLevel's id.
    pub highlevel_id: RecordId,
    /// The partner's id.
    pub partner_id: RecordId,
    /// HighLevel's contact that the record belongs to, for a child record and for a contact's list of them. The partner's id
    /// of a child is unique within its parent only.
    pub parent: Option<RecordId>,
    /// The values both sides last agreed on, per mapping row.
    pub base: Base,
    /// Fingerprint of what HighLevel last showed or was last written.
    pub highlevel_fingerprint: Fingerprint,
    /// Fingerprint of what the partner last showed or was last written.
    pub partner_fingerprint: Fingerprint,
    /// When the record takes place, for one that has a time at HighLevel, such as an appointment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurs_at: Option<Timestamp>,
    /// Whether the link is in use.
    pub state: LinkState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Whether a link is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Both records are kept in step.
    Active,
    /// HighLevel's record was not found; it is looked for again before anything is done.
    HighlevelMissing,
    /// The partner's record was not found; it is looked for again before anything is done.
    PartnerMissing,
    /// HighLevel's record is gone. Kept at least 60 days: the vendor can restore it.
    HighlevelDeleted,
    /// The partner's record is gone.
    PartnerDeleted,
}

impl LinkState {
    /// The state of a link whose record of this side was not found.
    pub fn missing(side: Side) -> Self {
        match side {
            Side::Highlevel => Self::HighlevelMissing,
            Side::Partner => Self::PartnerMissing,
        }
    }

    /// The state of a link whose record of this side is gone.
    pub fn deleted(side: Side) -> Self {
        match side {
            Side::Highlevel => Self::HighlevelDeleted,
            Side::Partner => Self::PartnerDeleted,
        }
    }

    /// The side whose record is gone or was not found.
    pub fn lost(self) -> Option<Side> {
        match self {
            Self::Active => None,
            Self::HighlevelMissing | Self::HighlevelDeleted => Some(Side::Highlevel),
            Self::PartnerMissing | Self::PartnerDeleted => Some(Side::Partner),
        }
    }

    /// Whether a record was not found and it is not decided what follows.
    pub fn is_quarantined(self) -> bool {
        matches!(self, Self::HighlevelMissing | Self::PartnerMissing)
    }
}

/// How a run of a record ended, and what the store has to do in the same transaction.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The record that was claimed.
    pub claim: ClaimedRecord,
    /// What becomes of the dirty record.
    pub disposition: Disposition,
    /// The link to write, if it changed.
    pub link: Option<Link>,
    /// Links of child records to write, each in the place of the one with its HighLevel id.
    pub children: Vec<Link>,
    /// Links of child records that go.
    pub unlinked: Vec<Link>,
    /// Other records of the connection that are dirty now.
    pub marks: Vec<Mark>,
    /// The records that were linked before and that the run changed: what the guard against mass changes counts.
    pub changed: Vec<Counted>,
    /// Conflicts that the merge decided.
    pub conflicts: Vec<ConflictRecord>,
    /// What became of conflicts that waited. Needs a run.
    pub ended: Vec<ConflictEnd>,
    /// What is waited for, or was done, because one of the two records is gone: a new one, or in the place of the one with its id.
    pub deletion: Option<Deletion>,
    /// The run. `None` leaves no trace (an echo that needed no read is only counted).
    pub run: Option<Run>,
    /// What is kept so that the run can be run again.
    pub recording: Option<NewRecording>,
}

impl Completion {
    /// A completion that leaves nothing behind but the disposition.
    pub fn new(claim: ClaimedRecord, disposition: Disposition) -> Self {
        Self {
            claim,
            disposition,
            link: None,
            children: Vec::new(),
            unlinked: Vec::new(),
            marks: Vec::new(),
            changed: Vec::new(),
            conflicts: Vec::new(),
            ended: Vec::new(),
            deletion: None,
            run: None,
            recording: None,
        }
    }
}

/// What becomes of a dirty record.
#[derive(Clone, Debug, PartialEq)]
pub enum Disposition {
    /// Clean, unless it was marked again meanwhile.
    Done,
    /// Try again at this time.
    Retry {
        /// When.
        at: Timestamp,
        /// Whether it counts as a failed attempt (waiting for a quota does not).
        counts: bool,
    },
    /// A person must look at it.
    Parked {
        /// What kind of failure it is.
        class: FailureClass,
        /// Why, in words.
        reason: String,
    },
}

/// The entity of a parked partner webhook in its [`RecordKey`]; the record is the number of the event. No connector can
/// declare an entity of this name.
pub const WEBHOOK_ENTITY: &str = "(webhook)";

/// A record or event that a person must look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// The record.
    pub key: RecordKey,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// What kind of failure it is.
    pub class: FailureClass,
    /// Why.
    pub reason: String,
    /// The same without what is particular to this record: entries of one cause are a group.
    pub cause: String,
    /// The run that parked it.
    pub run: Option<RunId>,
    /// Since when.
    pub since: Timestamp,
}

/// Why several records are parked: what one fix releases.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ParkedCause {
    /// The connection.
    pub connection: ConnectionId,
    /// The entity.
    pub entity: String,
    /// What kind of failure it is.
    pub class: FailureClass,
    /// The reason without what is particular to one record.
    pub cause: String,
}

/// Everything that is parked for one cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParkedGroup {
    /// The cause.
    pub of: ParkedCause,
    /// How many entries there are.
    pub count: u64,
    /// Since when the oldest is parked.
    pub oldest: Timestamp,
    /// Since when the newest is.
    pub newest: Timestamp,
    /// The reason of the newest, in full.
    pub example: String,
}
