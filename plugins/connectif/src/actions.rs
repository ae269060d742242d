//! Connectif's own operations. The input fits the manifest's schema: the host has checked an admin's, the SDK a rule's.

use contactor_sdk::json::text;
use contactor_sdk::partner::{Request, segment};
use contactor_sdk::{Error, Result, partner};
use serde_json::{Map, Value as Json, json};

use crate::api::{self, meaning};
use crate::settings::Settings;
use crate::{contact, export};

pub(crate) fn run(settings: &Settings, action: &str, input: &Json) -> Result<Json> {
    match action {
        "contacts.get" => api::get(text(input, "email")?).answer(meaning)?.json(),
        "contacts.upsert" => upsert(settings, "/contacts", input),
        "contacts.upsert-by-email" => upsert(settings, "/contacts/email", input),
        "events.send" => {
            let mut body = input.as_object().cloned().unwrap_or_default();
            let creates = body.remove("create_contact").is_some_and(|yes| yes == true || yes == "true");
            body.remove("path");
            send_event(text(input, "path")?, creates, &body)
        }
        "exports.create" => answer(&partner::post("/exports").json(&export(input))?),
        "exports.explore" => answer(&partner::post("/exports/type/data-explorer").json(&export(input))?),
        "exports.get" => exported(input),
        "exports.read" => {
            let progress = exported(input)?;
            let rows = if progress["status"] == "finished" { export::rows(&progress)? } else { Vec::new() };
            Ok(json!({ "status": progress["status"], "rows": rows }))
        }
        "imports.create" => import(input),
        "imports.get" => answer(&partner::get(format!("/imports/{}", segment(text(input, "import_id")?)))),
        other => Err(Error::no_such("action", other)),
    }
}

/// Sends a reception event of the kind *public API*. It is strict: a field that the event does not define is refused.
pub(crate) fn send_event(path: &str, creates: bool, body: &Map<String, Json>) -> Result<Json> {
    answer(&partner::post(path).query("createContact", creates).json(body)?)
}

fn upsert(settings: &Settings, route: &str, input: &Json) -> Result<Json> {
    // Never a text of JSON: a name within it could add members of its own.
    let fields = &input["fields"];
    if !fields.is_object() {
        return Err(Error::invalid(
            "fields",
            "expected an object; a rule writes `{{ {'_name': contact.firstName} }}`",
        ));
    }
    for (key, value) in fields.as_object().into_iter().flatten() {
        if !settings.allow_subscriptions && contact::subscribes(key, value) {
            return Err(Error::Denied(format!(
                "{key} = {value} lets Connectif write to the person; the setting allow_subscriptions is off"
            )));
        }
    }
    answer(&partner::patch(format!("{route}/{}", segment(text(input, "email")?))).json(fields)?)
}

fn import(input: &Json) -> Result<Json> {
    let flag = |name: &str| if input[name] == true { "true" } else { "false" };
    answer(&partner::post("/imports").multipart(&[
        ("type", "contacts"),
        ("delimiter", input["delimiter"].as_str().unwrap_or(",")),
        ("overrideExisting", flag("override_existing")),
        ("updateOnlyEmptyFields", flag("only_empty_fields")),
        ("file\"; filename=\"contacts.csv", text(input, "csv")?),
    ]))
}

fn exported(input: &Json) -> Result<Json> {
    answer(&partner::get(format!("/exports/{}", segment(text(input, "export_id")?))))
}

fn export(input: &Json) -> Json {
    const FILTERS: [&str; 4] = ["segmentId", "reportId", "fromDate", "toDate"];
    let given = FILTERS.into_iter().filter(|name| input[name].is_string());
    let filters: Map<String, Json> = given.map(|name| (name.to_owned(), input[name].clone())).collect();
    let mut body = json!({ "delimiter": input["delimiter"].as_str().unwrap_or(","), "filters": filters });
    if input["type"].is_string() {
        body["exportType"] = input["type"].clone();
    }
    body
}

/// The answer's body, or its status where it has none: a write's answer is not documented.
fn answer(request: &Request) -> Result<Json> {
    Ok(request.answer(meaning)?.json_or_status())
}
