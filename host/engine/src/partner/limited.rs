//! A partner that answers 429 is asked nothing until the time that it names. Pure: the time is given.

use jiff::{SignedDuration, Timestamp};

/// The first wait when the partner names none; it doubles with each refusal in a row.
const FIRST: SignedDuration = SignedDuration::from_secs(10);
/// The longest wait of that kind.
const LONGEST: SignedDuration = SignedDuration::from_mins(10);
/// The longest that a partner may ask for.
pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Refusals in a row, and what came of the last.
#[derive(Debug, Default)]
pub(super) struct Limited {
    refusals: u32,
    until: Option<Timestamp>,
}

impl Limited {
    /// The partner refused a request; answers until when it is left alone.
    pub(super) fn refused(&mut self, retry_after: Option<&str>, now: Timestamp) -> Timestamp {
        let own = FIRST * 2_i32.saturating_pow(self.refusals.min(10));
        let wait = retry_after.and_then(|asked| wait(asked, now)).unwrap_or(own.min(LONGEST));
        self.refusals = self.refusals.saturating_add(1);
        let until = now + wait.clamp(SignedDuration::from_secs(1), DAY);
        // Requests that were under way together are answered in any order.
        let until = self.until.map_or(until, |before| before.max(until));
        self.until = Some(until);
        until
    }

    /// It answered a request with anything else.
    pub(super) fn answered(&mut self, now: Timestamp) {
        if self.until.is_none_or(|until| until <= now) {
            *self = Self::default();
        }
    }

    /// Until when it is left alone, if it is.
    pub(super) fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| *until > now)
    }
}

/// `Retry-After` in either of its forms (RFC 9110, 10.2.3): seconds, or a date.
pub fn wait(asked: &str, now: Timestamp) -> Option<SignedDuration> {
    let asked = asked.trim();
    if let Ok(seconds) = asked.parse::<u32>() {
        return Some(SignedDuration::from_secs(i64::from(seconds)));
    }
    let date = jiff::fmt::rfc2822::parse(asked).ok()?;
    Some(date.timestamp().duration_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_794_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_partner_says_how_long_in_seconds_or_by_a_date() {
        assert_eq!(Limited::default().refused(Some("90"), at(0)), at(90));
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at(120)).unwrap();
        assert_eq!(Limited::default().refused(Some(&date), at(0)), at(120), "{date}");
        assert_eq!(Limited::default().refused(Some("0"), at(0)), at(1));
        assert_eq!(Limited::default().refused(Some("99999999"), at(0)), at(86_400));
    }

    #[test]
    fn a_partner_that_does_not_say_is_asked_less_and_less() {
        let mut limited = Limited::default();
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let until = limited.refused(Some("soon"), now);
            waits.push(until.duration_since(now).as_secs());
            now = until;
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600]);
        limited.answered(now);
        assert_eq!(limited.refused(None, now), now + FIRST);
    }

    #[test]
    fn an_answer_to_an_earlier_request_ends_no_wait() {
        let mut limited = Limited::default();
        limited.refused(Some("60"), at(0));
        limited.answered(at(1));
        assert_eq!(limited.until(at(1)), Some(at(60)));
        limited.refused(Some("5"), at(2));
        assert_eq!(limited.until(at(2)), Some(at(60)));
        assert_eq!(limited.until(at(60)), None);
    }
}
