//! The partner's published rate limits, kept before the partner has to say no. Pure: the time is given.

use std::collections::VecDeque;
use std::iter::repeat_n;
use std::sync::{Mutex, MutexGuard, PoisonError};

use contactor_manifest::Quota;
use contactor_runtime::bindings::partner::Pair;
use contactor_store::{ConnectionId, PartnerWindow};
use jiff::{SignedDuration, Timestamp};

/// How many requests the partner says are left, in one of the spellings that are in use: `X-RateLimit-Remaining` and its variants,
/// or the `RateLimit` field of the IETF's drafts (`limit=100, remaining=7` and `"default";r=7;t=30`).
pub fn left(headers: &[Pair]) -> Option<u32> {
    const NAMES: [&str; 4] =
        ["x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining", "ratelimit"];
    let value = |name: &str| headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    NAMES.into_iter().filter_map(value).find_map(|header| {
        let parts = || header.value.split([',', ';']).map(str::trim);
        let named = parts().find_map(|part| part.strip_prefix("remaining=").or(part.strip_prefix("r=")));
        named.or_else(|| parts().next())?.trim_matches('"').parse().ok()
    })
}

/// The quotas that a connector declares of its partner, and what is used of them. They outlive the loaded connection: whoever
/// enables it anew, or restarts the host, gets no second day.
pub(crate) struct Quotas {
    declared: Vec<Quota>,
    windows: Mutex<Windows>,
}

impl Quotas {
    pub(crate) fn new(declared: Vec<Quota>) -> Self {
        Self { windows: Mutex::new(Windows::new(&declared)), declared }
    }

    pub(crate) fn declared(&self) -> &[Quota] {
        &self.declared
    }

    pub(crate) fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is used of those windows that are long enough to outlast a restart.
    pub(crate) fn kept(&self, connection: &ConnectionId, now: Timestamp) -> Vec<PartnerWindow> {
        let mut windows = self.windows();
        let lasting = self.declared.iter().enumerate().filter(|(_, quota)| quota.per_seconds >= LASTING);
        let kept = lasting.map(|(i, quota)| {
            let (_, blocked_until) = windows.state(i, now);
            PartnerWindow {
                connection: connection.clone(),
                scope: quota.scope.clone(),
                per_seconds: quota.per_seconds,
                taken: windows.0[i].grains(),
                blocked_until,
            }
        });
        kept.collect()
    }

    /// Takes up what was kept. A quota that is declared otherwise now begins anew.
    pub(crate) fn restore(&self, kept: &[PartnerWindow]) {
        let mut windows = self.windows();
        for (quota, window) in self.declared.iter().zip(&mut windows.0) {
            let of = |one: &&PartnerWindow| one.scope == quota.scope && one.per_seconds == quota.per_seconds;
            if let Some(one) = kept.iter().find(of) {
                let repeated = one.taken.iter().flat_map(|&(at, count)| repeat_n(at, count as usize));
                window.taken = repeated.collect();
                window.blocked = one.blocked_until.unwrap_or(Timestamp::UNIX_EPOCH);
            }
        }
    }
}

/// A sliding window per quota.
pub(crate) struct Windows(Vec<Window>);

/// Seconds of the shortest window that is kept: a shorter one has passed before a host that was stopped is back at work.
const LASTING: u32 = 30;
/// Parts of a window whose requests are kept together. Each leaves the window as late as the last one of its part.
const GRAINS: i32 = 100;

/// Longest time for which the line of those who were sent away is kept in order, in spans of the window.
const LINE: i32 = 20;

struct Window {
    requests: usize,
    span: SignedDuration,
    taken: VecDeque<Timestamp>,
    /// When the last of those who were sent away comes back.
    line: Timestamp,
    /// The partner itself says that nothing is left until then.
    blocked: Timestamp,
}

impl Window {
    /// Forgets what has left the window.
    fn forget(&mut self, now: Timestamp) {
        while self.taken.front().is_some_and(|&at| now.duration_since(at) >= self.span) {
            self.taken.pop_front();
        }
    }

    /// What is in it, in few numbers.
    fn grains(&self) -> Vec<(Timestamp, u32)> {
        let mut grains: Vec<(Timestamp, u32)> = Vec::new();
        let mut begun = Timestamp::MIN;
        for &at in &self.taken {
            match grains.last_mut() {
                Some(last) if at.duration_since(begun) < self.span / GRAINS => *last = (at, last.1 + 1),
                _ => {
                    begun = at;
                    grains.push((at, 1));
                }
            }
        }
        grains
    }

    /// How long it is full.
    fn wait(&self, now: Timestamp) -> SignedDuration {
        let own = match self.taken.front() {
            Some(&oldest) if self.taken.len() >= self.requests => self.span - now.duration_since(oldest),
            _ => SignedDuration::ZERO,
        };
        own.max(self.blocked.duration_since(now))
    }

    /// When somebody who is sent away now shall come back: one after the other at the rate of the window. Were all told the
    /// moment at which it has room again, all but one would read HighLevel for nothing.
    fn turn(&mut self, now: Timestamp) -> Timestamp {
        let free = now + self.wait(now);
        let each = self.span / i32::try_from(self.requests).unwrap_or(i32::MAX);
        let next = if self.line > now { (self.line + each).max(free) } else { free };
        self.line = next.min(free + self.span * LINE);
        self.line
    }
}

impl Windows {
    pub(crate) fn new(quotas: &[Quota]) -> Self {
        Self(
            quotas
                .iter()
                .map(|quota| Window {
                    requests: quota.requests as usize,
                    span: SignedDuration::from_secs(i64::from(quota.per_seconds)),
                    taken: VecDeque::new(),
                    line: Timestamp::UNIX_EPOCH,
                    blocked: Timestamp::UNIX_EPOCH,
                })
                .collect(),
        )
    }

    /// How many requests are in a window, and until when it is full by the partner's own word.
    pub(crate) fn state(&mut self, which: usize, now: Timestamp) -> (u32, Option<Timestamp>) {
        let window = &mut self.0[which];
        window.forget(now);
        let used = u32::try_from(window.taken.len()).unwrap_or(u32::MAX);
        (used, Some(window.blocked).filter(|until| *until > now))
    }

    /// Until when a window has no room, if it has none.
    pub(crate) fn full_until(&mut self, which: usize, now: Timestamp) -> Option<Timestamp> {
        let window = &mut self.0[which];
        window.forget(now);
        let wait = window.wait(now);
        (wait > SignedDuration::ZERO).then(|| now + wait)
    }

    /// The partner refused a request that these windows count: they are full until this time.
    pub(crate) fn block(&mut self, which: &[usize], until: Timestamp) {
        for &i in which {
            self.0[i].blocked = self.0[i].blocked.max(until);
        }
    }

    /// Takes one request out of each of these windows, or out of none: then the milliseconds after which it is the caller's turn
    /// again.
    pub(crate) fn take(&mut self, which: &[usize], now: Timestamp) -> Result<(), u64> {
        for &i in which {
            self.0[i].forget(now);
        }
        let full: Vec<usize> =
            which.iter().copied().filter(|&i| self.0[i].wait(now) > SignedDuration::ZERO).collect();
        if let Some(turn) = full.iter().map(|&i| self.0[i].turn(now)).max() {
            let wait = turn.duration_since(now);
            return Err(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
        }
        for &i in which {
            self.0[i].taken.push_back(now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_read_in_every_spelling() {
        let of = |name: &str, value: &str| left(&[Pair { name: name.to_owned(), value: value.to_owned() }]);
        assert_eq!(of("x-ratelimit-remaining", "41"), Some(41));
        assert_eq!(of("X-Rate-Limit-Remaining", " 0 "), Some(0));
        assert_eq!(of("ratelimit-remaining", "12;w=60"), Some(12));
        assert_eq!(of("ratelimit", "limit=100, remaining=50, reset=5"), Some(50));
        assert_eq!(of("ratelimit", "\"default\";r=7;t=30"), Some(7));
        assert_eq!(of("x-ratelimit-remaining", "many"), None);
        assert_eq!(of("content-type", "5"), None);
    }

    fn quota(requests: u32, per_seconds: u32) -> Quota {
        Quota { scope: "test".into(), requests, per_seconds, paths: Vec::new(), methods: Vec::new() }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn a_window_is_never_overfilled_and_says_when_it_has_room() {
        let mut windows = Windows::new(&[quota(2, 10)]);
        assert_eq!(windows.take(&[0], at(0)), Ok(()));
        assert_eq!(windows.take(&[0], at(4_000)), Ok(()));
        assert_eq!(windows.take(&[0], at(5_000)), Err(5_000));
        assert_eq!(windows.take(&[0], at(10_000)), Ok(()));
        assert_eq!(windows.take(&[0], at(10_001)), Err(3_999));
    }

    #[test]
    fn those_who_are_sent_away_come_back_one_after_the_other() {
        let mut windows = Windows::new(&[quota(2, 10)]);
        assert!(windows.take(&[0], at(0)).is_ok() && windows.take(&[0], at(0)).is_ok());
        assert_eq!(windows.take(&[0], at(1_000)), Err(9_000));
        assert_eq!(windows.take(&[0], at(1_000)), Err(14_000));
        assert_eq!(windows.take(&[0], at(1_000)), Err(19_000));
        let far = (0..1_000).filter_map(|_| windows.take(&[0], at(1_000)).err()).max();
        assert_eq!(far, Some(9_000 + 20 * 10_000), "the line has an end");
        assert!(windows.take(&[0], at(10_000)).is_ok());
    }

    #[test]
    fn the_partners_own_word_fills_a_window_whatever_was_counted() {
        let mut windows = Windows::new(&[quota(100, 10), quota(100, 10)]);
        windows.block(&[0], at(30_000));
        assert_eq!(windows.take(&[0], at(10_000)), Err(20_000));
        assert_eq!(windows.take(&[1], at(10_000)), Ok(()));
        assert_eq!(windows.take(&[0], at(30_000)), Ok(()));
    }

    #[test]
    fn a_refused_request_takes_from_no_window() {
        let mut windows = Windows::new(&[quota(1, 10), quota(5, 60)]);
        assert_eq!(windows.take(&[0, 1], at(0)), Ok(()));
        for _ in 0..10 {
            assert!(windows.take(&[0, 1], at(1)).is_err());
        }
        for _ in 0..4 {
            assert_eq!(windows.take(&[1], at(2)), Ok(()));
        }
        assert!(windows.take(&[1], at(3)).is_err());
    }

    #[test]
    fn what_was_used_is_used_after_a_restart_and_leaves_its_window_no_earlier() {
        let connection = ConnectionId::new("acme/test");
        let day = 86_400_000;
        let before = Quotas::new(vec![quota(3, 86_400), quota(5, 1)]);
        for ms in [0, 1_000, 3_600_000] {
            assert_eq!(before.windows().take(&[0, 1], at(ms)), Ok(()));
        }
        let kept = before.kept(&connection, at(3_600_000));
        assert_eq!(kept.len(), 1, "a second passes by itself");
        assert_eq!(kept[0].taken, [(at(1_000), 2), (at(3_600_000), 1)]);
        let after = Quotas::new(vec![quota(3, 86_400), quota(5, 1)]);
        after.restore(&kept);
        assert_eq!(after.windows().state(0, at(3_600_000)), (3, None));
        assert!(after.windows().take(&[0], at(day)).is_err());
        assert_eq!(after.windows().take(&[0], at(day + 1_000)), Ok(()));
        // Of another quota nothing is known.
        let other = Quotas::new(vec![quota(3, 3_600)]);
        other.restore(&kept);
        assert_eq!(other.windows().take(&[0], at(3_600_000)), Ok(()));
        // The partner's own word counts as well.
        before.windows().block(&[0], at(2 * day));
        after.restore(&before.kept(&connection, at(day)));
        assert!(after.windows().take(&[0], at(2 * day - 1)).is_err());
    }
}
