//! An action's input against its schema, as far as a test needs it: types, members, choices, lengths and bounds. The host checks the
//! whole of JSON Schema.

use serde_json::Value as Json;

use crate::FieldProblem;

/// What is wrong with a value, each problem with its place, a JSON pointer.
pub(super) fn problems(schema: &Json, value: &Json) -> Vec<FieldProblem> {
    let mut found = Vec::new();
    check("", schema, value, &mut found);
    found
}

fn check(place: &str, schema: &Json, value: &Json, found: &mut Vec<FieldProblem>) {
    let mut wrong = |problem: String| found.push(FieldProblem { field: place.to_owned(), problem });
    let types = match &schema["type"] {
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    if !types.is_empty() && !types.iter().any(|name| is(name, value)) {
        return wrong(format!("{value} is not of type {}", types.join(" or ")));
    }
    if schema["enum"].as_array().is_some_and(|choices| !choices.contains(value)) {
        wrong(format!("{value} is none of {}", schema["enum"]));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        wrong(format!("{value} is not {}", schema["const"]));
    }
    let number = |name: &str| schema[name].as_f64();
    let size = value.as_str().map(|text| text.chars().count());
    let bounds = [("minLength", "maxLength", size), ("minItems", "maxItems", value.as_array().map(Vec::len))];
    for (least, most, size) in bounds {
        #[expect(clippy::cast_precision_loss, reason = "no document of a test is that long")]
        let Some(size) = size.map(|size| size as f64) else { continue };
        if number(least).is_some_and(|least| size < least) || number(most).is_some_and(|most| size > most) {
            wrong(format!("{value} has {size} of {least} to {most}"));
        }
    }
    if let Some(own) = value.as_f64()
        && (number("minimum").is_some_and(|least| own < least)
            || number("maximum").is_some_and(|most| own > most))
    {
        wrong(format!("{own} is out of bounds"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        if value.is_object() && value.get(name).is_none() {
            wrong(format!("\"{name}\" is a required property"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let own = format!("{place}/{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(schema), _) => check(&own, schema, member, found),
            (None, Json::Bool(false)) => {
                found.push(FieldProblem {
                    field: place.to_owned(),
                    problem: format!("'{name}' was unexpected"),
                });
            }
            (None, further) => check(&own, further, member, found),
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&format!("{place}/{index}"), &schema["items"], item, found);
    }
}

fn is(name: &str, value: &Json) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_does_not_fit_is_named_by_its_place() {
        let schema = json!({
            "type": "object", "required": ["id"], "additionalProperties": false,
            "properties": {
                "id": { "type": "string", "minLength": 1 },
                "points": { "type": "integer", "minimum": 1 },
                "kind": { "enum": ["a", "b"] },
                "fields": { "type": "object", "additionalProperties": { "type": ["string", "null"] } },
                "tags": { "type": "array", "items": { "type": "string" } },
            },
        });
        let good = json!({"id": "7", "points": 2, "kind": "a", "fields": {"x": null}, "tags": ["t"]});
        assert_eq!(problems(&schema, &good), []);
        for (input, place) in [
            (json!([]), ""),
            (json!({}), ""),
            (json!({"id": ""}), "/id"),
            (json!({"id": "7", "more": 1}), ""),
            (json!({"id": "7", "points": "2"}), "/points"),
            (json!({"id": "7", "points": 0}), "/points"),
            (json!({"id": "7", "kind": "c"}), "/kind"),
            (json!({"id": "7", "fields": "{}"}), "/fields"),
            (json!({"id": "7", "fields": {"x": 1}}), "/fields/x"),
            (json!({"id": "7", "tags": ["t", 1]}), "/tags/1"),
        ] {
            let found = problems(&schema, &input);
            assert_eq!(found.iter().map(|one| one.field.as_str()).collect::<Vec<_>>(), [place], "{input}");
        }
    }
}
