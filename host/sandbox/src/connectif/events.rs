//! Reception events of custom integrations
//! (<https://support.connectif.ai/hc/en-us/articles/360014532280-Custom-Integration-to-Receive-Data-from-External-Systems>).
//!
//! A *webhook* event has an address of its own that is the secret, and always creates the contact. A *public API* event
//! takes the key, refuses unknown fields, and creates only when asked to. The path of the latter is not known:
//! `/events/{id}` is made up.

use serde_json::{Map, Value, json};

use super::Change;
use super::config::EventDefinition;
use super::contacts::{Route, is_email, upsert};
use super::error::{Answer, Fault};
use super::state::ReceivedEvent;
use crate::clock::iso_millis;
use crate::http::{Call, Reply};

/// The most that an event may be.
const LARGEST: usize = 512 * 1024;

/// `POST /integration-type/system/scrippet-notification/{integration}?eventId={id}`.
pub(super) fn webhook(change: &mut Change<'_>, call: &Call, integration: &str) -> Answer {
    let id = call.query("eventId").unwrap_or_default();
    let ours = |event: &&EventDefinition| event.id == id && event.integration.as_deref() == Some(integration);
    let definition = change.account.definitions.iter().find(ours).cloned();
    let definition = definition.ok_or_else(|| Fault::NotFound("There is no such event".into()))?;
    receive(change, call, &definition, true)
}

/// `POST /events/{id}?createContact=…`.
pub(super) fn public(change: &mut Change<'_>, call: &Call, id: &str) -> Answer {
    let ours = |event: &&EventDefinition| event.id == id && event.integration.is_none();
    let definition = change.account.definitions.iter().find(ours).cloned();
    let definition = definition.ok_or_else(|| Fault::NotFound("There is no such event".into()))?;
    receive(change, call, &definition, call.query("createContact") == Some("true"))
}

fn receive(change: &mut Change<'_>, call: &Call, definition: &EventDefinition, creates: bool) -> Answer {
    if call.body.len() > LARGEST {
        return Err(Fault::TooLarge);
    }
    let Ok(body @ Value::Object(_)) = serde_json::from_slice::<Value>(&call.body) else {
        return Err(Fault::invalid("", "a JSON object is needed"));
    };
    let pointer = &definition.email_pointer;
    let email = body.pointer(pointer).and_then(Value::as_str).filter(|email| is_email(email));
    let email = email.ok_or_else(|| Fault::invalid(pointer, "the email is missing"))?.to_owned();
    if definition.integration.is_none() {
        let unknown = |name: &&String| {
            format!("/{name}") != definition.email_pointer && !definition.fields.contains(name)
        };
        if let Some(name) = body.as_object().into_iter().flat_map(Map::keys).find(unknown) {
            return Err(Fault::invalid(name, "there is no such field"));
        }
    }
    if change.account.contact(&email).is_none() {
        if !creates {
            return Err(Fault::NotFound("The contact does not exist".into()));
        }
        upsert(change, &email, &Map::new(), Route::Person)?;
    }
    let (event, at) = (definition.id.clone(), iso_millis(change.now));
    change.account.events.push(ReceivedEvent { event, email: email.to_lowercase(), body, at });
    Ok(Reply::json(200, &json!({})))
}
