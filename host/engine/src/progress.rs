//! How things stand: for progress bars, health checks and metrics.

use contactor_store::{ConnectionId, ConnectionState, Counts};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manage::SyncEstimate;

/// How far a connection's backfill is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncProgress {
    /// The connection.
    pub connection: ConnectionId,
    /// Its state: a connection that is not enabled makes no progress.
    pub state: ConnectionState,
    /// A backfill was asked for and has pages left to read.
    pub walking: bool,
    /// The connection of the same location whose backfill goes first: they walk one after the other.
    pub waits_for: Option<ConnectionId>,
    /// Contacts read from HighLevel's list so far.
    pub seen: u64,
    /// Contacts in all, as HighLevel counted them.
    pub total: Option<u64>,
    /// Records that still wait for their run.
    pub waiting: u64,
    /// Parked records.
    pub parked: u64,
    /// Active links.
    pub links: u64,
    /// Requests left today at HighLevel, as its answers say.
    pub quota_daily_remaining: Option<u32>,
    /// What is left to be done costs about this: one read and as a rule of thumb one write a record.
    pub estimate: SyncEstimate,
}

impl SyncProgress {
    /// Nothing is left to read or to run.
    pub fn is_finished(&self) -> bool {
        !self.walking && self.waiting == 0
    }
}

/// Whether the host does its work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// The store can commit and be read.
    pub healthy: bool,
    /// What is wrong, in words.
    pub problems: Vec<String>,
    /// What waits, what is parked.
    pub counts: Counts,
    /// When the last webhook was accepted by this process.
    pub last_webhook_at: Option<Timestamp>,
    /// Webhooks of unknown locations that are held.
    pub held_events: u64,
    /// Connections that need a person.
    pub attention: Vec<ConnectionId>,
}
