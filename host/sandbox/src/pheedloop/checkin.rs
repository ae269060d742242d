//! Check-in at the door and in sessions. A check-in answers 2xx however many of its codes failed.

use serde_json::{Value, json};

use super::Change;
use super::config::Errored;
use super::error::{Answer, Fault};
use super::records;
use super::state::instant;
use crate::http::{Call, Reply};

/// Everybody's codes, not paged.
pub(super) fn attendance(change: &mut Change<'_>, _call: &Call, ids: &[&str]) -> Answer {
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for row in change.event(ids[0])?.attendees.iter() {
        let list = if row["is_checked_in"] == json!(true) { &mut inside } else { &mut outside };
        list.push(row["code"].clone());
    }
    Ok(Reply::json(200, &json!({ "checked_in": inside, "not_checked_in": outside })))
}

pub(super) fn check_in(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    set(change, call, ids[0], true)
}

/// A DELETE with a body.
pub(super) fn check_out(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    set(change, call, ids[0], false)
}

fn set(change: &mut Change<'_>, call: &Call, event: &str, inside: bool) -> Answer {
    change.event(event)?;
    let (mut done, mut errored) = (Vec::new(), Vec::new());
    for code in records::codes(call)? {
        match mark(change, event, &code, inside) {
            Ok(row) => done.push(row),
            Err(_) => errored.push(match change.guesses.errored {
                Errored::Codes => json!(code),
                Errored::Objects => json!({ "code": code, "error": "Attendee does not exist." }),
            }),
        }
    }
    Ok(Reply::json(200, &json!({ "attendees": done, "errored_attendees": errored })))
}

/// Checks one attendee in or out. The names of these webhook actions are a guess after those that are known.
pub(super) fn mark(change: &mut Change<'_>, event: &str, code: &str, inside: bool) -> Result<Value, Fault> {
    let now = instant(change.now);
    let row = change.event_mut(event)?.attendees.get_mut(code).ok_or(Fault::NotFound)?;
    row.insert("is_checked_in".into(), json!(inside));
    row.insert("checkin_date".into(), if inside { now } else { Value::Null });
    let row = row.clone();
    change.emit(event, if inside { "checkin.created" } else { "checkin.deleted" }, &row);
    Ok(Value::Object(row))
}

pub(super) fn sessions(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    let rows = change.event(ids[0])?.sessions.to_json();
    change.page(call, rows)
}

/// Who is in a session, by attendee code.
pub(super) fn in_session(change: &mut Change<'_>, _call: &Call, ids: &[&str]) -> Answer {
    let event = change.event(ids[0])?;
    event.sessions.get(ids[1]).ok_or(Fault::NotFound)?;
    let codes = event.in_session.get(ids[1]).cloned().unwrap_or_default();
    Ok(Reply::json(200, &json!({ "attendees": codes })))
}

/// Adds to those who are in a session; POST and PATCH are not told apart by what is known.
pub(super) fn enter_session(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    move_in_session(change, call, ids, true)
}

pub(super) fn leave_session(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    move_in_session(change, call, ids, false)
}

fn move_in_session(change: &mut Change<'_>, call: &Call, ids: &[&str], enter: bool) -> Answer {
    let codes = records::codes(call)?;
    let event = change.event_mut(ids[0])?;
    event.sessions.get(ids[1]).ok_or(Fault::NotFound)?;
    if let Some(unknown) = codes.iter().find(|code| event.attendees.get(code).is_none()) {
        return Err(Fault::invalid("codes", format!("Attendee {unknown} does not exist.")));
    }
    let present = event.in_session.entry(ids[1].to_owned()).or_default();
    present.retain(|code| !codes.contains(code));
    if enter {
        present.extend(codes);
    }
    Ok(Reply::json(200, &json!({ "attendees": present })))
}
