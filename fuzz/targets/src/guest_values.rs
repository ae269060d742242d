//! What connectors return: values, and changes that name records. Whatever a guest answers, it becomes fields that are the same after
//! the way out and back, and changes whose ids can be kept, shown and asked for again.
//!
//! Input: choices and texts, as `arbitrary` takes them from bytes.

use arbitrary::{Result, Unstructured};
use contactor_engine::untrusted::{
    fields_from_wit, fields_to_wit, is_usable_id, json_fields_from_wit, json_fields_to_wit, of_changes,
    show_value,
};
use contactor_runtime::bindings::adapter::PartnerRecord;
use contactor_runtime::bindings::triggers::{Change, ChangeKind};
use contactor_runtime::bindings::types::{NamedValue, Value};
use contactor_sync::{Context, canonical};

use crate::canonical::TYPES;

/// Bytes of a reason that a person reads.
const REASON: usize = 2_000;

pub(crate) fn run(input: &[u8]) {
    let mut given = Unstructured::new(input);
    let Ok(fields) = many(&mut given, 8, named_value) else { return };
    converted(&fields);
    if let Ok(changes) = many(&mut given, 8, change) {
        named(&changes);
    }
}

fn converted(fields: &[NamedValue]) {
    let once = fields_from_wit(fields);
    let again = fields_from_wit(&fields_to_wit(&once));
    // Compared as text: a number need not equal itself.
    assert_eq!(format!("{again:?}"), format!("{once:?}"));
    let json = json_fields_from_wit(fields);
    assert_eq!(json_fields_from_wit(&json_fields_to_wit(&json)), json);
    for value in once.values() {
        let shown = show_value(value);
        assert!(shown.chars().count() <= 80 && !shown.contains(char::is_control), "{shown:?}");
        for field_type in TYPES {
            let _ = canonical(field_type, value, &Context::of_country("US"));
        }
    }
}

fn named(changes: &[Change]) {
    let is_entity = |name: &str| name == "contact" || name == "task";
    let found = of_changes(changes, is_entity);
    assert_eq!(of_changes(changes, is_entity), found);
    let Ok((marks, unreadable)) = found else {
        assert!(changes.iter().any(|change| !is_entity(&change.entity)));
        return;
    };
    assert!(marks.len() + unreadable.len() <= changes.len());
    for mark in &marks {
        assert!(is_usable_id(mark.record.as_str()) && is_entity(&mark.entity));
    }
    for record in &unreadable {
        assert!(is_usable_id(record.id.as_str()) && is_entity(&record.entity));
    }
    // One bad record takes none of the others with it.
    let usable = |change: &&Change| {
        let fits = change.snapshot.as_ref().is_none_or(|snapshot| snapshot.id == change.id);
        change.kind != ChangeKind::Other && is_usable_id(&change.id) && fits
    };
    assert_eq!(marks.len(), changes.iter().filter(usable).count());
    // A connector's own words are cut where they are kept.
    let own = changes.iter().all(|change| change.kind != ChangeKind::Other);
    assert!(!own || unreadable.iter().all(|record| record.reason.len() <= REASON));
}

fn many<'i, T>(
    given: &mut Unstructured<'i>,
    most: u8,
    each: impl Fn(&mut Unstructured<'i>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..given.int_in_range(0..=most)?).map(|_| each(given)).collect()
}

fn text(given: &mut Unstructured<'_>) -> Result<String> {
    given.arbitrary()
}

fn named_value(given: &mut Unstructured<'_>) -> Result<NamedValue> {
    let names = ["contactor:unreadable", "id", "tags"];
    let name = if given.ratio(1, 3)? { text(given)? } else { (*given.choose(&names)?).to_owned() };
    let value = match given.int_in_range(0..=7)? {
        0 => Value::Empty,
        1 => Value::Text(text(given)?),
        2 => Value::Integer(given.arbitrary()?),
        3 => Value::Number(given.arbitrary()?),
        4 => Value::Boolean(given.arbitrary()?),
        5 => Value::Texts(many(given, 5, text)?),
        6 => Value::Json(text(given)?),
        // Deep enough to try whoever recurses.
        _ => {
            let depth = given.int_in_range(0..=20_000)?;
            let open = *given.choose(&["[", "{\"a\":"])?;
            Value::Json(open.repeat(depth))
        }
    };
    Ok(NamedValue { name, value })
}

fn record(given: &mut Unstructured<'_>, id: &str) -> Result<PartnerRecord> {
    let id = if given.arbitrary()? { id.to_owned() } else { text(given)? };
    Ok(PartnerRecord { id, fields: many(given, 3, named_value)?, updated_at: None })
}

fn change(given: &mut Unstructured<'_>) -> Result<Change> {
    let id = match given.int_in_range(0..=3)? {
        0 => "x".repeat(given.int_in_range(500..=520)?),
        _ => text(given)?,
    };
    let entity =
        if given.ratio(1, 16)? { text(given)? } else { (*given.choose(&["contact", "task"])?).to_owned() };
    let kinds = [ChangeKind::Created, ChangeKind::Updated, ChangeKind::Deleted, ChangeKind::Other];
    let kind = *given.choose(&kinds)?;
    let snapshot = if given.arbitrary()? { Some(record(given, &id)?) } else { None };
    Ok(Change { entity, id, kind, event: text(given)?, snapshot, fields: many(given, 3, named_value)? })
}
