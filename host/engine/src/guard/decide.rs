//! How many linked records may be changed before somebody has to look. Pure.

/// When a change counts as a mass change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threshold {
    /// Records of one side that may always be changed within the window.
    pub(crate) records: u32,
    /// Part of the connection's linked records that may, in per cent.
    pub(crate) percent: u32,
}

impl Threshold {
    /// Records of one side that may be changed within the window: whichever of both is more. A small workspace is not stopped by a
    /// handful of edits, nor a large one by a busy day.
    pub(crate) fn limit(self, links: u64) -> u64 {
        let part = u128::from(links) * u128::from(self.percent) / 100;
        u64::from(self.records).max(u64::try_from(part).unwrap_or(u64::MAX))
    }

    /// Records of one side that may be changed in all, with those that a person allowed. They count from where the side stands: one
    /// that is beyond its limit, because fewer are linked or less is configured than before, may change that many all the same.
    pub(crate) fn most(self, links: u64, counted: u64, allowed: u64) -> u64 {
        self.limit(links).max(counted).saturating_add(allowed)
    }
}

/// What is known of one side of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meter {
    /// Records that the store had counted when it was asked last.
    pub(crate) stored: u64,
    /// Records that ended in all.
    ended: u64,
    /// How many of them had ended before the store was asked: they are among the stored ones. Later ones may be.
    looked: u64,
    /// How often everything was forgotten.
    epoch: u64,
    /// Records that are being changed.
    pub(crate) under_way: u64,
    /// How many may be changed, with those that a person allowed.
    pub(crate) most: u64,
}

/// How a side stood when the store was about to be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    ended: u64,
    epoch: u64,
}

/// Whether one more record may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It may.
    Go,
    /// The store has to be asked: what is remembered here may count a record twice.
    Look,
    /// Those that are under way may be the last ones; how they end decides.
    Wait,
    /// It is one too many.
    Stop,
}

impl Meter {
    /// Asks for so many more records, all or none. `fresh` when the store was asked just now.
    pub(crate) fn ask(&mut self, records: u64, fresh: bool) -> Answer {
        let since = self.ended.saturating_sub(self.looked);
        let at_most = self.stored.saturating_add(since).saturating_add(self.under_way);
        if at_most.saturating_add(records) <= self.most {
            self.under_way += records;
            return Answer::Go;
        }
        match fresh {
            false => Answer::Look,
            // Those that are under way may end without a change.
            true if self.stored.saturating_add(records) <= self.most => Answer::Wait,
            true => Answer::Stop,
        }
    }

    /// To be kept while the store is asked.
    pub(crate) fn before(&self) -> Before {
        Before { ended: self.ended, epoch: self.epoch }
    }

    /// Takes what the store answered, unless a later look was taken meanwhile: records that ended between the two would be forgotten.
    pub(crate) fn take(&mut self, before: Before, stored: u64, most: u64) -> bool {
        if before.epoch != self.epoch || before.ended < self.looked {
            return false;
        }
        (self.looked, self.stored, self.most) = (before.ended, stored, most);
        true
    }

    /// A person decided: what is known, or is being asked for, counts no more.
    pub(crate) fn forget(&mut self) {
        self.epoch += 1;
        (self.looked, self.stored, self.most) = (self.ended, 0, 0);
    }

    /// So many records that were asked for have ended, whether they were changed or not.
    pub(crate) fn end(&mut self, records: u64) {
        self.under_way = self.under_way.saturating_sub(records);
        self.ended += records;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_larger_of_count_and_part_is_the_limit() {
        let threshold = Threshold { records: 200, percent: 20 };
        assert_eq!(threshold.limit(0), 200);
        assert_eq!(threshold.limit(1_000), 200);
        assert_eq!(threshold.limit(10_000), 2_000);
        assert_eq!(Threshold { records: 1, percent: 100 }.limit(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_share_of_nothing_leaves_the_count_and_a_share_alone_lets_one_record_pass() {
        assert_eq!(Threshold { records: 15, percent: 0 }.limit(1_000_000), 15);
        assert_eq!(Threshold { records: 1, percent: 20 }.limit(4), 1);
    }

    #[test]
    fn many_records_at_once_pass_together_or_not_at_all_and_more_than_there_may_be_are_no_reason_to_wait() {
        let mut meter = Meter { most: 10, ..Meter::default() };
        assert_eq!((meter.ask(6, true), meter.ask(6, false)), (Answer::Go, Answer::Look));
        assert_eq!(meter.ask(6, true), Answer::Wait, "the first six may end without a change");
        assert_eq!(meter.ask(11, true), Answer::Stop);
        meter.end(6);
        assert!(meter.take(meter.before(), 0, 10));
        assert_eq!(meter.ask(10, true), Answer::Go);
    }

    /// What a side may do next.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Ask,
        /// The oldest of those under way ends, and was changed or not.
        End(bool),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![3 => Just(Step::Ask), 2 => any::<bool>().prop_map(Step::End)];
        prop::collection::vec(step, 1..200)
    }

    proptest! {
        /// It trips when both are passed, and not before: as long as one of them still has room, nothing is stopped.
        #[test]
        fn it_takes_more_than_the_count_and_more_than_the_part(
            records in 1_u32..500, percent in 0_u32..=100, links in 0_u64..5_000, counted in 0_u64..5_000,
        ) {
            let limit = Threshold { records, percent }.limit(links);
            let one_more = counted + 1;
            let beyond = one_more > u64::from(records) && one_more * 100 > links * u64::from(percent);
            prop_assert_eq!(beyond, one_more > limit, "limit {}", limit);
        }

        /// Whoever is allowed some more may change exactly so many beyond what is counted or the limit.
        #[test]
        fn what_a_person_allows_comes_on_top(
            records in 1_u32..500, links in 0_u64..5_000, counted in 0_u64..5_000, allowed in 0_u64..5_000,
        ) {
            let threshold = Threshold { records, percent: 20 };
            let most = threshold.most(links, counted, allowed);
            prop_assert_eq!(most, threshold.limit(links).max(counted) + allowed);
            let mut meter = Meter { stored: counted, most, ..Meter::default() };
            let stops = allowed == 0 && counted >= threshold.limit(links);
            prop_assert_eq!(meter.ask(1, true) == Answer::Stop, stops);
        }

        /// However long an answer of the store is under way, and whichever is taken first: never more than allowed are changed.
        #[test]
        fn an_answer_that_was_overtaken_lets_nothing_pass(
            most in 0_u64..20, steps in prop::collection::vec((0_u8..4, any::<prop::sample::Index>()), 1..300),
        ) {
            let mut meter = Meter::default();
            let (mut changed, mut under_way) = (0_u64, 0_u64);
            let mut looks: Vec<(Before, u64)> = Vec::new();
            for (step, which) in steps {
                match step {
                    0 => looks.push((meter.before(), changed)),
                    1 if !looks.is_empty() => {
                        let (before, stored) = looks.swap_remove(which.index(looks.len()));
                        let taken = meter.take(before, stored, most);
                        under_way += u64::from(taken && meter.ask(1, true) == Answer::Go);
                    }
                    2 => under_way += u64::from(meter.ask(1, false) == Answer::Go),
                    3 if under_way > 0 => {
                        // The store knows before the run is over.
                        changed += 1;
                        meter.end(1);
                        under_way -= 1;
                    }
                    _ => {}
                }
                prop_assert!(changed + under_way <= most, "{changed} and {under_way} of {most}");
            }
        }

        /// However runs overlap: never more than allowed are changed, nothing is stopped before that, and it is stopped then.
        #[test]
        fn exactly_as_many_as_allowed_are_changed(most in 0_u64..30, steps in steps()) {
            let mut meter = Meter { most, ..Meter::default() };
            let (mut changed, mut under_way, mut stopped) = (0_u64, 0_u64, false);
            for step in steps {
                match step {
                    Step::Ask => {
                        let mut answer = meter.ask(1, false);
                        if answer == Answer::Look {
                            // The store knows what was changed.
                            prop_assert!(meter.take(meter.before(), changed, most));
                            answer = meter.ask(1, true);
                        }
                        match answer {
                            Answer::Go => under_way += 1,
                            Answer::Wait => prop_assert!(under_way > 0 && changed < most),
                            Answer::Stop => {
                                prop_assert!(changed >= most, "stopped after {changed} of {most}");
                                stopped = true;
                            }
                            Answer::Look => prop_assert!(false, "it was looked just now"),
                        }
                    }
                    Step::End(wrote) if under_way > 0 => {
                        meter.end(1);
                        under_way -= 1;
                        changed += u64::from(wrote);
                    }
                    Step::End(_) => {}
                }
                prop_assert!(changed + under_way <= most);
                prop_assert!(!stopped || changed == most);
            }
        }
    }
}
