//! Instants between text and milliseconds since 1970-01-01T00:00:00Z, the way [`clock::now`](crate::clock::now) tells time.
//!
//! ```
//! use contactor_sdk::instant;
//!
//! let at = instant::parse("2026-03-01T10:00:00+02:00").unwrap();
//! assert_eq!(instant::text(at), "2026-03-01T08:00:00Z");
//! assert_eq!(instant::parse("2026-03-01"), instant::parse("2026-03-01T00:00:00Z"));
//! ```

const DAY: i64 = 86_400_000;

/// Milliseconds of a text in RFC 3339, or of the beginning (UTC) of a date. `None` when it is neither, or before 1970. A blank in
/// place of the `T` is read as well; a time without a zone is not: nobody knows which instant it means.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let date = text.get(..10)?;
    let rest = &text[10..];
    let millis = days(date)?.checked_mul(DAY)?.checked_add(if rest.is_empty() { 0 } else { time(rest)? })?;
    u64::try_from(millis).ok()
}

/// An instant as RFC 3339 in UTC, with milliseconds only if there are any.
pub fn text(millis: u64) -> String {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    let (year, month, day) = civil(millis.div_euclid(DAY));
    let rest = millis.rem_euclid(DAY);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    let fraction = match rest % 1000 {
        0 => String::new(),
        fraction => format!(".{fraction:03}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// A number of exactly these digits.
fn number(text: Option<&str>) -> Option<i64> {
    let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

/// Days since 1970 of `YYYY-MM-DD`.
fn days(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let (year, month, day) = (number(text.get(..4))?, number(text.get(5..7))?, number(text.get(8..10))?);
    // The era arithmetic of the proleptic Gregorian calendar, with years that begin in March.
    let shifted = year - i64::from(month <= 2);
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    // There and back shows whether there is such a day.
    (civil(days) == (year, month, day)).then_some(days)
}

fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096).div_euclid(365);
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = (month_from_march + 2) % 12 + 1;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Milliseconds of `Thh:mm[:ss[.f…]]` with its zone, which may lead into the day before or after.
fn time(text: &str) -> Option<i64> {
    let text = text.strip_prefix(['T', 't', ' '])?;
    let zone_at = text.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = text.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.split(':');
    let mut part = |most: i64| {
        let part = parts.next().filter(|part| part.len() == 2);
        number(part).filter(|number| *number <= most)
    };
    let (hour, minute) = (part(23)?, part(59)?);
    let second = if clock.len() > 5 { part(60)? } else { 0 };
    let thousandths = format!("{fraction:0<3}");
    let millis = number(thousandths.get(..3))?;
    if parts.next().is_some()
        || number(Some(fraction).filter(|text| !text.is_empty()).or(Some("0"))).is_none()
    {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * 1000 + millis - offset(zone)?)
}

/// Milliseconds by which a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'Z' | b'z' => return (zone.len() == 1).then_some(0),
        b'+' => 1,
        _ => -1,
    };
    let digits = zone[1..].replacen(':', "", 1);
    if digits.len() != 4 {
        return None;
    }
    Some(sign * (number(digits.get(..2))? * 60 + number(digits.get(2..))?) * 60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_survive_the_way_there_and_back() {
        for (millis, written) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(text(millis), written);
            assert_eq!(parse(written), Some(millis));
        }
    }

    #[test]
    fn zones_and_shorter_forms_are_understood() {
        let noon = parse("2026-06-01T12:00:00Z");
        assert_eq!(parse("2026-06-01T14:00:00+02:00"), noon);
        assert_eq!(parse("2026-06-01 04:30-0730"), noon);
        assert_eq!(parse(" 2026-06-01T12:00:00.000000Z "), noon);
        assert_eq!(parse("2026-06-01T23:30:00-01:00"), parse("2026-06-02T00:30:00Z"));
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for wrong in [
            "",
            "soon",
            "2026-02-30",
            "2026-13-01",
            "2026-1-1",
            "2026-06-01T12:00:00",
            "2026-06-01T25:00Z",
            "2026-06-01T12Z",
            "2026-06-01T12:00:00+2",
            "2026-06-01T12:00:00.xZ",
            "1969-12-31",
            "2026-06-01T1é:00Z",
            "éééééééééé",
            "2026-06-01Tx",
            "2026-06-01T12:00:00:00Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
