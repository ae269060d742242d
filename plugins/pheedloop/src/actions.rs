//! PheedLoop's own operations: a table, and what is special about a few. The host has checked the input against the manifest's schema.

use contactor_sdk::operations::Operation;
use contactor_sdk::partner::Request;
use contactor_sdk::{Error, Result, json};
use serde_json::{Value as Json, json};

use crate::api::{Page, meaning};
use crate::attendee::welcome;
use crate::settings::Settings;

const OPERATIONS: &str = include_str!("operations.txt");

pub(crate) fn run(settings: &Settings, action: &str, mut input: Json) -> Result<Json> {
    let operation = Operation::row(OPERATIONS, action)?;
    // An event may be left out: the first one of the connection is meant.
    let event = settings.event_codes.first().map_or("", String::as_str);
    let own = [
        ("organization_code", settings.organization_code.as_str()),
        ("event", event),
        ("event_tags", &settings.event_tags_path),
    ];
    for (name, value) in own {
        if operation.takes(name) && input[name].is_null() {
            input[name] = value.into();
        }
    }
    // No input can ask for a welcome mail that the admin did not choose.
    match action {
        "attendees.create" => welcome(settings, &mut input["fields"]),
        "attendees.create-many" => {
            input["items"].as_array_mut().into_iter().flatten().for_each(|item| welcome(settings, item));
        }
        list if list.ends_with(".list") || list == "reports.rows" => {
            let page = json::take(&mut input, "/page").as_u64().unwrap_or(1);
            return self::list(operation.request(&input)?, page);
        }
        _ => {}
    }
    let response = operation.request(&input)?.send()?.ok_or_else(meaning)?;
    // A delete may answer the record or nothing.
    Ok(match serde_json::from_slice(&response.body).unwrap_or(Json::Null) {
        record @ Json::Object(_) => record,
        Json::Null => json!({ "status": response.status }),
        other => json!({ "items": other }),
    })
}

fn list(request: Request, page: u64) -> Result<Json> {
    let Page { items, next, count } = Page::read(request, page)?;
    let items: Vec<Json> = items
        .iter()
        .map(|item| serde_json::from_str(item.get()))
        .collect::<Result<_, _>>()
        .map_err(Error::from)?;
    Ok(json!({ "items": items, "next_page": next, "count": count }))
}
