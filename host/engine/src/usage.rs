//! Who used the vendors' quotas, and what is left of them: counted in memory, kept in the store every few seconds.
//!
//! A crash forgets what was counted since; HighLevel's own answers correct what is left of the day.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contactor_highlevel::{Daily, LocationId as HlLocationId};
use contactor_store::{Call, ConnectionId, DailyBudget, PartnerWindow, Priority, Usage, WorkspaceId};
use jiff::{SignedDuration, Timestamp};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::partner::HELD_BACK;

/// How often it is kept.
const INTERVAL: SignedDuration = SignedDuration::from_secs(10);

/// Calls by connection, hour and priority.
type Pending = HashMap<(ConnectionId, Timestamp, Priority), (u64, u64)>;

/// What was counted and is not stored yet.
#[derive(Default)]
pub(crate) struct Meters {
    pending: Mutex<Pending>,
    kept: Mutex<Kept>,
}

/// What was stored last.
#[derive(Default)]
struct Kept {
    at: Option<Timestamp>,
    budgets: HashMap<WorkspaceId, Daily>,
    windows: HashMap<ConnectionId, Vec<PartnerWindow>>,
}

/// Counts the calls of one run.
#[derive(Clone)]
pub(crate) struct Meter {
    meters: Arc<Meters>,
    connection: ConnectionId,
    priority: Priority,
    hour: Timestamp,
}

impl Meter {
    /// Counts a call that was sent.
    pub(crate) fn count(&self, call: &Call) {
        if call.error.as_deref() == Some(HELD_BACK) {
            return;
        }
        let (highlevel, partner) = match call.target.as_str() {
            "highlevel" => (1, 0),
            "partner" => (0, 1),
            _ => return,
        };
        let mut pending = self.meters.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = pending.entry((self.connection.clone(), self.hour, self.priority)).or_default();
        tally.0 += highlevel;
        tally.1 += partner;
    }
}

/// The beginning of the hour of an instant, in UTC.
pub(crate) fn hour(at: Timestamp) -> Timestamp {
    let seconds = at.as_second();
    Timestamp::from_second(seconds - seconds.rem_euclid(3_600)).unwrap_or(at)
}

impl Engine {
    pub(crate) fn meter(&self, connection: &ConnectionId, priority: Priority) -> Meter {
        let meters = Arc::clone(self.meters());
        Meter { meters, connection: connection.clone(), priority, hour: hour(self.now()) }
    }

    /// Keeps what was counted, when it is time to.
    pub(crate) async fn keep_usage_if_due(&self) {
        let now = self.now();
        let is_due = {
            let mut kept = self.meters().kept.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = kept.at.is_none_or(|at| now.duration_since(at).abs() >= INTERVAL);
            if is_due {
                kept.at = Some(now);
            }
            is_due
        };
        if is_due && let Err(error) = self.keep_usage().await {
            tracing::warn!(%error, "the store did not keep who used the quotas");
        }
    }

    /// Keeps what was counted so far, and what is left of each location's day.
    pub(crate) async fn keep_usage(&self) -> Result<(), EngineError> {
        let pending =
            std::mem::take(&mut *self.meters().pending.lock().unwrap_or_else(PoisonError::into_inner));
        if !pending.is_empty() {
            let usage = pending.into_iter().map(|((connection, hour, priority), (highlevel, partner))| {
                Usage { connection, hour, priority, highlevel, partner }
            });
            self.store().add_usage(usage.collect()).await?;
        }
        let now = self.now();
        for workspace in self.store().workspaces().await? {
            let Some(daily) = self.highlevel().daily(&HlLocationId::new(workspace.location.as_str())) else {
                continue;
            };
            {
                let mut kept = self.meters().kept.lock().unwrap_or_else(PoisonError::into_inner);
                let before = kept.budgets.insert(workspace.id.clone(), daily);
                if before.is_some_and(|before| before.remaining == daily.remaining) {
                    continue;
                }
            }
            let resets_at = daily.resets_in.and_then(|wait| SignedDuration::try_from(wait).ok());
            let budget = DailyBudget {
                workspace: workspace.id,
                remaining: daily.remaining,
                resets_at: resets_at.map(|wait| now + wait),
                seen_at: now,
            };
            self.store().put_budget(budget).await?;
        }
        self.keep_partner_windows().await
    }

    /// Keeps what is used of the partners' declared quotas, where that changed.
    async fn keep_partner_windows(&self) -> Result<(), EngineError> {
        let now = self.now();
        let all: Vec<_> =
            self.quotas_of_partners().iter().map(|(id, quotas)| (id.clone(), quotas.kept(id, now))).collect();
        let mut changed = Vec::new();
        {
            let mut kept = self.meters().kept.lock().unwrap_or_else(PoisonError::into_inner);
            for (id, windows) in all {
                if kept.windows.get(&id) != Some(&windows) {
                    changed.extend(windows.iter().cloned());
                    kept.windows.insert(id, windows);
                }
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        Ok(self.store().put_partner_windows(changed).await?)
    }

    /// Takes up what was left of each location's day before a restart: before anybody asks or anything is sent.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn restore_budgets(&self) -> Result<(), EngineError> {
        let now = self.now();
        for workspace in self.store().workspaces().await? {
            let Some(budget) = self.store().budget(&workspace.id).await? else { continue };
            if let Some(daily) = left(&budget, now) {
                self.highlevel().restore_daily(&HlLocationId::new(workspace.location.as_str()), daily);
            }
        }
        Ok(())
    }
}

/// What is left of a day that was seen earlier; none when a new one has begun since.
fn left(budget: &DailyBudget, now: Timestamp) -> Option<Daily> {
    let ends = budget.resets_at.unwrap_or(budget.seen_at + SignedDuration::from_hours(24));
    let resets_in = Duration::try_from(ends.duration_since(now)).ok().filter(|left| !left.is_zero())?;
    Some(Daily { remaining: budget.remaining, resets_in: Some(resets_in) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn an_hour_begins_at_its_beginning() {
        assert_eq!(
            hour("2026-11-25T10:59:59.999Z".parse().unwrap()),
            "2026-11-25T10:00:00Z".parse().unwrap()
        );
        assert_eq!(hour("1969-12-31T23:10:00Z".parse().unwrap()), "1969-12-31T23:00:00Z".parse().unwrap());
    }

    #[test]
    fn a_day_that_is_over_is_not_taken_up() {
        let budget = |resets_at| DailyBudget {
            workspace: WorkspaceId::new("acme"),
            remaining: 7,
            resets_at,
            seen_at: at(0),
        };
        let known = budget(Some(at(100)));
        assert_eq!(
            left(&known, at(40)),
            Some(Daily { remaining: 7, resets_in: Some(Duration::from_mins(1)) })
        );
        assert_eq!(left(&known, at(100)), None);
        assert_eq!(left(&budget(None), at(86_399)).unwrap().resets_in, Some(Duration::from_secs(1)));
        assert_eq!(left(&budget(None), at(86_400)), None);
    }

    #[test]
    fn what_was_held_back_or_asked_of_a_guest_is_no_call() {
        let meters = Arc::new(Meters::default());
        let connection = ConnectionId::new("acme/x");
        let meter = Meter { meters: Arc::clone(&meters), connection, priority: Priority::Sweep, hour: at(0) };
        let call = |target: &str, error: Option<&str>| Call {
            target: target.to_owned(),
            operation: "x".to_owned(),
            error: error.map(str::to_owned),
            ..Call::default()
        };
        for call in [
            call("highlevel", None),
            call("highlevel", Some("timed out")),
            call("highlevel", Some(HELD_BACK)),
            call("partner", None),
            call("guest", None),
        ] {
            meter.count(&call);
        }
        let pending = meters.pending.lock().unwrap();
        assert_eq!(pending.values().copied().collect::<Vec<_>>(), [(2, 1)]);
    }
}
