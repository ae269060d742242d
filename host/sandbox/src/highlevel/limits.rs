//! The request budget of one app in one location (the vendor's Authorization page).

use std::collections::VecDeque;

use super::config::{Limits, Window};
use crate::clock::Millis;
use crate::http::Reply;

const DAY: Millis = 86_400_000;

/// What was used so far.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Times of the requests inside the burst interval, oldest first.
    recent: VecDeque<Millis>,
    window_start: Millis,
    day_start: Millis,
    today: u32,
}

/// What is left, as the headers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    limits: (u32, Millis, u32),
    pub(crate) burst: u32,
    pub(crate) daily: u32,
    daily_reset: Millis,
    /// False: the request goes beyond a limit.
    pub(crate) allowed: bool,
}

impl Bucket {
    /// Books one request at `now`; a refused request is not booked.
    pub(crate) fn take(&mut self, limits: &Limits, now: Millis) -> Left {
        if self.today == 0 || now - self.day_start >= DAY {
            self.day_start = now;
            self.today = 0;
        }
        match limits.window {
            Window::Sliding => {
                while self.recent.front().is_some_and(|at| now - at >= limits.interval_millis) {
                    self.recent.pop_front();
                }
            }
            Window::Fixed if now - self.window_start >= limits.interval_millis => {
                self.window_start = now;
                self.recent.clear();
            }
            Window::Fixed => {}
        }
        let used = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        let allowed = used < limits.burst && self.today < limits.daily;
        if allowed {
            self.recent.push_back(now);
            self.today += 1;
        }
        Left {
            limits: (limits.burst, limits.interval_millis, limits.daily),
            burst: limits.burst.saturating_sub(used + u32::from(allowed)),
            daily: limits.daily.saturating_sub(self.today),
            daily_reset: self.day_start + DAY - now,
            allowed,
        }
    }

    /// Pretends that `requests` were already made today.
    pub(crate) fn spend_daily(&mut self, requests: u32, now: Millis) {
        if self.today == 0 {
            self.day_start = now;
        }
        self.today = self.today.saturating_add(requests);
    }
}

impl Left {
    /// An exhausted burst budget, for an injected 429.
    pub(crate) fn exhausted(limits: &Limits) -> Self {
        Self {
            limits: (limits.burst, limits.interval_millis, limits.daily),
            burst: 0,
            daily: limits.daily.saturating_sub(limits.burst),
            daily_reset: DAY,
            allowed: false,
        }
    }

    /// Header names arrive in lower case; there is no `Retry-After`.
    pub(crate) fn write(&self, reply: Reply) -> Reply {
        let (burst, interval, daily) = self.limits;
        reply
            .with("x-ratelimit-limit-daily", &daily)
            .with("x-ratelimit-daily-remaining", &self.daily)
            .with("x-ratelimit-daily-reset", &self.daily_reset)
            .with("x-ratelimit-interval-milliseconds", &interval)
            .with("x-ratelimit-max", &burst)
            .with("x-ratelimit-remaining", &self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { burst: 2, interval_millis: 10_000, daily: 3, window: Window::Sliding };

    #[test]
    fn a_sliding_window_refuses_the_burst_that_a_fixed_window_lets_through() {
        let fixed = Limits { window: Window::Fixed, ..LIMITS };
        let run = |limits: &Limits| {
            let mut bucket = Bucket::default();
            [20_000, 29_000, 30_500].map(|at| bucket.take(limits, at).allowed)
        };
        assert_eq!(run(&fixed), [true, true, true]);
        let mut bucket = Bucket::default();
        let sliding = [20_000, 29_000, 29_500, 30_500].map(|at| bucket.take(&LIMITS, at).allowed);
        assert_eq!(sliding, [true, true, false, true]);
    }

    #[test]
    fn the_day_is_over_when_its_budget_is() {
        let mut bucket = Bucket::default();
        let spread = [0, 10_000, 20_000, 30_000].map(|at| bucket.take(&LIMITS, at + 1).allowed);
        assert_eq!(spread, [true, true, true, false]);
        let left = bucket.take(&LIMITS, 30_000);
        assert_eq!((left.daily, left.burst), (0, 2));
        assert!(bucket.take(&LIMITS, DAY + 1).allowed);
    }
}
