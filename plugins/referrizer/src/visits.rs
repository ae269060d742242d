//! Visits: one for each appointment that was kept.

use contactor_sdk::{Error, Event, Named, Outcome, Result, clock, instant, marks, partner};
use serde_json::{Map, Value as Json, json};

use crate::api::meaning;
use crate::settings::Settings;

/// The marks of appointments that have their visit.
const VISITS: &str = "visits";

/// An instant as Referrizer writes one: UTC with milliseconds.
pub(crate) fn date(millis: u64) -> String {
    let text = instant::text(millis);
    if text.contains('.') { text } else { text.replace('Z', ".000Z") }
}

/// Records a visit; `None` when the contact has checked in already. With a date Referrizer messages nobody, so without one it has
/// to be allowed.
pub(crate) fn record(settings: &Settings, body: &Map<String, Json>) -> Result<Option<Json>> {
    if !body.contains_key("date") && !settings.allow_messages {
        let why =
            "Referrizer may message the customer of a visit without date; the setting allow_messages is off";
        return Err(Error::Denied(why.into()));
    }
    match partner::post(settings.path("/visits")).json(body)?.answer(meaning) {
        Ok(response) => response.json().map(Some),
        Err(Error::Conflict(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reacts to an appointment that was kept; `None` when the event is about something else.
pub(crate) fn handle(settings: &Settings, event: &Event) -> Result<Option<Outcome>> {
    if !settings.record_visits || !event.kind.starts_with("Appointment") {
        return Ok(None);
    }
    let payload: Json = serde_json::from_str(&event.payload).unwrap_or_default();
    let text = |names: [&str; 2]| {
        let own = |name: &&str| event.text(name).or_else(|| payload["appointment"][name].as_str());
        names.iter().find_map(own)
    };
    if text(["appointmentStatus", "status"]) != Some("showed") {
        return Ok(None);
    }
    let ignored = |why: &str| Ok(Some(Outcome::ignored(format!("no visit: {why}"))));
    let Some(id) = text(["id", "appointmentId"]) else { return ignored("the event names no appointment") };
    let calendars = &settings.visit_calendars;
    if !calendars.is_empty()
        && text(["calendarId", "calendar"]).is_none_or(|id| calendars.iter().all(|c| c != id))
    {
        return ignored("its calendar is not one of the setting visit_calendars");
    }
    let Some(contact) = &event.partner_id else { return ignored("the contact is not linked") };
    if marks::has(VISITS, id)? {
        return ignored("the appointment has one");
    }
    // Referrizer refuses a date in the future; an appointment may be marked as kept before it begins.
    let start = text(["startTime", "start"]).and_then(instant::parse);
    let at = start.map_or(clock::now(), |start| start.min(clock::now()));
    let mut body = Map::from_iter([("contactId".into(), json!(contact)), ("date".into(), json!(date(at)))]);
    if let Some(points) = settings.visit_points {
        body.insert("points".into(), json!(points));
    }
    let recorded = record(settings, &body)?;
    marks::put(VISITS, id)?;
    Ok(Some(Outcome::done(match recorded {
        Some(_) => format!("recorded a visit at {}", date(at)),
        None => "the contact has checked in already".into(),
    })))
}
