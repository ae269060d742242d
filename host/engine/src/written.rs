//! What the calls of a run wrote, told from the calls alone: a connector's own code says nothing else about it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use contactor_store::{Call, RecordId, Side};
use serde_json::Value as Json;

use crate::blame::is_written;

/// What stands in the place of a contact's id in paths that name none.
const NO_IDS: [&str; 4] = ["", "upsert", "search", "bulk"];

/// The fields of a call that changed one, and to what.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wrote {
    /// To this value.
    Value(Json),
    /// Names were added to a set, or taken from it.
    Elements {
        /// Added, else removed.
        added: bool,
        /// The names.
        names: Json,
    },
    /// To a value that was too large to be kept.
    Something,
}

/// The contact that the writes of a run are about, if they are about one.
pub(crate) fn contact(calls: &[Call]) -> Option<RecordId> {
    let written = calls.iter().filter(|call| is_written(call));
    let contacts: BTreeSet<RecordId> = written.filter_map(contact_of).collect();
    if contacts.len() > 1 { None } else { contacts.into_iter().next() }
}

/// The contact that a call to HighLevel is about: by its path, or by the answer to a create.
pub(crate) fn contact_of(call: &Call) -> Option<RecordId> {
    if call.target != "highlevel" {
        return None;
    }
    let path = call.path.as_deref()?.split_once(' ')?.1.split('?').next()?;
    let mut segments = path.split('/').skip_while(|segment| *segment != "contacts");
    segments.next()?;
    let id = segments.next().unwrap_or_default();
    if !NO_IDS.contains(&id) {
        return Some(RecordId::new(id));
    }
    let answer: Json = serde_json::from_str(call.response.as_deref()?).ok()?;
    let id = answer.pointer("/contact/id").or_else(|| answer.get("id"))?.as_str()?;
    Some(RecordId::new(id))
}

/// What a call wrote to a field. `keys` names HighLevel's custom fields by id, because its calls do not name them by key.
pub(crate) fn field(call: &Call, side: Side, field: &str, keys: &BTreeMap<String, String>) -> Option<Wrote> {
    let target = if side == Side::Highlevel { "highlevel" } else { "partner" };
    if call.target != target || !is_written(call) {
        return None;
    }
    if side == Side::Highlevel {
        let of_contact = call.operation.starts_with("contacts.") && !call.operation.contains("followers");
        let added = match call.operation.as_str() {
            "tags.add" => Some(true),
            "tags.remove" => Some(false),
            _ => None,
        };
        if let Some(added) = added.filter(|_| field == "tags") {
            let request = parsed(call)?;
            return Some(Wrote::Elements { added, names: request.get("tags")?.clone() });
        }
        if !of_contact {
            return None;
        }
    }
    let Some(request) = parsed(call) else {
        let name = field.rsplit('.').next().unwrap_or(field);
        let mentions = call.request.as_deref().is_some_and(|text| text.contains(&format!("\"{name}\":")));
        return mentions.then_some(Wrote::Something);
    };
    match (side, field.strip_prefix("customFields.")) {
        (Side::Highlevel, Some(key)) => custom(&request, key, keys),
        (Side::Highlevel, None) => request.get(field).cloned(),
        (Side::Partner, _) => find(&request, &field.split('.').collect::<Vec<_>>()).cloned(),
    }
    .map(Wrote::Value)
}

fn parsed(call: &Call) -> Option<Json> {
    serde_json::from_str(call.request.as_deref()?).ok()
}

fn custom(request: &Json, key: &str, keys: &BTreeMap<String, String>) -> Option<Json> {
    let entries = request.get("customFields")?.as_array()?;
    let is_it = |entry: &&Json| {
        let named = entry.get("key").and_then(Json::as_str);
        let by_id = entry.get("id").and_then(Json::as_str).and_then(|id| keys.get(id)).map(String::as_str);
        named.or(by_id).is_some_and(|name| name.strip_prefix("contact.").unwrap_or(name) == key)
    };
    let entry = entries.iter().find(is_it)?;
    ["field_value", "fieldValue", "value"].into_iter().find_map(|name| entry.get(name)).cloned()
}

/// A partner wraps its records as it likes (`{"tester": {"profile": …}}`): the path is looked for at any depth.
fn find<'a>(json: &'a Json, path: &[&str]) -> Option<&'a Json> {
    let here = path.iter().try_fold(json, |json, segment| json.get(segment));
    here.or_else(|| match json {
        Json::Object(members) => members.values().find_map(|member| find(member, path)),
        Json::Array(items) => items.iter().find_map(|item| find(item, path)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(target: &str, operation: &str, path: &str, request: &Json) -> Call {
        Call {
            target: target.to_owned(),
            operation: operation.to_owned(),
            path: Some(path.to_owned()),
            status: Some(200),
            write: true,
            request: Some(request.to_string()),
            ..Call::default()
        }
    }

    fn wrote(call: &Call, side: Side, name: &str) -> Option<Wrote> {
        field(call, side, name, &BTreeMap::from([("f1".to_owned(), "colour".to_owned())]))
    }

    #[test]
    fn a_contact_is_known_by_the_path_or_by_the_answer_to_its_create() {
        let update = call("highlevel", "contacts.update", "PUT /contacts/c1", &json!({}));
        assert_eq!(contact_of(&update), Some(RecordId::new("c1")));
        let note = call("highlevel", "notes.create", "POST /contacts/c1/notes", &json!({}));
        assert_eq!(contact(&[update.clone(), note]), Some(RecordId::new("c1")));
        let upsert = call("highlevel", "contacts.upsert", "POST /contacts/upsert", &json!({}));
        let upsert = Call { response: Some(json!({"contact": {"id": "c2"}}).to_string()), ..upsert };
        assert_eq!(contact_of(&upsert), Some(RecordId::new("c2")));
        assert_eq!(contact(&[update.clone(), upsert]), None, "two contacts are none");
        assert_eq!(contact(&[Call { write: false, ..update }]), None, "a read is about nobody");
    }

    #[test]
    fn a_field_is_found_where_each_system_has_it() {
        let request = json!({"firstName": "Ada", "customFields": [{"id": "f1", "field_value": "red"}]});
        let update = call("highlevel", "contacts.update", "PUT /contacts/c1", &request);
        assert_eq!(wrote(&update, Side::Highlevel, "firstName"), Some(Wrote::Value(json!("Ada"))));
        assert_eq!(wrote(&update, Side::Highlevel, "customFields.colour"), Some(Wrote::Value(json!("red"))));
        assert_eq!(wrote(&update, Side::Highlevel, "lastName"), None);
        assert_eq!(wrote(&update, Side::Partner, "firstName"), None);
        let tester = json!({"tester": {"profile": {"first_name": "Ada"}}});
        let put = call("partner", "PUT /testers/1", "", &tester);
        assert_eq!(wrote(&put, Side::Partner, "profile.first_name"), Some(Wrote::Value(json!("Ada"))));
        assert_eq!(wrote(&put, Side::Partner, "profile.last_name"), None);
    }

    #[test]
    fn tags_come_and_go_by_name_and_what_failed_wrote_nothing() {
        let add = call("highlevel", "tags.add", "POST /contacts/c1/tags", &json!({"tags": ["vip"]}));
        let elements = Wrote::Elements { added: true, names: json!(["vip"]) };
        assert_eq!(wrote(&add, Side::Highlevel, "tags"), Some(elements));
        assert_eq!(wrote(&Call { status: Some(422), ..add }, Side::Highlevel, "tags"), None);
        let cut = Call {
            request: Some("{\"firstName\":\"A…".to_owned()),
            ..call("highlevel", "contacts.update", "", &json!({}))
        };
        assert_eq!(wrote(&cut, Side::Highlevel, "firstName"), Some(Wrote::Something));
    }
}
