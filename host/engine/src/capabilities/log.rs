//! `log`: lines of a connector in its run's log.

use std::fmt::Write;

use contactor_runtime::bindings::log::{Host, Level};
use contactor_runtime::bindings::types::NamedValue;

use super::Direct;
use crate::convert;

/// Characters of a line that are put together at all; the recorder cuts to its own cap of bytes.
const LINE: usize = 1_024;

impl Host for Direct {
    async fn write(&mut self, level: Level, message: String, fields: Vec<NamedValue>) {
        // The operator's log names who spoke, not what was said: a connector's words may hold personal data.
        tracing::debug!(connector = %self.run.active.connection.connector, level = word(level), "connector logged a line");
        self.run.recorder.line(line(level, &message, &fields));
    }
}

/// One line, whatever the connector put into it: `level: message key=value …`, keys in order.
fn line(level: Level, message: &str, fields: &[NamedValue]) -> String {
    let mut line = format!("{}: {}", word(level), plain(message));
    for (name, value) in convert::fields_from_wit(fields) {
        if line.len() >= LINE {
            break;
        }
        // Writing to a text cannot fail.
        let _ = write!(line, " {}={}", plain(&name), convert::show(&value));
    }
    line
}

fn plain(text: &str) -> String {
    text.chars().take(LINE).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::types::Value;

    use super::*;

    fn field(name: &str, value: Value) -> NamedValue {
        NamedValue { name: name.to_owned(), value }
    }

    #[test]
    fn a_line_has_its_level_its_message_and_its_fields() {
        let fields = [field("tries", Value::Integer(2)), field("page", Value::Text("last".into()))];
        assert_eq!(line(Level::Warn, "slow partner", &fields), "warn: slow partner page=last tries=2");
    }

    #[test]
    fn a_connector_cannot_forge_a_second_line() {
        let fields = [field("a\nb", Value::Text("x\ninfo: all is well".into()))];
        let line = line(Level::Error, "broke\r\ninfo: all is well\u{1b}[2J", &fields);
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }

    #[test]
    fn a_line_stays_short_whatever_is_put_into_it() {
        let fields: Vec<_> =
            (0..10_000).map(|n| field(&format!("{n:05}"), Value::Text("y".repeat(500)))).collect();
        let line = line(Level::Debug, &"x".repeat(1 << 20), &fields);
        assert!(line.len() < 2 * LINE, "{}", line.len());
        assert!(super::line(Level::Debug, "", &fields).len() < 2 * LINE);
    }
}
