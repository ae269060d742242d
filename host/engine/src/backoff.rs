//! How long what failed waits before it is tried again: one schedule per class of failure. Pure; the guide's table
//! (docs/operators.md, "Failures and what happens next") is held against this one by a test.

use contactor_store::FailureClass;
use jiff::SignedDuration;

/// By how much a wait is spread to either side, so that records which failed together part.
const SPREAD: f64 = 0.25;

/// What an outage waits; also a breaker's rests and streams that cannot be read.
pub(crate) const OUTAGE: Schedule = Schedule::doubling(2, 600, Tries::Configured);

/// How often a class of failure is tried again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tries {
    /// As often as `max-attempts` says; then a person looks.
    Configured,
    /// So often at most; then a person looks.
    AtMost(u32),
    /// Until it succeeds: waiting is no failed attempt.
    Uncounted,
    /// Not at all: the same again would fail the same way.
    Never,
}

/// When a failure of one class is tried again: after `first`, doubled each time, and never after more than `cap`, ±25 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    first: SignedDuration,
    cap: SignedDuration,
    pub(crate) tries: Tries,
}

impl Schedule {
    const fn doubling(first: i64, cap: i64, tries: Tries) -> Self {
        Self { first: SignedDuration::from_secs(first), cap: SignedDuration::from_secs(cap), tries }
    }

    /// The one of a class.
    pub(crate) const fn of(class: FailureClass) -> Self {
        match class {
            FailureClass::Transient => OUTAGE,
            // Only where nobody named a time: a burst window is ten seconds at HighLevel.
            FailureClass::Quota => Self::doubling(10, 600, Tries::Uncounted),
            // The connection is paused, or stopped until a reconnect; the record itself is ready at once when it is enabled again.
            FailureClass::Guard => Self::doubling(10, 10, Tries::Uncounted),
            FailureClass::Auth => Self::doubling(0, 0, Tries::Uncounted),
            // A trap may come from a torn upgrade or a passing host condition: a second try is cheap, a tenth is not.
            FailureClass::GuestBug => Self::doubling(2, 60, Tries::AtMost(2)),
            // A full disk is probed every five seconds: sooner is for nothing.
            FailureClass::Host => Self::doubling(5, 600, Tries::Configured),
            FailureClass::Config
            | FailureClass::Data
            | FailureClass::Conflict
            | FailureClass::Unsure
            | FailureClass::Loop
            | FailureClass::Denied => Self::doubling(0, 0, Tries::Never),
        }
    }

    /// How long to wait after so many failures before this one. `jitter` is uniform in 0..1.
    pub(crate) fn wait(&self, failures: u32, jitter: f64) -> SignedDuration {
        let doublings = i32::try_from(failures.min(32)).unwrap_or(32);
        let seconds = (self.first.as_secs_f64() * 2f64.powi(doublings)).min(self.cap.as_secs_f64());
        SignedDuration::from_secs_f64(seconds * (1.0 - SPREAD + jitter.clamp(0.0, 1.0) * 2.0 * SPREAD))
    }

    /// Whether it is tried again, having failed so often before, and whether that counts as an attempt.
    pub(crate) fn again(&self, attempts: u32, max_attempts: u32) -> Option<bool> {
        match self.tries {
            Tries::Configured => (attempts < max_attempts).then_some(true),
            Tries::AtMost(most) => (attempts < most.min(max_attempts)).then_some(true),
            Tries::Uncounted => Some(false),
            Tries::Never => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_never_shrink_stay_near_their_schedule_and_below_their_cap(
            which in 0..FailureClass::ALL.len(), failures in 0_u32..200, jitter in 0.0..1.0_f64,
        ) {
            let schedule = Schedule::of(FailureClass::ALL[which]);
            let (wait, planned) = (schedule.wait(failures, jitter), schedule.wait(failures, 0.5));
            prop_assert!(wait <= schedule.wait(failures + 1, jitter), "monotone");
            prop_assert!(planned <= schedule.cap);
            let (wait, planned) = (wait.as_secs_f64(), planned.as_secs_f64());
            prop_assert!((wait - planned).abs() <= planned * SPREAD + 1e-6, "{wait} is too far from {planned}");
        }

        #[test]
        fn whatever_counts_its_attempts_comes_to_an_end(which in 0..FailureClass::ALL.len(), max in 1_u32..1_000) {
            let again = Schedule::of(FailureClass::ALL[which]).again(max, max);
            prop_assert_ne!(again, Some(true));
        }
    }

    #[test]
    fn a_wait_doubles_and_is_spread_around_its_plan() {
        let plan: Vec<_> = (0..10).map(|failures| OUTAGE.wait(failures, 0.5).as_secs()).collect();
        assert_eq!(plan, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600]);
        assert_eq!(OUTAGE.wait(3, 0.0), SignedDuration::from_secs(12));
        assert_eq!(OUTAGE.wait(3, 1.0), SignedDuration::from_secs(20));
    }

    #[test]
    fn the_operators_guide_shows_these_schedules() {
        let guide = include_str!("../../../docs/operators.md");
        for (class, first, cap) in [
            (FailureClass::Transient, "2 s", "10 min"),
            (FailureClass::Quota, "10 s", "10 min"),
            (FailureClass::GuestBug, "2 s", "60 s"),
            (FailureClass::Host, "5 s", "10 min"),
        ] {
            let schedule = Schedule::of(class);
            let words = |text: &str| match text.split_once(' ') {
                Some((count, "min")) => SignedDuration::from_mins(count.parse().unwrap()),
                Some((count, _)) => SignedDuration::from_secs(count.parse().unwrap()),
                None => panic!("{text}"),
            };
            assert_eq!((words(first), words(cap)), (schedule.first, schedule.cap), "{class:?}");
            let tries = match schedule.tries {
                Tries::Configured => "`max-attempts`".to_owned(),
                Tries::AtMost(most) => format!("{most}"),
                Tries::Uncounted => "no limit".to_owned(),
                Tries::Never => "none".to_owned(),
            };
            let name = serde_json::to_value(class).unwrap();
            let line = format!("| {} | {first} | {cap} | {tries} |", name.as_str().unwrap());
            assert!(guide.contains(&line), "docs/operators.md lacks: {line}");
        }
    }
}
