//! Attendees of an event: list, create, update, delete, each also in bulk; and the registrations that made them.

use serde_json::{Value, json};

use super::Change;
use super::config::TagShape;
use super::error::{Answer, Fault};
use super::records::{self, FieldKind};
use super::state::{Object, object, text};
use crate::http::{Call, Reply};

/// What can be written. Everything else is ignored, as Django does with fields that it does not know.
const FIELDS: &[(&str, FieldKind)] = &[
    ("first_name", FieldKind::Text),
    ("last_name", FieldKind::Text),
    ("email", FieldKind::Email),
    ("title", FieldKind::Text),
    ("organization", FieldKind::Text),
    ("about", FieldKind::Text),
    ("address_line_1", FieldKind::Text),
    ("address_line_2", FieldKind::Text),
    ("address_city", FieldKind::Text),
    ("address_state", FieldKind::Text),
    ("address_zip", FieldKind::Text),
    ("address_country", FieldKind::Text),
    ("address_phone", FieldKind::Text),
    ("code_internal", FieldKind::Text),
    ("code_badge", FieldKind::Text),
    ("external_qr_code_url", FieldKind::Text),
    ("dietary_restrictions", FieldKind::Text),
    ("accessibility_requirements", FieldKind::Text),
    ("designations", FieldKind::List),
    ("tags", FieldKind::Tags),
    ("linkedin", FieldKind::Text),
    ("profile_visible", FieldKind::Boolean),
    ("contact_groups", FieldKind::List),
    ("contact_organization", FieldKind::Text),
    ("membership_tier", FieldKind::Text),
    ("metadata", FieldKind::Json),
];

/// The switches that only a create knows, and what they send.
const WELCOMES: [&str; 3] =
    ["send_app_welcome_email", "send_attendee_portal_welcome", "send_welcome_virtual_portal_email"];

pub(super) fn list(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    let rows = change.event(ids[0])?.attendees.iter().map(|row| shown(row, change.guesses.tags)).collect();
    change.page(call, rows)
}

pub(super) fn get(change: &mut Change<'_>, _call: &Call, ids: &[&str]) -> Answer {
    if !change.guesses.single_attendee {
        return Err(Fault::NoMethod("GET".into()));
    }
    let tags = change.guesses.tags;
    let row = change.event(ids[0])?.attendees.get(ids[1]).ok_or(Fault::NotFound)?;
    Ok(Reply::json(200, &shown(row, tags)))
}

pub(super) fn create(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    let row = insert(change, ids[0], &records::body(call)?)?;
    Ok(change.written(201, &row, shown(&row, change.guesses.tags)))
}

pub(super) fn update(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    let row = edit(change, ids[0], ids[1], &records::body(call)?)?;
    Ok(change.written(200, &row, shown(&row, change.guesses.tags)))
}

/// The attendee leaves this event only. Which 2xx it answers is unknown: 204, as for sessions.
pub(super) fn delete(change: &mut Change<'_>, _call: &Call, ids: &[&str]) -> Answer {
    remove(change, ids[0], ids[1])?;
    Ok(records::no_content())
}

/// An array of attendees to create. One that is refused refuses all, before any is created.
pub(super) fn create_all(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    all(change, call, |change, fields| insert(change, ids[0], fields), 201)
}

/// An array of attendees to update, each with its `code`.
pub(super) fn update_all(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    all(change, call, |change, fields| edit(change, ids[0], text(fields, "code"), fields), 200)
}

/// `{"codes": […]}` in the body of the DELETE.
pub(super) fn delete_all(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    let codes = records::codes(call)?;
    for code in &codes {
        change.event(ids[0])?.attendees.get(code).ok_or(Fault::NotFound)?;
    }
    for code in &codes {
        remove(change, ids[0], code)?;
    }
    Ok(records::no_content())
}

fn all(
    change: &mut Change<'_>,
    call: &Call,
    write: impl Fn(&mut Change<'_>, &Object) -> Result<Object, Fault>,
    status: u16,
) -> Answer {
    let before = (change.organization.clone(), change.events.len());
    let mut rows = Vec::new();
    for fields in records::bodies(call)? {
        match write(change, &fields) {
            Ok(row) => rows.push(row),
            Err(fault) => {
                *change.organization = before.0;
                change.events.truncate(before.1);
                return Err(fault);
            }
        }
    }
    let (tags, code_only) = (change.guesses.tags, change.guesses.answers_code_only);
    let rows =
        rows.iter().map(|row| if code_only { json!({ "code": row.get("code") }) } else { shown(row, tags) });
    Ok(Reply::json(status, &rows.collect()))
}

/// Registrations cannot be written; days are `date_updated_gte` and `date_updated_lte`.
pub(super) fn registrations(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    let rows = change.event(ids[0])?.registrations.iter();
    let rows = rows.filter(|row| records::within_days(call, row, "date_updated", "date_updated"));
    let rows = rows.cloned().map(Value::Object).collect();
    change.page(call, rows)
}

pub(super) fn insert(change: &mut Change<'_>, event: &str, fields: &Object) -> Result<Object, Fault> {
    let required = change.guesses.required.clone();
    let mut row = records::blank(FIELDS);
    records::put(change.guesses, &mut row, FIELDS, fields)?;
    records::need(&row, &required)?;
    let email = text(&row, "email").to_owned();
    change.event(event)?;
    refuse_taken(change, event, "", &email)?;
    let code = change.organization.new_code("ATT");
    row.insert("code".into(), json!(code));
    row.insert("is_checked_in".into(), json!(false));
    row.insert("checkin_date".into(), Value::Null);
    let by_default = change.guesses.welcomes_unless_told;
    let sent = WELCOMES.map(|switch| {
        u64::from(change.by_api && fields.get(switch).and_then(Value::as_bool).unwrap_or(by_default))
    });
    let welcomes = &mut change.organization.welcomes;
    welcomes.app += sent[0];
    welcomes.portal += sent[1];
    welcomes.virtual_portal += sent[2];
    change.event_mut(event)?.attendees.add(&code, row.clone());
    change.emit(event, "attendee.created", &row);
    Ok(row)
}

pub(super) fn edit(
    change: &mut Change<'_>,
    event: &str,
    code: &str,
    fields: &Object,
) -> Result<Object, Fault> {
    let mut row = change.event(event)?.attendees.get(code).cloned().ok_or(Fault::NotFound)?;
    records::put(change.guesses, &mut row, FIELDS, fields)?;
    if fields.contains_key("email") {
        refuse_taken(change, event, code, text(&row, "email"))?;
    }
    if let Some(place) = change.event_mut(event)?.attendees.get_mut(code) {
        place.clone_from(&row);
    }
    change.emit(event, "attendee.updated", &row);
    Ok(row)
}

pub(super) fn remove(change: &mut Change<'_>, event: &str, code: &str) -> Result<Object, Fault> {
    let row = change.event_mut(event)?.attendees.remove(code).ok_or(Fault::NotFound)?;
    change.emit(event, "attendee.deleted", &row);
    Ok(row)
}

fn refuse_taken(change: &Change<'_>, event: &str, own: &str, email: &str) -> Result<(), Fault> {
    let taken = |row: &Object| text(row, "code") != own && text(row, "email").eq_ignore_ascii_case(email);
    if change.guesses.unique_email && change.event(event)?.attendees.iter().any(taken) {
        return Err(Fault::invalid("email", "attendee with this email already exists."));
    }
    Ok(())
}

/// Somebody registers: an order, and the attendee that it makes. The vendor confirms it by mail, which is not ours to answer for.
pub(super) fn register(change: &mut Change<'_>, event: &str, fields: &Object) -> Result<Object, Fault> {
    let attendee = insert(change, event, fields)?;
    let code = change.organization.new_code("REG");
    let now = super::state::instant(change.now);
    let of = |name: &str| attendee.get(name).cloned().unwrap_or_default();
    let ticket = fields.get("ticket_name").cloned().unwrap_or_else(|| json!("General admission"));
    let mut row = object(json!({
        "code": code, "registration_id": code, "organization_code": change.organization.code, "event_code": event,
        "attendee_code": of("code"), "registrant_code": of("code"), "registrant_code_internal": of("code_internal"),
        "registration_complete": true, "canceled": false, "is_canceled": false, "paid": true, "date": now,
        "registration_date": now, "date_updated": now, "purchases": [], "discounts": [], "refunds": [],
        "sub_total": "0.00", "tax_total": "0.00", "payment_total": "0.00", "refund_total": "0.00", "amount_due": "0.00",
        "notes": "", "form_response": {}, "registration_category": "", "custom_fields": [], "ticket_name": ticket,
        "ticket_code": "TIC1000001", "checked_in": false, "checked_in_date": null,
    }));
    for name in ["first_name", "last_name", "email", "organization", "title", "tags"] {
        row.insert(name.into(), of(name));
    }
    change.event_mut(event)?.registrations.add(&code, row.clone());
    change.emit(event, "registration.created", &row);
    Ok(row)
}

/// The order is cancelled; the attendee stays until somebody removes them.
pub(super) fn cancel(change: &mut Change<'_>, event: &str, code: &str) -> Result<Object, Fault> {
    let now = super::state::instant(change.now);
    let row = change.event_mut(event)?.registrations.get_mut(code).ok_or(Fault::NotFound)?;
    row.insert("canceled".into(), json!(true));
    row.insert("is_canceled".into(), json!(true));
    row.insert("date_updated".into(), now);
    let row = row.clone();
    change.emit(event, "registration.updated", &row);
    Ok(row)
}

/// An attendee as the API shows it.
pub(super) fn shown(row: &Object, tags: TagShape) -> Value {
    let mut row = row.clone();
    if let (TagShape::Objects, Some(Value::Array(names))) = (tags, row.get_mut("tags")) {
        for (index, name) in names.iter_mut().enumerate() {
            *name = json!({ "id": index + 1, "name": name });
        }
    }
    Value::Object(row)
}
