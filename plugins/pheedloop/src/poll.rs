//! Streams: all attendees, and the registrations of the last days.

use contactor_sdk::json::id as any_id;
use contactor_sdk::seen::Seen;
use contactor_sdk::{Change, ChangeKind, Error, PollPage, Result, clock, instant, partner};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::api::event_page;
use crate::attendee::{self, Id};
use crate::settings::Settings;
use crate::webhook::{cancellation, is_cancelled, sign_up};

const DAY: u64 = 86_400_000;

/// Where a walk through all events is.
#[derive(Clone, Serialize, Deserialize)]
struct Place {
    event: usize,
    page: u64,
    /// Registrations: the first day that is asked for.
    since: String,
    /// Registrations: sign-ups before this instant were there before the connection and set nothing off.
    live_from: u64,
    /// Registrations: the first day of the next walk, which is that of the present walk's beginning.
    next: String,
}

pub(crate) fn poll(settings: &Settings, stream: &str, cursor: Option<&str>) -> Result<PollPage> {
    match stream {
        "attendees" => attendees(settings, cursor),
        "registrations" => registrations(settings, cursor),
        other => {
            Err(Error::Unsupported(format!("there is no stream `{other}`, only attendees and registrations")))
        }
    }
}

/// The list has no filter, so this is a walk through everybody.
fn attendees(settings: &Settings, cursor: Option<&str>) -> Result<PollPage> {
    let (event, page) = match cursor {
        Some(cursor) => serde_json::from_str::<(usize, u64)>(cursor)?,
        None => (0, 1),
    };
    // The list of events may have become shorter since.
    let Some(code) = settings.event_codes.get(event) else { return Ok(PollPage::last(Vec::new(), None)) };
    let list = partner::get(settings.event_path(code, "attendees"));
    let found = event_page(settings, code, list, page)?;
    let mut changes = Vec::new();
    for item in &found.items {
        let item: Json = serde_json::from_str(item.get())?;
        let record = attendee::record(settings, code, &item)?;
        let change = Change::new(ChangeKind::Updated, "contact", record.id.clone());
        changes.push(if attendee::is_complete(&item) { change.snapshot(record) } else { change });
    }
    match (found.next, event + 1) {
        (Some(page), _) => Ok(PollPage::more(changes, serde_json::to_string(&(event, page))?)),
        (None, next) if next < settings.event_codes.len() => {
            Ok(PollPage::more(changes, serde_json::to_string(&(next, 1))?))
        }
        _ => Ok(PollPage::last(changes, None)),
    }
}

/// PheedLoop filters by whole days and in a time zone that is not told, so each walk begins a day early; what was seen before is
/// known by its content.
fn registrations(settings: &Settings, cursor: Option<&str>) -> Result<PollPage> {
    let mut seen = Seen::open("registrations", cursor)?;
    let now = clock::now();
    let day = |millis: u64| instant::text(millis)[..10].to_owned();
    let yesterday = day(now.saturating_sub(DAY));
    let place = match seen.position() {
        Some(position) => serde_json::from_str::<Place>(position)?,
        None => {
            Place { event: 0, page: 1, since: yesterday.clone(), live_from: now, next: yesterday.clone() }
        }
    };
    let Some(event) = settings.event_codes.get(place.event) else {
        let again = Place { event: 0, page: 1, since: place.next.clone(), next: yesterday, ..place };
        return seen.last(Vec::new(), Some(serde_json::to_string(&again)?));
    };
    let list =
        partner::get(settings.event_path(event, "registrations")).query("date_updated_gte", &place.since);
    let found = event_page(settings, event, list, place.page)?;
    let mut changes = Vec::new();
    for item in &found.items {
        let registration: Json = serde_json::from_str(item.get())?;
        let code = any_id(&registration["code"]).or_else(|| any_id(&registration["registration_id"]));
        let Some((code, attendee)) = code.zip(any_id(&registration["attendee_code"])) else { continue };
        if !seen.is_news(&code, &registration)? {
            continue;
        }
        let id = Id::join(&attendee, event);
        let change =
            Change::new(ChangeKind::Updated, "contact", id.clone()).with("event_code", event.as_str());
        let complete = registration["registration_complete"].as_bool() != Some(false);
        changes.push(match is_cancelled(&registration) {
            true if is_live(&registration, &place, &["date_updated"]) => cancellation(change, &registration),
            false if complete && is_live(&registration, &place, &["registration_date", "date"]) => {
                sign_up(change, &id, &registration)
            }
            _ => change,
        });
    }
    let next = match (found.next, place.event + 1) {
        (Some(page), _) => Place { page, ..place },
        (None, event) if event < settings.event_codes.len() => Place { event, page: 1, ..place },
        _ => {
            let again = Place { event: 0, page: 1, since: place.next.clone(), next: yesterday, ..place };
            return seen.last(changes, Some(serde_json::to_string(&again)?));
        }
    };
    seen.more(changes, serde_json::to_string(&next)?)
}

/// Whether this happened after the connection was made. A time without a zone tells its day alone.
fn is_live(registration: &Json, place: &Place, dates: &[&str]) -> bool {
    let date = dates.iter().find_map(|name| registration[*name].as_str());
    let Some(date) = date else { return false };
    let from = instant::text(place.live_from);
    match instant::parse(date).filter(|_| date.len() > 10) {
        Some(at) => at >= place.live_from,
        None => date.get(..10).is_some_and(|day| *day >= from[..10]),
    }
}
