//! Instants and days.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use super::{CanonicalError, shown, text_only};
use crate::Value;

pub(super) fn instant(value: &Value) -> Result<Value, CanonicalError> {
    let Some(text) = text_only(value, "a point in time")? else { return Ok(Value::Null) };
    let fault = |reason: String| CanonicalError::Instant { found: shown(value), reason };
    let instant: Timestamp = text.parse().map_err(|_| {
        fault(if text.parse::<DateTime>().is_ok() {
            "the zone is missing, and guessing one would move the time".into()
        } else {
            "not RFC 3339".into()
        })
    })?;
    // Rounded down, also before 1970: vendors drop what they do not store.
    let milliseconds = i64::try_from(instant.as_nanosecond().div_euclid(1_000_000));
    let whole = milliseconds.ok().and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok());
    let whole = whole.ok_or_else(|| fault("out of range".into()))?;
    Ok(Value::Text(format!("{whole:.3}")))
}

/// Reads the spellings that HighLevel accepts for `dateOfBirth`: year first or month first, with `-`, `/`, `.` or `_`
/// between, and the day of a time stamp as it is written (HighLevel answers with midnight UTC). Day first is refused:
/// nothing tells it from month first.
pub(super) fn date(value: &Value) -> Result<Value, CanonicalError> {
    let Some(text) = text_only(value, "a date")? else { return Ok(Value::Null) };
    day(&text)
        .map(|day| Value::Text(day.to_string()))
        .map_err(|reason| CanonicalError::Date { found: shown(value), reason })
}

fn day(text: &str) -> Result<Date, &'static str> {
    const SPELLINGS: &str = "write YYYY-MM-DD (or MM/DD/YYYY; a day does not come first)";
    const NO_SUCH_DAY: &str = "there is no such day in year-month-day or month-day-year order";

    let is_instant = text.parse::<Timestamp>().is_ok() || text.parse::<DateTime>().is_ok();
    let day_and_time = text.split_at_checked(10).filter(|(_, rest)| rest.starts_with(['T', 't', ' ']));
    if let Some((day, _)) = day_and_time.filter(|_| is_instant) {
        return day.parse().map_err(|_| NO_SUCH_DAY);
    }
    let separator = text.chars().find(|c| "-/._".contains(*c)).ok_or(SPELLINGS)?;
    let parts: Vec<&str> = text.split(separator).collect();
    let [first, second, third] = parts[..] else { return Err(SPELLINGS) };
    let number = |part: &str, most: usize| -> Result<i16, &'static str> {
        let digits = !part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten().ok_or(SPELLINGS)
    };
    let (year, month, day) = match (first.len(), third.len()) {
        (4, _) => (first, second, third),
        (_, 4) => (third, first, second),
        _ => return Err(SPELLINGS),
    };
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    // One or two digits always fit.
    let small = |number: i16| i8::try_from(number).map_err(|_| SPELLINGS);
    Date::new(year, small(month)?, small(day)?).map_err(|_| NO_SUCH_DAY)
}
