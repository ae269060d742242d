//! How much one asks for: requests of a user within a minute, changes that fail, and refusals that are put on record.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Names that are remembered at most; beyond, those that asked for nothing of late are forgotten.
const NAMES: usize = 1_000;
const MINUTE: Duration = Duration::from_mins(1);

/// So many in any minute: what is unused comes back evenly.
pub(crate) struct Pace<K> {
    per_minute: u32,
    left: Mutex<HashMap<K, Left>>,
}

#[derive(Clone, Copy)]
struct Left {
    /// Of `per_minute`, in parts of one.
    tokens: f64,
    at: Instant,
    /// Refused since one was let through.
    refused: u64,
}

impl<K: Eq + Hash> Pace<K> {
    pub(crate) fn new(per_minute: u32) -> Self {
        // None at all would be a wait without an end.
        Self { per_minute: per_minute.max(1), left: Mutex::default() }
    }

    /// Takes one; answers how many were refused since the last that was taken, or how long to wait.
    pub(crate) fn take(&self, name: K, now: Instant) -> Result<u64, Duration> {
        let most = f64::from(self.per_minute);
        let per_second = most / MINUTE.as_secs_f64();
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= NAMES && !left.contains_key(&name) {
            left.retain(|_, of| now.saturating_duration_since(of.at) < MINUTE || of.refused > 0);
        }
        let of = left.entry(name).or_insert(Left { tokens: most, at: now, refused: 0 });
        let passed = now.saturating_duration_since(of.at).as_secs_f64();
        of.tokens = (of.tokens + passed * per_second).min(most);
        of.at = now;
        if of.tokens < 1.0 {
            of.refused = of.refused.saturating_add(1);
            return Err(Duration::from_secs_f64((1.0 - of.tokens) / per_second));
        }
        of.tokens -= 1.0;
        Ok(std::mem::take(&mut of.refused))
    }

    /// Gives back one that was taken for nothing.
    pub(crate) fn give_back(&self, name: &K) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of) = left.get_mut(name) {
            of.tokens = (of.tokens + 1.0).min(f64::from(self.per_minute));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_taken_at_once_and_what_was_refused_is_told_with_the_next() {
        let (pace, begin) = (Pace::new(3), Instant::now());
        for _ in 0..3 {
            assert_eq!(pace.take("bob", begin), Ok(0));
        }
        let wait = pace.take("bob", begin).unwrap_err();
        assert!(wait > Duration::from_secs(19) && wait <= Duration::from_secs(20), "{wait:?}");
        assert!(pace.take("bob", begin).is_err());
        assert_eq!(pace.take("ann", begin), Ok(0), "another one has their own");
        assert_eq!(pace.take("bob", begin + Duration::from_secs(21)), Ok(2));
        assert!(pace.take("bob", begin + Duration::from_secs(21)).is_err());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_is_no_more_than_there_was() {
        let (pace, begin) = (Pace::new(2), Instant::now());
        for _ in 0..10 {
            assert_eq!(pace.take("bob", begin), Ok(0));
            pace.give_back(&"bob");
        }
        pace.give_back(&"bob");
        pace.give_back(&"nobody");
        assert_eq!((pace.take("bob", begin), pace.take("bob", begin)), (Ok(0), Ok(0)));
        assert!(pace.take("bob", begin).is_err());
    }

    #[test]
    fn an_idle_hour_saves_up_no_more_than_a_minute() {
        let (pace, begin) = (Pace::new(2), Instant::now());
        let later = begin + Duration::from_hours(1);
        assert_eq!(
            (pace.take("bob", begin), pace.take("bob", later), pace.take("bob", later)),
            (Ok(0), Ok(0), Ok(0))
        );
        assert!(pace.take("bob", later).is_err());
    }
}
