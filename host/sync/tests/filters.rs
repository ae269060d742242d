//! The table of filters in the guide for admins: its examples give what it says, and no filter is missing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use contactor_sync::{Context, Fields, Value, evaluate};
use serde_json::json;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Filter (or nothing for a further example), expression and result of every row.
fn table() -> Vec<(String, String, serde_json::Value)> {
    let guide = std::fs::read_to_string(root().join("docs/admins.md")).unwrap();
    let (_, after) = guide.split_once("| filter | does | example | result |").unwrap();
    let (table, _) = after.split_once("\n\n").unwrap();
    let code = |cell: &str| cell.trim().trim_matches('`').replace("\\|", "|");
    let rows = table.lines().filter(|line| line.starts_with("| "));
    rows.filter_map(|line| {
        // A bar inside of an example is written with a backslash.
        let marked = line.replace("\\|", "\u{1}");
        let cells: Vec<String> = marked.split('|').map(|cell| cell.replace('\u{1}', "\\|")).collect();
        let example = code(&cells[3]);
        if example.is_empty() {
            return None;
        }
        let result = serde_json::from_str(&code(&cells[4])).unwrap_or_else(|error| panic!("{line}: {error}"));
        Some((code(&cells[1]), example, result))
    })
    .collect()
}

fn contact() -> Fields {
    Fields::from([
        ("firstName".to_owned(), Value::from(" ann marie ")),
        ("lastName".to_owned(), Value::from("McDonald")),
        ("phone".to_owned(), Value::from("(650) 253-0000")),
        ("tags".to_owned(), ["new", "vip"].into_iter().collect()),
        ("dueDate".to_owned(), Value::from("2026-12-01T23:30:00Z")),
        ("price".to_owned(), Value::from("1.234,50 €")),
        ("score".to_owned(), Value::from(7)),
        (
            "tasks".to_owned(),
            Value::Json(json!([
                { "title": "Call", "completed": false, "hours": 2 },
                { "title": "Visit", "completed": true, "hours": 3 },
            ])),
        ),
    ])
}

#[test]
fn every_example_of_the_guide_gives_what_the_guide_says() {
    let table = table();
    assert!(table.len() > 60, "{}", table.len());
    for (_, example, result) in table {
        let given = evaluate(&example, contact(), &Context::of_country("US"));
        let given = given.unwrap_or_else(|error| panic!("{example}: {error}")).to_json();
        assert_eq!(given, result, "{example}");
    }
}

#[test]
fn every_filter_is_in_the_guide_with_an_example_that_uses_it() {
    let mut filters = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("host/sync/src/expression")).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let names = source.split("add_filter(\"").skip(1).filter_map(|rest| rest.split('"').next());
        filters.extend(names.map(str::to_owned));
    }
    let table = table();
    let documented: BTreeSet<String> =
        table.iter().map(|(name, _, _)| name.clone()).filter(|name| !name.is_empty()).collect();
    assert_eq!(documented, filters);
    for (name, example, _) in table.iter().filter(|(name, _, _)| !name.is_empty()) {
        assert!(example.contains(&format!("|{name}")), "{name}: {example}");
    }
}

#[test]
fn what_cannot_be_read_is_said_in_words_that_help() {
    let fails = |expression: &str| evaluate(expression, contact(), &Context::of_country("US")).unwrap_err();
    for (expression, said) in [
        ("'soon'|parse_date('%d.%m.%Y')", "`soon` is no day in the format %d.%m.%Y"),
        ("'2026-11-21'|parse_date", "needs a format"),
        ("'21.11.2026 09:00'|parse_time('%d.%m.%Y %H:%M')", "needs the zone"),
        ("dueDate|date_format('%Y', 'Mars/Olympus')", "no time zone `Mars/Olympus`"),
        ("'tomorrow'|add_days(1)", "neither a day"),
        ("'2026-11-21'|add_days(99999999)", "at most"),
        ("'2026-11-21'|add_hours(1)", "a day has no hours"),
        ("'many'|number", "no number"),
        ("'perhaps'|yes_no", "neither yes nor no"),
        ("'gold'|lookup('silver')", "needs a table"),
        ("score|fixed(99)", "at most 12 digits"),
        ("'12'|clamp(5, 1)", "takes a number"),
    ] {
        let told = fails(expression);
        assert!(told.contains(said), "{expression}: {told}");
    }
}

#[test]
fn nothing_stays_nothing_and_no_filter_grows_without_bound() {
    let nothing = [
        "nickname|e164",
        "nickname|national_phone",
        "nickname|parse_date('%Y')",
        "nickname|date_format('%Y')",
        "nickname|add_days(1)",
        "nickname|in_zone('UTC')",
        "nickname|number",
        "nickname|fixed(2)",
        "nickname|clamp(1, 2)",
        "nickname|yes_no",
        "nickname|lookup({'a': 1})",
    ];
    for expression in nothing {
        assert_eq!(evaluate(expression, contact(), &Context::default()), Ok(Value::Null), "{expression}");
    }
    let mut long = contact();
    long.insert("text".to_owned(), Value::from("ß ".repeat(40_000)));
    for expression in [
        "text|name_case",
        "text|initials",
        "text|split(' ')|list|compact|join(text)",
        "dueDate|date_format(text)",
    ] {
        match evaluate(expression, long.clone(), &Context::default()) {
            Ok(Value::Text(text)) => assert!(text.len() <= 256 * 1024, "{expression}"),
            Ok(other) => panic!("{expression}: {other:?}"),
            Err(why) => assert!(
                why.contains("would grow") || why.contains("larger than") || why.contains("at most"),
                "{why}"
            ),
        }
    }
}
