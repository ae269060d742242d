//! Checks a body against its schema, in the words of the vendor's validator.
//!
//! HighLevel runs a whitelist validator: an unknown member is refused, not ignored, and all faults are reported at
//! once as an array of texts.

use serde_json::{Map, Value};

use super::normal;
use super::refusal::Refusal;
use super::schema::{Field, Kind, Schema};
use crate::http::Call;

/// The largest page of lists that take `limit`.
const LIST_MAX: usize = 100;

/// A JSON body that fits `schema`.
///
/// # Errors
/// 400 when it is not JSON, 422 with every fault otherwise. A body that is not declared as JSON counts as empty.
pub(crate) fn body(call: &Call, schema: Schema) -> Result<Map<String, Value>, Refusal> {
    let map = body_unchecked(call)?;
    check(&map, schema).map(|()| map)
}

/// A JSON object, whatever its members.
pub(crate) fn body_unchecked(call: &Call) -> Result<Map<String, Value>, Refusal> {
    let value = if call.body.is_empty() || !call.is_json() {
        Value::Object(Map::new())
    } else {
        serde_json::from_slice(&call.body)
            .map_err(|_| Refusal::bad("Unexpected token in JSON at position 0"))?
    };
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Refusal::invalid(vec!["the body must be an object".into()])),
    }
}

/// Checks members already parsed.
pub(crate) fn check(map: &Map<String, Value>, schema: Schema) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    members("", map, &|name| schema.iter().copied().flatten().find(|field| field.name == name), &mut faults);
    for field in schema.iter().copied().flatten() {
        match map.get(field.name) {
            None if field.required => missing(field, &mut faults),
            Some(value) if field.required && value == "" => {
                faults.push(format!("{} should not be empty", field.name));
            }
            _ => {}
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Refusal::invalid(faults)) }
}

fn members<'s>(
    prefix: &str,
    map: &Map<String, Value>,
    find: &dyn Fn(&str) -> Option<&'s Field>,
    faults: &mut Vec<String>,
) {
    for (name, value) in map {
        match find(name) {
            None => faults.push(format!("{prefix}property {name} should not exist")),
            Some(field) if value.is_null() && field.nullable => {}
            Some(field) => one(&format!("{prefix}{name}"), value, field.kind, faults),
        }
    }
}

fn missing(field: &Field, faults: &mut Vec<String>) {
    one(field.name, &Value::Null, field.kind, faults);
    if matches!(field.kind, Kind::Text) {
        faults.push(format!("{} should not be empty", field.name));
    }
}

fn one(name: &str, value: &Value, kind: Kind, faults: &mut Vec<String>) {
    let fault = match kind {
        Kind::Text => (!value.is_string()).then(|| format!("{name} must be a string")),
        Kind::Bool => (!value.is_boolean()).then(|| format!("{name} must be a boolean value")),
        Kind::Number => (!value.is_number())
            .then(|| format!("{name} must be a number conforming to the specified constraints")),
        Kind::List => (!value.is_array()).then(|| format!("{name} must be an array")),
        Kind::Email => {
            let ok = value.as_str().is_some_and(|text| text.is_empty() || normal::is_email(text.trim()));
            (!ok).then(|| format!("{name} must be an email"))
        }
        Kind::Phone => {
            let ok = value
                .as_str()
                .is_some_and(|text| text.is_empty() || text.bytes().any(|b| b.is_ascii_digit()));
            (!ok).then(|| format!("{name} must be a valid phone number"))
        }
        Kind::Instant => {
            let ok = value.as_str().is_some_and(|text| normal::instant_in(text, "UTC").is_some());
            (!ok).then(|| format!("{name} must be a valid ISO 8601 date string"))
        }
        Kind::Birthday => {
            let ok = value.as_str().is_some_and(|text| text.is_empty() || normal::birthday(text).is_some());
            (!ok).then(|| format!("{name} must be a valid date"))
        }
        Kind::OneOf(allowed) => {
            let ok = value.as_str().is_some_and(|text| allowed.contains(&text));
            (!ok).then(|| format!("{name} must be one of the following values: {}", allowed.join(", ")))
        }
        Kind::TextList => match value.as_array() {
            None => Some(format!("{name} must be an array")),
            Some(items) => (!items.iter().all(Value::is_string))
                .then(|| format!("each value in {name} must be a string")),
        },
        Kind::Nested(fields) => {
            let Some(map) = value.as_object() else {
                faults.push(format!("{name} must be an object"));
                return;
            };
            members(
                &format!("{name}."),
                map,
                &|wanted| fields.iter().find(|field| field.name == wanted),
                faults,
            );
            for field in fields.iter().filter(|field| field.required && !map.contains_key(field.name)) {
                one(&format!("{name}.{}", field.name), &Value::Null, field.kind, faults);
            }
            None
        }
        Kind::CustomFields => custom_fields(name, value),
    };
    faults.extend(fault);
}

fn custom_fields(name: &str, value: &Value) -> Option<String> {
    let Some(items) = value.as_array() else { return Some(format!("{name} must be an array")) };
    const KNOWN: &[&str] = &["id", "key", "field_value", "fieldValue", "value"];
    for (index, item) in items.iter().enumerate() {
        let Some(item) = item.as_object() else {
            return Some(format!("each value in nested property {name} must be either object or array"));
        };
        if let Some(unknown) = item.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Some(format!("{name}.{index}.property {unknown} should not exist"));
        }
        if !item.get("id").or_else(|| item.get("key")).is_some_and(Value::is_string) {
            return Some(format!("{name}.{index}.id must be a string"));
        }
    }
    None
}

/// Refuses query parameters that the operation does not know, and a missing `locationId`.
pub(crate) fn query(call: &Call, known: &[&str]) -> Result<(), Refusal> {
    let mut faults: Vec<String> = call
        .query
        .iter()
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .map(|(name, _)| format!("property {name} should not exist"))
        .collect();
    if call.query("locationId").is_none() {
        faults.push("locationId must be a string".into());
        faults.push("locationId should not be empty".into());
    }
    if faults.is_empty() { Ok(()) } else { Err(Refusal::invalid(faults)) }
}

/// A whole number in the query.
pub(crate) fn query_number(call: &Call, name: &str, default: usize) -> Result<usize, Refusal> {
    let Some(text) = call.query(name) else { return Ok(default) };
    text.parse().map_err(|_| {
        Refusal::invalid(vec![format!("{name} must be a number conforming to the specified constraints")])
    })
}

/// The `limit` of a list, 1 to 100.
pub(crate) fn limit(call: &Call, default: usize) -> Result<usize, Refusal> {
    let limit = query_number(call, "limit", default)?;
    match limit {
        0 => Err(Refusal::invalid(vec!["limit must not be less than 1".into()])),
        1..=LIST_MAX => Ok(limit),
        _ => Err(Refusal::invalid(vec![format!("limit must not be greater than {LIST_MAX}")])),
    }
}

/// A member of a checked body as text.
pub(crate) fn text<'b>(body: &'b Map<String, Value>, name: &str) -> Option<&'b str> {
    body.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::highlevel::schema;

    fn faults(value: &Value, schema: Schema) -> Value {
        match check(value.as_object().unwrap(), schema) {
            Ok(()) => json!([]),
            Err(refusal) => {
                let body: Value = serde_json::from_slice(&refusal.into_reply("t").body).unwrap();
                assert_eq!(body["statusCode"], 422);
                body["message"].clone()
            }
        }
    }

    #[test]
    fn an_update_refuses_what_only_a_create_may_carry() {
        let body = json!({"firstName": "Ann", "gender": "female"});
        assert_eq!(faults(&body, schema::UPDATE_CONTACT), json!(["property gender should not exist"]));
        let body = json!({"locationId": "l", "additionalEmails": []});
        assert_eq!(
            faults(&body, schema::UPSERT_CONTACT),
            json!(["property additionalEmails should not exist"])
        );
    }

    #[test]
    fn null_clears_only_where_the_vendor_says_so() {
        assert_eq!(faults(&json!({"email": null, "city": null}), schema::UPDATE_CONTACT), json!([]));
        assert_eq!(
            faults(&json!({"postalCode": null}), schema::UPDATE_CONTACT),
            json!(["postalCode must be a string"])
        );
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let messages = faults(&json!({"dueDate": "tomorrow", "title": 3}), schema::CREATE_TASK);
        assert_eq!(messages.as_array().unwrap().len(), 3);
    }

    #[test]
    fn custom_fields_must_be_an_array_of_known_members() {
        let object = json!({"customFields": {"a": "b"}});
        assert_eq!(faults(&object, schema::UPDATE_CONTACT), json!(["customFields must be an array"]));
        let good = json!({"customFields": [{"key": "size", "field_value": "L"}]});
        assert_eq!(faults(&good, schema::UPDATE_CONTACT), json!([]));
    }

    #[test]
    fn nested_settings_are_checked_to_the_bottom() {
        let body = json!({"dndSettings": {"Email": {"status": "maybe"}, "Fax": {}}});
        let messages = faults(&body, schema::UPDATE_CONTACT);
        assert!(messages[0].as_str().unwrap().starts_with("dndSettings.Email.status must be one of"));
        assert_eq!(messages[1], "dndSettings.property Fax should not exist");
    }
}
