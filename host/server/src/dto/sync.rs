//! Full synchronisation of a connection.

use contactor_engine as engine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ConnectionState;

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
            estimated_seconds: own.estimated_seconds,
        }
    }
}
