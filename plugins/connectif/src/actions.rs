//! Connectif's own operations. The host has checked the input against the manifest's schema.

use contactor_sdk::partner::{Request, Response, segment};
use contactor_sdk::{Error, Result, partner};
use serde_json::{Map, Value as Json, json};

use crate::settings::Settings;
use crate::{api, contact, export};

pub(crate) fn run(settings: &Settings, action: &str, input: &Json) -> Result<Json> {
    match action {
        "contacts.get" => api::ok(api::get(settings, text(input, "email")?)?)?.json(),
        "contacts.upsert" => upsert(settings, "/contacts", input),
        "contacts.upsert-by-email" => upsert(settings, "/contacts/email", input),
        "events.send" => {
            let mut body = input.as_object().cloned().unwrap_or_default();
            let creates =
                body.remove("create_contact").is_some_and(|creates| creates == true || creates == "true");
            body.remove("path");
            send_event(text(input, "path")?, creates, &body)
        }
        "exports.create" => {
            let mut body = json!({ "exportType": input["type"], "delimiter": delimiter(input) });
            with_filters(&mut body, input, &["segmentId", "fromDate", "toDate"]);
            answer(partner::post("/exports").json(&body)?)
        }
        "exports.explore" => {
            let mut body = json!({ "delimiter": delimiter(input) });
            with_filters(&mut body, input, &["reportId", "fromDate", "toDate"]);
            answer(partner::post("/exports/type/data-explorer").json(&body)?)
        }
        "exports.get" => answer(partner::get(format!("/exports/{}", segment(text(input, "export_id")?)))),
        "exports.read" => {
            let progress = answer(partner::get(format!("/exports/{}", segment(text(input, "export_id")?))))?;
            if progress["status"] != "finished" {
                return Ok(json!({ "status": progress["status"], "rows": [] }));
            }
            Ok(json!({ "status": "finished", "rows": export::rows(&progress)? }))
        }
        "imports.create" => import(input),
        "imports.get" => answer(partner::get(format!("/imports/{}", segment(text(input, "import_id")?)))),
        other => Err(Error::Unsupported(format!("there is no action `{other}`"))),
    }
}

/// Sends a reception event of the kind *public API*. It is strict: a field that the event does not define is refused.
pub(crate) fn send_event(path: &str, creates: bool, body: &Map<String, Json>) -> Result<Json> {
    answer(partner::post(path).query("createContact", creates).json(body)?)
}

fn upsert(settings: &Settings, route: &str, input: &Json) -> Result<Json> {
    // A rule can give texts only.
    let fields = match &input["fields"] {
        Json::String(text) => serde_json::from_str(text)?,
        fields => fields.clone(),
    };
    for (key, value) in fields.as_object().into_iter().flatten() {
        if !settings.allow_subscriptions && contact::subscribes(key, value) {
            return Err(Error::Denied(format!(
                "{key} = {value} lets Connectif write to the person; the setting allow_subscriptions is off"
            )));
        }
    }
    answer(partner::patch(format!("{route}/{}", segment(text(input, "email")?))).json(&fields)?)
}

fn import(input: &Json) -> Result<Json> {
    let flag = |name: &str| if input[name] == true { "true" } else { "false" };
    answer(partner::post("/imports").multipart(&[
        ("type", "contacts"),
        ("delimiter", &delimiter(input)),
        ("overrideExisting", flag("override_existing")),
        ("updateOnlyEmptyFields", flag("only_empty_fields")),
        ("file\"; filename=\"contacts.csv", text(input, "csv")?),
    ]))
}

fn with_filters(body: &mut Json, input: &Json, names: &[&str]) {
    let given = names.iter().filter(|name| input[**name].is_string());
    let filters: Map<String, Json> = given.map(|name| ((*name).to_owned(), input[*name].clone())).collect();
    if !filters.is_empty() {
        body["filters"] = Json::Object(filters);
    }
}

fn delimiter(input: &Json) -> String {
    input["delimiter"].as_str().unwrap_or(",").to_owned()
}

/// The answer's body, or its status where it has none: a write's answer is not documented.
fn answer(request: Request) -> Result<Json> {
    let Response { status, body, .. } = api::ok(request.send()?)?;
    Ok(serde_json::from_slice(&body).unwrap_or_else(|_| json!({ "status": status })))
}

fn text<'i>(input: &'i Json, name: &str) -> Result<&'i str> {
    input[name].as_str().ok_or_else(|| Error::invalid(name, "is missing"))
}
