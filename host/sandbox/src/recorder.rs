//! What happened at the doubles: counters per operation and a bounded ring of recent requests.
//!
//! Operations carry the vendor's prefix (`highlevel.contacts.create`, `prefinery.testers.update`). Bodies of
//! authorisation calls are never kept, nor is any request header, so that no token ends in a log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// Locks, and goes on with the state a panicking test thread left behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often one operation was called, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Requests that reached the double.
    pub requests: u64,
    /// Requests that the double carried out (its own answer was 2xx), whatever a fault made of the answer.
    pub carried_out: u64,
    /// Requests answered with 429.
    pub limited: u64,
}

/// One recorded request.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Sandbox time, RFC 3339.
    pub at: String,
    /// The operation, e.g. `highlevel.tasks.create`; `highlevel.unknown` for a path the vendor does not have.
    pub operation: String,
    /// HTTP method.
    pub method: String,
    /// Path and query; secrets in the query are replaced by `***`.
    pub path: String,
    /// Request body as text, at most 4 KB; absent for authorisation calls.
    pub body: Option<String>,
    /// Status that went out; `None` when the connection was dropped instead.
    pub status: Option<u16>,
    /// What the double itself answered before a fault changed it.
    pub own_status: Option<u16>,
}

/// The record of one sandbox.
#[derive(Debug)]
pub struct Recorder {
    capacity: usize,
    counts: Mutex<BTreeMap<&'static str, Count>>,
    recent: Mutex<VecDeque<Seen>>,
}

impl Recorder {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, counts: Mutex::default(), recent: Mutex::default() }
    }

    /// True when recent requests are kept at all.
    pub(crate) fn keeps_requests(&self) -> bool {
        self.capacity > 0
    }

    pub(crate) fn count(&self, operation: &'static str, own_status: Option<u16>, sent: Option<u16>) {
        let mut counts = lock(&self.counts);
        let count = counts.entry(operation).or_default();
        count.requests += 1;
        count.carried_out += u64::from(own_status.is_some_and(|status| (200..300).contains(&status)));
        count.limited += u64::from(sent == Some(429));
    }

    pub(crate) fn keep(&self, seen: Seen) {
        let mut recent = lock(&self.recent);
        if recent.len() >= self.capacity {
            recent.pop_front();
        }
        recent.push_back(seen);
    }

    /// Counters of every operation that was called.
    pub fn counts(&self) -> BTreeMap<&'static str, Count> {
        lock(&self.counts).clone()
    }

    /// Counter of one operation; zero when it was never called.
    pub fn count_of(&self, operation: &str) -> Count {
        lock(&self.counts).get(operation).copied().unwrap_or_default()
    }

    /// Operations carried out whose name starts with `prefix`, summed.
    pub fn carried_out(&self, prefix: &str) -> u64 {
        lock(&self.counts)
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(_, c)| c.carried_out)
            .sum()
    }

    /// Requests whose operation starts with `prefix`, summed.
    pub fn requests(&self, prefix: &str) -> u64 {
        lock(&self.counts).iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, c)| c.requests).sum()
    }

    /// The recent requests, oldest first.
    pub fn recent(&self) -> Vec<Seen> {
        lock(&self.recent).iter().cloned().collect()
    }

    /// Forgets counters and requests.
    pub fn clear(&self) {
        lock(&self.counts).clear();
        lock(&self.recent).clear();
    }
}
