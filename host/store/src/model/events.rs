//! Events, and the marks that they leave on records.

use contactor_sync::Fields;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConnectionId, EventSeq, LocationId, RecordId, Seen, Side, WorkspaceId};
use crate::automation::NewDelivery;

/// An event to be appended.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Where it came from.
    pub source: Side,
    /// `None` for a location that no workspace is bound to: the event is held.
    pub workspace: Option<WorkspaceId>,
    /// Set for a partner's webhook; `None` means every enabled connection of the workspace.
    pub connection: Option<ConnectionId>,
    /// The location as the event names it, kept for held events.
    pub location: Option<LocationId>,
    /// De-duplication key: the vendor's webhook id, else a hash of the raw body. Unique per source and
    /// location/connection; remembered for at least four days.
    pub key: String,
    /// The vendor's type, for example `ContactUpdate`.
    pub kind: String,
    /// The raw body as it was signed.
    pub body: Vec<u8>,
    /// Headers worth keeping, secrets left out, as JSON.
    pub headers: serde_json::Value,
    /// When it was received.
    pub received_at: Timestamp,
    /// The records that it marks dirty. Empty for a partner's webhook, which the connector has to read first.
    pub marks: Vec<Mark>,
    /// A partner's webhook that the connector still has to turn into changes.
    pub needs_receive: bool,
    /// What connectors have to handle because of it. One of a connection that is switched off is left out.
    pub deliveries: Vec<NewDelivery>,
    /// What it shows of records that are also walked, by the stream's name: the walk then knows that it was told.
    pub seen: Vec<(String, Seen)>,
}

/// What became of an event at ingest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Stored under this number.
    New(EventSeq),
    /// Known already; nothing was stored.
    Duplicate,
    /// Stored, but no workspace is bound to its location yet.
    Held(EventSeq),
}

/// A record that may have changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// The entity, for example `contact`.
    pub entity: String,
    /// Which side's id follows.
    pub side: Side,
    /// The record's id on that side.
    pub record: RecordId,
    /// The mapped values that the hint carries, when it is complete enough to recognise an echo.
    pub snapshot: Option<Fields>,
    /// The hint says that the record was deleted.
    pub deleted: bool,
}

/// Order of work: smaller goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Priority {
    /// Somebody waits for it.
    Interactive = 0,
    /// A webhook.
    Webhook = 1,
    /// A scheduled sweep or poll.
    Sweep = 2,
    /// A backfill.
    Backfill = 3,
}

impl Priority {
    /// Whether somebody did something just now, unlike background work.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Interactive | Self::Webhook)
    }
}

/// How an event ended for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventState {
    /// Waits for its run.
    Accepted,
    /// Waits until a workspace is bound to its location.
    Held,
    /// Its run ended well.
    Applied,
    /// A later event on the same record stood for it.
    Superseded,
    /// A person must look at it.
    Parked,
    /// Needs no work: an unknown type, or nothing is enabled.
    Ignored,
}

/// An event as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub seq: EventSeq,
    /// Where it came from.
    pub source: Side,
    /// Its workspace.
    pub workspace: Option<WorkspaceId>,
    /// Its connection, for a partner's webhook.
    pub connection: Option<ConnectionId>,
    /// De-duplication key.
    pub key: String,
    /// The vendor's type.
    pub kind: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// How it stands; for several connections the least finished of them.
    pub state: EventState,
    /// The body.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// Kept headers.
    pub headers: serde_json::Value,
}

/// Which events to list.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// Of this workspace.
    pub workspace: WorkspaceId,
    /// That mention this id, or whose run was of the record with it on either side.
    pub record: Option<RecordId>,
    /// Of this type.
    pub kind: Option<String>,
    /// That stand like this.
    pub state: Option<EventState>,
    /// Received at this instant or later.
    pub since: Option<Timestamp>,
    /// Older than this event (for paging).
    pub before: Option<EventSeq>,
    /// At most this many, newest first.
    pub limit: u32,
}

impl EventFilter {
    /// The newest so many of a workspace.
    pub fn newest(workspace: &WorkspaceId, limit: u32) -> Self {
        let workspace = workspace.clone();
        Self { workspace, record: None, kind: None, state: None, since: None, before: None, limit }
    }
}
