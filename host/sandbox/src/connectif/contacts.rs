//! Reading and writing contacts: `GET` and `PATCH /contacts/{email}`, and `PATCH /contacts/email/{email}`
//! (<https://api-docs.connectif.cloud/connectif-api/resources/contact>).

use serde_json::{Map, Value, json};

use super::Change;
use super::config::{FieldKind, NullMeans};
use super::error::{Answer, Fault};
use super::state::{Account, Contact};
use crate::http::{Call, Reply};

/// Built-in values that can be written, and of which type. `_externalId` belongs to the route by email.
const BUILT_IN: &[(&str, BuiltIn)] = &[
    ("_name", BuiltIn::Text),
    ("_surname", BuiltIn::Text),
    ("_birthdate", BuiltIn::Date),
    ("_mobilePhone", BuiltIn::Phone),
    ("_emailStatus", BuiltIn::OneOf(&["active", "bounced", "paused", "banned"])),
    ("_mobilePhoneStatus", BuiltIn::OneOf(&["active", "bounced", "paused"])),
    ("_newsletterSubscriptionStatus", BuiltIn::OneOf(&["subscribed", "unsubscribed", "none"])),
    ("_smsSubscriptionStatus", BuiltIn::OneOf(&["subscribed", "unsubscribed", "none"])),
    ("_points", BuiltIn::Integer),
    ("_externalId", BuiltIn::Text),
];

#[derive(Clone, Copy)]
enum BuiltIn {
    Text,
    Date,
    Phone,
    Integer,
    OneOf(&'static [&'static str]),
}

/// The two routes of a write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// `/contacts/{email}`: custom fields, no `_externalId`.
    Plain,
    /// `/contacts/email/{email}`: `_externalId`; custom fields are not in its documentation.
    ByEmail,
    /// The vendor's own interface: everything.
    Person,
}

pub(super) fn get(change: &Change<'_>, email: &str) -> Answer {
    let stored = change.account.contacts.get(&email.trim().to_lowercase());
    let shown = stored.and_then(|stored| stored.shown(change.now));
    let contact = shown.ok_or_else(|| Fault::NotFound("The contact does not exist".into()))?;
    Ok(Reply::json(200, &contact.to_json(change.now)))
}

pub(super) fn patch(change: &mut Change<'_>, call: &Call, email: &str, route: Route) -> Answer {
    let Ok(Value::Object(fields)) = serde_json::from_slice(&call.body) else {
        return Err(Fault::invalid("", "a JSON object is needed"));
    };
    let created = upsert(change, email, &fields, route)?;
    let guesses = &change.guesses;
    let status = if created { guesses.created_status } else { guesses.updated_status };
    if guesses.patch_answers_contact {
        let contact = change.account.contact(email).map(|contact| contact.to_json(change.now));
        return Ok(Reply::json(status, &contact.unwrap_or_default()));
    }
    Ok(Reply { status, headers: Vec::new(), content_type: "application/json", body: Vec::new() })
}

/// Creates or changes a contact; whether it was created.
pub(super) fn upsert(
    change: &mut Change<'_>,
    email: &str,
    fields: &Map<String, Value>,
    route: Route,
) -> Result<bool, Fault> {
    if !is_email(email) {
        return Err(Fault::invalid("email", "is not an email"));
    }
    let values = checked(change, fields, route)?;
    let now = change.now;
    let old = change.account.contact(email).cloned();
    let created = old.is_none();
    let before = old.clone().unwrap_or_else(|| Contact::new(String::new(), email, now));
    let mut contact = before.clone();
    if created {
        contact.id = change.account.random.hex(24);
    }
    for (name, value) in values {
        if value.is_null() {
            contact.values.remove(&name)
        } else {
            contact.values.insert(name, value)
        };
    }
    message(change.account, &before, &contact);
    let changed = created || contact.values != before.values;
    if changed {
        contact.updated_at = now;
    }
    let shown = contact.to_json(now);
    change.put(contact);
    if changed {
        change.emit(if created { "contact.created" } else { "contact.updated" }, &shown);
    }
    Ok(created)
}

/// What the account's workflows send to a person because of a change.
fn message(account: &mut Account, before: &Contact, after: &Contact) {
    let began = |name: &str| {
        after.values.get(name) == Some(&json!("subscribed"))
            && before.values.get(name) != Some(&json!("subscribed"))
    };
    account.messages.welcome_mails += u64::from(began("_newsletterSubscriptionStatus"));
    account.messages.welcome_texts += u64::from(began("_smsSubscriptionStatus"));
    let status = |contact: &Contact| contact.values.get("_emailStatus").cloned();
    let stopped = status(before).is_some_and(|status| status != json!("active"));
    account.messages.reactivations += u64::from(stopped && status(after) == Some(json!("active")));
}

/// The values to write; null is one to clear.
fn checked(
    change: &Change<'_>,
    fields: &Map<String, Value>,
    route: Route,
) -> Result<Map<String, Value>, Fault> {
    let guesses = &change.guesses;
    let mut values = Map::new();
    let mut problems = Vec::new();
    for (name, value) in fields {
        let result = match BUILT_IN.iter().find(|(own, _)| own == name) {
            Some(("_externalId", _)) if route == Route::Plain => Err("is not known here".to_owned()),
            _ if value.is_null() && route == Route::Person => Ok(()),
            Some(_) if value.is_null() => null(guesses.null),
            Some((_, kind)) => built_in(*kind, value),
            None if name.starts_with('_') => Err("is not known here, or is read-only".to_owned()),
            None if route == Route::ByEmail && !guesses.email_route_takes_custom_fields => {
                Err("is not known here".to_owned())
            }
            None => match change.account.custom_fields.iter().find(|field| field.id == *name) {
                Some(_) if value.is_null() => null(guesses.null),
                Some(field) => custom(&field.kind, value, guesses.longest_text),
                None if guesses.refuses_unknown_fields => Err("there is no such field".to_owned()),
                None => continue,
            },
        };
        match result {
            Ok(()) if value.is_null() && route != Route::Person && guesses.null == NullMeans::Ignored => {}
            Ok(()) => drop(values.insert(name.clone(), value.clone())),
            Err(reason) => problems.push((name.clone(), reason)),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(Fault::Invalid(problems)) }
}

fn null(means: NullMeans) -> Result<(), String> {
    if means == NullMeans::Refused { Err("must not be null".to_owned()) } else { Ok(()) }
}

fn built_in(kind: BuiltIn, value: &Value) -> Result<(), String> {
    match kind {
        BuiltIn::Text => text(value).map(drop),
        BuiltIn::Date => date(text(value)?),
        BuiltIn::Phone => phone(text(value)?),
        BuiltIn::Integer => {
            if value.is_i64() {
                Ok(())
            } else {
                Err("must be an integer".to_owned())
            }
        }
        BuiltIn::OneOf(choices) => {
            let value = text(value)?;
            if choices.contains(&value) {
                Ok(())
            } else {
                Err(format!("must be one of {}", choices.join(", ")))
            }
        }
    }
}

fn custom(kind: &FieldKind, value: &Value, longest: usize) -> Result<(), String> {
    let choice = |choices: &[String], value: &str| {
        if choices.is_empty() || choices.iter().any(|choice| choice == value) {
            return Ok(());
        }
        Err(format!("must be one of {}", choices.join(", ")))
    };
    match kind {
        FieldKind::Text if text(value)?.chars().count() > longest => {
            Err(format!("must have at most {longest} characters"))
        }
        FieldKind::Email => {
            if is_email(text(value)?) {
                Ok(())
            } else {
                Err("must be an email".to_owned())
            }
        }
        FieldKind::Date => date(text(value)?),
        FieldKind::Phone => phone(text(value)?),
        FieldKind::Boolean if !value.is_boolean() => Err("must be a boolean".to_owned()),
        FieldKind::Decimal if !value.is_number() => Err("must be a number".to_owned()),
        FieldKind::Integer if !value.is_i64() => Err("must be an integer".to_owned()),
        FieldKind::Text | FieldKind::Boolean | FieldKind::Decimal | FieldKind::Integer => Ok(()),
        FieldKind::Radio(choices) => choice(choices, text(value)?),
        FieldKind::Checkbox(choices) => {
            let items = value.as_array().ok_or("must be an array of strings")?;
            items.iter().try_for_each(|item| choice(choices, item.as_str().ok_or("must hold strings only")?))
        }
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "must be a string".to_owned())
}

fn date(text: &str) -> Result<(), String> {
    let parsed = text.parse::<jiff::Timestamp>().is_ok() || text.parse::<jiff::civil::Date>().is_ok();
    if parsed { Ok(()) } else { Err("must be an ISO 8601 date".to_owned()) }
}

fn phone(text: &str) -> Result<(), String> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let fits = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { Ok(()) } else { Err("must be a phone in international format".to_owned()) }
}

pub(super) fn is_email(text: &str) -> bool {
    let parts = text.trim().split_once('@');
    parts.is_some_and(|(name, domain)| {
        !name.is_empty()
            && domain.contains('.')
            && !domain.contains('@')
            && !text.contains(char::is_whitespace)
    })
}
