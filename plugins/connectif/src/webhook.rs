//! Calls of Connectif's workflows. Nothing about them is documented, so an admin says where the body has the address, and a call is
//! only a hint: the contact is read again before anything happens.

use contactor_sdk::{Change, ChangeKind, Received, json};
use serde_json::Value as Json;

use crate::contact;
use crate::settings::Settings;

/// Where further values lie, in this order.
const PLACES: [&str; 2] = ["/data", ""];

pub(crate) fn received(settings: &Settings, body: &Json) -> Received {
    let find = |pointers: &[String]| pointers.iter().find_map(|pointer| json::id(body.pointer(pointer)?));
    let Some(email) = find(&settings.webhook_email).filter(|email| email.contains('@')) else {
        let places = settings.webhook_email.join(", ");
        return Received::rejected(format!("the body has no email address at {places}: see webhook_email"));
    };
    let event = find(&settings.webhook_event).unwrap_or_else(|| "contact.updated".into());
    let kind = match event.as_str() {
        "contact.created" => ChangeKind::Created,
        "contact.deleted" => ChangeKind::Deleted,
        // Whatever happened, it may have changed what Connectif works out about the person.
        _ => ChangeKind::Updated,
    };
    let mut change = Change::new(kind, "contact", contact::id(&email)).event(event);
    for object in PLACES.into_iter().filter_map(|place| body.pointer(place)?.as_object()) {
        // `key` is the host's word for what a happening is known by for good: the setting says where that is, and no body by itself.
        let told = object.iter().filter(|(name, value)| *name != "key" && !value.is_object());
        change = change.with_all(told);
    }
    if let Some(key) = find(&settings.webhook_key) {
        change = change.with("key", key);
    }
    Received::Changes(vec![change])
}
