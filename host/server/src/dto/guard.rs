//! How the guard against mass changes stands.

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Side;

/// How the guard of a connection stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardReport {
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// Why the guard stopped it, if it did.
    pub stopped: Option<String>,
    /// Linked records that were changed in HighLevel within the window.
    pub changed_in_highlevel: u64,
    /// Linked records that were changed at the partner within the window.
    pub changed_at_partner: u64,
    /// How many of one side may be; absent when the guard is switched off.
    pub limit: Option<u64>,
    /// Length of the window, in minutes.
    pub minutes: u32,
    /// Records that are linked, of which `limit` may be a part.
    pub links: u64,
    /// How many more records a person allowed; they are not counted.
    pub allowed: u64,
    /// Records that wait.
    pub waiting: u64,
    /// The records that were changed last.
    pub latest: Vec<ChangedRecord>,
}

/// A record that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangedRecord {
    /// On which side.
    pub side: Side,
    /// HighLevel's id.
    pub record: String,
    /// When last.
    pub at: Timestamp,
}

/// How many more records may be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowRequest {
    /// So many, and not one beyond; those that wait now when absent, and then the guard counts anew.
    #[serde(default)]
    pub records: Option<u64>,
    /// As many as are linked, in the place of a number: for a sync that has not read all of them yet. The guard counts anew.
    #[serde(default)]
    pub all: bool,
}

impl From<own::Changed> for ChangedRecord {
    fn from(own: own::Changed) -> Self {
        Self { side: own.side.into(), record: own.record.to_string(), at: own.at }
    }
}

impl From<engine::GuardReport> for GuardReport {
    fn from(own: engine::GuardReport) -> Self {
        Self {
            connection: own.connection.to_string(),
            stopped: own.stopped,
            changed_in_highlevel: own.guarded.in_highlevel,
            changed_at_partner: own.guarded.at_partner,
            limit: own.limit,
            minutes: own.minutes,
            links: own.guarded.links,
            allowed: own.guarded.allowed,
            waiting: own.waiting,
            latest: own.latest.into_iter().map(Into::into).collect(),
        }
    }
}
