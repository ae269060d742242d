//! PheedLoop's lists and errors, as a public connector's metadata describes them (<https://github.com/MemberJunction/MJ>).

use contactor_sdk::json::problems;
use contactor_sdk::partner::{Request, Response};
use contactor_sdk::{Error, Result, paging, partner};
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::settings::Settings;

/// Pages of one list that a call reads at most: with the largest page, 100,000 attendees.
const PAGES: u64 = 200;

/// One page of a list.
pub(crate) struct Page {
    /// Unparsed: whoever looks for one row among thousands parses only that one.
    pub(crate) items: Vec<Box<RawValue>>,
    pub(crate) next: Option<u64>,
    pub(crate) count: Option<u64>,
}

impl Page {
    /// Reads page `number` of a list. Beyond the last page PheedLoop answers 404, which is the end and no error.
    pub(crate) fn read(list: Request, number: u64) -> Result<Self> {
        #[derive(Deserialize)]
        struct Envelope {
            results: Vec<Box<RawValue>>,
            next: Option<String>,
            count: Option<u64>,
        }
        let response = list.query("page", number).send()?;
        if response.status == 404 && number > 1 {
            return Ok(Self { items: Vec::new(), next: None, count: None });
        }
        let Envelope { results, next, count } = response.ok_or_else(meaning)?.json()?;
        // Only the number is taken from the address: where requests go is the host's to say.
        let page = |address: String| paging::parameter(&address, "page").and_then(|page| page.parse().ok());
        let next = next.map(|address| page(address).unwrap_or(number + 1)).filter(|next| *next > number);
        Ok(Self { items: results, next, count })
    }
}

/// A page of an event's list. Its first page exists for every event, so 404 blames the setting, and never the person who is looked for.
pub(crate) fn event_page(settings: &Settings, event: &str, list: Request, number: u64) -> Result<Page> {
    let page = Page::read(list.query("page_size", settings.page_size), number);
    page.map_err(|error| match error {
        Error::NotFound(_) => Error::invalid(
            "event_codes",
            format!("PheedLoop's organisation {} has no event {event}", settings.organization_code),
        ),
        error => error,
    })
}

/// The attendees of an event that fit, in the list's order: the vendor documents no way to read a single one. `first`: one is enough.
pub(crate) fn search(
    settings: &Settings,
    event: &str,
    first: bool,
    fits: impl Fn(&Who) -> bool,
) -> Result<Vec<Json>> {
    let (mut number, mut found) = (1, Vec::new());
    loop {
        let list = partner::get(settings.event_path(event, "attendees"));
        let page = event_page(settings, event, list, number)?;
        for item in &page.items {
            if fits(&serde_json::from_str::<Who>(item.get())?) {
                found.push(serde_json::from_str(item.get())?);
                if first {
                    return Ok(found);
                }
            }
        }
        match page.next {
            Some(next) if number < PAGES => number = next,
            Some(_) => {
                return Err(Error::other(format!(
                    "the event {event} has more than {PAGES} pages of attendees"
                )));
            }
            None => break,
        }
    }
    Ok(found)
}

/// What tells one attendee from another.
#[derive(Deserialize)]
pub(crate) struct Who {
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) email: Option<String>,
}

/// The attendee of this code. A list that is read page by page shifts when somebody is removed meanwhile, so nobody is believed to be
/// gone before the event's attendance, which comes in one piece, says so too.
pub(crate) fn attendee(settings: &Settings, event: &str, code: &str) -> Result<Json> {
    if settings.attendee_reads == "get" {
        return partner::get(settings.attendee_path(event, code)).send()?.ok_or_else(meaning)?.json();
    }
    if let Some(found) = search(settings, event, true, |who| who.code == code)?.pop() {
        return Ok(found);
    }
    let attendance: Json =
        partner::get(settings.event_path(event, "attendance")).send()?.ok_or_else(meaning)?.json()?;
    let codes = ["checked_in", "not_checked_in"].map(|list| attendance[list].as_array());
    if codes.into_iter().flatten().flatten().any(|own| own.as_str() == Some(code)) {
        return Err(Error::Unavailable(format!("the list of attendees moved while {code} was looked for")));
    }
    Err(Error::NotFound(format!("PheedLoop's event {event} has no attendee {code}")))
}

/// The meaning of `{"<field>": ["<problem>"]}`, which counts more than the status 400. For anything else the usual meaning of the
/// status applies.
pub(crate) fn meaning(response: &Response) -> Option<Error> {
    if response.status != 400 {
        return None;
    }
    let mut problems = problems(&serde_json::from_slice::<Json>(&response.body).ok()?);
    problems.retain(|problem| problem.field != "detail");
    let is_taken = |text: &str| text.contains("exist") || text.contains("unique");
    if problems.iter().any(|problem| problem.field == "email" && is_taken(&problem.problem)) {
        return Some(Error::Duplicate(String::new()));
    }
    (!problems.is_empty()).then_some(Error::Invalid(problems))
}
