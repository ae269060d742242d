//! PheedLoop's own operations: a table, and what is special about a few. The input fits the manifest's schema: the host has checked an admin's, the SDK a rule's.

use contactor_sdk::Result;
use contactor_sdk::operations::Operation;
use contactor_sdk::rest_framework::{Page, meaning};
use serde_json::{Value as Json, json};

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
        "attendees.create" => welcome(settings, &mut input["fields"])?,
        "attendees.create-many" => {
            for item in input["items"].as_array_mut().into_iter().flatten() {
                welcome(settings, item)?;
            }
        }
        list if list.split('.').next_back() == Some("list") || list == "reports.rows" => {
            let number = input["page"].take().as_u64().unwrap_or(1);
            let page = Page::read(operation.request(&input)?, number)?;
            return Ok(json!({ "items": page.rows::<Json>()?, "next_page": page.next, "count": page.total }));
        }
        _ => {}
    }
    // A delete may answer the record or nothing.
    let answer = operation.request(&input)?.answer(meaning)?.json_or_status();
    Ok(if answer.is_object() { answer } else { json!({ "items": answer }) })
}
