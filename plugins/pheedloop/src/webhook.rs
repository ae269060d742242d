//! REST hooks. Neither their body nor their signature is known, so the action, the event and the record are looked for in the usual
//! places. A wrong guess costs one read, because a webhook is only a hint.

use contactor_sdk::json::{id as any_id, members};
use contactor_sdk::{Change, ChangeKind, Received};
use serde_json::Value as Json;

use crate::attendee;
use crate::settings::Settings;

/// Where the action may be named.
const ACTIONS: [&str; 5] = ["/action", "/hook/action", "/event_type", "/type", "/event"];

/// Where the event's code may be named.
const EVENTS: [&str; 6] =
    ["/event_code", "/data/event_code", "/hook/event", "/hook/event_code", "/event/code", "/event"];

/// Where the record may be; the body itself comes last.
const RECORDS: [&str; 5] = ["/data", "/attendee", "/registration", "/object", ""];

/// What of a registration rules can use.
const REGISTRATION: [&str; 7] =
    ["first_name", "last_name", "email", "organization", "title", "ticket_name", "registration_category"];

pub(crate) fn received(settings: &Settings, body: &Json) -> Received {
    let action =
        ACTIONS.iter().filter_map(|place| body.pointer(place)?.as_str()).find(|text| text.contains('.'));
    let action = action.unwrap_or_default();
    let record =
        RECORDS.iter().filter_map(|place| body.pointer(place)).find(|record| code_of(record).is_some());
    let Some((record, code)) = record.and_then(|record| Some((record, code_of(record)?))) else {
        return Received::rejected(format!("it names no attendee (the action is `{action}`)"));
    };
    if action.starts_with("registration") && record.get("attendee_code").is_none() {
        return Received::rejected(
            "the registration names no attendee: it is found by the stream `registrations`",
        );
    }
    let event =
        EVENTS.iter().filter_map(|place| body.pointer(place)?.as_str()).find(|text| !text.contains('.'));
    let events: Vec<&str> = match event {
        // A code is organisation-wide as far as anybody knows; where nobody says which event is meant, each is asked.
        None => settings.event_codes.iter().map(String::as_str).collect(),
        Some(event) => settings.event_codes.iter().map(String::as_str).filter(|own| *own == event).collect(),
    };
    Received::Changes(
        events.into_iter().map(|event| change(settings, event, action, &code, record)).collect(),
    )
}

/// The attendee that a record is about: a registration names it, an attendee is it.
fn code_of(record: &Json) -> Option<String> {
    any_id(&record["attendee_code"]).or_else(|| any_id(&record["code"]))
}

fn change(settings: &Settings, event: &str, action: &str, code: &str, record: &Json) -> Change {
    let id = attendee::id(code, event);
    let kind = match action {
        "attendee.created" => ChangeKind::Created,
        "attendee.deleted" => ChangeKind::Deleted,
        _ => ChangeKind::Updated,
    };
    let change = Change::new(kind, "contact", id.clone()).with("event_code", event);
    match action {
        "registration.created" => sign_up(change, &id, record),
        "registration.updated" if is_cancelled(record) => cancellation(change, record),
        "attendee.created" | "attendee.updated" | "attendee.deleted" => {
            // What carries our own mark was created by us, and is no sign-up; nor is what does not show whether it does.
            let signed_up = action == "attendee.created" && !is_ours(record);
            let whole = attendee::is_complete(record) && kind != ChangeKind::Deleted;
            let change = change.snapshot_if(whole, || attendee::record(settings, event, record));
            if signed_up { change.event("signup").with("key", id) } else { change.event(action) }
        }
        "checkin.created" => {
            let at = record["checkin_date"].as_str().unwrap_or_default();
            change.event("checkin").with("key", format!("{id} {at}")).with("checked_in_at", at)
        }
        // Without an action it is not even known whether this is new.
        _ => change,
    }
}

/// Whether an attendee was created by us, or does not show by whom.
fn is_ours(attendee: &Json) -> bool {
    match attendee.get("code_internal") {
        Some(Json::String(code)) => code.starts_with(attendee::OWN_MARK),
        Some(Json::Null) => false,
        _ => true,
    }
}

/// Marks a registration's change as a sign-up: once for each attendee, however often and in whatever way it becomes known.
pub(crate) fn sign_up(change: Change, id: &str, registration: &Json) -> Change {
    with_registration(change.event("signup").with("key", id), registration)
}

pub(crate) fn cancellation(change: Change, registration: &Json) -> Change {
    let code = any_id(&registration["code"]).unwrap_or_else(|| change.id.clone());
    with_registration(change.event("cancellation").with("key", code), registration)
}

fn with_registration(change: Change, registration: &Json) -> Change {
    let code = any_id(&registration["code"]).map(|code| ("registration_code", code));
    let texts = members(registration, REGISTRATION).filter(|(_, value)| value.is_string());
    change.with_all(code).with_all(texts)
}

pub(crate) fn is_cancelled(registration: &Json) -> bool {
    ["canceled", "is_canceled"].into_iter().any(|name| registration[name].as_bool() == Some(true))
}
