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
}

/// What is known of one side of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meter {
    /// Records that the store had counted when it was asked last.
    pub(crate) stored: u64,
    /// Records that ended since; some of them may be among the stored ones.
    pub(crate) ended: u64,
    /// Records that are being changed.
    pub(crate) under_way: u64,
    /// How many may be changed, with those that a person allowed.
    pub(crate) most: u64,
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
    /// Asks for one more record. `fresh` when the store was asked just now.
    pub(crate) fn ask(&mut self, fresh: bool) -> Answer {
        let at_most = self.stored.saturating_add(self.ended).saturating_add(self.under_way);
        if at_most < self.most {
            self.under_way += 1;
            return Answer::Go;
        }
        match fresh {
            false => Answer::Look,
            true if self.stored < self.most => Answer::Wait,
            true => Answer::Stop,
        }
    }

    /// A record that was asked for has ended, whether it was changed or not.
    pub(crate) fn end(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        self.ended += 1;
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
        /// However runs overlap: never more than allowed are changed, nothing is stopped before that, and it is stopped then.
        #[test]
        fn exactly_as_many_as_allowed_are_changed(most in 0_u64..30, steps in steps()) {
            let mut meter = Meter { most, ..Meter::default() };
            let (mut changed, mut under_way, mut stopped) = (0_u64, 0_u64, false);
            for step in steps {
                match step {
                    Step::Ask => {
                        let mut answer = meter.ask(false);
                        if answer == Answer::Look {
                            // The store knows what was changed.
                            (meter.stored, meter.ended) = (changed, 0);
                            answer = meter.ask(true);
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
                        meter.end();
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
