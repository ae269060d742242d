//! The shapes in which HighLevel shows a record. They differ by endpoint, and the differences are the point:
//! a value that is not set is absent by id, `null` in search, and the webhook leaves out `dateUpdated`.

use serde_json::{Map, Value, json};

use super::config::LocationConfig;
use super::normal;
use super::schema::DND_NAMES;
use super::state::{Appointment, Contact, Note, Task};
use crate::clock::iso_millis;

/// Which API version a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// `2021-07-28` and the other dated ones.
    Dated,
    /// `v3`.
    V3,
}

/// By id, after create, update and upsert.
pub(crate) fn contact(contact: &Contact, location_id: &str, version: Version) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("id".into(), json!(contact.id));
    out.insert("locationId".into(), json!(location_id));
    for (name, value) in &contact.text {
        let shown =
            if *name == "dateOfBirth" { json!(format!("{value}T00:00:00.000Z")) } else { json!(value) };
        out.insert((*name).into(), shown);
    }
    for (name, lower) in
        [("firstName", "firstNameLowerCase"), ("lastName", "lastNameLowerCase"), ("email", "emailLowerCase")]
    {
        if let Some(value) = contact.get(name) {
            out.insert(lower.into(), json!(value.to_lowercase()));
        }
    }
    let name = contact.name();
    if !name.is_empty() {
        out.insert("fullNameLowerCase".into(), json!(name.to_lowercase()));
        out.insert("name".into(), json!(name));
    }
    if let Some(business) = &contact.business_id {
        out.insert("businessId".into(), json!(business));
    }
    if !contact.dnd_settings.is_empty() {
        out.insert("dndSettings".into(), dnd_settings(contact, version));
    }
    if !contact.inbound_dnd.is_empty() {
        out.insert("inboundDndSettings".into(), Value::Object(contact.inbound_dnd.clone()));
    }
    out.insert("dnd".into(), json!(contact.dnd));
    out.insert("type".into(), json!("lead"));
    out.insert("tags".into(), json!(contact.tags));
    out.insert("customFields".into(), custom_fields(contact));
    out.insert("additionalEmails".into(), json!(contact.additional_emails));
    out.insert("additionalPhones".into(), json!(contact.additional_phones));
    out.insert("followers".into(), json!(contact.followers));
    out.insert("dateAdded".into(), json!(iso_millis(contact.date_added)));
    out.insert("dateUpdated".into(), json!(iso_millis(contact.date_updated)));
    out.insert("lastActivity".into(), json!(iso_millis(contact.date_updated)));
    out.insert("createdBy".into(), origin(contact.created_by.as_deref(), contact.date_added));
    out
}

/// Members that only the answer to a create carries.
pub(crate) fn created(shown: &mut Map<String, Value>, stored: &Contact) {
    shown.remove("lastActivity");
    shown.insert("deleted".into(), json!(false));
    shown.insert("bounceEmail".into(), json!(false));
    shown.insert("unsubscribeEmail".into(), json!(false));
    shown.insert("validEmail".into(), Value::Null);
    shown.insert("lastSessionActivityAt".into(), json!(iso_millis(stored.date_added)));
    shown.insert("lastUpdatedBy".into(), origin(stored.created_by.as_deref(), stored.date_added));
}

/// A hit of search or of a list: every member is there, `null` when it has no value; the address is `address`; the
/// email is in lower case.
pub(crate) fn hit(contact: &Contact, location_id: &str, date_skew: i64) -> Map<String, Value> {
    const NULLABLE: &[(&str, &str)] = &[
        ("firstName", "firstName"),
        ("lastName", "lastName"),
        ("companyName", "companyName"),
        ("phone", "phone"),
        ("source", "source"),
        ("assignedTo", "assignedTo"),
        ("address1", "address"),
        ("city", "city"),
        ("state", "state"),
        ("country", "country"),
        ("postalCode", "postalCode"),
        ("website", "website"),
        ("timezone", "timezone"),
    ];
    let mut out = Map::new();
    for (name, shown) in NULLABLE {
        out.insert((*shown).into(), json!(contact.get(name)));
    }
    let name = contact.name();
    out.insert("id".into(), json!(contact.id));
    out.insert("locationId".into(), json!(location_id));
    out.insert("contactName".into(), if name.is_empty() { Value::Null } else { json!(name.to_lowercase()) });
    out.insert("email".into(), json!(contact.get("email").map(str::to_lowercase)));
    out.insert(
        "dateOfBirth".into(),
        json!(contact.get("dateOfBirth").map(|day| format!("{day}T00:00:00.000Z"))),
    );
    out.insert("businessId".into(), json!(contact.business_id));
    out.insert("dnd".into(), json!(contact.dnd));
    out.insert("dndSettings".into(), Value::Object(contact.dnd_settings.clone()));
    out.insert("type".into(), json!("lead"));
    out.insert("tags".into(), json!(contact.tags));
    out.insert("customFields".into(), custom_fields(contact));
    out.insert("followers".into(), json!(contact.followers));
    let wrap =
        |values: &[String], key: &str| values.iter().map(|value| json!({key: value})).collect::<Vec<_>>();
    out.insert("additionalEmails".into(), json!(wrap(&contact.additional_emails, "email")));
    out.insert("additionalPhones".into(), json!(wrap(&contact.additional_phones, "phone")));
    out.insert("opportunities".into(), json!([]));
    out.insert("dateAdded".into(), json!(iso_millis(contact.date_added)));
    out.insert("dateUpdated".into(), json!(iso_millis(contact.date_updated + date_skew)));
    out
}

/// The snapshot inside Contact* webhooks: no `dateUpdated`, no list of what changed.
pub(crate) fn snapshot(contact: &Contact, with_dnd_settings: bool) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("id".into(), json!(contact.id));
    for (name, value) in &contact.text {
        match *name {
            "gender" | "timezone" => {}
            "dateOfBirth" => {
                out.insert("dateOfBirth".into(), json!(format!("{value}T00:00:00.000Z")));
            }
            name => {
                out.insert(name.into(), json!(value));
            }
        }
    }
    let name = contact.name();
    if !name.is_empty() {
        out.insert("name".into(), json!(name));
    }
    out.insert("dateAdded".into(), json!(iso_millis(contact.date_added)));
    out.insert("dnd".into(), json!(contact.dnd));
    if with_dnd_settings {
        out.insert("dndSettings".into(), Value::Object(contact.dnd_settings.clone()));
    }
    out.insert("tags".into(), json!(contact.tags));
    out.insert("attachments".into(), json!([]));
    out.insert("customFields".into(), custom_fields(contact));
    out
}

fn custom_fields(contact: &Contact) -> Value {
    contact.custom.iter().map(|(id, value)| json!({"id": id, "value": value})).collect()
}

fn dnd_settings(contact: &Contact, version: Version) -> Value {
    let name = |v2: &str| match version {
        Version::Dated => v2.to_owned(),
        Version::V3 => DND_NAMES.iter().find(|(_, old)| *old == v2).map_or(v2, |(new, _)| new).to_owned(),
    };
    contact.dnd_settings.iter().map(|(channel, setting)| (name(channel), setting.clone())).collect()
}

fn origin(client_id: Option<&str>, at: i64) -> Value {
    match client_id {
        Some(id) => {
            json!({"source": "INTEGRATION", "channel": "OAUTH", "sourceId": id, "timestamp": iso_millis(at)})
        }
        None => {
            json!({"source": "WEB_USER", "channel": "APP", "sourceId": "SandboxUser000000001", "timestamp": iso_millis(at)})
        }
    }
}

/// A task: no dates of its own, `body` absent when never set, `dueDate` always with milliseconds.
pub(crate) fn task(task: &Task, contact_id: &str) -> Value {
    let mut out = json!({
        "id": task.id, "title": task.title, "dueDate": iso_millis(task.due), "completed": task.completed,
        "contactId": contact_id,
    });
    if let Some(body) = &task.body {
        out["body"] = json!(body);
    }
    if let Some(user) = &task.assigned_to {
        out["assignedTo"] = json!(user);
    }
    out
}

/// A note, with the members that only live answers have: `bodyText`, `relations`, a `userId` of `null`.
pub(crate) fn note(note: &Note, contact_id: &str, location_id: &str) -> Value {
    let mut out = json!({
        "id": note.id, "body": note.body, "bodyText": normal::plain_text(&note.body), "userId": note.user_id,
        "dateAdded": iso_millis(note.added), "contactId": contact_id,
        "relations": [{"objectKey": "contact", "recordId": contact_id, "locationId": location_id}],
    });
    if let Some(title) = &note.title {
        out["title"] = json!(title);
    }
    if let Some(color) = &note.color {
        out["color"] = json!(color);
    }
    if let Some(pinned) = note.pinned {
        out["pinned"] = json!(pinned);
    }
    out
}

/// An appointment on a contact: local times without a zone.
pub(crate) fn contact_event(event: &Appointment, location: &LocationConfig) -> Value {
    let local = |at| normal::local_without_zone(at, &location.timezone);
    let mut out = json!({
        "id": event.id, "calendarId": event.calendar_id, "contactId": event.contact_id, "locationId": location.id,
        "title": event.title, "status": "booked", "appointmentStatus": event.status,
        "startTime": local(event.start), "endTime": local(event.end),
        "dateAdded": local(event.added), "dateUpdated": local(event.updated),
        "groupId": "", "users": [], "assignedResources": [],
    });
    insert_optional(&mut out, event);
    if let Some(notes) = &event.description {
        out["notes"] = json!(notes);
    }
    out
}

/// An appointment of the calendars API: local times with the offset, and the misspelt twin of the status.
pub(crate) fn calendar_event(event: &Appointment, location: &LocationConfig) -> Value {
    let mut out = webhook_event(event, location);
    out["locationId"] = json!(location.id);
    out["appoinmentStatus"] = json!(event.status);
    out["isRecurring"] = json!(false);
    if event.deleted {
        out["deleted"] = json!(true);
    }
    out
}

/// The answer to a create or update of an appointment: it omits both times (vendor issue 246).
pub(crate) fn written_event(event: &Appointment, location: &LocationConfig) -> Value {
    let mut out = calendar_event(event, location);
    if let Some(map) = out.as_object_mut() {
        map.retain(|name, _| !matches!(name.as_str(), "startTime" | "endTime" | "dateAdded" | "dateUpdated"));
    }
    out
}

/// What an Appointment* webhook nests under `appointment`.
pub(crate) fn webhook_event(event: &Appointment, location: &LocationConfig) -> Value {
    let local = |at| normal::local_with_offset(at, &location.timezone);
    let mut out = json!({
        "id": event.id, "calendarId": event.calendar_id, "contactId": event.contact_id, "groupId": "",
        "title": event.title, "appointmentStatus": event.status, "assignedUserId": "", "users": [],
        "source": "third_party", "startTime": local(event.start), "endTime": local(event.end),
        "dateAdded": local(event.added), "dateUpdated": local(event.updated),
    });
    insert_optional(&mut out, event);
    if let Some(notes) = &event.description {
        out["notes"] = json!(notes);
    }
    out
}

fn insert_optional(out: &mut Value, event: &Appointment) {
    if let Some(user) = &event.assigned_user_id {
        out["assignedUserId"] = json!(user);
        out["users"] = json!([user]);
    }
    if let Some(address) = &event.address {
        out["address"] = json!(address);
    }
}
