//! The sandbox's own clock: time passes when a test says so, never by sleeping.
//!
//! Token expiry, rate windows, index lag and webhook retries all ask this clock. It either follows the machine and
//! can be moved ahead, or stands still until it is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// Tells the sandbox's time, to the millisecond.
#[derive(Clone, Debug)]
pub struct Clock {
    /// `None`: `moved` is added to the machine's clock.
    frozen_at: Option<Millis>,
    moved: Arc<AtomicI64>,
}

impl Clock {
    /// Follows the machine's clock; [`Sandbox::advance`](crate::Sandbox::advance) moves it further ahead.
    pub fn running() -> Self {
        Self { frozen_at: None, moved: Arc::default() }
    }

    /// Stands still at `start` until it is advanced.
    pub fn frozen(start: Timestamp) -> Self {
        Self { frozen_at: Some(start.as_millisecond()), moved: Arc::default() }
    }

    /// Whether time passes by itself.
    pub fn is_running(&self) -> bool {
        self.frozen_at.is_none()
    }

    /// The present instant in milliseconds since the epoch.
    pub fn millis(&self) -> Millis {
        let base = self.frozen_at.unwrap_or_else(|| Timestamp::now().as_millisecond());
        base + self.moved.load(Ordering::SeqCst)
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.millis()).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        self.moved.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

/// `2026-11-21T08:00:00.000Z`: how HighLevel writes an instant.
pub(crate) fn iso_millis(at: Millis) -> String {
    format!("{:.3}", Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX))
}

/// `2026-11-21T08:00:00Z`: how Prefinery writes an instant (<https://www.prefinery.com/api/v2/docs>).
pub(crate) fn iso_seconds(at: Millis) -> String {
    format!("{:.0}", Timestamp::from_second(at.div_euclid(1000)).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_when_told() {
        let clock = Clock::frozen("2026-11-21T08:00:00.250Z".parse().unwrap());
        assert_eq!(iso_millis(clock.millis()), "2026-11-21T08:00:00.250Z");
        clock.advance(SignedDuration::from_mins(70));
        assert_eq!(iso_millis(clock.millis()), "2026-11-21T09:10:00.250Z");
        assert_eq!(iso_seconds(clock.millis()), "2026-11-21T09:10:00Z");
    }
}
