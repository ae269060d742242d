//! Between Connectif's contact and the fields of the manifest.
//!
//! Built-in keys begin with an underscore; ours are the same without it, but for those that have a usual name. Any other key is the id
//! of a custom field, which the setting `custom_fields` gives.

use contactor_sdk::{Error, Fields, Named, NamedValue, PartnerRecord, Result, Value, log};
use serde_json::Value as Json;

use crate::api::Shown;
use crate::settings::{Clearing, Settings};

/// Built-in keys that can be written, by our names.
const WRITABLE: [(&str, &str); 11] = [
    ("firstName", "_name"),
    ("lastName", "_surname"),
    ("birthdate", "_birthdate"),
    ("phone", "_mobilePhone"),
    ("emailStatus", "_emailStatus"),
    ("mobilePhoneStatus", "_mobilePhoneStatus"),
    ("newsletterSubscriptionStatus", "_newsletterSubscriptionStatus"),
    ("smsSubscriptionStatus", "_smsSubscriptionStatus"),
    ("points", "_points"),
    ("externalId", "_externalId"),
    ("email", "_email"),
];

/// What Connectif works out or notes by itself, by its own names without the underscore.
const READ_ONLY: &str = "createdAt updatedAt emailBouncedReason emailLastBouncedDate emailLastSoftBounceDate emailSoftBounces \
    emailLastUnsubscribedDate hasPushSubscriptions firstPurchaseDate lastPurchaseDate totalPurchases totalPurchasesAmount \
    averagePurchasesAmount frequency recency monetary rfm clv churnRate pAlive expectedPurchases";

/// Custom fields that hold a JSON document in a text.
const DOCUMENTS: [&str; 3] = ["tasks", "notes", "appointments"];

/// Values that begin to send mail or text messages to the person, by key.
const SUBSCRIBING: [(&str, &str); 4] = [
    ("_newsletterSubscriptionStatus", "subscribed"),
    ("_smsSubscriptionStatus", "subscribed"),
    ("_emailStatus", "active"),
    ("_mobilePhoneStatus", "active"),
];

/// The id of a contact: its address, which Connectif compares without regard to case.
pub(crate) fn id(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Our name of a built-in key; any other key is its own.
pub(crate) fn our_name(key: &str) -> String {
    let known = WRITABLE.iter().find(|(_, theirs)| *theirs == key).map(|(ours, _)| *ours);
    known.or_else(|| key.strip_prefix('_')).unwrap_or(key).to_owned()
}

/// A contact as a record. What Connectif does not show has no value, and neither has a custom field that is not set up.
pub(crate) fn record(settings: &Settings, id: &str, shown: &Shown) -> PartnerRecord {
    let mut record = PartnerRecord::new(id).updated_at(shown.get("_updatedAt").and_then(Json::as_str));
    let value = |key: &str| shown.get(key).cloned().map_or(Value::Empty, Value::from);
    for (ours, theirs) in WRITABLE {
        record = record.with(ours, if ours == "birthdate" { day(value(theirs)) } else { value(theirs) });
    }
    for name in READ_ONLY.split_whitespace() {
        record = record.with(name, value(&format!("_{name}")));
    }
    let unsubscribed = record.text("newsletterSubscriptionStatus").map(|status| status == "unsubscribed");
    record = record.with("unsubscribed", unsubscribed);
    for (ours, theirs) in settings.custom_fields.pairs() {
        let value = value(theirs);
        record = record.with(ours, if DOCUMENTS.contains(&ours) { document(ours, value) } else { value });
    }
    for name in DOCUMENTS.into_iter().chain(["tags"]) {
        if settings.custom_fields.partner_name(name).is_none() {
            record = record.with(name, Value::Empty);
        }
    }
    record
}

/// Fields as the body of a write. What cannot be shown at Connectif is left out, and said.
pub(crate) fn body(settings: &Settings, fields: &Fields) -> Result<Shown> {
    let mut body = Shown::new();
    for NamedValue { name, value } in fields.values().iter().filter(|named| named.name != "email") {
        let builtin = WRITABLE.iter().find(|(ours, _)| ours == name).map(|(_, theirs)| *theirs);
        let key = match builtin.or_else(|| settings.custom_fields.partner_name(name)) {
            Some("_externalId") if !settings.writes_by_email_route() => {
                return Err(Error::invalid(name, "Connectif takes it by the route /contacts/email alone"));
            }
            Some(key) => key,
            None if READ_ONLY.split_whitespace().any(|own| own == name) || name == "unsubscribed" => {
                return Err(Error::invalid(name, "Connectif works it out itself"));
            }
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
    SUBSCRIBING.iter().any(|(own, status)| *own == key && value.as_str() == Some(status))
}

/// Whether a contact's value can be written, as far as it is its own: not computed, not the address.
pub(crate) fn is_writable(key: &str) -> bool {
    if key.starts_with('_') {
        return WRITABLE.iter().any(|(_, theirs)| *theirs == key) && !matches!(key, "_email" | "_externalId");
    }
    key != "id"
}

fn written(settings: &Settings, name: &str, value: &Value) -> Result<Option<Json>> {
    Ok(match value {
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
        Value::Texts(texts) if DOCUMENTS.contains(&name) => {
            Some(Json::from(Json::from(texts.as_slice()).to_string()))
        }
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
