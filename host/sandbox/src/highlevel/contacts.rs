//! Contacts: read, create, update, upsert, delete, duplicate search.

use std::sync::Arc;

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::config::MatchBy;
use super::refusal::{Answer, Refusal};
use super::schema::{self, DND_NAMES};
use super::state::{Contact, LocationState};
use super::tx::{Actor, Request, Tx};
use super::wire::{self, Version};
use super::{normal, validate};

/// Members kept as plain text.
const TEXT: &[&str] = &[
    "firstName",
    "lastName",
    "email",
    "phone",
    "gender",
    "address1",
    "city",
    "state",
    "postalCode",
    "country",
    "website",
    "timezone",
    "source",
    "companyName",
    "dateOfBirth",
    "assignedTo",
];

pub(super) fn get(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let contact = tx.contact(request.id(0))?;
    request.reply(200, json!({"contact": wire::contact(&contact, &tx.location_id(), request.version)}))
}

pub(super) fn create(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let body = contact_body(request, schema::CREATE_CONTACT)?;
    tx.same_location(validate::text(&body, "locationId").unwrap_or_default())?;
    let contact = insert(tx, &body)?;
    let mut shown = wire::contact(&contact, &tx.location_id(), request.version);
    if request.version == Version::Dated {
        wire::created(&mut shown, &contact);
    }
    request.reply(201, json!({"contact": shown}))
}

pub(super) fn update(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let body = contact_body(request, schema::UPDATE_CONTACT)?;
    let contact = change(tx, request.id(0), &body)?;
    let shown = wire::contact(&contact, &tx.location_id(), request.version);
    request.reply(200, json!({"succeded": true, "succeeded": true, "contact": shown}))
}

pub(super) fn delete(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    remove(tx, request.id(0))?;
    request.success(200)
}

/// Follows the location's settings: with two matches it changes the one found by the first field and silently keeps
/// its own value of the second; a hit on a secondary email promotes that one and drops the primary; `gender` of an
/// existing contact is accepted and ignored (vendor issues 37, 337 and 313).
pub(super) fn upsert(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let mut body = contact_body(request, schema::UPSERT_CONTACT)?;
    tx.same_location(validate::text(&body, "locationId").unwrap_or_default())?;
    let always_new = body.remove("createNewIfDuplicateAllowed") == Some(json!(true))
        && tx.state.config.allow_duplicate_contact;
    let found = if always_new { None } else { find_match(tx.state, &body, None) };
    let (new, contact) = match found {
        None => (true, insert(tx, &body)?),
        Some((existing, by)) => {
            body.remove("locationId");
            body.remove("gender");
            let other = match by {
                MatchBy::Email => (MatchBy::Phone, "phone"),
                MatchBy::Phone => (MatchBy::Email, "email"),
            };
            let taken = key(tx.state, &body, other.0)
                .is_some_and(|value| tx.state.find(other.0, &value, Some(&existing.id)).is_some());
            if taken {
                body.remove(other.1);
            }
            (false, write(tx, &existing, &body))
        }
    };
    let shown = wire::contact(&contact, &tx.location_id(), request.version);
    request.reply(200, json!({"new": new, "succeded": true, "succeeded": true, "contact": shown}))
}

/// Uses the configured field order when duplicates are not allowed, else email, then phone.
pub(super) fn duplicate(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    validate::query(request.call, schema::DUPLICATE_QUERY)?;
    tx.same_location(request.call.query("locationId").unwrap_or_default())?;
    let mut keys = Map::new();
    for (parameter, name) in [("email", "email"), ("number", "phone")] {
        if let Some(value) = request.call.query(parameter) {
            keys.insert(name.into(), json!(value));
        }
    }
    let found = if tx.habits.duplicate_by_email_first {
        find_in_order(tx.state, &keys, None, EMAIL_FIRST)
    } else {
        find_match(tx.state, &keys, None)
    };
    match found {
        Some((contact, by)) => {
            let mut shown = wire::contact(&contact, &tx.location_id(), request.version);
            if tx.habits.duplicate_lacks_consent {
                shown.remove("dndSettings");
                shown.remove("inboundDndSettings");
            }
            request.reply(200, json!({"contact": shown, "matchingField": field_name(by)}))
        }
        None => request.reply(200, json!({"contact": null})),
    }
}

/// Reads a contact body; v3 writes `fieldValue` and lower-case channels, which are brought to their v2 names.
fn contact_body(request: &Request<'_>, schema: schema::Schema) -> Result<Map<String, Value>, Refusal> {
    if request.version == Version::Dated {
        return validate::body(request.call, schema);
    }
    let mut body = validate::body_unchecked(request.call)?;
    if let Some(Value::Object(settings)) = body.get_mut("dndSettings") {
        for (new, old) in DND_NAMES {
            if let Some(setting) = settings.remove(*new) {
                settings.insert((*old).into(), setting);
            }
        }
    }
    validate::check(&body, schema).map(|()| body)
}

/// Creates a contact from a checked body.
pub(super) fn insert(tx: &mut Tx<'_>, body: &Map<String, Value>) -> Result<Arc<Contact>, Refusal> {
    let has = |name| validate::text(body, name).is_some_and(|value| !value.trim().is_empty());
    // Only the API insists on a way to reach the contact (as integrators report); a person may save a bare name.
    if tx.actor != Actor::Person && !has("email") && !has("phone") {
        return Err(Refusal::bad("Either email or phone is required to create a contact"));
    }
    if !tx.state.config.allow_duplicate_contact {
        refuse_duplicate(tx.state, body, None)?;
    }
    let blank = Contact {
        id: tx.state.new_id(),
        created_by: tx.client_id(),
        date_added: tx.now,
        date_updated: tx.now,
        ..Contact::default()
    };
    let contact = apply(tx, &blank, body);
    tx.emit_contact("ContactCreate", &contact);
    Ok(contact)
}

/// Changes a contact by a checked body.
pub(super) fn change(tx: &mut Tx<'_>, id: &str, body: &Map<String, Value>) -> Result<Arc<Contact>, Refusal> {
    let before = tx.contact(id)?;
    if !tx.state.config.allow_duplicate_contact {
        refuse_duplicate(tx.state, body, Some(id))?;
    }
    Ok(write(tx, &before, body))
}

/// Deletes softly; tasks and notes go out of sight with their contact and fire nothing.
pub(super) fn remove(tx: &mut Tx<'_>, id: &str) -> Result<(), Refusal> {
    let contact = tx.contact(id)?;
    tx.emit_contact("ContactDelete", &contact);
    tx.store_changed(Contact { deleted: true, ..Contact::clone(&contact) });
    Ok(())
}

fn write(tx: &mut Tx<'_>, before: &Contact, body: &Map<String, Value>) -> Arc<Contact> {
    let after = apply(tx, before, body);
    tx.emit_change(before, &after);
    after
}

/// Stores `before` with the members of `body` put over it.
fn apply(tx: &mut Tx<'_>, before: &Contact, body: &Map<String, Value>) -> Arc<Contact> {
    let mut contact = before.clone();
    set_name(&mut contact, body);
    for name in TEXT {
        let Some(value) = body.get(*name) else { continue };
        let value = value.as_str().map(str::trim).filter(|value| !value.is_empty());
        let value = value.and_then(|value| normalised(name, value, &tx.state.config.country));
        if *name == "email" {
            promote(&mut contact, value.as_deref());
        }
        match value {
            Some(value) => contact.text.insert(name, value),
            None => contact.text.remove(name),
        };
    }
    if let Some(tags) = body.get("tags") {
        contact.tags = normal::tag_list(tags);
        tx.state.know_tags(&contact.tags);
    }
    if let Some(dnd) = body.get("dnd").and_then(Value::as_bool) {
        contact.dnd = dnd;
    }
    for (name, target) in
        [("dndSettings", &mut contact.dnd_settings), ("inboundDndSettings", &mut contact.inbound_dnd)]
    {
        for (channel, setting) in body.get(name).and_then(Value::as_object).into_iter().flatten() {
            target.insert(channel.clone(), setting.clone());
        }
    }
    for item in body.get("customFields").and_then(Value::as_array).into_iter().flatten() {
        set_custom(tx.state, &mut contact, item);
    }
    tx.store_changed(contact)
}

/// `name` alone is split at the first blank.
fn set_name(contact: &mut Contact, body: &Map<String, Value>) {
    let Some(name) =
        body.get("name").filter(|_| !body.contains_key("firstName") && !body.contains_key("lastName"))
    else {
        return;
    };
    contact.text.remove("firstName");
    contact.text.remove("lastName");
    let (first, last) =
        name.as_str().map(str::trim).map_or(("", ""), |name| name.split_once(' ').unwrap_or((name, "")));
    for (key, part) in [("firstName", first), ("lastName", last)] {
        if !part.trim().is_empty() {
            contact.text.insert(key, part.trim().to_owned());
        }
    }
}

/// A secondary address that becomes the primary one leaves the list; the former primary is lost (vendor issue 337).
fn promote(contact: &mut Contact, email: Option<&str>) {
    if let Some(email) = email {
        contact.additional_emails.retain(|other| !other.eq_ignore_ascii_case(email));
    }
}

fn normalised(name: &str, value: &str, country: &str) -> Option<String> {
    match name {
        "phone" => normal::phone(value, country),
        "dateOfBirth" => normal::birthday(value).map(|day: Date| day.to_string()),
        "country" => Some(value.to_uppercase()),
        _ => Some(value.to_owned()),
    }
}

/// An unknown field is accepted and ignored.
fn set_custom(state: &LocationState, contact: &mut Contact, item: &Value) {
    let wanted = item.get("id").or_else(|| item.get("key")).and_then(Value::as_str).unwrap_or_default();
    let Some(field) = state.custom_field(wanted).filter(|field| field.model == "contact") else { return };
    let raw =
        ["field_value", "fieldValue", "value"].iter().find_map(|key| item.get(*key)).unwrap_or(&Value::Null);
    match normal::custom_value(&field.data_type, raw) {
        Some(value) => contact.custom.insert(field.id.clone(), value),
        None => contact.custom.remove(&field.id),
    };
}

fn refuse_duplicate(
    state: &LocationState,
    body: &Map<String, Value>,
    except: Option<&str>,
) -> Result<(), Refusal> {
    match find_match(state, body, except) {
        Some((contact, by)) => Err(Refusal::duplicate(&contact.id, &contact.name(), field_name(by))),
        None => Ok(()),
    }
}

/// The contact that the location's settings recognise in `body`: by the first field that finds one.
fn find_match(
    state: &LocationState,
    body: &Map<String, Value>,
    except: Option<&str>,
) -> Option<(Arc<Contact>, MatchBy)> {
    let order =
        if state.config.allow_duplicate_contact { EMAIL_FIRST } else { state.config.match_by.as_slice() };
    find_in_order(state, body, except, order)
}

/// What counts where duplicates are allowed.
const EMAIL_FIRST: &[MatchBy] = &[MatchBy::Email, MatchBy::Phone];

fn find_in_order(
    state: &LocationState,
    body: &Map<String, Value>,
    except: Option<&str>,
    order: &[MatchBy],
) -> Option<(Arc<Contact>, MatchBy)> {
    order.iter().find_map(|by| {
        let value = key(state, body, *by)?;
        Some((Arc::clone(state.find(*by, &value, except)?), *by))
    })
}

fn key(state: &LocationState, body: &Map<String, Value>, by: MatchBy) -> Option<String> {
    let value = validate::text(body, field_name(by))?.trim();
    match by {
        MatchBy::Email => (!value.is_empty()).then(|| value.to_lowercase()),
        MatchBy::Phone => normal::phone(value, &state.config.country),
    }
}

fn field_name(by: MatchBy) -> &'static str {
    match by {
        MatchBy::Email => "email",
        MatchBy::Phone => "phone",
    }
}
