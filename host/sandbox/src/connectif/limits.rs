//! The request limit: a fixed window, told in three headers of every answer.

use super::config::Limit;
use crate::clock::Millis;
use crate::http::Reply;

/// The requests of the window under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    began: Option<Millis>,
    used: u32,
}

/// What the headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) allowed: bool,
    limit: u32,
    remaining: u32,
    /// Unix seconds.
    reset: i64,
}

impl Window {
    /// Books one request; one beyond the limit is not booked.
    pub(super) fn take(&mut self, limit: Limit, now: Millis) -> Standing {
        let length = i64::from(limit.per_seconds) * 1000;
        let began = match self.began {
            Some(began) if now < began + length => began,
            _ => {
                *self = Self { began: Some(now), used: 0 };
                now
            }
        };
        let allowed = self.used < limit.requests;
        self.used += u32::from(allowed);
        Standing {
            allowed,
            limit: limit.requests,
            remaining: limit.requests.saturating_sub(self.used),
            // Rounded up, so that a client that waits for it is not too early.
            reset: (began + length + 999).div_euclid(1000),
        }
    }
}

impl Standing {
    /// The answer with the headers.
    pub(super) fn on(self, reply: Reply) -> Reply {
        reply
            .with("x-ratelimit-limit", &self.limit)
            .with("x-ratelimit-remaining", &self.remaining)
            .with("x-ratelimit-reset", &self.reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_when_its_header_says_so() {
        let limit = Limit { requests: 2, per_seconds: 10 };
        let mut window = Window::default();
        let mut take = |now| {
            let standing = window.take(limit, now);
            (standing.allowed, standing.remaining, standing.reset)
        };
        assert_eq!(take(1_500), (true, 1, 12));
        assert_eq!(take(2_000), (true, 0, 12));
        assert_eq!(take(11_499), (false, 0, 12));
        assert_eq!(take(12_000), (true, 1, 22));
    }
}
