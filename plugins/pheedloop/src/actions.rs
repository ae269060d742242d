//! PheedLoop's own operations, as a table. The host has checked the input against the manifest's schema.

use contactor_sdk::partner::{Method, Request, segment};
use contactor_sdk::{Error, Result};
use serde_json::{Map, Value as Json, json};

use crate::api::{Page, meaning};
use crate::attendee::welcome;
use crate::settings::Settings;

/// What an operation sends, and what its answer is.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// A page of a list. Input that is not in the path goes into the query.
    List,
    /// One record, or whatever it answers.
    Plain,
    /// The object `fields`.
    Fields,
    /// The object `fields`, of a new attendee.
    NewAttendee,
    /// The array `items`.
    Items,
    /// The array `items`, of new attendees.
    NewAttendees,
    /// `{"codes"}`. A check-in answers 2xx even if some failed.
    Codes,
    /// `{"action", "endpoint"}`
    Hook,
}

use Method::{Delete, Get, Patch, Post, Put};
use Shape::{Codes, Fields, Hook, Items, List, NewAttendee, NewAttendees, Plain};

/// Name, method, path below the organisation with the input's names in braces, shape.
const ACTIONS: &[(&str, Method, &str, Shape)] = &[
    ("events.list", Get, "events", List),
    ("events.get", Get, "events/{event}", Plain),
    ("events.update", Patch, "events/{event}", Fields),
    ("attendees.list", Get, "events/{event}/attendees", List),
    ("attendees.create", Post, "events/{event}/attendees", NewAttendee),
    ("attendees.update", Patch, "events/{event}/attendees/{attendee}", Fields),
    ("attendees.delete", Delete, "events/{event}/attendees/{attendee}", Plain),
    ("attendees.create-many", Post, "events/{event}/attendeesbulk", NewAttendees),
    ("attendees.update-many", Patch, "events/{event}/attendeesbulk", Items),
    ("attendees.delete-many", Delete, "events/{event}/attendeesbulk", Codes),
    ("registrations.list", Get, "events/{event}/registrations", List),
    ("tickets.list", Get, "tickets", List),
    ("ticket-transfers.list", Get, "events/{event}/tickettransferlogs", List),
    ("attendance.get", Get, "events/{event}/attendance", Plain),
    ("attendees.check-in", Post, "events/{event}/checkin", Codes),
    ("attendees.check-out", Delete, "events/{event}/checkout", Codes),
    ("sessions.list", Get, "events/{event}/sessions", List),
    ("session-attendance.get", Get, "events/{event}/sessions/{session}/attendance", Plain),
    ("session-attendance.add", Post, "events/{event}/sessions/{session}/attendance", Codes),
    ("session-attendance.update", Patch, "events/{event}/sessions/{session}/attendance", Codes),
    ("session-attendance.remove", Delete, "events/{event}/sessions/{session}/attendance", Codes),
    ("members.list", Get, "members", List),
    ("members.create", Post, "members", Fields),
    ("members.update", Patch, "members/{member}", Fields),
    ("members.create-many", Post, "membersbulk", Items),
    ("members.update-many", Patch, "membersbulk", Items),
    ("member-organizations.list", Get, "members/organization", List),
    ("member-organizations.create", Post, "members/organization", Fields),
    ("member-organizations.update", Patch, "members/organization/{organization}", Fields),
    ("member-organizations.delete", Delete, "members/organization/{organization}", Plain),
    ("memberships.list", Get, "memberships", List),
    ("memberships.create", Post, "memberships", Fields),
    ("memberships.update", Patch, "memberships/{membership}", Fields),
    ("memberships.delete", Delete, "memberships/{membership}", Plain),
    ("memberships.assign", Post, "memberships/{membership}/assign", Codes),
    ("contact-tags.list", Get, "contacttags", List),
    ("contact-tags.create", Post, "contacttags", Fields),
    ("contact-tags.update", Patch, "contacttags/{tag}", Fields),
    ("contact-tags.delete", Delete, "contacttags/{tag}", Plain),
    ("event-tags.list", Get, "events/{event}/{event_tags}", List),
    ("resthooks.list", Get, "events/{event}/resthooks", List),
    ("resthooks.get", Get, "events/{event}/resthooks/{hook}", Plain),
    ("resthooks.subscribe", Post, "events/{event}/resthooks", Hook),
    ("resthooks.update", Put, "events/{event}/resthooks/{hook}", Hook),
    ("resthooks.delete", Delete, "events/{event}/resthooks/{hook}", Plain),
    ("reports.rows", Get, "reports/{report}", List),
];

pub(crate) fn run(settings: &Settings, action: &str, input: &Json) -> Result<Json> {
    let known = ACTIONS.iter().find(|(name, ..)| *name == action);
    let Some((_, method, path, shape)) = known else {
        return Err(Error::Unsupported(format!("there is no action `{action}`")));
    };
    let request = Request::new(*method, settings.path(&filled(settings, path, input)?));
    let mut fields = object(&input["fields"]);
    let request = match shape {
        List => return list(request, path, input),
        Plain => request,
        Fields => request.json(&fields)?,
        NewAttendee => {
            welcome(settings, &mut fields);
            request.json(&fields)?
        }
        Items => request.json(&input["items"])?,
        NewAttendees => {
            let mut items: Vec<_> = input["items"].as_array().into_iter().flatten().map(object).collect();
            items.iter_mut().for_each(|item| welcome(settings, item));
            request.json(&items)?
        }
        Codes => request.json(&json!({ "codes": input["codes"] }))?,
        Hook => request.json(&json!({ "action": input["action"], "endpoint": input["endpoint"] }))?,
    };
    let response = request.send()?.ok_or_else(meaning)?;
    // A delete may answer the record or nothing.
    let body = serde_json::from_slice(&response.body).unwrap_or(Json::Null);
    Ok(match body {
        Json::Object(_) => body,
        Json::Null => json!({ "status": response.status }),
        other => json!({ "items": other }),
    })
}

fn list(mut request: Request, path: &str, input: &Json) -> Result<Json> {
    let page = input["page"].as_u64().unwrap_or(1);
    for (name, value) in object(input) {
        if name != "page" && !path.contains(&format!("{{{name}}}")) {
            request = request.query(&name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
    let page = Page::read(request, page)?;
    let items =
        page.items.iter().map(|item| serde_json::from_str(item.get())).collect::<Result<Vec<Json>, _>>()?;
    Ok(json!({ "items": items, "next_page": page.next, "count": page.count }))
}

/// The path with the input's values in the places of their names.
fn filled(settings: &Settings, path: &str, input: &Json) -> Result<String> {
    let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        None => Ok(part.to_owned()),
        Some("event_tags") => Ok(settings.event_tags().to_owned()),
        // An event may be left out: the first one of the connection is meant.
        Some("event") if input["event"].is_null() => {
            let first = settings.event_codes.first().ok_or_else(|| Error::invalid("event", "is missing"))?;
            Ok(segment(first))
        }
        Some(name) => contactor_sdk::json::id(&input[name])
            .map(|id| segment(&id))
            .ok_or_else(|| Error::invalid(name, "is missing")),
    };
    Ok(path.split('/').map(part).collect::<Result<Vec<_>>>()?.join("/"))
}

fn object(json: &Json) -> Map<String, Json> {
    json.as_object().cloned().unwrap_or_default()
}
