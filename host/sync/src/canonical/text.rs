//! Texts, emails, sets and JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::{CanonicalError, shown, text_only, wrong_kind};
use crate::Value;

/// Any value as text: no NUL (the connectors' interface forbids it), `\n` for every line end (forms and databases
/// disagree on it), no blanks around it.
pub(super) fn of(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::Text(text) | Value::Json(Json::String(text)) => text.clone(),
        Value::Set(set) => set.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        Value::Json(json) => ordered(json.clone()).to_string(),
        other => other.to_json().to_string(),
    };
    text.replace('\0', "").replace("\r\n", "\n").replace('\r', "\n").trim().to_owned()
}

/// A text; what has parts with names is none.
pub(super) fn text(value: &Value) -> Result<Value, CanonicalError> {
    match value {
        Value::Json(Json::Array(list)) if list.iter().all(|item| !item.is_array() && !item.is_object()) => {
            let words = list.iter().filter(|item| !item.is_null());
            let words: Vec<_> = words.map(|item| of(&Value::Json(item.clone()))).collect();
            Ok(non_empty(words.join(", ").trim().to_owned()))
        }
        Value::Json(Json::Array(_) | Json::Object(_)) => Err(wrong_kind(value, "a text")),
        _ => Ok(non_empty(of(value))),
    }
}

fn non_empty(text: String) -> Value {
    if text.is_empty() { Value::Null } else { Value::Text(text) }
}

/// RFC 5321's limits, and a shape that HighLevel does not refuse with 422; no attempt at full RFC 5322.
pub(super) fn email(value: &Value) -> Result<Value, CanonicalError> {
    let Some(text) = text_only(value, "an email address")? else { return Ok(Value::Null) };
    let email = text.to_lowercase();
    match email_fault(&email) {
        None => Ok(Value::Text(email)),
        Some(reason) => Err(CanonicalError::Email { found: shown(value), reason }),
    }
}

fn email_fault(email: &str) -> Option<&'static str> {
    let Some((local, domain)) = email.rsplit_once('@') else { return Some("there is no @") };
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "()<>[]\\,;:\"@".contains(c);
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c == '-' || c.is_ascii_alphanumeric() || (!c.is_ascii() && !forbidden(c)))
    };
    if local.is_empty() {
        Some("nothing stands before the @")
    } else if local.contains(forbidden) {
        Some("there is more than one address, or a character that an address cannot hold")
    } else if !domain.contains('.') || !domain.split('.').all(label) {
        Some("what follows the @ is not a domain name")
    } else if local.len() > 64 || email.len() > 254 {
        Some("it is longer than mail allows")
    } else {
        None
    }
}

/// A text is a set of one: whether a comma separates two tags or belongs to one is for the mapping to say
/// (`value|split(',')`).
pub(super) fn elements(value: &Value, spelling: fn(&str) -> String) -> Result<Value, CanonicalError> {
    let raw: Vec<String> = match value {
        Value::Set(set) => set.iter().cloned().collect(),
        Value::Json(Json::Array(items)) if !items.iter().any(|item| item.is_array() || item.is_object()) => {
            items.iter().map(|item| of(&Value::from_json(item.clone()))).collect()
        }
        Value::Json(Json::Array(_) | Json::Object(_)) | Value::Null => {
            return Err(wrong_kind(value, "a set of texts"));
        }
        single => vec![of(single)],
    };
    let set: BTreeSet<String> = raw
        .into_iter()
        .map(|element| spelling(&of(&Value::Text(element))))
        .filter(|element| !element.is_empty())
        .collect();
    Ok(if set.is_empty() { Value::Null } else { Value::Set(set) })
}

/// The same document with the keys of every object in order, whatever order the JSON library keeps.
pub(super) fn ordered(json: Json) -> Json {
    match json {
        Json::Array(items) => items.into_iter().map(ordered).collect(),
        Json::Object(object) => object
            .into_iter()
            .map(|(key, value)| (key, ordered(value)))
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .collect(),
        scalar => scalar,
    }
}
