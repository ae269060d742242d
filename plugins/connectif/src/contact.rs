//! Between Connectif's contact and the fields of the manifest.
//!
//! Built-in keys begin with an underscore; ours are the same without it, but for those that have a usual name. Any other key is the id
//! of a custom field, which the setting `custom_fields` gives.

use contactor_sdk::{Error, Fields, Named, NamedValue, PartnerRecord, Result, Value, log};
use serde_json::Value as Json;

use crate::api::Shown;
use crate::settings::{Clearing, Settings};

/// Built-in keys that can be written.
const WRITABLE: &str = "_name _surname _birthdate _mobilePhone _emailStatus _mobilePhoneStatus _newsletterSubscriptionStatus \
    _smsSubscriptionStatus _points _externalId";

/// Our names of the keys that are not just without their underscore.
const RENAMED: [(&str, &str); 3] =
    [("firstName", "_name"), ("lastName", "_surname"), ("phone", "_mobilePhone")];

/// Custom fields that hold a JSON document in a text.
const DOCUMENTS: [&str; 3] = ["tasks", "notes", "appointments"];

/// The id of a contact: its address, which Connectif compares without regard to case.
pub(crate) fn id(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Our name of a built-in key; any other key is its own.
pub(crate) fn our_name(key: &str) -> String {
    let renamed = RENAMED.iter().find(|(_, theirs)| *theirs == key).map(|(ours, _)| *ours);
    renamed.or_else(|| key.strip_prefix('_')).unwrap_or(key).to_owned()
}

/// A contact as a record. What Connectif does not show has no value.
pub(crate) fn record(settings: &Settings, id: &str, shown: &Shown) -> PartnerRecord {
    let mut record = PartnerRecord::new(id).updated_at(shown.get("_updatedAt").and_then(Json::as_str));
    let value = |key: &str| shown.get(key).cloned().map_or(Value::Empty, Value::from);
    let built_in = shown.keys().map(String::as_str).filter(|key| key.starts_with('_'));
    for key in WRITABLE.split_whitespace().chain(built_in) {
        record = record.with(our_name(key), if key == "_birthdate" { day(value(key)) } else { value(key) });
    }
    let unsubscribed = record.text("newsletterSubscriptionStatus").map(|status| status == "unsubscribed");
    record = record.with("unsubscribed", unsubscribed);
    for (ours, theirs) in settings.custom_fields.pairs() {
        let value = value(theirs);
        record = record.with(ours, if DOCUMENTS.contains(&ours) { document(ours, value) } else { value });
    }
    record
}

/// The record after a write. What was written and is not there was not kept.
pub(crate) fn written_record(settings: &Settings, id: &str, shown: &Shown, fields: &Fields) -> PartnerRecord {
    let record = record(settings, id, shown);
    let lost = fields.values().iter().filter(|field| record.value(&field.name).is_none());
    lost.fold(record.clone(), |record, field| record.with(&field.name, Value::Empty))
}

/// Fields as the body of a write. What cannot be shown at Connectif is left out, and said.
pub(crate) fn body(settings: &Settings, fields: &Fields) -> Result<Shown> {
    let mut body = Shown::new();
    for NamedValue { name, value } in fields.values().iter().filter(|named| named.name != "email") {
        let builtin = WRITABLE.split_whitespace().find(|key| our_name(key) == *name);
        let key = match builtin.or_else(|| settings.custom_fields.partner_name(name)) {
            Some("_externalId") if !settings.writes_by_email_route() => {
                return Err(Error::invalid(name, "Connectif takes it by the route /contacts/email alone"));
            }
            Some(key) => key,
            None => {
                log::debug!("`{name}` has no custom field in the setting custom_fields: it is not shown");
                continue;
            }
        };
        let Some(json) = written(settings, name, value)? else { continue };
        if !settings.allow_subscriptions && subscribes(key, &json) {
            let problem = format!("{json} lets Connectif write to the person: allow_subscriptions is off");
            return Err(Error::invalid(name, problem));
        }
        body.insert(key.to_owned(), json);
    }
    Ok(body)
}

/// Whether this value begins to send mail or text messages to the person.
pub(crate) fn subscribes(key: &str, value: &Json) -> bool {
    match key {
        "_newsletterSubscriptionStatus" | "_smsSubscriptionStatus" => value == "subscribed",
        "_emailStatus" | "_mobilePhoneStatus" => value == "active",
        _ => false,
    }
}

/// Whether a value is the contact's own, to be carried over to another address: neither computed nor an identity.
pub(crate) fn is_own(key: &str) -> bool {
    let built_in = || WRITABLE.split_whitespace().any(|own| own == key) && key != "_externalId";
    key != "id" && (!key.starts_with('_') || built_in())
}

fn written(settings: &Settings, name: &str, value: &Value) -> Result<Option<Json>> {
    Ok(match value {
        // Somebody who may be disturbed again is not subscribed by that.
        Value::Empty if name.ends_with("Status") => None,
        Value::Empty => match settings.clear_with {
            Clearing::Nothing => None,
            Clearing::Null => Some(Json::Null),
            Clearing::Empty => Some(Json::from("")),
        },
        // Dates are instants there.
        Value::Text(date) if name == "birthdate" && date.len() == 10 => {
            Some(Json::from(format!("{date}T00:00:00.000Z")))
        }
        // A text field of Connectif holds the document, which is not one there.
        Value::Json(document) => Some(Json::from(document.as_str())),
        value => Some(value.to_json()?),
    })
}

fn day(value: Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.get(..10).unwrap_or(&text).to_owned()),
        other => other,
    }
}

fn document(name: &str, value: Value) -> Value {
    match value {
        Value::Text(text) if text.trim().is_empty() => Value::Empty,
        Value::Text(text) if serde_json::from_str::<Vec<Json>>(&text).is_ok() => Value::Json(text),
        Value::Text(_) => {
            log::warn!("the custom field of `{name}` holds no list: it is written anew with the next change");
            Value::Empty
        }
        other => other,
    }
}
