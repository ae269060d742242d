//! Webhooks. One event name is documented, `reward_delivered`, and no body: events are recognised by the words of their names,
//! and the tester is looked for in the usual places. A wrong guess costs one read, because a webhook is only a hint.

use contactor_sdk::{Change, ChangeKind, Received, Value, json, log};
use serde_json::Value as Json;

use crate::settings::Settings;
use crate::tester;

/// Where senders put an event's name.
const NAMES: [&str; 6] = ["/event", "/event_name", "/event_type", "/type", "/name", "/event/name"];

/// Where senders put the object that the event is about; the body itself comes last.
const PLACES: [&str; 4] = ["/data", "/payload", "/object", ""];

/// What the object is called there; directly there comes last.
const OBJECTS: [&str; 5] = ["/tester", "/user", "/reward", "/point", ""];

pub(crate) fn received(settings: &Settings, body: &Json) -> Received {
    let Some(event) = NAMES.iter().find_map(|place| body.pointer(place)?.as_str()) else {
        return Received::rejected("the body names no event");
    };
    // Points are the manifest's word; it is not known whether the vendor says `point_earned` for them.
    let event =
        &event.strip_prefix("point_").map_or(event.to_owned(), |happened| format!("points_{happened}"));
    let Some((id, object)) = subject(body) else {
        return Received::rejected(format!("the event `{event}` names no tester"));
    };
    let kind = kind(settings, event);
    let whole = tester::is_complete(object) && kind != ChangeKind::Deleted;
    let change = Change::new(kind, "contact", id).event(event);
    let mut change = change.snapshot_if(whole, || tester::record(settings, object));
    if !whole {
        change = change.with("object", Value::Json(object.to_string()));
        // A reward or a point happens once, however often and under whatever envelope it is told.
        if let Some(id) = json::id(&object["id"]).filter(|_| object.get("user_id").is_some()) {
            change = change.with("key", format!("{event}:{id}"));
        }
    }
    Received::Changes(vec![change])
}

/// The object that the event is about and the id of its tester. Rewards and points name theirs `user_id`.
fn subject(body: &Json) -> Option<(String, &Json)> {
    let places = PLACES.iter().flat_map(|place| OBJECTS.iter().map(move |name| format!("{place}{name}")));
    places.filter_map(|place| body.pointer(&place)).find_map(|object| {
        let owner = ["user_id", "tester_id"].into_iter().find_map(|name| json::id(&object[name]));
        // An object with an id alone may be the event itself.
        let id = owner.or_else(|| object.get("email").and_then(|_| tester::id(object)))?;
        Some((id, object))
    })
}

fn kind(settings: &Settings, event: &str) -> ChangeKind {
    let has = |words: &[&str]| words.iter().any(|word| event.contains(word));
    if settings.update_events.iter().any(|name| name == event) {
        ChangeKind::Updated
    } else if has(&["reward", "point"]) {
        ChangeKind::Other
    } else if has(&["delete", "destroy", "remove"]) {
        ChangeKind::Deleted
    } else if has(&["create", "signup", "sign_up"]) {
        ChangeKind::Created
    } else if has(&[
        "update",
        "join",
        "invite",
        "activat",
        "referr",
        "subscribe",
        "applied",
        "import",
        "reject",
    ]) {
        ChangeKind::Updated
    } else {
        log::info!("the event `{event}` is unknown: it is passed on without reading the tester");
        ChangeKind::Other
    }
}
