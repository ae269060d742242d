use proptest::prelude::*;

use super::*;

const GO: Decision = Decision::Go;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn budget() -> Budget {
    Budget::new(Limits::default())
}

/// Sends as soon as the budget allows, until `end`; returns the instants.
fn send_all(budget: &mut Budget, priority: Priority, from: Duration, end: Duration) -> Vec<Duration> {
    let (mut now, mut sent) = (from, Vec::new());
    while now < end {
        match budget.take(now, priority) {
            Decision::Go => {
                budget.finished();
                sent.push(now);
            }
            Decision::Wait { until, .. } => now = until,
        }
    }
    sent
}

fn most_in_any_window(sent: &[Duration], window: Duration) -> usize {
    sent.iter()
        .enumerate()
        .map(|(first, start)| sent[first..].iter().take_while(|at| **at < *start + window).count())
        .max()
        .unwrap_or(0)
}

#[test]
fn live_work_uses_the_whole_burst_at_once_and_then_waits_for_the_interval() {
    let mut budget = budget();
    for _ in 0..100 {
        assert_eq!(budget.take(ms(0), Priority::Interactive), GO);
    }
    let Decision::Wait { until, daily: false } = budget.take(ms(0), Priority::Interactive) else {
        panic!("sent")
    };
    assert!((ms(10_000)..ms(10_100)).contains(&until), "{until:?}");
    assert_eq!(budget.take(until, Priority::Interactive), GO);
}

#[test]
fn each_priority_sustains_nearly_the_whole_rate() {
    for priority in [Priority::Interactive, Priority::Webhook, Priority::Sweep, Priority::Backfill] {
        let sent = send_all(&mut budget(), priority, ms(0), ms(1_000_000));
        assert!(sent.len() >= 9_800, "{priority:?}: {}", sent.len());
        assert!(most_in_any_window(&sent, ms(10_000)) <= 100);
    }
}

#[test]
fn background_work_is_spread_so_that_live_work_never_waits_long() {
    let mut budget = budget();
    send_all(&mut budget, Priority::Backfill, ms(0), ms(60_000));
    let sent_at = match budget.take(ms(60_000), Priority::Interactive) {
        Decision::Go => ms(60_000),
        Decision::Wait { until, .. } => until,
    };
    assert!(sent_at < ms(61_200), "{sent_at:?}");
}

/// Who wants to send when.
struct Traffic {
    /// When live work comes.
    live: Vec<Duration>,
    /// When background work has nothing to send, from and to.
    pauses: Vec<(Duration, Duration)>,
}

/// What came of it.
struct Outcome {
    sent: Vec<Duration>,
    /// How long each live request waited.
    waited: Vec<Duration>,
}

/// Plays the traffic against one budget: background work is always there outside its pauses, live work goes first.
fn play(traffic: &Traffic, end: Duration) -> Outcome {
    let mut budget = budget();
    let mut coming = traffic.live.iter().copied().peekable();
    let (mut live, mut now) = (traffic.live.iter().copied().peekable(), Duration::ZERO);
    let mut outcome = Outcome { sent: Vec::new(), waited: Vec::new() };
    while now < end {
        while coming.next_if(|at| *at <= now).is_some() {
            budget.came(now, Priority::Webhook);
        }
        let arrived = live.peek().copied().filter(|at| *at <= now);
        let pause = traffic.pauses.iter().find(|(from, to)| (*from..*to).contains(&now));
        let until = match (arrived, pause) {
            (None, Some((_, to))) => *to,
            (arrived, _) => {
                let priority = if arrived.is_some() { Priority::Webhook } else { Priority::Backfill };
                match budget.take(now, priority) {
                    Decision::Go => {
                        budget.finished();
                        outcome.sent.push(now);
                        if let Some(at) = arrived {
                            outcome.waited.push(now.saturating_sub(at));
                            live.next();
                        }
                        continue;
                    }
                    Decision::Wait { until, .. } => until,
                }
            }
        };
        now = match live.peek() {
            Some(at) if *at > now => until.min(*at),
            _ => until,
        };
    }
    outcome
}

/// The wait that so many of a hundred stay below.
fn percentile(waited: &[Duration], percent: usize) -> Duration {
    let mut waited = waited.to_vec();
    waited.sort();
    waited[waited.len() * percent / 100]
}

#[test]
fn single_live_requests_cost_background_work_no_more_than_their_own_place() {
    let live = (1..500).map(|n| ms(n * 1_710 + n % 7 * 60)).collect();
    let outcome = play(&Traffic { live, pauses: Vec::new() }, ms(900_000));
    assert!(outcome.sent.len() >= 8_865, "{}", outcome.sent.len());
    assert!(most_in_any_window(&outcome.sent, ms(10_000)) <= 100);
    let worst = percentile(&outcome.waited, 99);
    assert!(worst <= ms(300), "{worst:?}");
}

#[test]
fn a_burst_of_live_work_finds_room_when_there_was_one_of_late() {
    for (burst, at_once) in [(10, 0), (25, 14), (60, 20)] {
        let bursts = [20_000, 35_000].map(ms);
        let live = bursts.iter().flat_map(|at| std::iter::repeat_n(*at, burst)).collect();
        let outcome = play(&Traffic { live, pauses: Vec::new() }, ms(50_000));
        let second = &outcome.waited[burst..];
        let without_wait = second.iter().filter(|wait| wait.is_zero()).count();
        assert!(without_wait >= at_once, "{without_wait} of {burst}");
        // One slot frees in a tenth of a second.
        let rest = u32::try_from(burst - at_once).unwrap();
        assert!(second[burst - 1] <= ms(130) * rest + ms(300), "{:?} of {burst}", second[burst - 1]);
    }
}

#[test]
fn a_burst_of_live_work_binds_background_work_no_longer_than_three_intervals() {
    let traffic = Traffic { live: vec![ms(0); 80], pauses: Vec::new() };
    let outcome = play(&traffic, ms(100_000));
    let later = outcome.sent.iter().filter(|at| (ms(50_000)..ms(100_000)).contains(*at)).count();
    assert!(later >= 490, "{later}");
}

#[test]
fn background_work_always_leaves_a_fifth_of_the_day() {
    let mut budget = Budget::new(Limits { daily: 10, ..Limits::default() });
    let quota = Quota { daily_remaining: Some(3), daily_reset_ms: Some(60_000), ..Quota::default() };
    assert_eq!(budget.take(ms(0), Priority::Backfill), GO);
    budget.observe(ms(0), ms(0), &quota);
    budget.finished();
    assert_eq!(budget.take(ms(1_000), Priority::Backfill), GO);
    budget.finished();
    assert_eq!(budget.take(ms(2_000), Priority::Sweep), Decision::Wait { until: ms(60_000), daily: true });
    assert_eq!(budget.take(ms(2_000), Priority::Webhook), GO);
    assert_eq!(budget.take(ms(2_000), Priority::Interactive), GO);
    assert_eq!(
        budget.take(ms(2_000), Priority::Interactive),
        Decision::Wait { until: ms(60_000), daily: true }
    );
    assert_eq!(budget.take(ms(60_000), Priority::Interactive), GO, "the day starts again");
}

#[test]
fn the_answers_correct_limit_interval_and_day() {
    let mut budget = budget();
    assert_eq!(budget.take(ms(0), Priority::Interactive), GO);
    let quota = Quota {
        burst_limit: Some(5),
        burst_remaining: Some(4),
        interval_ms: Some(1_000),
        daily_limit: Some(50),
        daily_remaining: Some(20),
        daily_reset_ms: Some(5_000),
    };
    budget.observe(ms(1), ms(0), &quota);
    budget.finished();
    let daily = Daily { remaining: 20, resets_in: Some(ms(5_000)) };
    assert_eq!(budget.daily(ms(1)), daily);
    let sent = send_all(&mut budget, Priority::Interactive, ms(1), ms(900));
    assert_eq!(sent.len(), 4);
}

#[test]
fn requests_that_somebody_else_sent_are_counted_once() {
    let mut budget = budget();
    for remaining in [39, 38] {
        assert_eq!(budget.take(ms(0), Priority::Interactive), GO);
        let quota = Quota { burst_limit: Some(100), burst_remaining: Some(remaining), ..Quota::default() };
        budget.observe(ms(5), ms(0), &quota);
        budget.finished();
    }
    let sent = send_all(&mut budget, Priority::Interactive, ms(6), ms(9_000));
    assert_eq!(sent.len(), 38);
}

#[test]
fn a_late_answer_about_our_own_requests_does_not_count_them_again() {
    let mut budget = budget();
    let sent = send_all(&mut budget, Priority::Interactive, ms(0), ms(10_000));
    assert_eq!(sent.len(), 100);
    let quota = Quota { burst_remaining: Some(0), ..Quota::default() };
    budget.observe(ms(10_200), ms(0), &quota);
    assert_eq!(budget.take(ms(10_200), Priority::Interactive), GO);
}

#[test]
fn a_burst_refusal_makes_everybody_wait_for_the_interval() {
    let mut budget = budget();
    assert_eq!(budget.take(ms(0), Priority::Interactive), GO);
    assert_eq!(budget.refused(ms(100), None, None, 0.05), (ms(10_600), false));
    for priority in [Priority::Interactive, Priority::Backfill] {
        assert_eq!(budget.take(ms(200), priority), Decision::Wait { until: ms(10_600), daily: false });
    }
    assert_eq!(budget.take(ms(10_600), Priority::Interactive), GO);
}

#[test]
fn retry_after_is_honoured_and_a_shorter_refusal_shortens_no_wait() {
    let mut budget = budget();
    assert_eq!(budget.refused(ms(0), None, Some(ms(30_000)), 0.0), (ms(30_000), false));
    assert_eq!(budget.refused(ms(100), None, None, 0.0).0, ms(10_100));
    assert_eq!(
        budget.take(ms(20_000), Priority::Interactive),
        Decision::Wait { until: ms(30_000), daily: false }
    );
}

#[test]
fn a_daily_refusal_waits_for_the_reset_or_asks_again_in_an_hour() {
    let used_up = Quota { daily_remaining: Some(0), ..Quota::default() };
    let mut known = budget();
    known.observe(ms(0), ms(0), &Quota { daily_reset_ms: Some(5_000), ..used_up });
    assert_eq!(known.refused(ms(1_000), Some(&used_up), None, 0.0), (ms(5_000), true));
    let mut unknown = budget();
    assert_eq!(unknown.refused(ms(0), Some(&used_up), None, 0.0), (DAILY_PROBE, true));
    assert_eq!(
        unknown.take(ms(1), Priority::Interactive),
        Decision::Wait { until: DAILY_PROBE, daily: true }
    );
    assert_eq!(unknown.take(DAILY_PROBE, Priority::Interactive), GO);
}

#[test]
fn what_was_left_of_the_day_survives_a_restart() {
    let mut budget = budget();
    budget.restore_daily(ms(0), Daily { remaining: 1, resets_in: Some(ms(3_000)) });
    assert_eq!(budget.take(ms(0), Priority::Interactive), GO);
    assert_eq!(budget.take(ms(1), Priority::Interactive), Decision::Wait { until: ms(3_000), daily: true });
}

#[test]
fn a_huge_limit_costs_no_memory() {
    let limits = Limits { burst: 1_000_000, daily: u32::MAX, ..Limits::default() };
    let mut budget = Budget::new(limits);
    for step in 0..40_000 {
        assert_eq!(budget.take(Duration::from_micros(step * 750), Priority::Interactive), GO);
    }
    assert!(budget.sent.len() <= 1_024, "{}", budget.sent.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever arrives when, and whatever its priority.
    #[test]
    fn never_more_than_the_limit_in_any_window(
        burst in 1_u32..120,
        arrivals in prop::collection::vec((0_u64..400, 0_u8..4), 1..600),
    ) {
        let mut budget = Budget::new(Limits { burst, ..Limits::default() });
        let (mut now, mut sent) = (Duration::ZERO, Vec::new());
        for (gap, priority) in arrivals {
            now += ms(gap);
            let priority =
                [Priority::Interactive, Priority::Webhook, Priority::Sweep, Priority::Backfill][usize::from(priority)];
            let due = loop {
                match budget.take(now, priority) {
                    Decision::Go => break now,
                    Decision::Wait { until, .. } => {
                        prop_assert!(until > now, "a wait ends later");
                        now = until;
                    }
                }
            };
            budget.finished();
            sent.push(due);
        }
        prop_assert!(most_in_any_window(&sent, ms(10_000)) <= burst as usize);
    }

    /// Whatever gaps background work leaves: what it sends afterwards is spread again, and the rate is used.
    #[test]
    fn gaps_close_and_live_work_waits_for_no_more_than_a_moment(
        gaps in prop::collection::vec((5_000_u64..60_000, 50_u64..2_500), 0..12),
        edits in prop::collection::vec(400_u64..4_000, 100..200),
    ) {
        let mut now = ms(0);
        let pauses: Vec<_> = gaps.iter().map(|(after, length)| {
            let from = now + ms(*after);
            now = from + ms(*length);
            (from, now)
        }).collect();
        let mut now = ms(15_000);
        let live: Vec<_> = edits.iter().map(|gap| { now += ms(*gap); now }).collect();
        let end = live[live.len() - 1];
        let outcome = play(&Traffic { live, pauses }, end);
        prop_assert!(most_in_any_window(&outcome.sent, ms(10_000)) <= 100);
        let worst = percentile(&outcome.waited, 98);
        prop_assert!(worst <= ms(1_500), "{worst:?}");
        // What a gap leaves unsent within the window that it ends is lost; nothing else is.
        let lost: u64 = gaps.iter().map(|(_, length)| length / 100).sum();
        let sent = u64::try_from(outcome.sent.len()).unwrap() + lost;
        let allowed = u64::try_from(end.as_millis()).unwrap() / 100;
        prop_assert!(sent * 100 >= allowed * 98, "{sent} of {allowed}");
    }

    /// However much background work there is, live work waits at most as long as the live work before it requires.
    #[test]
    fn background_work_never_starves_live_work(start in 0_u64..100_000, live in 1_usize..60) {
        let mut budget = budget();
        send_all(&mut budget, Priority::Backfill, ms(0), ms(start));
        let sent = {
            let (mut now, mut sent) = (ms(start), 0);
            while sent < live {
                match budget.take(now, Priority::Interactive) {
                    Decision::Go => sent += 1,
                    Decision::Wait { until, .. } => now = until,
                }
                budget.finished();
            }
            now
        };
        // One slot frees every tenth of a second, after at most the second in which background work ran ahead.
        let bound = ms(start) + ms(1_200) + ms(120) * u32::try_from(live).unwrap();
        prop_assert!(sent <= bound, "{sent:?} > {bound:?}");
    }
}
