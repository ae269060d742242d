//! Filters for days and instants. Formats are those of `strftime`; a zone is an IANA name such as `Europe/Berlin`.
//!
//! There is no "now": an expression gives the same result for the same record whenever it runs, or a fingerprint would change
//! by itself.

use jiff::civil::Date;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use minijinja::value::{Rest, Value as Data};
use minijinja::{Error, ErrorKind};

use super::budget::{Cost, Metered};
use super::filters::text_of;

/// Longest format, in bytes: what one element of it produces is bounded by the library.
const LONGEST_FORMAT: usize = 100;
/// Longest text that is read as a day or an instant, in bytes.
const LONGEST_TEXT: usize = 200;
/// Furthest that a filter adds, in days: more is a mistake in the expression.
const FURTHEST: i64 = 366_000;

pub(super) fn install(environment: &mut Metered<'_>) {
    environment.add_filter("parse_date", Cost::DATE, parse_date);
    environment.add_filter("parse_time", Cost::DATE, parse_time);
    environment.add_filter("date_format", Cost::DATE, date_format);
    environment.add_filter("date_of", Cost::DATE, date_of);
    environment.add_filter("in_zone", Cost::DATE, in_zone);
    environment.add_filter("add_days", Cost::DATE, add_days);
    environment.add_filter("add_hours", Cost::DATE, add_hours);
    environment.add_filter("add_months", Cost::DATE, add_months);
    environment.add_filter("days_until", Cost::DATE, days_until);
}

fn fault(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, text.into())
}

fn too_long() -> Error {
    fault(format!("a day or a time has at most {LONGEST_TEXT} bytes"))
}

/// A day or an instant.
#[derive(Clone)]
enum When {
    Day(Date),
    Instant(Timestamp),
}

impl When {
    /// `None` for no value.
    fn read(value: &Data) -> Result<Option<Self>, Error> {
        let text = text_of(value);
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if text.len() > LONGEST_TEXT {
            return Err(too_long());
        }
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(Some(Self::Instant(instant)));
        }
        let day = text.parse::<Date>().ok().filter(|_| text.len() == 10);
        day.map(|day| Some(Self::Day(day))).ok_or_else(|| {
            let text: String = text.chars().take(40).collect();
            fault(format!("`{text}` is neither a day (2026-11-21) nor a time with a zone; `parse_date` reads other formats"))
        })
    }

    fn zoned(&self, zone: &TimeZone) -> Result<Zoned, Error> {
        match self {
            Self::Day(day) => day.to_zoned(zone.clone()).map_err(|error| fault(error.to_string())),
            Self::Instant(instant) => Ok(instant.to_zoned(zone.clone())),
        }
    }

    fn plus(&self, span: Span) -> Result<Data, Error> {
        let wrong = |error: jiff::Error| fault(error.to_string());
        match self {
            Self::Day(day) => Ok(Data::from(day.checked_add(span).map_err(wrong)?.to_string())),
            Self::Instant(instant) => {
                // Calendar units need a calendar: UTC's, in which every day has 24 hours.
                let moved = instant.to_zoned(TimeZone::UTC).checked_add(span).map_err(wrong)?;
                Ok(Data::from(moved.timestamp().to_string()))
            }
        }
    }
}

fn zone(name: Option<&str>) -> Result<TimeZone, Error> {
    match name {
        None => Ok(TimeZone::UTC),
        Some(name) => TimeZone::get(name).map_err(|_| fault(format!("there is no time zone `{name}`"))),
    }
}

fn checked_format(format: &str) -> Result<&str, Error> {
    if format.len() > LONGEST_FORMAT {
        return Err(fault(format!("a format has at most {LONGEST_FORMAT} bytes")));
    }
    Ok(format)
}

/// The day in a text, by the first format that fits.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn parse_date(value: &Data, formats: Rest<String>) -> Result<Data, Error> {
    let text = text_of(value);
    let text = text.trim();
    if text.is_empty() {
        return Ok(Data::UNDEFINED);
    }
    if text.len() > LONGEST_TEXT {
        return Err(too_long());
    }
    if formats.is_empty() {
        return Err(fault("`parse_date` needs a format, for example `parse_date('%d.%m.%Y')`"));
    }
    for format in formats.iter() {
        if let Ok(day) = Date::strptime(checked_format(format)?, text) {
            return Ok(Data::from(day.to_string()));
        }
    }
    let shown: String = text.chars().take(40).collect();
    Err(fault(format!("`{shown}` is no day in the format {}", formats.join(" or "))))
}

/// The instant in a text. A format without an offset is local time of the zone.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn parse_time(value: &Data, format: String, name: Option<String>) -> Result<Data, Error> {
    let text = text_of(value);
    let text = text.trim();
    if text.is_empty() {
        return Ok(Data::UNDEFINED);
    }
    if text.len() > LONGEST_TEXT {
        return Err(too_long());
    }
    let shown: String = text.chars().take(40).collect();
    let no = || fault(format!("`{shown}` is no time in the format {format}"));
    let broken = strtime::parse(checked_format(&format)?, text).map_err(|_| no())?;
    let instant = match broken.to_timestamp() {
        Ok(instant) => instant,
        Err(_) => {
            let name = name.as_deref().ok_or_else(|| {
                fault("`parse_time` needs the zone of a time without an offset, for example 'Europe/Berlin'")
            })?;
            let local = broken.to_datetime().map_err(|_| no())?;
            local.to_zoned(zone(Some(name))?).map_err(|_| no())?.timestamp()
        }
    };
    Ok(Data::from(instant.to_string()))
}

/// A day or an instant as a text.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn date_format(value: &Data, format: String, name: Option<String>) -> Result<Data, Error> {
    let Some(when) = When::read(value)? else { return Ok(Data::UNDEFINED) };
    let zoned = when.zoned(&zone(name.as_deref())?)?;
    strtime::format(checked_format(&format)?, &zoned)
        .map(Data::from)
        .map_err(|error| fault(error.to_string()))
}

/// The day of an instant in a zone; a day is itself.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn date_of(value: &Data, name: Option<String>) -> Result<Data, Error> {
    Ok(match When::read(value)? {
        None => Data::UNDEFINED,
        Some(When::Day(day)) => Data::from(day.to_string()),
        Some(when) => Data::from(when.zoned(&zone(name.as_deref())?)?.date().to_string()),
    })
}

/// An instant with the offset of a zone; a day begins there.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn in_zone(value: &Data, name: String) -> Result<Data, Error> {
    let Some(when) = When::read(value)? else { return Ok(Data::UNDEFINED) };
    let zoned = when.zoned(&zone(Some(&name))?)?;
    let text = zoned.timestamp().display_with_offset(zoned.offset()).to_string();
    Ok(Data::from(text))
}

fn add(value: &Data, count: i64, most: i64, span: impl FnOnce(i64) -> Span) -> Result<Data, Error> {
    if !(-most..=most).contains(&count) {
        return Err(fault(format!("at most {most} can be added")));
    }
    match When::read(value)? {
        None => Ok(Data::UNDEFINED),
        Some(when) => when.plus(span(count)),
    }
}

/// So many days later, or earlier.
fn add_days(value: &Data, days: i64) -> Result<Data, Error> {
    add(value, days, FURTHEST, |days| Span::new().days(days))
}

/// So many hours later, or earlier; for an instant.
fn add_hours(value: &Data, hours: i64) -> Result<Data, Error> {
    if let Some(When::Day(_)) = When::read(value)? {
        return Err(fault("`add_hours` moves a time; a day has no hours: `in_zone` makes a time of it"));
    }
    add(value, hours, FURTHEST * 24, |hours| Span::new().hours(hours))
}

/// So many months later, or earlier; the last day of a month stays within the month.
fn add_months(value: &Data, months: i64) -> Result<Data, Error> {
    add(value, months, FURTHEST / 30, |months| Span::new().months(months))
}

/// Whole days from this day to another; negative when it lies before.
fn days_until(value: &Data, other: &Data) -> Result<Data, Error> {
    let (Some(one), Some(two)) = (When::read(value)?, When::read(other)?) else { return Ok(Data::UNDEFINED) };
    let day = |when: &When| when.zoned(&TimeZone::UTC).map(|zoned| zoned.date());
    let span = day(&one)?.until(day(&two)?).map_err(|error| fault(error.to_string()))?;
    Ok(Data::from(span.get_days()))
}
