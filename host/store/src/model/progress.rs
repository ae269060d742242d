//! How far walks have come, and counts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConnectionId, Mark, RecordId};
use crate::automation::NewDelivery;

/// How far a stream of a connection was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// The connection.
    pub connection: ConnectionId,
    /// `backfill`, `sweep`, or `poll:<stream>`.
    pub stream: String,
    /// The cursor; `None` before the first page.
    #[expect(clippy::struct_field_names, reason = "the cursor proper, as the API shows it")]
    pub cursor: Option<String>,
    /// The walk is over.
    pub done: bool,
    /// Records seen so far in this walk.
    pub seen: u64,
    /// Records in all, when the vendor said so.
    pub total: Option<u64>,
    /// When it last moved.
    pub updated_at: Timestamp,
    /// What went wrong since it last moved.
    pub trouble: Option<Trouble>,
}

/// Why a stream does not move, and when it is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Failures in a row, at least 1.
    pub failures: u32,
    /// It is not read before this time.
    pub retry_at: Timestamp,
    /// What the last failure said.
    pub problem: String,
}

/// A record as the last walk over a list saw it; for lists that do not say what changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The record's id at HighLevel.
    pub record: RecordId,
    /// The contact that it belongs to.
    pub parent: RecordId,
    /// What tells its content from any other.
    pub fingerprint: String,
}

/// What a page of such a walk showed, to be stored as one.
#[derive(Clone, Debug, Default)]
pub struct SeenPage {
    /// What was seen of these records takes the place of what was seen before.
    pub seen: Vec<Seen>,
    /// Records that are not there any more.
    pub gone: Vec<RecordId>,
    /// Records of connections that are dirty now, with priority `Sweep`.
    pub marks: Vec<(ConnectionId, Mark)>,
    /// What connectors have to handle because of it.
    pub deliveries: Vec<NewDelivery>,
}

/// Counts for health, progress and metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Dirty records that wait or run.
    pub dirty: u64,
    /// Partner webhooks that wait for their connector.
    pub unread_events: u64,
    /// Events that wait for a connector's automation; timers that have not gone off are not among them.
    pub deliveries: u64,
    /// Messages on their way.
    pub messages: u64,
    /// Parked records and events.
    pub parked: u64,
    /// Events held for unknown locations.
    pub held: u64,
    /// Active links.
    pub links: u64,
    /// Runs by outcome since the beginning; expired ones stay counted.
    pub runs: BTreeMap<String, u64>,
    /// When the oldest waiting record was marked.
    pub oldest_dirty: Option<Timestamp>,
    /// The same of those alone that something else than a first sync marked.
    pub oldest_live: Option<Timestamp>,
    /// When the oldest waiting event for an automation came, or its timer went off.
    pub oldest_delivery: Option<Timestamp>,
}
