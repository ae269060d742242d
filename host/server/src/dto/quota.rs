//! How the quotas of a workspace stand.

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::mirror;

/// How the quotas of a workspace stand: what is left, who used it, and how far it goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quota {
    /// HighLevel's, of this app in this location.
    pub highlevel: HighLevelQuota,
    /// Who used it.
    pub used_by: Vec<QuotaUse>,
    /// The partners', as their connectors declare them.
    pub partners: Vec<PartnerQuota>,
}

/// HighLevel's quota of one app in one location.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HighLevelQuota {
    /// Requests allowed in a day.
    pub daily_limit: u32,
    /// Requests left today, as HighLevel's answers say; those of other hosts with the same app count as well.
    pub daily_remaining: u32,
    /// Requests of the day that only live work may use.
    pub reserve: u32,
    /// When the day starts again, if HighLevel said so.
    pub resets_at: Option<Timestamp>,
    /// Requests allowed in one interval.
    pub burst_limit: u32,
    /// Length of the interval, in seconds.
    pub burst_seconds: f64,
    /// Requests in the present interval.
    pub burst_used: u32,
    /// Until when everything waits, because HighLevel said so.
    pub paused_until: Option<Timestamp>,
    /// Requests an hour, at the pace of the last three.
    pub per_hour: u64,
    /// Records that wait.
    pub waiting: u64,
    /// Requests that they cost: a read, and as a rule of thumb a write each.
    pub waiting_calls: u64,
    /// What is left when the day starts again, at this pace and after what waits; negative: it does not suffice.
    pub forecast: Option<i64>,
    /// When the day is used up at this pace; none when it suffices.
    pub exhausted_at: Option<Timestamp>,
}

/// What calls were for; more urgent ones go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// A person waited for it.
    Interactive,
    /// A change that somebody announced.
    Webhook,
    /// The scheduled look for what nobody announced.
    Sweep,
    /// A first sync or another mass job.
    Backfill,
}

mirror!(Priority, own::Priority, [Interactive, Webhook, Sweep, Backfill]);

/// Calls of one connection for one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotaUse {
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// What for.
    pub priority: Priority,
    /// Calls to HighLevel within the present hour, in UTC.
    pub highlevel_hour: u64,
    /// Calls to HighLevel within the last 24 hours.
    pub highlevel_day: u64,
    /// Calls to the partner within the last 24 hours.
    pub partner_day: u64,
}

/// One quota that a connector declares of its partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartnerQuota {
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// What it is about.
    pub scope: String,
    /// Requests allowed.
    pub requests: u32,
    /// Within so many seconds.
    pub per_seconds: u32,
    /// Requests in the present window.
    pub used: u32,
    /// Until when the partner is left alone, because it said so.
    pub blocked_until: Option<Timestamp>,
}

impl From<engine::QuotaView> for Quota {
    fn from(own: engine::QuotaView) -> Self {
        Self {
            highlevel: own.highlevel.into(),
            used_by: own.used_by.into_iter().map(Into::into).collect(),
            partners: own.partners.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<engine::HighLevelQuota> for HighLevelQuota {
    fn from(own: engine::HighLevelQuota) -> Self {
        Self {
            daily_limit: own.daily_limit,
            daily_remaining: own.daily_remaining,
            reserve: own.reserve,
            resets_at: own.resets_at,
            burst_limit: own.burst_limit,
            burst_seconds: own.burst_seconds,
            burst_used: own.burst_used,
            paused_until: own.paused_until,
            per_hour: own.per_hour,
            waiting: own.waiting,
            waiting_calls: own.waiting_calls,
            forecast: own.forecast,
            exhausted_at: own.exhausted_at,
        }
    }
}

impl From<engine::QuotaUse> for QuotaUse {
    fn from(own: engine::QuotaUse) -> Self {
        Self {
            connection: own.connection.to_string(),
            priority: own.priority.into(),
            highlevel_hour: own.highlevel_hour,
            highlevel_day: own.highlevel_day,
            partner_day: own.partner_day,
        }
    }
}

impl From<engine::PartnerQuota> for PartnerQuota {
    fn from(own: engine::PartnerQuota) -> Self {
        Self {
            connection: own.connection.to_string(),
            scope: own.scope,
            requests: own.requests,
            per_seconds: own.per_seconds,
            used: own.used,
            blocked_until: own.blocked_until,
        }
    }
}
