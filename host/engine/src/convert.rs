//! One value, three spellings: the vendor's JSON, the merge's [`Value`], the interface's `value`.

use std::collections::{BTreeMap, BTreeSet};

use contactor_runtime::bindings::types as wit;
use contactor_sync::{Fields, Value};
use serde_json::Value as Json;

/// A side of the store as the merge names it.
pub(crate) fn own_side(side: contactor_store::Side) -> contactor_sync::Side {
    match side {
        contactor_store::Side::Highlevel => contactor_sync::Side::Highlevel,
        contactor_store::Side::Partner => contactor_sync::Side::Partner,
    }
}

/// A vendor's JSON value as the merge sees it.
pub(crate) fn value_from_json(json: &Json) -> Value {
    Value::from_json(json.clone())
}

/// The vendor's JSON for a value.
pub(crate) fn value_to_json(value: &Value) -> Json {
    value.to_json()
}

/// A record's fields as the merge sees them.
pub(crate) fn fields_from_json(fields: BTreeMap<String, Json>) -> Fields {
    fields.into_iter().map(|(name, json)| (name, Value::from_json(json))).collect()
}

/// A side of the merge as the store names it.
pub(crate) fn side(side: contactor_sync::Side) -> contactor_store::Side {
    match side {
        contactor_sync::Side::Highlevel => contactor_store::Side::Highlevel,
        contactor_sync::Side::Partner => contactor_store::Side::Partner,
    }
}

fn value_from_wit(value: &wit::Value) -> Value {
    match value {
        wit::Value::Empty => Value::Null,
        wit::Value::Text(s) => Value::Text(s.clone()),
        wit::Value::Integer(i) => Value::Integer(*i),
        wit::Value::Number(f) => Value::Number(*f),
        wit::Value::Boolean(b) => Value::Boolean(*b),
        wit::Value::Texts(items) => Value::Set(items.iter().cloned().collect::<BTreeSet<_>>()),
        // A connector that answers broken JSON gets it back as text; the mapping's types refuse it by name.
        wit::Value::Json(text) => serde_json::from_str(text)
            .map_or_else(|_| Value::Text(text.clone()), |json| value_from_json(&json)),
    }
}

pub(crate) fn value_to_wit(value: &Value) -> wit::Value {
    match value {
        Value::Null => wit::Value::Empty,
        Value::Text(s) => wit::Value::Text(s.clone()),
        Value::Integer(i) => wit::Value::Integer(*i),
        Value::Number(f) => wit::Value::Number(*f),
        Value::Boolean(b) => wit::Value::Boolean(*b),
        Value::Set(items) => wit::Value::Texts(items.iter().cloned().collect()),
        Value::Json(json) => wit::Value::Json(json.to_string()),
    }
}

/// Fields that a connector answered.
pub fn fields_from_wit(fields: &[wit::NamedValue]) -> Fields {
    fields.iter().map(|f| (f.name.clone(), value_from_wit(&f.value))).collect()
}

/// Fields for a connector.
pub fn fields_to_wit(fields: &Fields) -> Vec<wit::NamedValue> {
    fields
        .iter()
        .map(|(name, value)| wit::NamedValue { name: name.clone(), value: value_to_wit(value) })
        .collect()
}

/// Fields for a connector, straight from the vendor's JSON.
pub fn json_fields_to_wit(fields: &BTreeMap<String, Json>) -> Vec<wit::NamedValue> {
    fields
        .iter()
        .map(|(name, json)| wit::NamedValue {
            name: name.clone(),
            value: value_to_wit(&value_from_json(json)),
        })
        .collect()
}

/// Fields of a connector as the vendor's JSON.
pub fn json_fields_from_wit(fields: &[wit::NamedValue]) -> BTreeMap<String, Json> {
    fields.iter().map(|f| (f.name.clone(), value_to_json(&value_from_wit(&f.value)))).collect()
}

/// A value for a person: short, on one line.
pub fn show(value: &Value) -> String {
    let text = match value {
        Value::Null => return "(none)".to_owned(),
        Value::Text(s) => s.clone(),
        Value::Set(items) => items.iter().cloned().collect::<Vec<_>>().join(", "),
        other => value_to_json(other).to_string(),
    };
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(81).collect();
    if line.chars().count() > 80 {
        line = line.chars().take(79).collect::<String>() + "…";
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_json_value_survives_the_way_to_a_connector_and_back() {
        let fields = BTreeMap::from([
            ("text".to_owned(), Json::from("Ann")),
            ("none".to_owned(), Json::Null),
            ("count".to_owned(), Json::from(7)),
            ("ratio".to_owned(), Json::from(0.5)),
            ("yes".to_owned(), Json::from(true)),
            ("tags".to_owned(), serde_json::json!(["a", "b"])),
            ("deep".to_owned(), serde_json::json!({"a": [1, {"b": null}]})),
        ]);
        assert_eq!(json_fields_from_wit(&json_fields_to_wit(&fields)), fields);
        assert_eq!(
            fields_from_wit(&fields_to_wit(&fields_from_json(fields.clone()))),
            fields_from_json(fields)
        );
    }

    #[test]
    fn a_value_is_shown_on_one_short_line() {
        let shown = show(&Value::Text(format!("a\nb{}", "x".repeat(200))));
        assert!(shown.starts_with("a b") && shown.chars().count() == 80, "{shown}");
    }
}
