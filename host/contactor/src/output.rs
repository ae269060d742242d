//! Results on standard output: tables for people, JSON for programs. Everything else goes to standard error.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

/// How results are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// JSON instead of text.
    pub(crate) json: bool,
    /// Nothing but results.
    pub(crate) quiet: bool,
}

impl Output {
    /// Shows a list: as a table with these headings, or as JSON.
    pub(crate) fn list<T: Serialize, const N: usize>(
        self,
        items: &[T],
        headings: [&str; N],
        row: impl Fn(&T) -> [String; N],
    ) -> io::Result<()> {
        if self.json {
            return json(items);
        }
        if items.is_empty() {
            return self.note("nothing to list");
        }
        let rows: Vec<[String; N]> = items.iter().map(|item| row(item).map(|text| cell(&text))).collect();
        io::stdout().lock().write_all(table(headings, &rows).as_bytes())
    }

    /// Shows one thing: as lines of `name  value`, or as JSON.
    pub(crate) fn one<T: Serialize>(self, item: &T, lines: &[(&str, String)]) -> io::Result<()> {
        if self.json {
            return json(item);
        }
        let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let mut out = io::stdout().lock();
        for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
            writeln!(out, "{name:width$}  {}", cell(value))?;
        }
        Ok(())
    }

    /// Text on standard output, unless JSON is wanted.
    pub(crate) fn text(self, text: &str) -> io::Result<()> {
        if self.json { Ok(()) } else { writeln!(io::stdout().lock(), "{}", plain(text)) }
    }

    /// A remark for people on standard error.
    pub(crate) fn note(self, text: &str) -> io::Result<()> {
        if self.quiet { Ok(()) } else { writeln!(io::stderr().lock(), "{}", plain(text)) }
    }
}

/// JSON on standard output, whatever was asked for.
pub(crate) fn json<T: Serialize + ?Sized>(item: &T) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, item)?;
    writeln!(out)
}

/// Columns as wide as their widest cell; the last one is not padded.
fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut add = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    };
    add(headings);
    for row in rows {
        add(row.each_ref().map(String::as_str));
    }
    text
}

/// A text as it may reach a terminal. Connectors and vendors write into summaries, names and bodies: a control character
/// there could clear the screen, forge what stands above, or change the terminal's settings.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// The same on one line.
pub(crate) fn cell(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// An instant to the second.
pub(crate) fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A value or nothing.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The word that an enum of the API has in JSON.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// A JSON value on one line.
pub(crate) fn value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "(none)".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Microseconds for people.
pub(crate) fn duration(microseconds: u64) -> String {
    match microseconds {
        0..1_000 => format!("{microseconds} µs"),
        1_000..1_000_000 => format!("{} ms", microseconds / 1_000),
        _ => format!("{}.{} s", microseconds / 1_000_000, microseconds % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_without_spaces() {
        let rows = [["acme".to_owned(), "Acme".to_owned()], ["a-longer-id".to_owned(), String::new()]];
        assert_eq!(table(["ID", "NAME"], &rows), "ID           NAME\nacme         Acme\na-longer-id\n");
    }

    #[test]
    fn what_a_stranger_wrote_cannot_steer_the_terminal_or_forge_a_line() {
        let hostile = "ok\u{1b}[2J\u{9b}31m\rrun\nforged\u{7}";
        assert_eq!(plain(hostile), "ok\u{fffd}[2J\u{fffd}31m\u{fffd}run\nforged\u{fffd}");
        assert_eq!(cell(hostile), "ok\u{fffd}[2J\u{fffd}31m\u{fffd}run forged\u{fffd}");
        assert_eq!(plain("Zoë\tλ\n"), "Zoë\tλ\n");
    }

    #[test]
    fn durations_have_the_unit_that_people_use() {
        assert_eq!([duration(7), duration(7_400), duration(2_340_000)], ["7 µs", "7 ms", "2.3 s"]);
    }
}
