//! A handler that does what it is told: the event's body, or else the setting `scripts` under the event's kind, is a JSON object
//! `{"calls": [{"function": …, "input": {…}}, …]}`. In the inputs `$contact` is the event's contact, and `$partner` the partner's
//! record. An error of the host fails the handler, unless the call says `"try": true`; with `"succeeds": true` an error status of the
//! partner does as well. A call `{"fails": {"case": …, "detail": …}}` fails it as if the host had answered that.

use contactor_sdk::prelude::*;
use serde_json::{Value as Json, json};

use crate::calls;
use crate::input::Input;

pub(crate) fn handle(event: &Event) -> Result<Outcome> {
    let Some(script) = script(event)? else {
        return Ok(Outcome::ignored(format!("no script for {}", event.kind)));
    };
    let calls = script["calls"].as_array().cloned().unwrap_or_default();
    for call in &calls {
        if call["fails"].is_object() {
            return Err(error(&call["fails"]));
        }
        let input = filled(&call["input"], event);
        let answer = calls::run(call["function"].as_str().unwrap_or_default(), &Input(input))?;
        if !answer["error"].is_null() && call["try"] != true {
            return Err(error(&answer["error"]));
        }
        let status = answer["ok"]["status"].as_u64().unwrap_or_default();
        if status >= 400 && call["succeeds"] == true {
            return Err(Error::Unavailable(format!("the partner answered {status}")));
        }
    }
    let line = json!({ "source": format!("{:?}", event.source), "partner": event.partner_id, "fields": fields(event)? });
    Ok(Outcome::done(format!("{} calls {line}", calls.len())))
}

fn script(event: &Event) -> Result<Option<Json>> {
    let body: Json = serde_json::from_str(&event.payload)?;
    if body["calls"].is_array() {
        return Ok(Some(body));
    }
    let settings: Json = serde_json::from_str(&settings::all())?;
    match settings["scripts"][&event.kind].as_str() {
        Some(text) => Ok(Some(serde_json::from_str(text)?)),
        None => Ok(None),
    }
}

fn fields(event: &Event) -> Result<Json> {
    Fields::from(event.fields.clone()).to_json().map(Json::Object)
}

fn filled(input: &Json, event: &Event) -> Json {
    match input {
        Json::String(text) if text == "$contact" => json!(event.contact_id),
        Json::String(text) if text == "$partner" => json!(event.partner_id),
        Json::Array(items) => items.iter().map(|item| filled(item, event)).collect(),
        Json::Object(members) => {
            Json::Object(members.iter().map(|(name, value)| (name.clone(), filled(value, event))).collect())
        }
        other => other.clone(),
    }
}

/// The host's error, to be answered as the handler's own.
fn error(answer: &Json) -> Error {
    let text = answer["detail"].as_str().map_or_else(|| answer["detail"].to_string(), str::to_owned);
    match answer["case"].as_str() {
        Some("not-found") => Error::NotFound(text),
        Some("denied") => Error::Denied(text),
        Some("unauthorized") => Error::Unauthorized(text),
        Some("limited") => Error::Limited(answer["detail"].as_u64()),
        Some("unavailable") => Error::Unavailable(text),
        Some("conflict") => Error::Conflict(text),
        _ => Error::Other(text),
    }
}

/// A webhook `{"event": …, "id": …, "key": …}` is one change that only automations care about.
pub(crate) fn receive(webhook: &Webhook) -> Result<Received> {
    let body: Json = serde_json::from_slice(&webhook.body)?;
    let Some(event) = body["event"].as_str() else { return Ok(Received::rejected("no event")) };
    let id = body["id"].as_str().unwrap_or_default();
    let mut change = Change::new(ChangeKind::Other, "thing", id).event(event);
    if let Some(key) = body["key"].as_str() {
        change = change.with("key", key);
    }
    Ok(Received::Changes(vec![change.with("colour", body["colour"].as_str())]))
}
