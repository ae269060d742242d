//! The quota headers of a response.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest time that an answer may ask for, in milliseconds: the vendor counts nothing for longer than a day. Whoever answers more
/// must not stop a location for ever.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What the vendor said about the quota of (app, location) with one answer. Every part can be missing.
///
/// Documented names: `X-RateLimit-Max`, `-Remaining`, `-Interval-Milliseconds`, `-Limit-Daily`, `-Daily-Remaining`;
/// `x-ratelimit-daily-reset` is undocumented but present. They arrive in lower case; [`HeaderMap`] ignores case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Requests allowed in one interval.
    pub burst_limit: Option<u32>,
    /// Requests left in the current interval.
    pub burst_remaining: Option<u32>,
    /// Length of the interval in milliseconds.
    pub interval_ms: Option<u64>,
    /// Requests allowed in a day.
    pub daily_limit: Option<u32>,
    /// Requests left today.
    pub daily_remaining: Option<u32>,
    /// Milliseconds until the daily window starts again.
    pub daily_reset_ms: Option<u64>,
}

impl Quota {
    /// Reads the headers; none when the answer carries no quota at all. A header that is not a number is ignored.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let quota = Self {
            burst_limit: number(headers, "x-ratelimit-max"),
            burst_remaining: number(headers, "x-ratelimit-remaining"),
            interval_ms: number(headers, "x-ratelimit-interval-milliseconds").map(|ms: u64| ms.min(DAY_MS)),
            daily_limit: number(headers, "x-ratelimit-limit-daily"),
            daily_remaining: number(headers, "x-ratelimit-daily-remaining"),
            daily_reset_ms: number(headers, "x-ratelimit-daily-reset").map(|ms: u64| ms.min(DAY_MS)),
        };
        (quota != Self::default()).then_some(quota)
    }

    /// The day's requests are used up.
    pub fn is_daily_exhausted(&self) -> bool {
        self.daily_remaining == Some(0)
    }
}

fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The `Retry-After` header, as seconds or as a date, at most a day. The vendor documents none; it is honoured should it appear.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(Duration::from_millis(DAY_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let name: http::HeaderName = name.parse().unwrap();
                (name, value.parse().unwrap())
            })
            .collect()
    }

    #[test]
    fn all_six_headers_are_read_whatever_their_case() {
        let quota = Quota::from_headers(&headers(&[
            ("X-RateLimit-Max", "100"),
            ("x-ratelimit-remaining", "99"),
            ("X-RATELIMIT-INTERVAL-MILLISECONDS", "10000"),
            ("X-RateLimit-Limit-Daily", "200000"),
            ("X-RateLimit-Daily-Remaining", "199987"),
            ("x-ratelimit-daily-reset", "83207000"),
        ]));
        assert_eq!(
            quota,
            Some(Quota {
                burst_limit: Some(100),
                burst_remaining: Some(99),
                interval_ms: Some(10_000),
                daily_limit: Some(200_000),
                daily_remaining: Some(199_987),
                daily_reset_ms: Some(83_207_000),
            })
        );
    }

    #[test]
    fn an_answer_without_quota_headers_says_nothing() {
        assert_eq!(Quota::from_headers(&headers(&[("content-type", "application/json")])), None);
        assert_eq!(Quota::from_headers(&headers(&[("x-ratelimit-max", "many")])), None);
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let read = |text| retry_after(&headers(&[("retry-after", text)]), now);
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Sat, 21 Nov 2026 08:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Sat, 21 Nov 2026 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn nobody_is_asked_to_wait_for_longer_than_a_day() {
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let day = Duration::from_hours(24);
        for asked in ["18446744073709551615", "86401", "Sat, 21 Nov 2099 08:00:00 GMT"] {
            assert_eq!(retry_after(&headers(&[("retry-after", asked)]), now), Some(day), "{asked}");
        }
        let most = u64::MAX.to_string();
        let quota = Quota::from_headers(&headers(&[
            ("x-ratelimit-interval-milliseconds", &most),
            ("x-ratelimit-daily-reset", &most),
        ]));
        let day = u64::try_from(day.as_millis()).unwrap();
        assert_eq!(
            quota.map(|quota| (quota.interval_ms, quota.daily_reset_ms)),
            Some((Some(day), Some(day)))
        );
    }
}
