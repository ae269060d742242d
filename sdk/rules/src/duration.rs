//! Durations as an admin writes them.

use std::fmt;
use std::str::FromStr;

/// A duration in whole seconds: `90s`, `30m`, `2h`, `3d`, `1w`, or several of them (`1d 12h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(u64);

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurationError(String);

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no duration, expected for example `30m`, `2h` or `1d 12h`", self.0)
    }
}

impl std::error::Error for DurationError {}

impl Duration {
    /// Its length in seconds.
    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let wrong = || DurationError(text.to_owned());
        let mut seconds: Option<u64> = None;
        for part in text.split_whitespace() {
            let unit = part.char_indices().last().ok_or_else(wrong)?;
            let number: u64 = part[..unit.0].parse().map_err(|_| wrong())?;
            let each = match unit.1 {
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                'w' => 604_800,
                _ => return Err(wrong()),
            };
            let part = number.checked_mul(each).ok_or_else(wrong)?;
            seconds = Some(seconds.unwrap_or(0).checked_add(part).ok_or_else(wrong)?);
        }
        // Ten years: what is longer is a mistake, and would overflow an instant.
        seconds.filter(|seconds| *seconds <= 315_360_000).map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_sum_of_numbers_with_units() {
        let seconds = |text: &str| text.parse::<Duration>().map(Duration::seconds).ok();
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("1d 12h"), Some(129_600));
        assert_eq!(seconds("0m"), Some(0));
        for wrong in ["", "d", "2", "2 d", "-1h", "2x", "9999999999w", "1.5h", "é"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
