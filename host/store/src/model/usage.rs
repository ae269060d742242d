//! What the vendors' quotas were used for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConnectionId, Priority, WorkspaceId};

/// Calls that a connection made within one hour with one priority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The connection.
    pub connection: ConnectionId,
    /// The beginning of the hour, in UTC.
    pub hour: Timestamp,
    /// What they were for.
    pub priority: Priority,
    /// Calls to HighLevel.
    pub highlevel: u64,
    /// Calls to the partner.
    pub partner: u64,
}

/// What HighLevel last said is left of a location's day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyBudget {
    /// The workspace that the location is bound to.
    pub workspace: WorkspaceId,
    /// Requests left.
    pub remaining: u32,
    /// When the day starts again, if HighLevel said so.
    pub resets_at: Option<Timestamp>,
    /// When it was so.
    pub seen_at: Timestamp,
}

/// What was used of one quota that a connector declares of its partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerWindow {
    /// The connection.
    pub connection: ConnectionId,
    /// What the quota is about, as the manifest says.
    pub scope: String,
    /// Length of its window.
    pub per_seconds: u32,
    /// How many requests in the window were made until which time, the oldest first.
    pub taken: Vec<(Timestamp, u32)>,
    /// Until when nothing is left by the partner's own word, if it said so.
    pub blocked_until: Option<Timestamp>,
}
