use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;

use super::{MockHost, contact};
use crate::contacts::{Filter, Operator, SearchRequest};
use crate::prelude::*;

fn ada() -> contacts::Contact {
    contact("c1", Fields::new().with("email", "ada@example.com").with("city", "Bern"), &["vip"])
}

fn panic_message(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    panic
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap().to_string())
}

#[test]
fn a_request_that_no_route_answers_names_the_request_and_the_routes() {
    let _host = MockHost::new().answer("GET /people/*", json!({})).install();
    let message = panic_message(|| drop(partner::get("/groups").query("page", 2).send()));
    assert!(message.contains("`GET /groups?page=2`") && message.contains("GET /people/*"), "{message}");
}

#[test]
fn a_later_route_comes_before_an_earlier_one_and_a_star_is_one_segment() {
    let host = MockHost::new()
        .answer("GET /people/*", json!("any"))
        .answer("GET /people/7", json!("seven"))
        .reply("POST /people/*/notes", super::status(204))
        .install();
    let get = |path: &str| partner::get(path).send().unwrap().json::<String>().unwrap();
    assert_eq!((get("/people/7"), get("/people/8")), ("seven".into(), "any".into()));
    assert_eq!(partner::post("/people/7/notes").send().unwrap().status, 204);
    assert!(panic_message(|| drop(partner::get("/people/7/8").send())).contains("no route"));
    assert_eq!(host.writes(), ["partner.send(POST /people/7/notes)"]);
}

#[test]
fn writes_are_told_from_reads() {
    let host = MockHost::new().contact(ada()).answer("GET /people", json!([])).install();
    contacts::get("c1").unwrap();
    partner::get("/people").send().unwrap();
    state::compare_and_set("k", 0, b"1").unwrap();
    host.assert_no_writes();
    contacts::update("c1", &Fields::new().with("city", None::<&str>)).unwrap();
    assert_eq!(host.writes(), [r#"contacts.update("c1", {city=null})"#]);
    assert!(panic_message(|| host.assert_no_writes()).contains("contacts.update"));
    assert!(panic_message(|| host.assert_no_partner_calls()).contains("GET /people"));
}

#[test]
fn highlevel_keeps_the_vendors_rules() {
    let host = MockHost::new().contact(ada()).install();
    let twin = Fields::new().with("email", "ADA@example.com");
    assert_eq!(contacts::create(&twin, &[]).unwrap_err(), Error::Duplicate("c1".into()));
    assert!(matches!(contacts::create(&Fields::new(), &[]), Err(Error::Invalid(_))));
    assert!(matches!(contacts::update("c1", &Fields::new().with("tags", ["x"])), Err(Error::Invalid(_))));
    assert!(matches!(contacts::get("c2"), Err(Error::NotFound(_))));
    let change = tags::add("c1", &[" New ".into(), "VIP".into()]).unwrap();
    assert_eq!((change.tags, change.changed), (vec!["new".into(), "vip".into()], vec!["new".to_owned()]));
    contacts::update("c1", &Fields::new().with("city", None::<&str>)).unwrap();
    assert_eq!(host.stored_contact("c1").unwrap().value("city"), None);
}

#[test]
fn searches_filter_and_page() {
    let _host = MockHost::new()
        .contact(contact("c1", Fields::new().with("email", "a@example.com"), &["vip"]))
        .contact(contact("c2", Fields::new().with("email", "b@example.com"), &["vip"]))
        .contact(contact("c3", Fields::new().with("email", "c@example.com"), &[]))
        .install();
    let filters = vec![Filter { field: "tags".into(), operator: Operator::Eq, value: r#""vip""#.into() }];
    let mut request = SearchRequest { query: None, filters, sort: Vec::new(), limit: 1, cursor: None };
    let first = contacts::search(&request).unwrap();
    assert_eq!((first.contacts[0].id.as_str(), first.total), ("c1", Some(2)));
    request.cursor = first.next;
    let second = contacts::search(&request).unwrap();
    assert_eq!((second.contacts[0].id.as_str(), second.next), ("c2", None));
}

#[test]
fn planned_failures_and_denials_are_errors_and_recorded() {
    let host = MockHost::new()
        .contact(ada())
        .deny("tags")
        .fail("contacts.get", Error::Unavailable("down".into()))
        .install();
    assert_eq!(tags::list_all("c1"), Err(Error::Denied("tags".into())));
    assert_eq!(contacts::get("c1"), Err(Error::Unavailable("down".into())));
    assert_eq!(host.calls().len(), 2);
}

#[test]
fn state_is_compared_and_set_and_an_update_survives_a_race() {
    let host = MockHost::new().install();
    assert_eq!(state::update_json("n", |n: Option<u32>| Ok(n.unwrap_or(0) + 1)), Ok(1));
    let mut raced = false;
    let sum = state::update_json("n", |n: Option<u32>| {
        if !std::mem::replace(&mut raced, true) {
            state::compare_and_set("n", 1, b"10").unwrap();
        }
        Ok(n.unwrap_or(0) + 1)
    });
    assert_eq!(sum, Ok(11));
    assert_eq!(host.stored_state("n").unwrap(), b"11");
    assert!(matches!(state::compare_and_set("n", 0, b""), Err(Error::Conflict(_))));
    assert_eq!(state::keys("").unwrap(), ["n"]);
}

#[test]
fn settings_come_from_the_test_and_then_from_the_manifest() {
    let manifest = r#"
        [connector]
        id = "acme"
        name = "Acme"
        version = "1.0.0"
        minimum_host = "0.1.0"
        summary = "A test."
        [partner]
        name = "Acme"
        base_url = "https://acme.example"
        [[setting]]
        name = "list"
        title = "List"
        type = "text"
        required = true
        [[setting]]
        name = "page"
        title = "Page"
        type = "integer"
        default = 25
    "#;
    let host = MockHost::new().manifest(manifest).setting("list", "7").install();
    assert_eq!(settings::get::<serde_json::Value>().unwrap(), json!({ "list": "7", "page": 25 }));
    drop(host);
    let _host = MockHost::new().manifest(manifest).install();
    assert!(panic_message(|| drop(settings::all())).contains("list: is missing"));
}

#[test]
fn hosts_nest_and_without_one_a_call_says_so() {
    let outer = MockHost::new().now(1).install();
    let inner = MockHost::new().now(2).install();
    assert_eq!(clock::now(), 2);
    drop(inner);
    assert_eq!(clock::now(), 1);
    drop(outer);
    assert!(panic_message(|| drop(contacts::get("c1"))).contains("none is installed"));
}

#[test]
fn a_webhook_tells_of_as_many_changes_as_its_test_expects_or_fails_it() {
    let told = |ids: &[&str]| {
        Received::Changes(ids.iter().map(|id| Change::new(ChangeKind::Updated, "contact", *id)).collect())
    };
    assert_eq!((told(&["7"]).change().id.as_str(), told(&["7", "8"]).changes().len()), ("7", 2));
    assert!(panic_message(|| drop(told(&["7", "8"]).change())).contains("expected one change"));
    let rejected = || Received::rejected("it names nobody");
    assert!(panic_message(|| drop(rejected().change())).contains("it names nobody"));
}
