//! Who is told what: on transitions only, not again and again, and several things in one message. Pure.

use std::collections::BTreeMap;

use contactor_store::{Alert, AlertKind, AlertRules, ConnectionId};
use jiff::{SignedDuration, Timestamp};

/// How long something has to be wrong before it is told, and to be right before it counts as over: what comes and goes within that
/// is nobody's business.
const HOLD: SignedDuration = SignedDuration::from_mins(3);

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    pub(super) key: String,
    pub(super) kind: AlertKind,
    pub(super) connection: Option<ConnectionId>,
    pub(super) level: u32,
    pub(super) text: String,
}

/// What is told of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Begins,
    Worse,
    Ends,
}

/// What comes of looking once.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Decision {
    pub(super) alerts: Vec<Alert>,
    pub(super) dropped: Vec<String>,
    /// What is told, with the alert as it is now.
    pub(super) news: Vec<(News, Alert)>,
}

/// Compares what is wrong now with what is remembered. Without a listener nobody is told anything, and nothing counts as told: what
/// still stands when there is one is told then.
pub(super) fn decide(
    known: &[Alert],
    active: Vec<Condition>,
    rules: &AlertRules,
    now: Timestamp,
    has_listener: bool,
) -> Decision {
    let mut known: BTreeMap<&str, &Alert> = known.iter().map(|alert| (alert.key.as_str(), alert)).collect();
    // One message at a time: what happens before the next is told with it.
    let said = known.values().filter_map(|alert| alert.said_at).max();
    let quiet = match said {
        _ if !has_listener => Quiet::Deaf,
        Some(said) if now < said + minutes(rules.digest_minutes) => Quiet::Soon,
        _ => Quiet::No,
    };
    let mut decision = Decision::default();
    for condition in active {
        let before = known.remove(condition.key.as_str());
        decision.still(before, condition, rules, now, quiet);
    }
    for alert in known.into_values() {
        decision.no_longer(alert, now, quiet);
    }
    decision
}

/// Whether something can be said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quiet {
    /// Now.
    No,
    /// A message was sent a moment ago.
    Soon,
    /// There is nobody to be told.
    Deaf,
}

/// Whether something may still pass by itself before anybody has to know.
fn is_held(kind: AlertKind, since: Timestamp, now: Timestamp) -> bool {
    !at_once(kind) && now < since + HOLD
}

fn minutes(minutes: u32) -> SignedDuration {
    SignedDuration::from_mins(i64::from(minutes))
}

impl Decision {
    /// It is wrong now.
    fn still(
        &mut self,
        before: Option<&Alert>,
        condition: Condition,
        rules: &AlertRules,
        now: Timestamp,
        quiet: Quiet,
    ) {
        let Condition { key, kind, connection, level, text } = condition;
        let open = before.filter(|alert| alert.ended_at.is_none());
        let mut alert = Alert {
            key,
            kind,
            connection,
            level,
            text,
            since: open.map_or(now, |alert| alert.since),
            clear_since: None,
            told: open.and_then(|alert| alert.told),
            said_at: before.and_then(|alert| alert.said_at),
            ended_at: None,
        };
        // What was spoken of a moment ago is not spoken of again at once, although it was over meanwhile.
        let suppressed = alert.said_at.is_some_and(|said| now < said + minutes(rules.suppress_minutes));
        let news = match alert.told {
            None if suppressed || is_held(kind, alert.since, now) => None,
            None => Some(News::Begins),
            Some(told) if level > told && !suppressed => Some(News::Worse),
            Some(_) => None,
        };
        if let Some(news) = news.filter(|_| quiet == Quiet::No) {
            (alert.told, alert.said_at) = (Some(level), Some(now));
            self.news.push((news, alert.clone()));
        }
        if before != Some(&alert) {
            self.alerts.push(alert);
        }
    }

    /// It was wrong, and is not any more.
    fn no_longer(&mut self, before: &Alert, now: Timestamp, quiet: Quiet) {
        if before.ended_at.is_some() {
            return;
        }
        if before.told.is_none() {
            // It passed before anybody had to know; what was said of it earlier, and what nobody could be told, is remembered.
            if before.said_at.is_none() && is_held(before.kind, before.since, now) {
                self.dropped.push(before.key.clone());
            } else {
                self.alerts.push(Alert { ended_at: Some(now), ..before.clone() });
            }
            return;
        }
        let clear_since = before.clear_since.unwrap_or(now);
        let over = (now >= clear_since + HOLD && quiet != Quiet::Soon).then_some(now);
        let said_at = over.filter(|_| quiet == Quiet::No).or(before.said_at);
        let alert = Alert { clear_since: Some(clear_since), ended_at: over, said_at, ..before.clone() };
        if over.is_some() && quiet == Quiet::No {
            self.news.push((News::Ends, alert.clone()));
        }
        if *before != alert {
            self.alerts.push(alert);
        }
    }
}

/// Whether it is told as soon as it is seen: it does not pass by itself.
fn at_once(kind: AlertKind) -> bool {
    matches!(
        kind,
        AlertKind::NeedsReconnect | AlertKind::Paused | AlertKind::MassChange | AlertKind::Reverted
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    fn condition(key: &str, kind: AlertKind, level: u32) -> Condition {
        Condition { key: key.to_owned(), kind, connection: None, level, text: format!("{key} is wrong") }
    }

    /// Plays minutes one after the other; answers what was told and when.
    fn play(
        rules: &AlertRules,
        wrong: impl Fn(i64) -> Vec<Condition>,
        until: i64,
    ) -> Vec<(i64, News, String)> {
        play_to(rules, wrong, until, |_| true)
    }

    /// The same with a listener in some of the minutes.
    fn play_to(
        rules: &AlertRules,
        wrong: impl Fn(i64) -> Vec<Condition>,
        until: i64,
        has_listener: impl Fn(i64) -> bool,
    ) -> Vec<(i64, News, String)> {
        let mut known: BTreeMap<String, Alert> = BTreeMap::new();
        let mut told = Vec::new();
        for minute in 0..until {
            let all: Vec<Alert> = known.values().cloned().collect();
            let decision = decide(&all, wrong(minute), rules, at(minute), has_listener(minute));
            known.extend(decision.alerts.into_iter().map(|alert| (alert.key.clone(), alert)));
            for key in decision.dropped {
                known.remove(&key);
            }
            told.extend(decision.news.into_iter().map(|(news, alert)| (minute, news, alert.key)));
        }
        told
    }

    fn news(told: &[(i64, News, String)]) -> Vec<(i64, News)> {
        told.iter().map(|(minute, news, _)| (*minute, *news)).collect()
    }

    #[test]
    fn a_beginning_and_an_end_are_told_once_each() {
        let rules = AlertRules::default();
        let wrong = |minute: i64| match minute {
            10..100 => vec![condition("a", AlertKind::Stale, 1)],
            _ => vec![],
        };
        assert_eq!(news(&play(&rules, wrong, 300)), [(13, News::Begins), (103, News::Ends)]);
        let refused = |minute: i64| match minute {
            10..100 => vec![condition("a", AlertKind::NeedsReconnect, 1)],
            _ => vec![],
        };
        assert_eq!(news(&play(&rules, refused, 300))[0], (10, News::Begins), "that does not pass by itself");
    }

    #[test]
    fn what_passes_by_itself_is_not_told() {
        let blip =
            |minute: i64| if minute == 5 { vec![condition("a", AlertKind::Degraded, 1)] } else { vec![] };
        assert_eq!(play(&AlertRules::default(), blip, 60), []);
    }

    #[test]
    fn what_comes_and_goes_is_told_once_in_an_hour() {
        let flaps = |minute: i64| {
            if minute % 10 < 5 { vec![condition("a", AlertKind::Degraded, 1)] } else { vec![] }
        };
        let told = play(&AlertRules::default(), flaps, 600);
        let begins = told.iter().filter(|(_, news, _)| *news == News::Begins).count();
        let ends = told.iter().filter(|(_, news, _)| *news == News::Ends).count();
        assert!(begins <= 10 && ends <= 10, "{told:?}");
    }

    #[test]
    fn what_nobody_could_be_told_is_told_once_somebody_listens_if_it_still_stands() {
        let rules = AlertRules::default();
        let wrong = |minute: i64| match minute {
            10..20 => vec![condition("over", AlertKind::Stale, 1), condition("stands", AlertKind::Paused, 1)],
            20..100 => vec![condition("stands", AlertKind::Paused, 1)],
            _ => vec![],
        };
        let told = play_to(&rules, wrong, 300, |minute| minute >= 50);
        let expected = [(50, News::Begins, "stands".to_owned()), (103, News::Ends, "stands".to_owned())];
        assert_eq!(told, expected);
        // Whoever was told and does not listen any more is told no end, and it ends all the same.
        let told = play_to(&rules, wrong, 300, |minute| !(50..=200).contains(&minute));
        assert!(
            told.iter()
                .all(|(minute, news, key)| *minute < 50 && (*news, key.as_str()) != (News::Ends, "stands")),
            "{told:?}"
        );
        let begun = decide(&[], wrong(30), &rules, at(30), false).alerts;
        let ended = decide(&begun, vec![], &rules, at(110), false);
        assert!(
            ended.alerts.len() == 1 && ended.alerts[0].ended_at.is_some(),
            "it stays on the list: {ended:?}"
        );
    }

    #[test]
    fn what_gets_worse_is_told_again_but_not_at_every_step() {
        let grows =
            |minute: i64| vec![condition("a", AlertKind::Parked, u32::try_from(minute / 20).unwrap())];
        let told = news(&play(&AlertRules::default(), grows, 200));
        assert_eq!(told, [(3, News::Begins), (63, News::Worse), (123, News::Worse), (183, News::Worse)]);
    }

    #[test]
    fn what_happens_together_comes_together() {
        let rules = AlertRules::default();
        let wrong = |minute: i64| {
            let kinds = [("a", 0), ("b", 1), ("c", 2), ("d", 2)];
            let begun = kinds.into_iter().filter(|(_, from)| minute >= *from);
            begun.map(|(key, _)| condition(key, AlertKind::Paused, 1)).collect()
        };
        let told = play(&rules, wrong, 60);
        let minutes: Vec<i64> = told.iter().map(|(minute, ..)| *minute).collect();
        assert_eq!(minutes, [0, 5, 5, 5], "the first at once, the others in one message");
    }

    proptest! {
        #[test]
        fn beginnings_and_ends_alternate_and_messages_keep_their_distance(
            wrong in proptest::collection::vec(proptest::collection::vec((0..4_u8, 0..3_u32), 0..4), 1..200),
            digest in 0..10_u32,
            suppress in 0..90_u32,
        ) {
            let rules = AlertRules { digest_minutes: digest, suppress_minutes: suppress, ..AlertRules::default() };
            let conditions = |minute: i64| {
                let mut now: BTreeMap<u8, u32> = BTreeMap::new();
                now.extend(wrong[usize::try_from(minute).unwrap()].iter().copied());
                let kinds = [AlertKind::Paused, AlertKind::Stale, AlertKind::Parked, AlertKind::Degraded];
                now.into_iter().map(|(key, level)| condition(&key.to_string(), kinds[usize::from(key)], level)).collect()
            };
            let told = play(&rules, conditions, i64::try_from(wrong.len()).unwrap());
            for key in 0..4_u8 {
                let own: Vec<_> = told.iter().filter(|(.., of)| *of == key.to_string()).collect();
                let mut open = false;
                for (_, news, _) in &own {
                    match news {
                        News::Begins => { prop_assert!(!open, "{own:?}"); open = true; }
                        News::Worse => prop_assert!(open, "{own:?}"),
                        News::Ends => { prop_assert!(open, "{own:?}"); open = false; }
                    }
                }
            }
            let mut minutes: Vec<i64> = told.iter().map(|(minute, ..)| *minute).collect();
            minutes.dedup();
            prop_assert!(minutes.windows(2).all(|pair| pair[1] - pair[0] >= i64::from(digest)), "{told:?}");
        }
    }
}
