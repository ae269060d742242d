//! The connector without a server: the test answers for the partner and asks what was called.

use contactor_sdk::prelude::*;
use contactor_sdk::testing::{MockHost, json, status};
use serde_json::json;
use {{crate}}::{MANIFEST, {{type}}};

fn ada() -> serde_json::Value {
    json!({ "id": 7, "email": "ada@example.com", "first_name": "Ada", "last_name": null, "tags": ["vip"] })
}

fn host() -> MockHost {
    MockHost::new().manifest(MANIFEST)
}

#[test]
fn a_person_is_read_with_all_fields() {
    let _host = host().answer("GET /people/7", ada()).install();
    let person = {{type}}::read("contact", "7").unwrap();
    assert_eq!(person.id, "7");
    assert_eq!(person.email(), Some("ada@example.com"));
    assert_eq!(person.value("last_name"), Some(&Value::Empty));
}

#[test]
fn an_update_sends_just_the_fields_that_changed() {
    let host = host().answer("PATCH /people/7", ada()).install();
    {{type}}::update("contact", "7", &Fields::new().with("first_name", "Ada")).unwrap();
    assert_eq!(host.writes(), [r#"partner.send(PATCH /people/7 {"first_name":"Ada"})"#]);
}

#[test]
fn a_person_who_is_gone_is_not_found() {
    let _host = host().reply("GET /people/7", status(404)).install();
    assert!(matches!({{type}}::read("contact", "7"), Err(Error::NotFound(_))));
}

#[test]
fn a_poll_announces_a_person_once_and_again_when_she_changed() {
    let host = host().route("GET /people", |request| {
        let first = request.query_value("page") == Some("1");
        json(200, if first { json!([ada()]) } else { json!([]) })
    });
    let host = host.install();
    let first = {{type}}::poll("people", None).unwrap();
    assert_eq!(first.changes[0].id, "7");
    let last = {{type}}::poll("people", first.cursor.as_deref()).unwrap();
    assert!(!last.more);
    let again = {{type}}::poll("people", last.cursor.as_deref()).unwrap();
    assert!(again.changes.is_empty());
    host.assert_no_writes();
}

#[test]
fn a_person_who_cannot_be_read_is_told_and_stops_nobody() {
    let page = json!([ada(), { "id": ["x"], "email": "nobody@example.com" }, { "id": 9 }]);
    let _host = host().answer("GET /people", page).install();
    let changes = {{type}}::poll("people", None).unwrap().changes;
    assert_eq!((changes.len(), changes[2].id.as_str()), (3, "9"));
    assert!(changes[1].problem().unwrap().contains("`/id`: expected an id"));
}
