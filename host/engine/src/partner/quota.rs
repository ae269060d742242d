//! The partner's published rate limits, kept before the partner has to say no. Pure: the time is given.

use std::collections::VecDeque;

use contactor_manifest::Quota;
use jiff::{SignedDuration, Timestamp};

/// A sliding window per quota.
pub(crate) struct Windows(Vec<Window>);

struct Window {
    requests: usize,
    span: SignedDuration,
    taken: VecDeque<Timestamp>,
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
                })
                .collect(),
        )
    }

    /// Takes one request out of each of these windows, or out of none: then the milliseconds until all have room.
    pub(crate) fn take(&mut self, which: &[usize], now: Timestamp) -> Result<(), u64> {
        let mut wait = SignedDuration::ZERO;
        for &i in which {
            let window = &mut self.0[i];
            while window.taken.front().is_some_and(|&at| now.duration_since(at) >= window.span) {
                window.taken.pop_front();
            }
            if window.taken.len() >= window.requests
                && let Some(&oldest) = window.taken.front()
            {
                wait = wait.max(window.span - now.duration_since(oldest));
            }
        }
        if wait > SignedDuration::ZERO {
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
}
