//! Contacts: list, read, create, change, delete, invite.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::config::{CustomShape, DuplicateCode, ReferrizerGuesses};
use super::error::{Answer, Fault};
use super::state::{Contact, State, member_names};
use super::{Change, page};
use crate::http::{Call, Reply};

/// The name of a new contact's status.
const LEAD: &str = "LEAD";

pub(super) fn list(change: &Change<'_>, call: &Call) -> Answer {
    let guesses = change.guesses;
    let mut contacts = change.state.listed(guesses.order);
    if let Some(email) = guesses.search_parameter.as_deref().and_then(|name| call.query(name)) {
        contacts.retain(|contact| contact.text("email").eq_ignore_ascii_case(email));
    }
    page::reply(call, &contacts, |contact| contact.to_json(guesses))
}

pub(super) fn get(change: &Change<'_>, id: &str) -> Answer {
    Ok(Reply::json(200, &known(change.state, id)?.to_json(change.guesses)))
}

pub(super) fn create(change: &mut Change<'_>, call: &Call) -> Answer {
    let body = json_body(call)?;
    let contact = insert(change, &body)?;
    Ok(Reply::json(201, &contact.to_json(change.guesses)))
}

pub(super) fn update(change: &mut Change<'_>, call: &Call, id: &str) -> Answer {
    let body = json_body(call)?;
    let contact = edit(change, id, &body, change.guesses.update_replaces)?;
    Ok(Reply::json(200, &contact.to_json(change.guesses)))
}

pub(super) fn delete(change: &mut Change<'_>, id: &str) -> Answer {
    remove(change, id)?;
    Ok(Reply::json(200, &json!({})))
}

/// Messages the contact.
pub(super) fn invite(change: &mut Change<'_>, call: &Call, id: &str) -> Answer {
    let body = json_body(call)?;
    known(change.state, id)?;
    if body.get("message").and_then(Value::as_str).is_none_or(|message| message.trim().is_empty()) {
        return Err(Fault::missing("message"));
    }
    change.state.messages.invitations += 1;
    Ok(Reply::json(200, &json!({"id": id})))
}

pub(super) fn known<'s>(state: &'s State, id: &str) -> Result<&'s Contact, Fault> {
    state.contacts.get(id).ok_or(Fault::NotFound("Contact"))
}

pub(super) fn json_body(call: &Call) -> Result<Map<String, Value>, Fault> {
    if !call.is_json() {
        return Err(Fault::illegal("Content-Type must be application/json"));
    }
    serde_json::from_slice(&call.body).map_err(|_| Fault::illegal("the body is no JSON object"))
}

/// Creates a contact.
pub(super) fn insert(change: &mut Change<'_>, body: &Map<String, Value>) -> Result<Contact, Fault> {
    let mut contact = Contact { created_at: change.now, updated_at: change.now, ..Contact::default() };
    put(change.state, change.guesses, &mut contact, body)?;
    if contact.text(&change.guesses.status_key).is_empty() {
        contact.fields.insert(change.guesses.status_key.clone(), json!(LEAD));
    }
    contact.id = change.state.new_contact_id();
    contact.created = change.state.tick();
    contact.changed = contact.created;
    change.state.contacts.insert(contact.id.clone(), contact.clone());
    Ok(contact)
}

/// Changes what `body` names, or replaces everything with it.
pub(super) fn edit(
    change: &mut Change<'_>,
    id: &str,
    body: &Map<String, Value>,
    replaces: bool,
) -> Result<Contact, Fault> {
    let mut contact = known(change.state, id)?.clone();
    if replaces {
        contact.fields.clear();
        contact.custom.clear();
    }
    put(change.state, change.guesses, &mut contact, body)?;
    contact.updated_at = change.now;
    contact.changed = change.state.tick();
    change.state.contacts.insert(contact.id.clone(), contact.clone());
    Ok(contact)
}

pub(super) fn remove(change: &mut Change<'_>, id: &str) -> Result<Contact, Fault> {
    change.state.contacts.remove(id).ok_or(Fault::NotFound("Contact"))
}

/// Puts the members of `body` over the contact and checks what comes out.
fn put(
    state: &State,
    guesses: &ReferrizerGuesses,
    contact: &mut Contact,
    body: &Map<String, Value>,
) -> Result<(), Fault> {
    // What the API itself shows may come back; it changes nothing.
    const SHOWN: [&str; 4] = ["id", "loyaltyPoints", "createdAt", "updatedAt"];
    let names = member_names(guesses);
    for (name, value) in body {
        if *name == guesses.custom_key {
            put_custom(state, guesses, &mut contact.custom, value)?;
        } else if names.contains(&name.as_str()) {
            match value {
                Value::Null => contact.fields.remove(name),
                Value::String(text) => contact.fields.insert(name.clone(), json!(text.trim())),
                _ => return Err(Fault::illegal(format!("{name} must be a text"))),
            };
        } else if guesses.refuses_unknown && !SHOWN.contains(&name.as_str()) {
            return Err(Fault::illegal(format!("{name} is not known")));
        }
    }
    if let Some(name) = guesses.required.iter().find(|name| contact.text(name).is_empty()) {
        return Err(Fault::missing(name));
    }
    let email = contact.text("email");
    let well_formed = |email: &str| {
        !email.contains(char::is_whitespace)
            && email.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
    };
    if !email.is_empty() && !well_formed(email) {
        return Err(Fault::illegal("email is malformed"));
    }
    for (name, unique) in [("email", true), (guesses.phone_key.as_str(), guesses.unique_phone)] {
        let own = contact.text(name);
        let same = |other: &&Contact| {
            other.id != contact.id && !own.is_empty() && other.text(name).eq_ignore_ascii_case(own)
        };
        if unique && state.contacts.values().find(same).is_some() {
            let code = match guesses.duplicate_code {
                DuplicateCode::NotUnique => "NOT_UNIQUE",
                DuplicateCode::ResourceAlreadyExists => "RESOURCE_ALREADY_EXISTS",
            };
            return Err(Fault::Refused(code, format!("{name} is taken")));
        }
    }
    Ok(())
}

/// Custom fields are addressed by name; one that the account does not have is an error of its own.
fn put_custom(
    state: &State,
    guesses: &ReferrizerGuesses,
    custom: &mut BTreeMap<String, String>,
    value: &Value,
) -> Result<(), Fault> {
    let pairs: Vec<(&str, &Value)> = match (guesses.custom_shape, value) {
        (_, Value::Null) => Vec::new(),
        (CustomShape::Object, Value::Object(members)) => {
            members.iter().map(|(name, value)| (name.as_str(), value)).collect()
        }
        (CustomShape::List, Value::Array(items)) => {
            let pair = |item: &'_ Value| item["name"].as_str().is_some();
            if !items.iter().all(pair) {
                return Err(Fault::illegal("a custom field has no name"));
            }
            items.iter().map(|item| (item["name"].as_str().unwrap_or_default(), &item["value"])).collect()
        }
        _ => return Err(Fault::illegal(format!("{} has another shape", guesses.custom_key))),
    };
    for (name, value) in pairs {
        if !state.custom_fields.contains(name) {
            let message = format!("{name} is no custom field");
            return Err(Fault::Refused("INVALID_CUSTOM_FIELD_NAME", message));
        }
        match value {
            Value::Null => {
                custom.remove(name);
            }
            Value::String(text) if text.is_empty() => {
                custom.remove(name);
            }
            Value::String(text) if text.chars().count() <= guesses.custom_length => {
                custom.insert(name.to_owned(), text.clone());
            }
            Value::String(_) => return Err(Fault::illegal(format!("{name} is too long"))),
            _ => return Err(Fault::illegal(format!("{name} must be a text"))),
        }
    }
    Ok(())
}
