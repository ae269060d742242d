//! The arithmetic of the quota. Time is passed in, as the duration since some fixed instant.
//!
//! The burst limit is kept as a sliding window of what was sent, not as a token bucket: a bucket of 100 that refills
//! with 10 a second lets up to 200 requests into one window of 10 seconds, and the vendor may count any window. The
//! window is kept in slices, so its size does not depend on the limit.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::quota::Quota;

/// Slices per interval.
const SLICES: u32 = 256;

/// Part of the interval that is added to it, because requests do not all travel equally fast: half a percent.
const MARGIN: u32 = 200;

/// Part of the day that background work leaves to live work, and the most that it leaves of an interval: a fifth.
const RESERVE: u32 = 5;

/// Live work is counted in tenths of an interval. As many requests as one of them has room for wait no longer than it lasts, so
/// only a burst beyond that needs a reserve.
const TENTHS: u32 = 10;

/// A burst of live work is expected again for so many intervals.
const LIVE_INTERVALS: u32 = 3;

/// What background work leaves of an interval in any case: half a percent, so that the pacing and not the window is what binds.
const CUSHION: f64 = 0.005;

/// What is free beyond that is used up in this part of the interval, so that a gap of a moment is not there again an interval
/// later: whatever was sent unevenly leaves the window as unevenly.
const CATCH_UP: f64 = 0.5;

/// Background work is never faster than its share by more than this factor, however much is free: after a pause it must not take
/// at once what live work may need in the same interval.
const FASTEST: f64 = 1.1;

/// Part of the interval by which background work may be behind its pace and still catch up at once.
const BEHIND: u32 = 50;

/// How soon background work looks at its pace again, as part of the interval: what leaves the window makes it faster.
const LOOK_AGAIN: u32 = 20;

/// When the vendor does not say when the day starts again, it is asked again after this time.
const DAILY_PROBE: Duration = Duration::from_hours(1);

const DAY: Duration = Duration::from_hours(24);

/// How urgent a request is. Lower ones wait for higher ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// A person waits for it.
    #[default]
    Interactive,
    /// A change that somebody announced.
    Webhook,
    /// The scheduled look for what nobody announced.
    Sweep,
    /// A first sync or another mass job.
    Backfill,
}

impl Priority {
    /// Whether it is work that should not wait for background work.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Interactive | Self::Webhook)
    }
}

/// The vendor's limits, as documented; answers correct them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in one interval.
    pub burst: u32,
    /// Length of the interval.
    pub interval: Duration,
    /// Requests in a day.
    pub daily: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { burst: 100, interval: Duration::from_secs(10), daily: 200_000 }
    }
}

/// What is left of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daily {
    /// Requests left.
    pub remaining: u32,
    /// Time until the day starts again, when known.
    pub resets_in: Option<Duration>,
}

/// How a quota stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetState {
    /// What is allowed.
    pub limits: Limits,
    /// What is left of the day.
    pub daily: Daily,
    /// Requests of the day that only live work may use.
    pub reserve: u32,
    /// Requests in the present interval.
    pub burst_used: u32,
    /// How long everybody waits, because HighLevel said so.
    pub paused: Duration,
}

/// Whether a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Now. It is counted already.
    Go,
    /// Ask again then.
    Wait {
        until: Duration,
        /// It is the day's requests that are used up.
        daily: bool,
    },
}

/// Requests that were sent within one slice of time.
#[derive(Clone, Copy, Debug)]
struct Slice {
    end: Duration,
    count: u32,
}

/// The quota of one (app, location).
#[derive(Clone, Debug)]
pub(super) struct Budget {
    limits: Limits,
    sent: VecDeque<Slice>,
    in_flight: u32,
    paused_until: Duration,
    daily_remaining: u32,
    daily_resets_at: Option<Duration>,
    /// Live requests by the number of the tenth of an interval in which they came.
    live: VecDeque<(u64, u32)>,
    /// When the last background request was due by its pace, or never.
    background: Option<Duration>,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            sent: VecDeque::new(),
            in_flight: 0,
            paused_until: Duration::ZERO,
            daily_remaining: limits.daily,
            daily_resets_at: None,
            live: VecDeque::new(),
            background: None,
        }
    }

    /// Somebody wants to send a request, and may have to wait for it. Live work is counted when it comes: how fast it is sent
    /// says how much room there was, not how much was needed.
    pub(super) fn came(&mut self, now: Duration, priority: Priority) {
        if !priority.is_live() {
            return;
        }
        let present = self.tenth(now);
        let kept = u64::from(TENTHS * LIVE_INTERVALS);
        self.live.retain(|(number, _)| number + kept > present && *number <= present);
        match self.live.back_mut() {
            Some((number, count)) if *number == present => *count += 1,
            _ => self.live.push_back((present, 1)),
        }
    }

    /// Asks to send one request.
    pub(super) fn take(&mut self, now: Duration, priority: Priority) -> Decision {
        self.start_day_if_due(now);
        self.forget(now);
        if let Some(until) = self.daily_wait(now, priority) {
            return Decision::Wait { until, daily: true };
        }
        let due = self.due(now, priority);
        let until = due.max(self.room_at(now)).max(self.paused_until);
        if until > now {
            return Decision::Wait { until, daily: false };
        }
        if !priority.is_live() {
            self.background = Some(due.max(now.saturating_sub(self.limits.interval / BEHIND)));
        }
        self.count(now, 1);
        self.in_flight += 1;
        self.daily_remaining = self.daily_remaining.saturating_sub(1);
        Decision::Go
    }

    /// A request is over, however it ended.
    pub(super) fn finished(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Takes up what an answer says, for a request that was sent at `sent_at`.
    pub(super) fn observe(&mut self, now: Duration, sent_at: Duration, quota: &Quota) {
        if let Some(burst) = quota.burst_limit.filter(|burst| *burst > 0) {
            self.limits.burst = burst;
        }
        if let Some(interval) = quota.interval_ms.filter(|ms| *ms > 0) {
            self.limits.interval = Duration::from_millis(interval);
        }
        if let Some(remaining) = quota.burst_remaining {
            self.count_strangers(now, sent_at, remaining);
        }
        if let Some(daily) = quota.daily_limit.filter(|daily| *daily > 0) {
            self.limits.daily = daily;
        }
        if let Some(remaining) = quota.daily_remaining {
            // The vendor has not counted those that are still on their way, this one aside.
            self.daily_remaining = remaining.saturating_sub(self.in_flight.saturating_sub(1));
        }
        if let Some(reset) = quota.daily_reset_ms {
            self.daily_resets_at = Some(now + Duration::from_millis(reset));
        }
    }

    /// The vendor answered 429. Returns until when everybody waits, and whether it is the day that is used up.
    pub(super) fn refused(
        &mut self,
        now: Duration,
        quota: Option<&Quota>,
        retry_after: Option<Duration>,
        jitter: f64,
    ) -> (Duration, bool) {
        let jitter = self.limits.interval.mul_f64(jitter);
        let daily = quota.is_some_and(Quota::is_daily_exhausted);
        let wait = match retry_after {
            Some(wait) => wait + jitter,
            None if daily => self.daily_resets_at.map_or(DAILY_PROBE, |at| at.saturating_sub(now)) + jitter,
            None => self.limits.interval + jitter,
        };
        let until = now + wait;
        if daily {
            self.daily_remaining = 0;
            self.daily_resets_at = Some(until);
        } else {
            self.paused_until = self.paused_until.max(until);
        }
        (until, daily)
    }

    pub(super) fn daily(&self, now: Duration) -> Daily {
        let resets_in = self.daily_resets_at.map(|at| at.saturating_sub(now));
        Daily { remaining: self.daily_remaining, resets_in }
    }

    pub(super) fn state(&mut self, now: Duration) -> BudgetState {
        self.start_day_if_due(now);
        BudgetState {
            limits: self.limits,
            daily: self.daily(now),
            reserve: self.limits.daily / RESERVE,
            burst_used: self.used(now),
            paused: self.paused_until.saturating_sub(now),
        }
    }

    pub(super) fn restore_daily(&mut self, now: Duration, daily: Daily) {
        self.daily_remaining = daily.remaining;
        self.daily_resets_at = Some(now + daily.resets_in.unwrap_or(DAILY_PROBE));
    }

    fn start_day_if_due(&mut self, now: Duration) {
        if self.daily_resets_at.is_some_and(|at| at <= now) {
            self.daily_remaining = self.limits.daily;
            self.daily_resets_at = Some(now + DAY);
        }
    }

    fn daily_wait(&mut self, now: Duration, priority: Priority) -> Option<Duration> {
        let reserved = if priority.is_live() { 0 } else { self.limits.daily / RESERVE };
        if self.daily_remaining > reserved {
            return None;
        }
        Some(*self.daily_resets_at.get_or_insert(now + DAILY_PROBE))
    }

    /// When the pace allows the next request of this priority; `now` or earlier when it does. Live work has none: it goes first
    /// in line, and because background work is spread evenly, a slot frees every hundredth of the interval.
    fn due(&self, now: Duration, priority: Priority) -> Duration {
        match self.background {
            Some(last) if !priority.is_live() => {
                (last + self.pace(now)).min(now + self.limits.interval / LOOK_AGAIN)
            }
            _ => now,
        }
    }

    /// Time between two background requests: such that in the end live work of late, background work and what is left to live
    /// work fill the window exactly.
    fn pace(&self, now: Duration) -> Duration {
        let burst = f64::from(self.limits.burst);
        let free = f64::from(self.limits.burst.saturating_sub(self.used(now)));
        let window = self.limits.interval + self.limits.interval / MARGIN;
        let steady = burst - f64::from(self.live_since(now, TENTHS).sum::<u32>());
        let missing = free - self.reserve(now);
        let share = steady - self.reserve(now);
        let per_window = (share + missing / CATCH_UP).min(share * FASTEST);
        window.div_f64(per_window.max(1.0))
    }

    /// What background work leaves of an interval: what the worst burst of live work of late had beyond a tenth of the limit. Live
    /// work beyond that waits for what leaves the window.
    fn reserve(&self, now: Duration) -> f64 {
        let worst = self.live_since(now, TENTHS * LIVE_INTERVALS).max().unwrap_or(0);
        let beyond = worst.saturating_sub(self.limits.burst / TENTHS).min(self.limits.burst / RESERVE);
        f64::from(beyond).max(f64::from(self.limits.burst) * CUSHION)
    }

    /// Live requests that came in each of the last tenths of an interval.
    fn live_since(&self, now: Duration, tenths: u32) -> impl Iterator<Item = u32> {
        let present = self.tenth(now);
        self.live
            .iter()
            .filter(move |(number, _)| number + u64::from(tenths) > present)
            .map(|(_, count)| *count)
    }

    fn tenth(&self, now: Duration) -> u64 {
        let tenth = (self.limits.interval / TENTHS).as_nanos().max(1);
        u64::try_from(now.as_nanos() / tenth).unwrap_or(u64::MAX)
    }

    /// Requests in the window.
    fn used(&self, now: Duration) -> u32 {
        self.sent.iter().filter(|slice| self.expiry(slice) > now).map(|slice| slice.count).sum()
    }

    /// When the window has room; `now` when it has.
    fn room_at(&self, now: Duration) -> Duration {
        let (mut used, mut at) = (self.used(now), now);
        for slice in &self.sent {
            if used < self.limits.burst.max(1) {
                break;
            }
            if self.expiry(slice) > now {
                used -= slice.count;
                at = self.expiry(slice);
            }
        }
        at
    }

    /// A slice leaves the window when its latest request does.
    fn expiry(&self, slice: &Slice) -> Duration {
        slice.end + self.limits.interval + self.limits.interval / MARGIN
    }

    fn count(&mut self, now: Duration, count: u32) {
        let slice = (self.limits.interval / SLICES).max(Duration::from_nanos(1));
        let number = now.as_nanos() / slice.as_nanos() + 1;
        let end = Duration::from_nanos_u128(number * slice.as_nanos());
        match self.sent.back_mut() {
            Some(last) if last.end >= end => last.count += count,
            _ => self.sent.push_back(Slice { end, count }),
        }
    }

    /// The vendor counted more than we sent: before a restart, or from elsewhere. Those count as sent now. Our own are
    /// counted generously, one interval and a tenth before this request left, because the vendor counts arrivals.
    fn count_strangers(&mut self, now: Duration, sent_at: Duration, remaining: u32) {
        let since = sent_at.saturating_sub(self.limits.interval + self.limits.interval / 10);
        let ours: u32 = self.sent.iter().filter(|slice| slice.end > since).map(|slice| slice.count).sum();
        let theirs = self.limits.burst.saturating_sub(remaining);
        if theirs > ours {
            self.count(now, theirs - ours);
        }
    }

    /// Forgets what neither the window nor a late answer needs.
    fn forget(&mut self, now: Duration) {
        while self.sent.front().is_some_and(|slice| slice.end + self.limits.interval * 2 < now) {
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
