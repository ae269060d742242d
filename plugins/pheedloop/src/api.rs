//! Finding attendees in lists. Pages and errors are those of Django REST Framework, as far as a public connector's metadata shows
//! (<https://github.com/MemberJunction/MJ>).

use contactor_sdk::json::id;
use contactor_sdk::partner::Request;
use contactor_sdk::rest_framework::{Page, meaning};
use contactor_sdk::{Error, Result, ResultExt, paging, partner};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::settings::Settings;

/// Pages of one list that a call reads at most: with the largest page, 100,000 attendees.
const PAGES: u64 = 200;

/// A page of an event's list. Its first page exists for every event, so 404 blames the setting, and never the person who is looked for.
pub(crate) fn event_page(settings: &Settings, event: &str, list: Request, number: u64) -> Result<Page> {
    Page::read(list.query("page_size", settings.page_size), number)
        .blame_setting("event_codes", || settings.no_event(event))
}

/// The attendees of an event that fit, in the list's order: the vendor documents no way to read a single one. `first`: one is enough.
pub(crate) fn search(
    settings: &Settings,
    event: &str,
    first: bool,
    fits: impl Fn(&Who) -> bool,
) -> Result<Vec<Json>> {
    let list = || partner::get(settings.event_path(event, "attendees"));
    let mut found = Vec::new();
    for page in paging::pages(PAGES, |number| event_page(settings, event, list(), number)) {
        for item in page?.items {
            // One that cannot be read is nobody who is looked for; the stream tells of it.
            let Ok(who) = serde_json::from_str::<Who>(item.get()) else { continue };
            if fits(&who) {
                found.push(serde_json::from_str(item.get())?);
                if first {
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}

/// What tells one attendee from another, whatever shape it has.
#[derive(Deserialize)]
pub(crate) struct Who {
    #[serde(default)]
    code: Json,
    #[serde(default)]
    email: Json,
}

impl Who {
    pub(crate) fn has_code(&self, code: &str) -> bool {
        id(&self.code).is_some_and(|own| own == code)
    }

    pub(crate) fn has_email(&self, email: &str) -> bool {
        self.email.as_str().is_some_and(|own| own.trim().eq_ignore_ascii_case(email))
    }
}

/// The attendee of this code. A list that is read page by page shifts when somebody is removed meanwhile, so nobody is believed to be
/// gone before the event's attendance, which comes in one piece, says so too.
pub(crate) fn attendee(settings: &Settings, event: &str, code: &str) -> Result<Json> {
    if settings.attendee_reads == "get" {
        return partner::get(settings.attendee_path(event, code)).answer(meaning)?.json();
    }
    if let Some(found) = search(settings, event, true, |who| who.has_code(code))?.pop() {
        return Ok(found);
    }
    let attendance: Json = partner::get(settings.event_path(event, "attendance")).answer(meaning)?.json()?;
    let codes = ["checked_in", "not_checked_in"].map(|list| attendance[list].as_array());
    if codes.into_iter().flatten().flatten().any(|own| id(own).is_some_and(|own| own == code)) {
        return Err(Error::Unavailable(format!("the list of attendees moved while {code} was looked for")));
    }
    Err(Error::NotFound(format!("PheedLoop's event {event} has no attendee {code}")))
}
