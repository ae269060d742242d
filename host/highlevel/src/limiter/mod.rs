//! The quota of one (app, location): who may send when.
//!
//! The vendor allows 100 requests in 10 seconds and 200,000 a day, for each app in each location. `budget.rs` decides,
//! without a clock of its own; this module makes callers wait: by priority, and in order of arrival within one.
//!
//! Live work (interactive, webhook) goes first. Background work (sweep, backfill) is spread over the interval instead of
//! taken in one gulp: then a slot frees every hundredth of the interval, and a live request needs no slot kept for it. Only
//! what a burst of live work had beyond that is left free for the next one. Of the day background work always leaves a fifth.
//!
//! Rejected: a part of the interval that is always kept free. A fifth costs a first sync a fifth of its speed while nobody
//! edits anything, and the half that live work used of late still cost it 6 % beside one edit in two seconds.

mod budget;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::quota::Quota;
use budget::{Budget, Decision};

pub use budget::{BudgetState, Daily, Limits, Priority};

/// A wait that is refused rather than slept through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) retry_after: Duration,
    pub(crate) daily: bool,
}

/// Hands out permits for one location.
pub(crate) struct Limiter {
    /// Instants are counted from here, because the budget has no clock.
    epoch: Instant,
    /// Longest wait of the first in line; a longer one is refused.
    max_wait: Duration,
    /// Requests that wait, of all locations together.
    waiting: Arc<AtomicUsize>,
    state: Mutex<State>,
}

struct State {
    budget: Budget,
    /// Everybody who waits, first in line first.
    queue: BTreeMap<Ticket, Arc<Notify>>,
    next_ticket: u64,
}

/// A place in the line: by priority, then by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket {
    priority: Priority,
    number: u64,
}

impl Limiter {
    /// `waiting` counts those who wait, together with other limiters that are given the same.
    pub(crate) fn new(limits: Limits, max_wait: Duration, waiting: Arc<AtomicUsize>) -> Arc<Self> {
        let state = State { budget: Budget::new(limits), queue: BTreeMap::new(), next_ticket: 0 };
        Arc::new(Self { epoch: Instant::now(), max_wait, waiting, state: Mutex::new(state) })
    }

    /// Waits for the right to send one request now.
    pub(crate) async fn acquire(self: &Arc<Self>, priority: Priority) -> Result<Permit, Refused> {
        let place = Place::take(self, priority);
        loop {
            match place.decide() {
                Turn::Mine(Decision::Go) => {
                    return Ok(Permit { limiter: Arc::clone(self), sent_at: self.now() });
                }
                Turn::Mine(Decision::Wait { until, daily }) => {
                    let wait = until.saturating_sub(self.now());
                    if daily || wait > self.max_wait {
                        return Err(Refused { retry_after: wait, daily });
                    }
                    tokio::select! {
                        () = sleep_until(self.epoch + until) => {}
                        () = place.notify.notified() => {}
                    }
                }
                Turn::NotYet => place.notify.notified().await,
            }
        }
    }

    /// What is left of the day, as last known; to be kept over a restart.
    pub(crate) fn daily(&self) -> Daily {
        self.lock().budget.daily(self.now())
    }

    /// How the quota stands.
    pub(crate) fn budget(&self) -> BudgetState {
        let now = self.now();
        self.lock().budget.state(now)
    }

    /// Takes up what was left of the day before a restart.
    pub(crate) fn restore_daily(&self, daily: Daily) {
        let now = self.now();
        self.change(|budget| budget.restore_daily(now, daily));
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Changes the budget and wakes the first in line, whose wait may be over or longer.
    fn change<T>(&self, change: impl FnOnce(&mut Budget) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state.budget);
        state.wake_first();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held; if it did, the budget would still be usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake_first(&self) {
        if let Some((_, notify)) = self.queue.first_key_value() {
            notify.notify_one();
        }
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("waiting", &self.lock().queue.len()).finish_non_exhaustive()
    }
}

/// A place in the line, given up when dropped: also when the caller stops waiting.
struct Place<'a> {
    limiter: &'a Limiter,
    ticket: Ticket,
    notify: Arc<Notify>,
}

enum Turn {
    Mine(Decision),
    NotYet,
}

impl<'a> Place<'a> {
    fn take(limiter: &'a Limiter, priority: Priority) -> Self {
        let notify = Arc::new(Notify::new());
        let now = limiter.now();
        let mut state = limiter.lock();
        state.budget.came(now, priority);
        let ticket = Ticket { priority, number: state.next_ticket };
        state.next_ticket += 1;
        state.queue.insert(ticket, Arc::clone(&notify));
        drop(state);
        limiter.waiting.fetch_add(1, Ordering::Relaxed);
        Self { limiter, ticket, notify }
    }

    /// Asks the budget, when it is this one's turn. Only the first in line asks: whatever keeps it waiting keeps
    /// everybody behind it waiting as well, because lower priorities are bound by stricter rules.
    fn decide(&self) -> Turn {
        let now = self.limiter.now();
        let mut state = self.limiter.lock();
        if state.queue.first_key_value().is_none_or(|(first, _)| *first != self.ticket) {
            return Turn::NotYet;
        }
        Turn::Mine(state.budget.take(now, self.ticket.priority))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        state.queue.remove(&self.ticket);
        state.wake_first();
        drop(state);
        self.limiter.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to send one request, and the duty to say what came of it. Dropping it without an answer counts the request
/// as sent.
#[derive(Debug)]
pub(crate) struct Permit {
    limiter: Arc<Limiter>,
    sent_at: Duration,
}

impl Permit {
    /// Takes up what the vendor said about the quota.
    pub(crate) fn answered(&self, quota: Option<&Quota>) {
        if let Some(quota) = quota {
            let now = self.limiter.now();
            self.limiter.change(|budget| budget.observe(now, self.sent_at, quota));
        }
    }

    /// The vendor answered 429: everybody of this location waits. Returns for how long, and whether for the day.
    pub(crate) fn refused(&self, quota: Option<&Quota>, retry_after: Option<Duration>) -> (Duration, bool) {
        let now = self.limiter.now();
        // Up to a tenth of the interval, so that not all locations come back in the same instant.
        let jitter = rand::random_range(0.0..0.1);
        self.limiter.change(|budget| {
            let (until, daily) = budget.refused(now, quota, retry_after, jitter);
            (until.saturating_sub(now), daily)
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.lock().budget.finished();
    }
}

#[cfg(test)]
mod tests;
