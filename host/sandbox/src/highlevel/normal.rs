//! How HighLevel rewrites what it is given: phones, tags, dates, custom values.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Number, Value, json};

use crate::clock::Millis;

/// E.164, reading a national number as one of `country`. A number of the wrong length is kept all the same (seen in a
/// recorded answer: `+178655689546`). `None` when there are no digits at all.
pub(crate) fn phone(raw: &str, country: &str) -> Option<String> {
    let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return None;
    }
    let trimmed = raw.trim_start();
    if trimmed.starts_with('+') {
        return Some(format!("+{digits}"));
    }
    if let Some(international) = digits.strip_prefix("00").filter(|rest| !rest.is_empty()) {
        return Some(format!("+{international}"));
    }
    let id = country.parse::<phonenumber::country::Id>().unwrap_or(phonenumber::country::US);
    match phonenumber::parse(Some(id), raw) {
        Ok(number) => Some(number.format().mode(phonenumber::Mode::E164).to_string()),
        Err(_) => {
            let code = phonenumber::metadata::DATABASE
                .by_id(id.as_ref())
                .map_or(1, phonenumber::Metadata::country_code);
            Some(format!("+{code}{digits}"))
        }
    }
}

/// Trimmed, lower-case, without empties and repeats; the order of first appearance stays.
pub(crate) fn tags<'a>(raw: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in raw {
        let tag = tag.trim().to_lowercase();
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// The tag names in a JSON array.
pub(crate) fn tag_list(value: &Value) -> Vec<String> {
    tags(value.as_array().into_iter().flatten().filter_map(Value::as_str))
}

/// Reads the date forms of `dateOfBirth` in the vendor's specification (`YYYY/MM/DD`, `MM/DD/YYYY`, and the same with
/// `-`, `.` or `_`), also as the start of a timestamp.
pub(crate) fn birthday(raw: &str) -> Option<Date> {
    let day = raw.split('T').next().unwrap_or(raw);
    let parts: Vec<&str> = day.split(['/', '-', '.', '_']).collect();
    let [first, second, third] = parts[..] else { return None };
    let (year, month, day) = if first.len() == 4 { (first, second, third) } else { (third, first, second) };
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// An instant with a zone or an offset, or a date alone (midnight UTC, as JavaScript reads it).
pub(crate) fn instant(raw: &str) -> Option<Millis> {
    if let Ok(at) = raw.parse::<Timestamp>() {
        return Some(at.as_millisecond());
    }
    let date = raw.parse::<Date>().ok().filter(|_| raw.len() == 10)?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// An instant, or a local time of `zone` when no offset is given: how the calendars read their times.
pub(crate) fn instant_in(raw: &str, zone: &str) -> Option<Millis> {
    instant(raw).or_else(|| {
        let local = raw.parse::<jiff::civil::DateTime>().ok()?;
        Some(local.to_zoned(time_zone(zone)).ok()?.timestamp().as_millisecond())
    })
}

/// `2021-07-16 11:00:00`: local, without a zone (appointments on a contact).
pub(crate) fn local_without_zone(at: Millis, zone: &str) -> String {
    zoned(at, zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2021-07-16T11:00:00-04:00`: local with offset (calendars and webhooks).
pub(crate) fn local_with_offset(at: Millis, zone: &str) -> String {
    zoned(at, zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn zoned(at: Millis, zone: &str) -> Zoned {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX).to_zoned(time_zone(zone))
}

fn time_zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// A custom value as the field's type stores it; `None` clears the field or, for an unusable number, leaves it unset.
pub(crate) fn custom_value(data_type: &str, raw: &Value) -> Option<Value> {
    let empty = raw.is_null() || raw == "" || raw.as_array().is_some_and(Vec::is_empty);
    if empty {
        return None;
    }
    match data_type {
        "NUMERICAL" | "MONETORY" | "MONETARY" => match raw {
            Value::Number(_) => Some(raw.clone()),
            // Thousands separators are stripped, as integrators report.
            Value::String(text) => number(
                &text.chars().filter(|c| !matches!(c, ',' | ' ' | '$' | '€' | '£')).collect::<String>(),
            ),
            _ => None,
        },
        "CHECKBOX" | "MULTIPLE_OPTIONS" => match raw {
            Value::Array(_) => Some(raw.clone()),
            other => Some(json!([other])),
        },
        "FILE_UPLOAD" => raw.is_object().then(|| raw.clone()),
        _ => match raw {
            Value::String(_) => Some(raw.clone()),
            Value::Array(items) => {
                Some(json!(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")))
            }
            other => Some(json!(other.to_string())),
        },
    }
}

fn number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(json!(whole));
    }
    text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number)
}

/// The plain form of a note: tags removed, the common entities decoded.
pub(crate) fn plain_text(html: &str) -> String {
    let mut plain = String::with_capacity(html.len());
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => plain.push(c),
            _ => {}
        }
    }
    plain
        .replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// Good enough to refuse what the vendor refuses: one `@`, a dotted domain, no blanks.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let labels: Vec<&str> = domain.split('.').collect();
    !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && !text.chars().any(|c| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '(' | ')' | '"'))
        && labels.len() > 1
        && labels.iter().all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
        && labels.last().is_some_and(|top| top.chars().count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_national_number_gets_the_prefix_of_the_locations_country() {
        assert_eq!(phone("(415) 555-0100", "US").as_deref(), Some("+14155550100"));
        assert_eq!(phone("030 123456", "DE").as_deref(), Some("+4930123456"));
        // An Australian landline in an American location: the wrong prefix, as reported in the field.
        assert_eq!(phone("02 9374 4000", "US").as_deref(), Some("+10293744000"));
        assert_eq!(phone("+178655689546", "US").as_deref(), Some("+178655689546"));
        assert_eq!(phone("call me", "US"), None);
    }

    #[test]
    fn tags_are_trimmed_lower_cased_and_unique() {
        assert_eq!(tags(["  VIP ", "vip", "", "New Lead"]), ["vip", "new lead"]);
    }

    #[test]
    fn every_documented_form_of_a_birthday_is_read() {
        let day = Date::constant(2000, 1, 5);
        for raw in ["2000/01/05", "01/05/2000", "2000-01-05", "01-05-2000", "2000.01.05", "01_05_2000"] {
            assert_eq!(birthday(raw), Some(day), "{raw}");
        }
        assert_eq!(birthday("5th of May"), None);
    }

    #[test]
    fn separators_of_money_are_stripped() {
        assert_eq!(custom_value("MONETORY", &json!("$1,234.50")), Some(json!(1234.5)));
        assert_eq!(custom_value("NUMERICAL", &json!("many")), None);
        assert_eq!(custom_value("CHECKBOX", &json!("a")), Some(json!(["a"])));
        assert_eq!(custom_value("TEXT", &json!("")), None);
    }

    #[test]
    fn appointment_times_are_local_to_the_location() {
        let at = instant("2026-07-16T15:00:00Z").unwrap();
        assert_eq!(local_without_zone(at, "America/New_York"), "2026-07-16 11:00:00");
        assert_eq!(local_with_offset(at, "America/New_York"), "2026-07-16T11:00:00-04:00");
        assert_eq!(instant_in("2026-07-16T11:00:00", "America/New_York"), Some(at));
    }

    #[test]
    fn malformed_addresses_are_told_apart() {
        assert!(is_email("jane.o'neil+tag@example.co.uk"));
        for bad in
            ["jane", "jane@", "@example.com", "jane@example", "jane doe@example.com", "a..b@example.com"]
        {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
