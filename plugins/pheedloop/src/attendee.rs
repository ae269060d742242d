//! Between PheedLoop's attendee and the fields of the manifest.

use contactor_sdk::json::{self, members, split_set};
use contactor_sdk::{Error, Fields, Named, NamedValue, PartnerRecord, Result, Value};
use serde_json::{Map, Value as Json, json};

use crate::settings::Settings;

/// Fields that are texts and can be written.
const TEXTS: &str = "email first_name last_name title organization about address_line_1 address_line_2 address_city \
    address_state address_zip address_country address_phone code_internal code_badge \
    dietary_restrictions accessibility_requirements linkedin contact_organization membership_tier";

fn is_text(name: &str) -> bool {
    TEXTS.split(' ').any(|own| own == name)
}

/// Those that PheedLoop insists on: the setting says what stands in the place of an unknown one.
pub(crate) const NAMES: [&str; 2] = ["first_name", "last_name"];

/// Fields that are lists of names; whether of texts or of objects with a name, the vendor's sources do not show.
const SETS: [&str; 3] = ["tags", "contact_groups", "designations"];

/// A field of the manifest that begins so is a key of the attendee's `metadata`.
const METADATA: &str = "metadata.";

/// The keys in which the host shows tasks, notes and appointments.
const LISTS: [&str; 3] =
    ["metadata.highlevel_tasks", "metadata.highlevel_notes", "metadata.highlevel_appointments"];
const OPEN_TASKS: &str = "metadata.highlevel_open_tasks";

/// The internal code of an attendee that this connector created begins so: an attendee that appears without it signed up.
pub(crate) const OWN_MARK: &str = "highlevel:";

/// Only a create knows these; what one is not told it may well take for yes.
const WELCOMES: [&str; 3] =
    ["send_app_welcome_email", "send_attendee_portal_welcome", "send_welcome_virtual_portal_email"];

/// The code and the event of an attendee's id. A person is an attendee once in each event, so the event is part of the identity, and
/// several attendees may be one contact. The code comes first: it is what an organiser knows, and what a list is sorted by.
pub(crate) fn split(id: &str) -> Result<(&str, &str)> {
    json::split_id(id, ':').ok_or_else(|| Error::NotFound(format!("`{id}` is no attendee of an event")))
}

pub(crate) fn id(code: &str, event: &str) -> String {
    format!("{code}:{event}")
}

/// An attendee as a record. What the answer does not mention stays unknown.
pub(crate) fn record(settings: &Settings, event: &str, attendee: &Json) -> Result<PartnerRecord> {
    let code = json::required_id(attendee, "/code")?;
    let mut record = PartnerRecord::new(id(&code, event))
        .with("event_code", event)
        .with_all(
            members(attendee, TEXTS.split(' ')).map(|(name, value)| (name, text(settings, name, value))),
        )
        .with_all(members(attendee, SETS).map(|(name, value)| (name, split_set(value))))
        .with_all(members(attendee, ["is_checked_in", "checkin_date"]));
    if let Some(metadata) = attendee.get("metadata") {
        let metadata = object(metadata);
        for name in LISTS {
            let list = metadata.get(&name[METADATA.len()..]).filter(|list| !list.is_null());
            record = record.with(name, list.map(|list| Value::Json(list.to_string())));
        }
        record = record.with(OPEN_TASKS, metadata.get(&OPEN_TASKS[METADATA.len()..]).and_then(Json::as_i64));
    }
    Ok(record)
}

/// Whether this is a whole attendee and not just a mention of one.
pub(crate) fn is_complete(attendee: &Json) -> bool {
    ["code", "email", "first_name", "tags", "metadata"].into_iter().all(|name| attendee.get(name).is_some())
}

/// Whether fields lie in `metadata`, which is written as a whole: then the attendee is needed first.
pub(crate) fn needs_metadata(fields: &Fields) -> bool {
    fields.values().iter().any(|named| named.name.starts_with(METADATA))
}

/// Fields as the body of a create or an update, over the `metadata` that is there. Other keys of it are other people's and stay.
pub(crate) fn to_json(settings: &Settings, fields: &Fields, metadata: &Json) -> Result<Json> {
    let mut body = Map::new();
    let mut keys = object(metadata);
    for NamedValue { name, value } in fields.values() {
        let json = match (name.as_str(), value) {
            ("email", Value::Empty) => {
                return Err(Error::invalid("email", "an attendee's email cannot be cleared"));
            }
            (name, Value::Empty) if NAMES.contains(&name) => json!(settings.missing_name),
            (text, Value::Empty) if is_text(text) => json!(""),
            (text, value) if is_text(text) => value.to_json()?,
            (set, Value::Texts(names)) if SETS.contains(&set) => json!(names),
            (set, Value::Empty) if SETS.contains(&set) => json!([]),
            (other, value) => match other.strip_prefix(METADATA) {
                Some(key) => {
                    match value {
                        Value::Empty => keys.remove(key),
                        value => keys.insert(key.to_owned(), value.to_json()?),
                    };
                    continue;
                }
                None => return Err(Error::invalid(name, "it cannot be written at PheedLoop")),
            },
        };
        body.insert(name.clone(), json);
    }
    if needs_metadata(fields) {
        body.insert("metadata".into(), Json::Object(keys));
    }
    Ok(Json::Object(body))
}

/// Makes a body that of a create: every welcome mail is switched off unless the admin switched it on.
pub(crate) fn welcome(settings: &Settings, attendee: &mut Json) -> Result<()> {
    let attendee =
        attendee.as_object_mut().ok_or_else(|| Error::invalid("fields", "an attendee is a JSON object"))?;
    for switch in WELCOMES {
        attendee.insert(switch.to_owned(), json!(settings.welcome_emails.iter().any(|on| on == switch)));
    }
    Ok(())
}

/// A text of an attendee. What stands in the place of a name that nobody knows is none.
fn text(settings: &Settings, name: &str, value: &Json) -> Value {
    let is_placeholder = |text: &str| NAMES.contains(&name) && text == settings.missing_name;
    match value {
        Json::String(text) if text.trim().is_empty() || is_placeholder(text.trim()) => Value::Empty,
        other => Value::from(other),
    }
}

/// `metadata` as an object: it may be null, or JSON in a text.
fn object(metadata: &Json) -> Map<String, Json> {
    json::unpacked(metadata).as_object().cloned().unwrap_or_default()
}
