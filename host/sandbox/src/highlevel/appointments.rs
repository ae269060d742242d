//! Appointments: read on a contact, written through the calendars API.

use serde_json::{Map, Value, json};

use super::refusal::{Answer, Refusal};
use super::state::Appointment;
use super::tx::{Request, Tx};
use super::{normal, schema, validate, wire};

/// An appointment without an end lasts half an hour.
const DEFAULT_LENGTH_MILLIS: i64 = 30 * 60 * 1000;

pub(super) fn of_contact(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let contact = tx.contact(request.id(0))?;
    let config = &tx.state.config;
    let on_contact =
        tx.state.appointments.values().filter(|event| event.contact_id == contact.id && !event.deleted);
    let events: Vec<_> = on_contact.map(|event| wire::contact_event(event, config)).collect();
    request.reply(200, json!({"events": events}))
}

/// Answers 200, not 201, and without the times.
pub(super) fn create(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let body = validate::body(request.call, schema::CREATE_APPOINTMENT)?;
    tx.same_location(validate::text(&body, "locationId").unwrap_or_default())?;
    let event = insert(tx, &body)?;
    request.reply(200, wire::written_event(&event, &tx.state.config))
}

/// A deleted appointment is still here, marked.
pub(super) fn get(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let event = tx.state.appointments.get(request.id(0)).ok_or_else(|| no_event(request.id(0)))?;
    request.reply(200, json!({"event": wire::calendar_event(event, &tx.state.config)}))
}

pub(super) fn update(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let body = validate::body(request.call, schema::UPDATE_APPOINTMENT)?;
    let event = change(tx, request.id(0), &body)?;
    request.reply(200, wire::written_event(&event, &tx.state.config))
}

/// Answers 201, not 200.
pub(super) fn delete(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    remove(tx, request.id(0))?;
    request.reply(201, json!({"succeeded": true}))
}

/// Needs a window in epoch milliseconds and one of calendar, user or group. There is no updated-since filter.
pub(super) fn list(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let call = request.call;
    validate::query(call, schema::EVENTS_QUERY)?;
    tx.same_location(call.query("locationId").unwrap_or_default())?;
    let millis = |name: &str| {
        let number = call.query(name).and_then(|text| text.parse::<i64>().ok());
        number.ok_or_else(|| Refusal::invalid(vec![format!("{name} must be a number string")]))
    };
    let (from, to) = (millis("startTime")?, millis("endTime")?);
    let (calendar, user, group) = (call.query("calendarId"), call.query("userId"), call.query("groupId"));
    if calendar.or(user).or(group).is_none() {
        return Err(Refusal::bad("Either of userId, calendarId or groupId is required"));
    }
    let events = tx.state.appointments.values().filter(|event| {
        !event.deleted
            && (from..=to).contains(&event.start)
            && calendar.is_none_or(|id| event.calendar_id == id)
            && user.is_none_or(|id| event.assigned_user_id.as_deref() == Some(id))
            && group.is_none()
    });
    let events: Vec<_> = events.map(|event| wire::calendar_event(event, &tx.state.config)).collect();
    request.reply(200, json!({"events": events}))
}

fn no_event(id: &str) -> Refusal {
    Refusal::bad(format!("Appointment with id {id} not found"))
}

pub(super) fn insert(tx: &mut Tx<'_>, body: &Map<String, Value>) -> Result<Appointment, Refusal> {
    let text = |name| validate::text(body, name).map(str::to_owned);
    let contact = tx.contact(&text("contactId").unwrap_or_default())?;
    let start = time(tx, body, "startTime").unwrap_or(tx.now);
    let end = time(tx, body, "endTime").unwrap_or(start + DEFAULT_LENGTH_MILLIS);
    if end <= start {
        return Err(Refusal::bad("endTime must be after startTime"));
    }
    let event = Appointment {
        id: tx.state.new_id(),
        calendar_id: text("calendarId").unwrap_or_else(|| "SandboxCalendar00001".into()),
        title: text("title").unwrap_or_else(|| contact.name()),
        contact_id: contact.id.clone(),
        status: text("appointmentStatus").unwrap_or_else(|| "confirmed".into()),
        assigned_user_id: text("assignedUserId"),
        address: text("address"),
        description: text("description"),
        start,
        end,
        added: tx.now,
        updated: tx.now,
        deleted: false,
    };
    tx.state.appointments.insert(event.id.clone(), event.clone());
    tx.emit_appointment("AppointmentCreate", &wire::webhook_event(&event, &tx.state.config));
    Ok(event)
}

pub(super) fn change(tx: &mut Tx<'_>, id: &str, body: &Map<String, Value>) -> Result<Appointment, Refusal> {
    let known = tx.state.appointments.get(id).filter(|event| !event.deleted).ok_or_else(|| no_event(id))?;
    let mut event = known.clone();
    let text = |name| validate::text(body, name).map(str::to_owned);
    let length = event.end - event.start;
    event.start = time(tx, body, "startTime").unwrap_or(event.start);
    event.end = time(tx, body, "endTime").unwrap_or(event.start + length);
    event.calendar_id = text("calendarId").unwrap_or(event.calendar_id);
    event.title = text("title").unwrap_or(event.title);
    event.status = text("appointmentStatus").unwrap_or(event.status);
    event.assigned_user_id = text("assignedUserId").or(event.assigned_user_id);
    event.address = text("address").or(event.address);
    event.description = text("description").or(event.description);
    event.updated = tx.now;
    tx.state.appointments.insert(id.to_owned(), event.clone());
    tx.emit_appointment("AppointmentUpdate", &wire::webhook_event(&event, &tx.state.config));
    Ok(event)
}

pub(super) fn remove(tx: &mut Tx<'_>, id: &str) -> Result<(), Refusal> {
    let event =
        tx.state.appointments.get_mut(id).filter(|event| !event.deleted).ok_or_else(|| no_event(id))?;
    event.deleted = true;
    event.updated = tx.now;
    let shown = event.clone();
    tx.emit_appointment("AppointmentDelete", &wire::webhook_event(&shown, &tx.state.config));
    Ok(())
}

fn time(tx: &Tx<'_>, body: &Map<String, Value>, name: &str) -> Option<i64> {
    normal::instant_in(validate::text(body, name)?, &tx.state.config.timezone)
}
