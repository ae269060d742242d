//! `timers`: what a connector wants to be woken for. A timer is a delivery to come: durable, and handled like any other event.

use contactor_runtime::bindings::timers::{Host, Timer};
use contactor_runtime::bindings::types::Error;
use contactor_store::{LocalWrite, NewTimer, RecordId, WriteLimit};
use jiff::{SignedDuration, Timestamp};

use super::{Direct, errors};

/// Bytes of a name and of a payload; `wit/timers.wit` documents them. The store holds the number of timers.
const NAME: usize = 256;
pub(super) const PAYLOAD: usize = 64 * 1024;

/// Least time between a timer and one that its handler sets.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);

impl Host for Direct {
    async fn set(&mut self, timer: Timer) -> Result<(), Error> {
        self.may_change(|| format!("timers.set {}", timer.name))?;
        let mut timer = checked(timer)?;
        let now = self.run.engine.now();
        let journal = self.run.journal.clone();
        timer.at = timer.at.max(earliest(now, journal.as_ref().is_some_and(|journal| journal.is_of_timer())));
        let at = timer.at;
        if let (Some(slot), Some(journal)) = (&mut self.slot, &journal) {
            let chain = journal.chain_of_timers();
            slot.limit = chain.and_then(|(record, wider)| {
                let limit = self.run.engine.config().write_limit(record)?;
                Some(WriteLimit { writes: limit.writes.saturating_mul(wider), ..limit })
            });
        }
        self.write_locally(LocalWrite::SetTimer(timer)).await.map_err(errors::of_store)?;
        if at <= now {
            self.run.engine.wake().wake();
        }
        Ok(())
    }

    async fn cancel(&mut self, name: String) -> Result<(), Error> {
        self.may_change(|| format!("timers.cancel {name}"))?;
        check_name(&name)?;
        self.write_locally(LocalWrite::CancelTimer(name)).await.map(drop).map_err(errors::of_store)
    }
}

/// When a timer goes off at the earliest. One that is set while another one is handled waits, or a rule that reminds of itself at an
/// instant of the past would be handled again and again without a pause.
fn earliest(now: Timestamp, in_timer: bool) -> Timestamp {
    if in_timer { now.saturating_add(PAUSE).unwrap_or(Timestamp::MAX) } else { now }
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > NAME || name.contains('\0') {
        return Err(errors::invalid(
            "name",
            format!("1 to {NAME} bytes without NUL, these are {}", name.len()),
        ));
    }
    Ok(())
}

fn checked(timer: Timer) -> Result<NewTimer, Error> {
    check_name(&timer.name)?;
    let at: Timestamp = timer.at.parse().map_err(|_| {
        errors::invalid("at", "expected RFC 3339 with an offset, for example 2026-11-21T09:00:00Z")
    })?;
    if timer.payload.len() > PAYLOAD {
        return Err(errors::invalid(
            "payload",
            format!("at most {PAYLOAD} bytes, these are {}", timer.payload.len()),
        ));
    }
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&timer.payload) {
        return Err(errors::invalid("payload", format!("expected a JSON document: {error}")));
    }
    let subject = timer.name.split('/').next().unwrap_or_default();
    Ok(NewTimer {
        kind: format!("timer:{subject}"),
        at,
        contact_id: timer.contact_id.filter(|id| !id.is_empty()).map(RecordId::new),
        payload: timer.payload,
        name: timer.name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(name: &str, at: &str, payload: &str) -> Timer {
        Timer { name: name.to_owned(), at: at.to_owned(), contact_id: None, payload: payload.to_owned() }
    }

    #[test]
    fn the_event_is_named_by_the_part_before_the_first_slash() {
        let kind = |name: &str| checked(timer(name, "2026-12-01T09:00:00+01:00", "{}")).unwrap();
        assert_eq!(kind("reminder/a1/b").kind, "timer:reminder");
        assert_eq!(kind("daily").kind, "timer:daily");
        assert_eq!(kind("daily").at, "2026-12-01T08:00:00Z".parse().unwrap());
    }

    #[test]
    fn a_timer_goes_off_at_once_at_the_earliest_and_one_set_by_a_timer_a_minute_later() {
        let now: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
        assert_eq!(earliest(now, false), now);
        assert_eq!(earliest(now, true), "2026-12-01T08:01:00Z".parse().unwrap());
    }

    #[test]
    fn what_no_timer_can_be_is_refused_by_name() {
        let long = "n".repeat(NAME + 1);
        let large = format!("\"{}\"", "x".repeat(PAYLOAD));
        let table = [
            (timer("", "2026-12-01T09:00:00Z", "{}"), "name"),
            (timer(&long, "2026-12-01T09:00:00Z", "{}"), "name"),
            (timer("t", "2026-12-01T09:00:00", "{}"), "at"),
            (timer("t", "tomorrow", "{}"), "at"),
            (timer("t", "2026-12-01T09:00:00Z", "{"), "payload"),
            (timer("t", "2026-12-01T09:00:00Z", &large), "payload"),
        ];
        for (bad, field) in table {
            let Err(Error::Invalid(problems)) = checked(bad) else { panic!("{field} was not refused") };
            assert_eq!(problems[0].field, field);
        }
    }
}
