//! The catalogue against the doubles: every entry of it does what it says.
//!
//! Each action runs with its example, whose ids are bound to records that the doubles have; each trigger is set off and
//! something comes of it. An entry without a way to run it here makes a test fail: nothing in the catalogue is a label.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod emit;
mod mapping;
mod operations;
mod partners;
mod templates;
mod triggers;

use contactor_engine::{CatalogueEntry, CatalogueKind, catalogue};
use serde_json::{Map, Value};

/// Every entry, of the host and of the five connectors.
pub(crate) fn entries() -> Vec<CatalogueEntry> {
    let mut entries = catalogue::of_host();
    for connector in CONNECTORS {
        let component = contactor_tests::artefacts::component(connector).unwrap();
        entries.extend(catalogue::of_connector(&catalogue::read_manifest(&component).unwrap()));
    }
    entries
}

pub(crate) const CONNECTORS: [&str; 5] = ["connectif", "formbuilder", "pheedloop", "prefinery", "referrizer"];

/// Those of an owner.
pub(crate) fn of(owner: &str, kind: CatalogueKind) -> Vec<CatalogueEntry> {
    entries().into_iter().filter(|entry| entry.owner == owner && entry.kind == kind).collect()
}

/// An example with the ids of records that are there: by the name of the member, or by a placeholder as the value.
pub(crate) fn bound(example: &Value, known: &Map<String, Value>) -> Value {
    match example {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let value = known.get(name).cloned().unwrap_or_else(|| bound(value, known));
                (name.clone(), value)
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| bound(item, known)).collect(),
        Value::String(text) => known.get(text).unwrap_or(example).clone(),
        other => other.clone(),
    }
}

#[test]
fn the_catalogue_has_at_least_126_entries_each_under_an_id_of_its_own() {
    let entries = entries();
    let ids: std::collections::BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids.len(), entries.len());
    assert!(entries.len() >= 126, "{}", entries.len());
}
