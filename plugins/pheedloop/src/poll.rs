//! Streams: all attendees, and the registrations of the last days.

use contactor_sdk::json::{self, id as any_id};
use contactor_sdk::paging::Walk;
use contactor_sdk::seen::Seen;
use contactor_sdk::{Change, ChangeKind, Error, PollPage, Result, clock, instant, items, paging, partner};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::api::event_page;
use crate::attendee;
use crate::settings::Settings;
use crate::webhook::{cancellation, is_cancelled, sign_up};

const DAY: u64 = 86_400_000;

/// Where a walk through registrations is.
#[derive(Serialize, Deserialize)]
struct Place {
    at: Walk,
    /// The first day that is asked for.
    since: String,
    /// Sign-ups before this instant were there before the connection and set nothing off.
    live_from: u64,
    /// The first day of the next walk, which goes back to the beginning of this one.
    next: String,
}

pub(crate) fn poll(settings: &Settings, stream: &str, cursor: Option<&str>) -> Result<PollPage> {
    match stream {
        "attendees" => attendees(settings, cursor),
        "registrations" => registrations(settings, cursor),
        other => Err(Error::no_such("stream", other)),
    }
}

/// The list has no filter, so this is a walk through everybody.
fn attendees(settings: &Settings, cursor: Option<&str>) -> Result<PollPage> {
    let (event, rows, next) = page(settings, "attendees", None, paging::place(cursor)?)?;
    let id = |row: &Json| any_id(&row["code"]).map(|code| attendee::id(&code, event));
    let changes = items::changes("contact", &rows, id, |row| {
        let record = attendee::record(settings, event, row)?;
        let change = Change::new(ChangeKind::Updated, "contact", record.id.clone());
        Ok([change.snapshot_if(attendee::is_complete(row), || Ok(record))])
    })?;
    Ok(PollPage::then(changes, next.map(|at| paging::cursor(&at)).transpose()?))
}

/// PheedLoop filters by whole days and in a time zone that is not told, so each walk begins a day early; what was seen before is
/// known by its content.
fn registrations(settings: &Settings, cursor: Option<&str>) -> Result<PollPage> {
    let mut seen = Seen::open("registrations", cursor)?;
    let now = clock::now();
    let yesterday = instant::text(now.saturating_sub(DAY))[..10].to_owned();
    let first =
        || Place { at: Walk::default(), since: yesterday.clone(), live_from: now, next: yesterday.clone() };
    let place: Place = paging::place::<Option<_>>(seen.position())?.unwrap_or_else(first);
    let (event, rows, next) = page(settings, "registrations", Some(&place.since), place.at)?;
    let id = |row: &Json| any_id(&row["attendee_code"]).map(|code| attendee::id(&code, event));
    let changes = seen.changes("contact", &rows, id, |seen, row| {
        let code = json::required_id(row, "/code")?;
        // Nobody is an attendee yet.
        if row["attendee_code"].is_null() || row["attendee_code"] == "" {
            return Ok(None);
        }
        let id = attendee::id(&json::required_id(row, "/attendee_code")?, event);
        if !seen.is_news(&code, row)? {
            return Ok(None);
        }
        let change = Change::new(ChangeKind::Updated, "contact", id.clone()).with("event_code", event);
        let complete = row["registration_complete"].as_bool() != Some(false);
        Ok(Some(match is_cancelled(row) {
            true if is_live(row, &place, &["date_updated"]) => cancellation(change, row),
            false if complete && is_live(row, &place, &["registration_date", "date"]) => {
                sign_up(change, &id, row)
            }
            _ => change,
        }))
    })?;
    match next {
        Some(at) => seen.more(changes, paging::cursor(&Place { at, ..place })?),
        None => {
            let again = Place { at: Walk::default(), since: place.next, next: yesterday, ..place };
            seen.last(changes, Some(paging::cursor(&again)?))
        }
    }
}

/// One page of an event's list, and where the next one is, perhaps in the next event. The setting may have become shorter since.
fn page<'s>(
    settings: &'s Settings,
    list: &str,
    since: Option<&str>,
    mut at: Walk,
) -> Result<(&'s str, Vec<Json>, Option<Walk>)> {
    let Some(event) = settings.event_codes.get(at.list) else { return Ok(("", Vec::new(), None)) };
    let mut request = partner::get(settings.event_path(event, list));
    if let Some(day) = since {
        request = request.query("date_updated_gte", day);
    }
    let found = event_page(settings, event, request, at.page)?;
    Ok((event, found.rows()?, at.forward(found.next, settings.event_codes.len()).then_some(at)))
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
