//! Whether a version on trial is taken back. Pure.

use contactor_store::{RolloutCounts, Tally};

use crate::config::EngineConfig;

/// What counts against a version on trial.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Failed runs of it before anything is said of its failures.
    pub(super) failures: u64,
    /// Percent of its runs that may fail beyond those of the pinned version.
    pub(super) failure_percent: u64,
    /// Runs of it before anything is said of its writes.
    pub(super) runs: u64,
    /// Percent of the pinned version's writes for each run that it may make.
    pub(super) write_percent: u64,
}

impl Limits {
    pub(super) fn of(config: &EngineConfig) -> Self {
        Self {
            failures: config.rollout_failures.into(),
            failure_percent: config.rollout_failure_percent.into(),
            runs: config.rollout_runs.into(),
            write_percent: config.rollout_write_percent.into(),
        }
    }
}

/// Writes of the pinned version for a hundred runs, at least: where nothing changes it writes nothing, and any write would be too much.
const QUIET: u64 = 25;

/// Why the version on trial is taken back, if it is.
pub(super) fn verdict(counts: &RolloutCounts, limits: Limits) -> Option<String> {
    let pinned = counts.before.and(counts.former);
    let trial = counts.candidate;
    if trial.failed >= limits.failures.max(1) {
        // a/b > c/d + p/100, without fractions.
        let (own, other) = (u128::from(trial.failed) * 100, u128::from(pinned.failed) * 100);
        let (runs, others) = (u128::from(trial.runs.max(1)), u128::from(pinned.runs.max(1)));
        if own * others > other * runs + u128::from(limits.failure_percent) * runs * others {
            return Some(format!(
                "{} of its {} runs failed, of the version before {}",
                trial.failed,
                trial.runs,
                part(pinned.failed, pinned.runs)
            ));
        }
    }
    if trial.attempts() >= limits.runs.max(1) {
        // Whoever failed at an attempt: what it wrote before is written.
        let (own, runs) = (u128::from(trial.writes) * 100, u128::from(trial.attempts()));
        let usual = u128::from(pinned.writes) * 100 / u128::from(pinned.attempts().max(1));
        let most = usual.max(u128::from(QUIET)) * u128::from(limits.write_percent) / 100;
        if own > most * runs {
            return Some(format!(
                "it made {} writes in {} runs, the version before {}",
                trial.writes,
                trial.attempts(),
                part(pinned.writes, pinned.attempts())
            ));
        }
    }
    None
}

fn part(of: u64, runs: u64) -> String {
    format!("{of} in {runs}")
}

/// How a version on trial stands, in words.
pub(super) fn standing(counts: &RolloutCounts, limits: Limits) -> String {
    let Tally { failed, .. } = counts.candidate;
    let runs = counts.candidate.attempts();
    match verdict(counts, limits) {
        Some(why) => format!("is taken back: {why}"),
        None if runs < limits.runs => {
            format!("{runs} runs, too few to compare what it writes ({} are needed)", limits.runs)
        }
        None if failed == 0 => "does as well as the version before".to_owned(),
        None => format!("fails no more than the version before ({failed} of {runs} runs)"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { failures: 5, failure_percent: 10, runs: 20, write_percent: 200 };

    fn tally(runs: u64, failed: u64, writes: u64) -> Tally {
        Tally { runs, failed, writes, others: 0 }
    }

    fn judged(before: Tally, former: Tally, candidate: Tally) -> Option<String> {
        verdict(&RolloutCounts { before, former, candidate, ..RolloutCounts::default() }, LIMITS)
    }

    #[test]
    fn failures_count_beside_those_of_the_version_before_and_not_one_by_one() {
        let none = Tally::default();
        assert_eq!(judged(none, tally(100, 0, 100), tally(4, 4, 0)), None, "too few to say");
        let words = judged(none, tally(100, 0, 100), tally(5, 5, 0)).unwrap();
        assert_eq!(words, "5 of its 5 runs failed, of the version before 0 in 100");
        assert!(judged(tally(100, 50, 100), none, tally(10, 5, 5)).is_none(), "as before");
        assert!(judged(tally(100, 50, 100), none, tally(10, 7, 3)).is_some());
        assert!(judged(tally(100, 0, 100), none, tally(1_000, 9, 900)).is_none(), "below ten in a hundred");
        assert!(judged(none, none, tally(6, 5, 1)).is_some(), "nothing to compare with");
    }

    #[test]
    fn writes_count_for_each_run_and_where_nothing_is_written_any_are_too_many() {
        let none = Tally::default();
        assert_eq!(judged(none, tally(100, 0, 100), tally(19, 0, 500)), None, "too few to say");
        assert_eq!(judged(none, tally(100, 0, 100), tally(20, 0, 40)), None, "twice as many");
        let words = judged(none, tally(100, 0, 100), tally(20, 0, 41)).unwrap();
        assert_eq!(words, "it made 41 writes in 20 runs, the version before 100 in 100");
        assert_eq!(judged(none, tally(100, 0, 0), tally(20, 0, 10)), None);
        assert!(judged(none, tally(100, 0, 0), tally(20, 0, 11)).is_some());
    }

    #[test]
    fn what_others_failed_at_is_no_failure_of_its_own_and_its_writes_count() {
        let none = Tally::default();
        let outage = Tally { others: 40, writes: 20, ..none };
        assert_eq!(judged(none, tally(100, 0, 100), outage), None);
        let words = judged(none, tally(100, 0, 100), Tally { writes: 4_000, ..outage }).unwrap();
        assert_eq!(words, "it made 4000 writes in 40 runs, the version before 100 in 100");
        // Its five failures are all that it shows of itself.
        assert!(judged(none, tally(100, 0, 100), Tally { others: 1_000, ..tally(5, 5, 0) }).is_some());
    }

    fn any_tally() -> impl Strategy<Value = Tally> {
        (0..2_000_u64, 0..2_000_u64, 0..10_000_u64)
            .prop_map(|(runs, failed, writes)| tally(runs, failed.min(runs), writes))
    }

    proptest! {
        #[test]
        fn a_version_that_does_as_the_one_before_is_kept(pinned in any_tally(), times in 1..50_u64) {
            let other =
                Tally { runs: pinned.runs * times, failed: pinned.failed * times, writes: pinned.writes * times, others: 0 };
            prop_assert_eq!(judged(pinned, Tally::default(), pinned), None);
            prop_assert_eq!(judged(other, Tally::default(), pinned), None);
        }

        #[test]
        fn more_failures_never_save_a_version(pinned in any_tally(), trial in any_tally()) {
            let worse = Tally { failed: trial.runs, ..trial };
            if judged(pinned, Tally::default(), trial).is_some() {
                prop_assert!(judged(pinned, Tally::default(), worse).is_some());
            }
        }
    }
}
