//! The client against the vendor's own documents, which lie beside the repository and are not part of it. Without them
//! these tests say so and pass.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says what it skipped")]

use std::collections::BTreeSet;
use std::path::Path;

use contactor_highlevel::oauth::{AGENCY_SCOPES, LIST_LOCATIONS, OPEN_LOCATIONS};
use contactor_highlevel::version::Part;
use contactor_highlevel::webhook::{Change, Envelope, Event};
use contactor_highlevel::{
    AppointmentDraft, AppointmentPatch, Contact, ContactDraft, ContactPatch, CustomFieldDefinition,
    LocationInfo, Note, NoteDraft, NotePatch, Task, TaskDraft, TaskPatch, operation,
};
use serde_json::{Map, Value, json};

fn document(name: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/highlevel").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(_) => {
            println!("skipped: the vendor's {name} is not here");
            None
        }
    }
}

fn names(values: impl IntoIterator<Item = impl Into<String>>) -> BTreeSet<String> {
    values.into_iter().map(Into::into).collect()
}

/// The properties of a request body, by operation.
fn body_properties(document: &Value, operation: &operation::Operation) -> BTreeSet<String> {
    let method = operation.method.as_str().to_lowercase();
    let schema =
        &document["paths"][operation.path][&method]["requestBody"]["content"]["application/json"]["schema"];
    let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    names(document["components"]["schemas"][name]["properties"].as_object().unwrap().keys())
}

#[test]
fn every_operation_is_documented_and_every_contacts_operation_is_offered() {
    for (part, file, complete) in [
        (Part::Contacts, "apps/contacts.json", true),
        (Part::Locations, "apps/locations.json", false),
        (Part::Calendars, "apps/calendars.json", false),
    ] {
        let Some(document) = document(file) else { return };
        let documented: BTreeSet<_> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                methods
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        let of_part = operation::ALL.iter().filter(|operation| operation.part == part);
        let offered: BTreeSet<_> = of_part.map(|op| format!("{} {}", op.method, op.path)).collect();
        assert!(offered.is_subset(&documented), "{:?}", offered.difference(&documented));
        if complete {
            assert_eq!(offered, documented);
            assert_eq!(offered.len(), 32);
        }
    }
}

#[test]
fn every_scope_is_the_documented_one() {
    for (part, file) in [(Part::Contacts, "apps/contacts.json"), (Part::Locations, "apps/locations.json")] {
        let Some(document) = document(file) else { return };
        for operation in operation::ALL.iter().filter(|operation| operation.part == part) {
            let method = operation.method.as_str().to_lowercase();
            let security = &document["paths"][operation.path][&method]["security"];
            let scopes: Vec<_> = security
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|entry| entry.as_object().unwrap().values())
                .flat_map(|scopes| scopes.as_array().unwrap())
                .collect();
            // Bulk operations declare none.
            if !scopes.is_empty() {
                assert!(scopes.contains(&&json!(operation.scope)), "{}: {scopes:?}", operation.name);
            }
        }
    }
}

#[test]
fn an_agency_needs_the_documented_scopes_to_list_and_to_open_its_locations() {
    let Some(document) = document("apps/oauth.json") else { return };
    for (path, method, scope) in [
        ("/oauth/installedLocations", "get", LIST_LOCATIONS),
        ("/oauth/locationToken", "post", OPEN_LOCATIONS),
    ] {
        let security = &document["paths"][path][method]["security"];
        assert_eq!(*security, json!([{ "Agency-Access-Only": [scope] }]), "{path}");
        assert!(AGENCY_SCOPES.contains(&scope));
    }
}

#[test]
fn what_a_create_takes_is_what_the_vendor_takes() {
    let Some(document) = document("apps/contacts.json") else { return };
    // The host adds these itself: the location it is bound to, the first tags, and the custom fields by id.
    let own = names(["locationId", "tags", "customFields"]);
    let offered = names(ContactDraft::writable());
    assert_eq!(&offered | &own, body_properties(&document, &operation::CONTACTS_CREATE));
    let upsert = &(&offered | &own) | &names(["createNewIfDuplicateAllowed"]);
    assert_eq!(upsert, body_properties(&document, &operation::CONTACTS_UPSERT));
}

#[test]
fn what_an_update_takes_is_what_the_vendor_takes_but_for_tags() {
    let Some(document) = document("apps/contacts.json") else { return };
    let offered = &names(ContactPatch::writable()) | &names(["customFields"]);
    let documented = body_properties(&document, &operation::CONTACTS_UPDATE);
    assert_eq!(&offered | &names(["tags"]), documented);
    assert!(!ContactPatch::accepts("tags"));
}

#[test]
fn only_what_the_vendor_marks_as_nullable_can_be_cleared() {
    let Some(document) = document("apps/contacts.json") else { return };
    let properties = document["components"]["schemas"]["UpdateContactDto"]["properties"].as_object().unwrap();
    for (name, schema) in properties {
        assert_eq!(ContactPatch::can_clear(name), schema["nullable"] == true, "{name}");
    }
}

#[test]
fn the_lists_of_tasks_notes_and_appointments_are_the_vendors() {
    let Some(contacts) = document("apps/contacts.json") else { return };
    assert_eq!(names(TaskDraft::writable()), body_properties(&contacts, &operation::TASKS_CREATE));
    assert_eq!(names(TaskPatch::writable()), body_properties(&contacts, &operation::TASKS_UPDATE));
    assert_eq!(names(NoteDraft::writable()), body_properties(&contacts, &operation::NOTES_CREATE));
    assert_eq!(names(NotePatch::writable()), body_properties(&contacts, &operation::NOTES_UPDATE));
    let Some(calendars) = document("apps/calendars.json") else { return };
    let create = &names(AppointmentDraft::writable()) | &names(["locationId"]);
    assert_eq!(create, body_properties(&calendars, &operation::APPOINTMENTS_CREATE));
    assert_eq!(
        names(AppointmentPatch::writable()),
        body_properties(&calendars, &operation::APPOINTMENTS_UPDATE)
    );
}

/// A record made of the examples of a schema's properties.
fn example(document: &Value, schema: &str) -> Map<String, Value> {
    let properties = document["components"]["schemas"][schema]["properties"].as_object().unwrap();
    let with_example =
        |(name, schema): (&String, &Value)| Some((name.clone(), schema.get("example")?.clone()));
    properties.iter().filter_map(with_example).collect()
}

#[test]
fn the_vendors_examples_decode_and_lose_nothing() {
    let Some(contacts) = document("apps/contacts.json") else { return };
    let contact = example(&contacts, "GetContectByIdSchema");
    let read = Contact::from_json(Value::Object(contact.clone())).unwrap();
    let kept = names(read.fields().into_keys());
    let expected = &names(contact.keys()) - &names(["id", "locationId", "tags"]);
    assert_eq!(kept, expected);
    assert!(!read.tags.is_empty() && read.date_added.is_some() && read.date_updated.is_some());
    // The document describes the format in words where an example should be; that stays as it came.
    assert_eq!(read.unknown["dateOfBirth"], contact["dateOfBirth"]);

    let task = Task::from_json(Value::Object(example(&contacts, "TaskSchema"))).unwrap();
    assert!(task.unknown.is_empty() && task.due_date.is_some() && task.contact_id.is_some());
    let note = Note::from_json(Value::Object(example(&contacts, "GetNoteSchema"))).unwrap();
    assert!(note.unknown.is_empty() && note.date_added.is_some());

    let Some(locations) = document("apps/locations.json") else { return };
    let mut location = example(&locations, "GetLocationByIdSchema");
    location.insert("settings".into(), Value::Object(example(&locations, "SettingsSchema")));
    let location = LocationInfo::from_json(Value::Object(location)).unwrap();
    assert_eq!(location.allows_duplicate_contacts(), Some(false));
    assert!(location.timezone.is_some() && location.country.is_some());
    let definition = Value::Object(example(&locations, "CustomFieldSchema"));
    assert_eq!(CustomFieldDefinition::from_json(definition).unwrap().key(), Some("pincode"));
}

#[test]
fn every_published_webhook_example_is_understood() {
    let Some(events) = document("webhook-events.json") else { return };
    let events = events.as_array().unwrap();
    assert_eq!(events.len(), 58);
    for event in events {
        // The examples of these two carry the type of a create, a slip of the document.
        let page = match event["event"].as_str().unwrap() {
            "AppointmentUpdate" | "AppointmentDelete" => "AppointmentCreate",
            page => page,
        };
        let envelope = Envelope::parse(event["example"].to_string().as_bytes()).unwrap();
        let found = envelope.event();
        let expected_change = match page {
            "ContactCreate" | "TaskCreate" | "NoteCreate" | "AppointmentCreate" => Some(Change::Created),
            "ContactUpdate" | "NoteUpdate" => Some(Change::Updated),
            "ContactDelete" | "TaskDelete" | "NoteDelete" => Some(Change::Deleted),
            "ContactTagUpdate" => Some(Change::TagsUpdated),
            "ContactDndUpdate" => Some(Change::DndUpdated),
            "TaskComplete" => Some(Change::Completed),
            _ => None,
        };
        assert_eq!(found.change(), expected_change, "{page}");
        assert_eq!(found.contact().is_some(), expected_change.is_some(), "{page}");
        match page {
            "AppInstall" => assert_eq!(found, Event::Installed),
            "AppUninstall" => assert_eq!(found, Event::Uninstalled),
            "LocationUpdate" => assert_eq!(found, Event::LocationChanged),
            _ if expected_change.is_none() => assert_eq!(found, Event::Other, "{page}"),
            _ => {}
        }
        assert_eq!(envelope.snapshot().is_some(), page.starts_with("Contact"), "{page}");
        if let Some(snapshot) = envelope.snapshot() {
            assert_eq!(snapshot.fields["dateOfBirth"], "2000-01-05");
            assert_eq!(snapshot.fields["customFields.BcdmQEsNgz6AVpgLVUJ0"], "XYZ Corp");
            assert!(!snapshot.fields.contains_key("type") && snapshot.tags.len() == 2);
        }
    }
}
