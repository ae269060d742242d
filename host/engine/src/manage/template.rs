//! A ready-made way to enable a connector: the settings and rows of a template of its manifest, under those of the admin.

use contactor_manifest::{ConnectionTemplate, Manifest};
use serde_json::{Map, Value};

use crate::error::EngineError;

/// The template of this name.
pub(super) fn find<'a>(manifest: &'a Manifest, name: &str) -> Result<&'a ConnectionTemplate, EngineError> {
    manifest.template(name).ok_or_else(|| {
        let known: Vec<_> = manifest.templates.iter().map(|template| template.name.as_str()).collect();
        EngineError::Invalid(format!(
            "template `{name}`: {} has {}",
            manifest.connector.id,
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        ))
    })
}

/// Settings: those that are given go before the template's. When none are given, the template's go before the stored ones, so that
/// what only the admin can know stays.
pub(super) fn settings(template: &ConnectionTemplate, given: &Value, stored: Option<&Value>) -> Value {
    let mut merged = match (given.is_null(), stored) {
        (true, Some(Value::Object(stored))) => stored.clone(),
        _ => Map::new(),
    };
    merged.extend(template.settings.clone());
    if let Value::Object(given) = given {
        merged.extend(given.clone());
    }
    Value::Object(merged)
}

/// Mapping rows by entity, in the same order of precedence. Rows of one pair of fields are one row: the first in the order counts.
pub(super) fn mapping(template: &ConnectionTemplate, given: &Value, stored: Option<&Value>) -> Value {
    let below = if given.is_null() { stored } else { None };
    let template = Value::Object(template.mapping.clone());
    let mut merged = Map::new();
    for layer in [below, Some(&template), Some(given)].into_iter().flatten() {
        let Value::Object(layer) = layer else { continue };
        for (entity, rows) in layer {
            let place = merged.entry(entity.clone()).or_insert_with(|| Value::Array(Vec::new()));
            let (Value::Array(place), Value::Array(rows)) = (place, rows) else { continue };
            place.retain(|old| !rows.iter().any(|row| pair(row) == pair(old)));
            place.extend(rows.iter().cloned());
        }
    }
    Value::Object(merged)
}

/// What a row joins.
pub(super) fn pair(row: &Value) -> (Option<&str>, Option<&str>) {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    (text("highlevel"), text("partner"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template() -> ConnectionTemplate {
        serde_json::from_value(json!({
            "name": "leads", "title": "Leads", "help": "For leads.",
            "settings": { "status": "applied", "notify": true },
            "mapping": { "contact": [{ "highlevel": "city", "partner": "town" }, { "highlevel": "source", "partner": "from" }] },
        }))
        .unwrap()
    }

    #[test]
    fn what_the_admin_gives_goes_before_the_template() {
        let given = json!({ "status": "active", "project": "7" });
        let merged = settings(&template(), &given, Some(&json!({ "old": 1 })));
        assert_eq!(merged, json!({ "status": "active", "notify": true, "project": "7" }));
        let rows = json!({ "contact": [{ "highlevel": "city", "partner": "town", "off": true }] });
        assert_eq!(
            mapping(&template(), &rows, None)["contact"],
            json!([{ "highlevel": "source", "partner": "from" }, { "highlevel": "city", "partner": "town", "off": true }])
        );
    }

    #[test]
    fn a_template_alone_keeps_what_only_the_admin_knows() {
        let merged =
            settings(&template(), &Value::Null, Some(&json!({ "project": "7", "status": "active" })));
        assert_eq!(merged, json!({ "project": "7", "status": "applied", "notify": true }));
        let stored = json!({ "contact": [{ "highlevel": "city", "partner": "place" }], "task": [{ "highlevel": "title", "partner": "t" }] });
        let merged = mapping(&template(), &Value::Null, Some(&stored));
        assert_eq!(merged["task"], stored["task"]);
        assert_eq!(merged["contact"].as_array().unwrap().len(), 3);
    }
}
