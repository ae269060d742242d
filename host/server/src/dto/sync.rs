//! Full synchronisation of a connection.

use contactor_engine as engine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ConnectionState, SyncEstimate};

/// A synchronisation to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SyncRequest {
    /// Walk through all contacts again from the beginning, instead of going on where the last walk stopped.
    pub full: bool,
}

/// How far a connection's synchronisation is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncProgress {
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// A connection that is not enabled makes no progress.
    pub state: ConnectionState,
    /// Pages of contacts are left to read.
    pub walking: bool,
    /// The connection of the same location whose walk goes first: they walk one after the other.
    #[serde(default)]
    pub waits_for: Option<String>,
    /// Contacts read from HighLevel's list so far.
    pub seen: u64,
    /// Contacts in all, as HighLevel counted them.
    pub total: Option<u64>,
    /// Records that wait for their run.
    pub waiting: u64,
    /// Records that a person must look at.
    pub parked: u64,
    /// Records that are linked.
    pub links: u64,
    /// Requests to HighLevel left today, by its last answer.
    pub quota_daily_remaining: Option<u32>,
    /// Seconds until the end at the allowed rate.
    pub estimated_seconds: Option<u64>,
    /// What is left to be done costs about this.
    pub estimate: SyncEstimate,
}

/// What a synchronisation of the whole location would cost. Nothing was begun.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FirstSync {
    /// Contacts of the location, as HighLevel counts them.
    pub contacts: u64,
    /// What reading and writing all of them would cost: one read and as a rule of thumb one write of each record.
    pub estimate: SyncEstimate,
    /// Requests to HighLevel left today.
    pub quota_daily_remaining: u32,
}

impl From<engine::FirstSync> for FirstSync {
    fn from(own: engine::FirstSync) -> Self {
        let engine::FirstSync { contacts, estimate, quota_daily_remaining } = own;
        Self { contacts, estimate: estimate.into(), quota_daily_remaining }
    }
}

impl SyncProgress {
    /// Nothing is left to read or to run.
    pub fn is_finished(&self) -> bool {
        !self.walking && self.waiting == 0
    }
}

impl From<engine::SyncProgress> for SyncProgress {
    fn from(own: engine::SyncProgress) -> Self {
        Self {
            connection: own.connection.to_string(),
            state: own.state.into(),
            walking: own.walking,
            seen: own.seen,
            total: own.total,
            waiting: own.waiting,
            parked: own.parked,
            links: own.links,
            quota_daily_remaining: own.quota_daily_remaining,
            waits_for: own.waits_for.map(|id| id.to_string()),
            estimated_seconds: Some(seconds(own.estimate.minutes)),
            estimate: own.estimate.into(),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "minutes of requests that are counted, none negative"
)]
fn seconds(minutes: f64) -> u64 {
    (minutes * 60.0).round() as u64
}
