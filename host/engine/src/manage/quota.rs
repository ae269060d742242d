//! How the quotas of a workspace stand: what is left, who used it, and how far it goes.

use std::collections::BTreeMap;

use contactor_store::{ConnectionId, Priority, WorkspaceId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::usage::hour;

/// A day's use is summed over this time.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The pace is that of the last hours, the present one included.
const PACE_HOURS: i32 = 3;
/// Calls for a record that waits: one read, and as a rule of thumb one write.
const CALLS_PER_RECORD: u64 = 2;

/// How the quotas of a workspace stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaView {
    /// HighLevel's, of this app in this location.
    pub highlevel: HighLevelQuota,
    /// Who used it.
    pub used_by: Vec<QuotaUse>,
    /// The partners', as their connectors declare them.
    pub partners: Vec<PartnerQuota>,
}

/// HighLevel's quota of one app in one location.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// What is left when the day starts again at this pace and after what waits; negative: it does not suffice.
    pub forecast: Option<i64>,
    /// When the day is used up at this pace; none when it suffices.
    pub exhausted_at: Option<Timestamp>,
}

/// Calls of one connection for one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaUse {
    /// The connection.
    pub connection: ConnectionId,
    /// What for.
    pub priority: Priority,
    /// Calls to HighLevel within the present hour.
    pub highlevel_hour: u64,
    /// Calls to HighLevel within the last 24 hours.
    pub highlevel_day: u64,
    /// Calls to the partner within the last 24 hours.
    pub partner_day: u64,
}

/// One quota that a connector declares of its partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerQuota {
    /// The connection.
    pub connection: ConnectionId,
    /// What it is about, as the manifest says.
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

impl Engine {
    /// How the quotas of a workspace stand.
    ///
    /// # Errors
    /// No such workspace.
    pub async fn quota(&self, id: &WorkspaceId) -> Result<QuotaView, EngineError> {
        let workspace = self.workspace(id).await?;
        self.keep_usage().await?;
        let now = self.now();
        let usage = self.store().usage(id, hour(now - DAY)).await?;
        let mut used: BTreeMap<(ConnectionId, Priority), QuotaUse> = BTreeMap::new();
        let mut recent = 0;
        let pace_since = hour(now) - SignedDuration::from_hours(i64::from(PACE_HOURS - 1));
        for one in usage {
            let entry = used.entry((one.connection.clone(), one.priority)).or_insert_with(|| QuotaUse {
                connection: one.connection.clone(),
                priority: one.priority,
                highlevel_hour: 0,
                highlevel_day: 0,
                partner_day: 0,
            });
            entry.highlevel_day += one.highlevel;
            entry.partner_day += one.partner;
            if one.hour == hour(now) {
                entry.highlevel_hour += one.highlevel;
            }
            if one.hour >= pace_since {
                recent += one.highlevel;
            }
        }
        let waiting = self.store().counts(Some(id)).await?.dirty;
        let budget = self.budget(&workspace);
        let resets_at = budget.daily.resets_in.and_then(|wait| SignedDuration::try_from(wait).ok());
        let paused = SignedDuration::try_from(budget.paused).unwrap_or(SignedDuration::ZERO);
        let pace = Pace { now, since: pace_since, calls: recent };
        let mut highlevel = HighLevelQuota {
            daily_limit: budget.limits.daily,
            daily_remaining: budget.daily.remaining,
            reserve: budget.reserve,
            resets_at: resets_at.map(|wait| now + wait),
            burst_limit: budget.limits.burst,
            burst_seconds: budget.limits.interval.as_secs_f64(),
            burst_used: budget.burst_used,
            paused_until: (paused > SignedDuration::ZERO).then(|| now + paused),
            per_hour: pace.per_hour(),
            waiting,
            waiting_calls: waiting * CALLS_PER_RECORD,
            forecast: None,
            exhausted_at: None,
        };
        (highlevel.forecast, highlevel.exhausted_at) = forecast(&highlevel, now);
        let mut partners = Vec::new();
        for connection in self.store().connections(Some(id)).await? {
            // One that cannot be loaded says so elsewhere.
            if let Ok(active) = self.active(&connection.id).await {
                partners.extend(active.partner.quotas(&connection.id, now));
            }
        }
        Ok(QuotaView { highlevel, used_by: used.into_values().collect(), partners })
    }
}

/// Calls since some time.
struct Pace {
    now: Timestamp,
    since: Timestamp,
    calls: u64,
}

impl Pace {
    fn per_hour(&self) -> u64 {
        let seconds = u64::try_from(self.now.duration_since(self.since).as_secs()).unwrap_or(0).max(1);
        self.calls.saturating_mul(3_600) / seconds
    }
}

/// What is left at the end of the day, and when nothing is left if that comes first.
fn forecast(quota: &HighLevelQuota, now: Timestamp) -> (Option<i64>, Option<Timestamp>) {
    let Some(resets_at) = quota.resets_at else { return (None, None) };
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let seconds = resets_at.duration_since(now).as_secs().max(0);
    let pace = signed(quota.per_hour).saturating_mul(seconds) / 3_600;
    let after_waiting = i64::from(quota.daily_remaining) - signed(quota.waiting_calls);
    let left = after_waiting.saturating_sub(pace);
    if left >= 0 {
        return (Some(left), None);
    }
    let lasts = match quota.per_hour {
        0 => 0,
        per_hour => after_waiting.max(0).saturating_mul(3_600) / signed(per_hour),
    };
    (Some(left), Some(now + SignedDuration::from_secs(lasts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(remaining: u32, per_hour: u64, waiting_calls: u64, hours: Option<i64>) -> HighLevelQuota {
        HighLevelQuota {
            daily_limit: 200_000,
            daily_remaining: remaining,
            reserve: 40_000,
            resets_at: hours.map(|hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)),
            burst_limit: 100,
            burst_seconds: 10.0,
            burst_used: 0,
            paused_until: None,
            per_hour,
            waiting: waiting_calls / 2,
            waiting_calls,
            forecast: None,
            exhausted_at: None,
        }
    }

    #[test]
    fn the_forecast_is_what_is_left_after_what_waits_at_the_present_pace() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(forecast(&quota(10_000, 500, 2_000, Some(10)), now), (Some(3_000), None));
        let ends = now + SignedDuration::from_hours(8);
        assert_eq!(forecast(&quota(10_000, 1_000, 2_000, Some(10)), now), (Some(-2_000), Some(ends)));
        assert_eq!(forecast(&quota(100, 0, 2_000, Some(10)), now), (Some(-1_900), Some(now)));
        assert_eq!(forecast(&quota(100, 10, 0, None), now), (None, None), "nobody said when the day ends");
    }

    #[test]
    fn the_pace_is_that_of_the_time_that_was_looked_at() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(150);
        assert_eq!(Pace { now, since: Timestamp::UNIX_EPOCH, calls: 500 }.per_hour(), 200);
        assert_eq!(Pace { now, since: now, calls: 5 }.per_hour(), 18_000);
    }
}
