//! The connector as it is, against a programmed host.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use std::cell::RefCell;
use std::rc::Rc;

use contactor_sdk::partner::{Request, Response};
use contactor_sdk::prelude::*;
use contactor_sdk::testing::{MockHost, contact, event, json, status, webhook};
use referrizer::{EFFECTS, MANIFEST, Referrizer};
use serde_json::{Value as Json, json};

const ANN: &str = "0a000000000000000000000000000001";
const ANN_PATH: &str = "/v1/contacts/0a000000000000000000000000000001";
/// 2026-11-21T08:00:00Z
const NOW: u64 = 1_795_248_000_000;

fn host() -> MockHost {
    MockHost::new().manifest(MANIFEST).now(NOW)
}

fn ann() -> Json {
    json!({
        "id": ANN, "firstName": "Ann", "lastName": "Lee", "email": "ann@example.com", "phone": "+15550100",
        "status": "LEAD", "loyaltyPoints": 10, "customFields": {"Birthday": "1 May", "Tags": "vip, b2b"}
    })
}

fn page(items: Json) -> Response {
    let total = items.as_array().expect("a list").len();
    json(200, items).with_header("x-total-count", total.to_string())
}

fn refused(code: &str) -> Response {
    json(400, json!({"errorCode": code, "message": "no"}))
}

/// A list whose items can be exchanged between polls.
fn list(items: &Rc<RefCell<Vec<Json>>>) -> impl Fn(&Request) -> Response + 'static {
    let items = Rc::clone(items);
    move |request| {
        let number = |name: &str| request.query_value(name).unwrap().parse::<usize>().unwrap();
        let (page, size) = (number("page"), number("perPage"));
        let items = items.borrow();
        let shown: Vec<Json> = items.iter().skip((page - 1) * size).take(size).cloned().collect();
        json(200, Json::Array(shown)).with_header("x-total-count", items.len().to_string())
    }
}

/// Polls a stream to the end of the walk.
fn walk(stream: &str, cursor: &mut Option<String>) -> Vec<Change> {
    let mut changes = Vec::new();
    loop {
        let page = Referrizer::poll(stream, cursor.as_deref()).unwrap();
        changes.extend(page.changes);
        *cursor = page.cursor;
        if !page.more {
            return changes;
        }
    }
}

mod records {
    use super::*;

    #[test]
    fn a_contact_is_read_with_the_fields_that_are_known() {
        let host = host().answer(&format!("GET {ANN_PATH}"), ann()).install();
        let record = Referrizer::read("contact", ANN).unwrap();
        assert_eq!((record.id.as_str(), record.email()), (ANN, Some("ann@example.com")));
        assert_eq!((record.text("firstName"), record.text("status")), (Some("Ann"), Some("LEAD")));
        assert_eq!(record.value("phone"), None, "its name is not known until a setting tells it");
        assert_eq!(record.value("tags"), None);
        host.assert_no_writes();
    }

    #[test]
    fn custom_fields_are_read_in_either_shape() {
        let names = json!({"tags": "Tags", "custom_1": "Birthday", "tasks": "Tasks", "open_tasks": "Open"});
        for custom in [
            json!({"Tags": "vip, b2b", "Birthday": "1 May", "Open": "2", "Tasks": "[{\"id\":\"t\"}]"}),
            json!([{"name": "Tags", "value": "[\"vip\",\"b2b\"]"}, {"name": "Birthday", "value": "1 May"},
                {"name": "Open", "value": 2}, {"name": "Tasks", "value": "[{\"id\":\"t\"}]"}]),
        ] {
            let mut contact = ann();
            contact["customFields"] = custom;
            let _host = host()
                .setting("custom_fields", names.clone())
                .answer(&format!("GET {ANN_PATH}"), contact)
                .install();
            let record = Referrizer::read("contact", ANN).unwrap();
            assert_eq!(record.texts("tags").unwrap(), ["vip", "b2b"]);
            assert_eq!((record.text("custom_1"), record.integer("open_tasks")), (Some("1 May"), Some(2)));
            assert_eq!(record.value("tasks"), Some(&Value::Json("[{\"id\":\"t\"}]".into())));
        }
    }

    #[test]
    fn a_list_that_nobody_wrote_yet_is_empty_and_a_broken_one_is_passed_on() {
        let names = json!({"tags": "None", "tasks": "Tasks", "notes": "Notes", "custom_1": "Free"});
        let mut contact = ann();
        contact["customFields"] = json!({"Tasks": "", "Notes": "[oops"});
        let _host =
            host().setting("custom_fields", names).answer(&format!("GET {ANN_PATH}"), contact).install();
        let record = Referrizer::read("contact", ANN).unwrap();
        assert_eq!(record.texts("tags").unwrap().len(), 0);
        assert_eq!(record.value("tasks"), Some(&Value::Json("[]".into())));
        assert_eq!(record.value("notes"), Some(&Value::Json("\"[oops\"".into())));
        assert_eq!(record.value("custom_1"), Some(&Value::Empty));
    }

    #[test]
    fn every_field_of_a_record_is_declared_in_the_manifest() {
        let manifest = contactor_manifest::Manifest::parse(MANIFEST).unwrap();
        let names = ["tags", "tasks", "open_tasks", "notes", "appointments", "custom_1", "custom_5"];
        let names: Json = names
            .iter()
            .map(|name| ((*name).to_owned(), json!("x")))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let _host = host()
            .setting("custom_fields", names)
            .setting("phone_key", "phone")
            .answer(&format!("GET {ANN_PATH}"), ann())
            .install();
        let record = Referrizer::read("contact", ANN).unwrap();
        assert_eq!(record.fields.len(), 12);
        for NamedValue { name, .. } in record.fields {
            assert!(manifest.field("contact", &name).is_some(), "{name}");
        }
    }

    #[test]
    fn without_an_operation_that_reads_one_the_list_is_walked() {
        let others = (0..150)
            .map(|number| json!({"id": format!("{number}"), "email": format!("{number}@example.com")}));
        let items: Vec<Json> = others.chain([ann()]).collect();
        let host = host()
            .setting("contact_read_path", "")
            .route("GET /v1/contacts", list(&Rc::new(RefCell::new(items))))
            .install();
        assert_eq!(Referrizer::read("contact", ANN).unwrap().email(), Some("ann@example.com"));
        assert_eq!(host.partner_calls().len(), 2);
        assert!(matches!(Referrizer::read("contact", "gone"), Err(Error::NotFound(_))));
    }

    #[test]
    fn an_email_is_found_by_walking_or_by_the_search_that_a_setting_names() {
        let items = Rc::new(RefCell::new(vec![json!({"id": "b", "email": "xann@example.com"}), ann()]));
        let key = NamedValue::new("email", "ANN@example.com");
        let host_ = host().route("GET /v1/contacts", list(&items)).install();
        assert_eq!(Referrizer::find("contact", &key).unwrap()[0].id, ANN);
        assert_eq!(host_.partner_calls()[0].line(), "GET /v1/contacts?page=1&perPage=100");
        assert!(Referrizer::find("contact", &NamedValue::new("email", "no@example.com")).unwrap().is_empty());
        assert!(Referrizer::find("contact", &NamedValue::new("phone", "+15550100")).unwrap().is_empty());
        drop(host_);
        let host_ = host()
            .setting("contact_search_parameter", "email")
            .setting("path_prefix", "")
            .setting("phone_key", "phone")
            .route("GET /contacts", list(&items))
            .install();
        Referrizer::find("contact", &key).unwrap();
        let line = "GET /contacts?page=1&perPage=100&email=ANN@example.com";
        assert_eq!(host_.partner_calls()[0].line(), line);
        assert_eq!(Referrizer::find("contact", &NamedValue::new("phone", "+15550100")).unwrap().len(), 1);
        assert!(Referrizer::find("contact", &NamedValue::new("shoe", "42")).is_err());
    }

    #[test]
    fn a_list_of_another_shape_is_an_error_that_shows_it() {
        let _host = host().answer("GET /v1/contacts", json!({"oops": 1})).install();
        let error = Referrizer::poll("contacts", None).unwrap_err();
        assert!(error.message().contains(r#"{"oops":1}"#), "{error}");
    }
}

mod writes {
    use super::*;

    #[test]
    fn a_contact_is_created_where_the_settings_say() {
        let host = host()
            .setting("contact_create_method", "PUT")
            .setting("contact_create_path", "/people")
            .setting("phone_key", "mobile")
            .setting("custom_fields", json!({"tags": "Tags", "tasks": "Tasks"}))
            .route("PUT /v1/people", |request| {
                let mut contact = request.body_json();
                contact["id"] = json!("new");
                json(201, contact)
            })
            .install();
        let fields = Fields::new()
            .with("email", "ann@example.com")
            .with("phone", "+15550100")
            .with("tags", ["b", "a"])
            .with("tasks", Value::Json("[{\"id\":\"t\"}]".into()));
        assert_eq!(Referrizer::create("contact", &fields).unwrap().id, "new");
        assert_eq!(
            host.partner_calls()[0].body_json(),
            json!({"email": "ann@example.com", "mobile": "+15550100",
                "customFields": {"Tags": "a,b", "Tasks": "[{\"id\":\"t\"}]"}})
        );
    }

    #[test]
    fn a_create_that_answers_nothing_is_looked_up() {
        let host = host()
            .reply("POST /v1/contacts", status(204))
            .answer("GET /v1/contacts", json!([ann()]))
            .install();
        let fields = Fields::new().with("email", "ann@example.com");
        assert_eq!(Referrizer::create("contact", &fields).unwrap().id, ANN);
        assert_eq!(host.partner_calls().len(), 2);
    }

    #[test]
    fn both_codes_of_a_duplicate_are_one() {
        for code in ["NOT_UNIQUE", "RESOURCE_ALREADY_EXISTS"] {
            let _host = host().reply("POST /v1/contacts", refused(code)).install();
            let error =
                Referrizer::create("contact", &Fields::new().with("email", "a@example.com")).unwrap_err();
            assert_eq!(error, Error::Duplicate(String::new()));
        }
        let _host = host().reply("POST /v1/contacts", refused("ILLEGAL_ARGUMENT")).install();
        let error = Referrizer::create("contact", &Fields::new().with("email", "a@example.com")).unwrap_err();
        assert_eq!(error, Error::invalid("", "ILLEGAL_ARGUMENT: no"));
    }

    #[test]
    fn a_change_sends_the_whole_contact_so_that_nothing_is_cleared() {
        let host = host()
            .setting("custom_fields", json!({"tags": "Tags"}))
            .setting("custom_fields_shape", "list")
            .answer(&format!("GET {ANN_PATH}"), ann())
            .route(&format!("PUT {ANN_PATH}"), |request| json(200, request.body_json()))
            .install();
        let fields = Fields::new().with("firstName", None::<&str>).with("tags", ["vip", "a,b"]);
        let record = Referrizer::update("contact", ANN, &fields).unwrap();
        assert_eq!((record.id.as_str(), record.texts("tags").unwrap().len()), (ANN, 2));
        let sent = host.partner_calls()[1].body_json();
        assert_eq!(
            (&sent["firstName"], &sent["phone"], &sent["lastName"]),
            (&Json::Null, &json!("+15550100"), &json!("Lee"))
        );
        let custom =
            json!([{"name": "Birthday", "value": "1 May"}, {"name": "Tags", "value": r#"["vip","a,b"]"#}]);
        assert_eq!((&sent["customFields"], sent.get("id")), (&custom, None));
    }

    #[test]
    fn where_a_change_is_partial_only_it_is_sent() {
        let host = host()
            .setting("contact_update_replaces", false)
            .setting("contact_update_method", "PATCH")
            .answer(&format!("GET {ANN_PATH}"), ann())
            .reply(&format!("PATCH {ANN_PATH}"), status(204))
            .install();
        let record = Referrizer::update("contact", ANN, &Fields::new().with("lastName", "Li")).unwrap();
        assert_eq!((record.text("firstName"), record.text("lastName")), (Some("Ann"), Some("Li")));
        let sent = host.partner_calls()[1].body_json();
        assert_eq!((&sent["lastName"], sent.get("firstName")), (&json!("Li"), None));
    }

    #[test]
    fn what_has_no_place_is_refused_before_anything_is_written() {
        let host = host().answer(&format!("GET {ANN_PATH}"), ann()).install();
        for name in ["phone", "tags", "shoe"] {
            let error = Referrizer::update("contact", ANN, &Fields::new().with(name, "x")).unwrap_err();
            assert!(error.message().contains("custom_fields"), "{error}");
        }
        host.assert_no_writes();
    }

    #[test]
    fn a_custom_field_that_is_not_there_is_told_with_what_to_do() {
        let _host = host()
            .setting("custom_fields", json!({"tags": "Tags"}))
            .answer(&format!("GET {ANN_PATH}"), ann())
            .reply(&format!("PUT {ANN_PATH}"), refused("INVALID_CUSTOM_FIELD_NAME"))
            .install();
        let error = Referrizer::update("contact", ANN, &Fields::new().with("tags", ["a"])).unwrap_err();
        assert!(
            matches!(error, Error::Invalid(_)) && error.message().contains("create the custom field"),
            "{error}"
        );
    }

    #[test]
    fn the_status_of_an_answer_tells_whose_turn_it_is() {
        let read = |response: Response| {
            let _host = host().reply(&format!("GET {ANN_PATH}"), response).install();
            Referrizer::read("contact", ANN).unwrap_err()
        };
        let body = json!({"errorCode": "MISSING_TOKEN", "message": "no"});
        assert!(matches!(read(json(401, body.clone())), Error::Unauthorized(_)));
        assert_eq!(read(json(429, body.clone())), Error::Limited(None));
        assert!(matches!(read(json(404, body)), Error::NotFound(_)));
        assert!(matches!(read(status(503)), Error::Unavailable(_)));
    }
}

mod admission {
    use super::*;

    fn admit(host: MockHost, direction: Direction, fields: &Fields) -> bool {
        let host = host.install();
        let decision = Referrizer::admit("contact", direction, fields).unwrap();
        host.assert_no_partner_calls();
        decision == Decision::Accept
    }

    #[test]
    fn people_who_cannot_be_kept_are_left_alone() {
        let (email, phone) =
            (Fields::new().with("email", "a@example.com"), Fields::new().with("phone", "+15550100"));
        assert!(admit(host(), Direction::ToPartner, &email));
        assert!(!admit(host(), Direction::ToPartner, &phone));
        assert!(admit(host(), Direction::ToHighlevel, &phone));
        assert!(admit(host().setting("require_email", false), Direction::ToPartner, &phone));
        assert!(!admit(host(), Direction::ToPartner, &email.clone().with("dnd", true)));
        let blocking = || host().setting("blocked_domains", json!(["example.com"]));
        assert!(!admit(blocking(), Direction::ToHighlevel, &email));
    }
}

mod walks {
    use super::*;

    #[test]
    fn the_first_walk_learns_and_the_next_shows_what_is_new_or_different() {
        let items = Rc::new(RefCell::new(vec![ann()]));
        let _host = host().route("GET /v1/contacts", list(&items)).install();
        let mut cursor = None;
        let first = walk("contacts", &mut cursor);
        assert_eq!((first.len(), first[0].event.as_str()), (1, ""), "nobody is greeted as a new lead");
        assert_eq!(first[0].snapshot.as_ref().unwrap().email(), Some("ann@example.com"));
        assert!(walk("contacts", &mut cursor).is_empty());

        items.borrow_mut().insert(0, json!({"id": "b", "email": "ben@example.com", "status": "LEAD"}));
        items.borrow_mut()[1]["lastName"] = json!("Li");
        let changes = walk("contacts", &mut cursor);
        assert_eq!((changes[0].event.as_str(), changes[0].kind), ("lead_created", ChangeKind::Created));
        assert_eq!(changes[0].text("key"), Some("lead:b"));
        assert_eq!((changes[1].event.as_str(), changes[1].kind), ("", ChangeKind::Updated));
        assert!(walk("contacts", &mut cursor).is_empty());
    }

    #[test]
    fn a_status_that_changes_twice_happens_twice() {
        let items = Rc::new(RefCell::new(vec![ann()]));
        let _host = host().route("GET /v1/contacts", list(&items)).install();
        let mut cursor = None;
        walk("contacts", &mut cursor);
        let mut keys = Vec::new();
        for status in ["CUSTOMER", "LEAD", "CUSTOMER"] {
            items.borrow_mut()[0]["status"] = json!(status);
            let changes = walk("contacts", &mut cursor);
            assert_eq!(changes[0].event, "status_changed");
            keys.push(changes[0].text("key").unwrap().to_owned());
        }
        keys.dedup();
        assert_eq!(keys.len(), 3, "{keys:?}");
    }

    #[test]
    fn what_the_connector_created_itself_is_no_lead() {
        let items = Rc::new(RefCell::new(Vec::new()));
        let _host =
            host().route("GET /v1/contacts", list(&items)).reply("POST /v1/contacts", status(500)).install();
        let mut cursor = None;
        walk("contacts", &mut cursor);
        // The answer is lost, but the contact is there.
        Referrizer::create("contact", &Fields::new().with("email", "Ann@example.com")).unwrap_err();
        items.borrow_mut().push(ann());
        let changes = walk("contacts", &mut cursor);
        assert_eq!((changes.len(), changes[0].event.as_str()), (1, ""));
    }

    #[test]
    fn a_page_that_was_not_stored_is_shown_again() {
        let items =
            Rc::new(RefCell::new((0..150).map(|n| json!({"id": format!("c{n}")})).collect::<Vec<_>>()));
        let _host = host().route("GET /v1/contacts", list(&items)).install();
        let page = |cursor: Option<&str>| Referrizer::poll("contacts", cursor).unwrap();
        let first = page(None);
        assert_eq!((first.changes.len(), first.more), (100, true));
        assert_eq!(page(None).changes.len(), 100, "the host crashed before it stored the cursor");
        let second = page(first.cursor.as_deref());
        assert_eq!(
            (second.changes.len(), second.more),
            (50, true),
            "a second walk follows the first at once"
        );
        assert!(Referrizer::poll("contacts", Some("nonsense")).is_err());
        assert!(matches!(Referrizer::poll("weather", None), Err(Error::Unsupported(_))));
    }

    #[test]
    fn a_redemption_is_known_by_reward_contact_and_date() {
        let redeem = |date: &str| json!({"loyaltyRewardId": "r", "contactId": ANN, "points": 30, "date": date, "employeeId": null, "note": "gift"});
        let items = Rc::new(RefCell::new(vec![redeem("2026-01-01T00:00:00.000Z")]));
        let host = host()
            .route("GET /v1/loyalty-rewards/redeems", list(&items))
            .answer("GET /v1/loyalty-rewards/r", json!({"id": "r", "title": "Mug"}))
            .install();
        let mut cursor = None;
        assert!(walk("redeems", &mut cursor).is_empty(), "old ones set nothing off");
        items.borrow_mut().insert(0, redeem("2026-11-21T08:00:00.000Z"));
        let changes = walk("redeems", &mut cursor);
        assert_eq!(
            (changes.len(), changes[0].event.as_str(), changes[0].id.as_str()),
            (1, "reward_redeemed", ANN)
        );
        let key = format!("r:{ANN}:2026-11-21T08:00:00.000Z");
        assert_eq!(
            (changes[0].text("key"), changes[0].text("reward_title")),
            (Some(key.as_str()), Some("Mug"))
        );
        assert!(walk("redeems", &mut cursor).is_empty());
        host.assert_no_writes();
    }
}

mod webhooks {
    use super::*;

    fn receive(body: &[u8]) -> Received {
        let host = host().install();
        let received = Referrizer::receive(&webhook(body)).unwrap();
        host.assert_no_partner_calls();
        received
    }

    #[test]
    fn a_hint_names_a_contact_and_is_believed_nothing_else() {
        for body in [
            r#"{"contactId":"c1"}"#,
            r#"{"data":{"contact":{"id":"c1"}}}"#,
            r#"{"contact":{"id":"c1","email":"x"}}"#,
        ] {
            let changes = receive(body.as_bytes()).changes();
            assert_eq!((changes[0].id.as_str(), &changes[0].snapshot), ("c1", &None), "{body}");
        }
        for body in [&b"\xff"[..], b"[]", b"{}", b"null", br#"{"contactId":{}}"#] {
            assert!(matches!(receive(body), Received::Rejected(_)));
        }
    }
}

mod visits {
    use super::*;

    fn kept(id: &str, start: &str) -> Event {
        event("AppointmentUpdate")
            .with("id", id)
            .with("calendarId", "cal")
            .with("appointmentStatus", "showed")
            .with("startTime", start)
            .of_contact("c1")
            .of_partner(ANN)
    }

    #[test]
    fn a_kept_appointment_is_one_dated_visit_however_often_it_is_told() {
        let host = host().answer("POST /v1/visits", json!({"id": "v"})).install();
        for _ in 0..5 {
            Referrizer::handle(&kept("a1", "2026-11-20T09:00:00-05:00")).unwrap();
        }
        let requests = host.partner_calls();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].body_json(), json!({"contactId": ANN, "date": "2026-11-20T14:00:00.000Z"}));
    }

    #[test]
    fn the_event_may_carry_the_appointment_in_its_body_only() {
        let host = host().answer("POST /v1/visits", json!({"id": "v"})).install();
        let body = json!({"appointment": {"id": "a1", "appointmentStatus": "showed", "startTime": "2026-11-20T14:00:00Z"}});
        Referrizer::handle(&event("AppointmentCreate").of_partner(ANN).with_payload(body)).unwrap();
        assert_eq!(host.partner_calls().len(), 1);
    }

    #[test]
    fn one_that_is_marked_before_it_begins_is_dated_now() {
        let host = host().setting("visit_points", 5).answer("POST /v1/visits", json!({"id": "v"})).install();
        Referrizer::handle(&kept("a1", "2030-01-01T00:00:00Z")).unwrap();
        let body = json!({"contactId": ANN, "date": "2026-11-21T08:00:00.000Z", "points": 5});
        assert_eq!(host.partner_calls()[0].body_json(), body);
    }

    #[test]
    fn checked_in_already_is_success_and_is_not_tried_again() {
        let host = host().reply("POST /v1/visits", refused("CONTACT_ALREADY_CHECKED_IN")).install();
        for _ in 0..2 {
            Referrizer::handle(&kept("a1", "2026-11-20T09:00:00Z")).unwrap();
        }
        assert_eq!(host.partner_calls().len(), 1);
        drop(host);
        let host = super::host().reply("POST /v1/visits", refused("VISIT_DATE_IN_FUTURE")).install();
        assert!(Referrizer::handle(&kept("a1", "2026-11-20T09:00:00Z")).is_err());
        assert_eq!(host.partner_calls().len(), 1);
    }

    #[test]
    fn other_appointments_are_no_visits() {
        let ignored = |host: MockHost, event: Event| {
            let host = host.install();
            assert!(matches!(Referrizer::handle(&event).unwrap(), Outcome::Ignored(_)));
            host.assert_no_partner_calls();
        };
        let kept = || kept("a1", "2026-11-20T09:00:00Z");
        ignored(host(), kept().with("appointmentStatus", "noshow"));
        ignored(host(), Event { partner_id: None, ..kept() });
        ignored(host().setting("record_visits", false), kept());
        ignored(host().setting("visit_calendars", json!(["other"])), kept());
    }
}

mod rules {
    use super::*;

    fn with_contact(tags: &[&str]) -> MockHost {
        host().contact(contact("c1", Fields::new().with("email", "ann@example.com"), tags))
    }

    #[test]
    fn the_manifest_offers_what_the_connector_links() {
        let manifest = contactor_manifest::Manifest::parse(MANIFEST).unwrap();
        let setting = manifest.settings.iter().find(|setting| setting.name == "rules").unwrap();
        assert_eq!(setting.effects, EFFECTS.names());
    }

    #[test]
    fn a_new_lead_is_tagged_and_followed_up() {
        let host = with_contact(&[]).install();
        let lead = event("lead_created").with("firstName", None::<&str>).with("email", "ann@example.com");
        Referrizer::handle(&lead.of_contact("c1").of_partner(ANN)).unwrap();
        assert_eq!(host.stored_contact("c1").unwrap().tags, ["referrizer lead"]);
        assert!(host.writes()[1].contains("Follow up the lead ann@example.com"), "{:?}", host.writes());
    }

    #[test]
    fn a_new_status_takes_the_place_of_the_old_ones_tag() {
        let host = with_contact(&["vip", "referrizer status lead"]).install();
        Referrizer::handle(&event("status_changed").with("status", "CUSTOMER").of_contact("c1")).unwrap();
        let mut tags = host.stored_contact("c1").unwrap().tags;
        tags.sort();
        assert_eq!(tags, ["referrizer status customer", "vip"]);
    }

    #[test]
    fn a_redemption_is_tagged_noted_and_thanked_for() {
        let host = with_contact(&[]).install();
        let redeemed = event("reward_redeemed").with("reward_title", "Mug").with("points", 30);
        let redeemed = redeemed.with("date", "2026-11-21T08:00:00.000Z").with("note", None::<&str>);
        Referrizer::handle(&redeemed.of_contact("c1")).unwrap();
        let writes = host.writes().join("\n");
        assert!(
            writes.contains("Thank for redeeming Mug") && writes.contains("Mug for 30 points on 2026"),
            "{writes}"
        );
        assert_eq!(host.writes().len(), 3);
        host.assert_no_partner_calls();
    }

    #[test]
    fn a_note_becomes_a_message_only_with_the_template_that_allows_it_and_only_if_a_user_wrote_it() {
        let written = |by: Option<&str>| {
            let fields: Vec<_> = by.map(|user| NamedValue::new("userId", user)).into_iter().collect();
            let note = notes::create("c1", "#invite Bring a friend", &fields).unwrap();
            event("NoteCreate").with("id", note.id).with("body", note.body).of_contact("c1").of_partner(ANN)
        };
        let note = || written(Some("u1"));
        let host_ = with_contact(&[]).install();
        assert!(matches!(Referrizer::handle(&note()).unwrap(), Outcome::Ignored(_)));
        host_.assert_no_partner_calls();
        drop(host_);
        let manifest = contactor_manifest::Manifest::parse(MANIFEST).unwrap();
        let template = manifest.templates.iter().find(|one| one.name == "loyalty-with-invitations").unwrap();
        let mut host = with_contact(&[]);
        for (name, value) in &template.settings {
            host = host.setting(name, value.clone());
        }
        let host = host.answer(&format!("POST {ANN_PATH}/invite"), json!({})).install();
        Referrizer::handle(&note()).unwrap();
        assert_eq!(host.partner_calls()[0].body_json(), json!({"message": "Bring a friend"}));
        Referrizer::handle(&note().with("body", "Called her")).unwrap();
        assert_eq!(host.partner_calls().len(), 1);
        // What a rule wrote, for example the message of a form, is no command; nor is a note that is gone.
        Referrizer::handle(&written(None)).unwrap();
        Referrizer::handle(&note().with("id", "gone")).unwrap();
        assert_eq!(host.partner_calls().len(), 1);
    }
}

mod actions {
    use super::*;

    #[test]
    fn every_declared_action_works_with_its_example_and_writes_only_if_it_says_so() {
        let manifest = contactor_manifest::Manifest::parse(MANIFEST).unwrap();
        for action in &manifest.actions {
            let host = host()
                .setting("allow_messages", true)
                .reply("GET /v1/contacts", page(json!([ann()])))
                .answer("GET /v1/contacts/*", ann())
                .answer("POST /v1/contacts/*/invite", json!({}))
                .answer("POST /v1/visits", json!({"id": "v"}))
                .reply("GET /v1/loyalty-rewards", page(json!([])))
                .reply("GET /v1/loyalty-rewards/redeems", page(json!([])))
                .answer("POST /v1/loyalty-rewards", json!({"id": "r"}))
                .answer(
                    "GET /v1/loyalty-rewards/6bebe778ea1249f42b80738482e3ae97",
                    json!({"id": "r", "title": "Mug"}),
                )
                .answer("PUT /v1/loyalty-rewards/6bebe778ea1249f42b80738482e3ae97", json!({"id": "r"}))
                .install();
            let output = Referrizer::run(&action.name, action.example.clone()).unwrap();
            assert!(output.is_object(), "{}", action.name);
            assert_eq!(host.writes().len(), usize::from(action.writes), "{}", action.name);
        }
        let _host = host().install();
        assert!(matches!(Referrizer::run("contacts.teleport", json!({})), Err(Error::Unsupported(_))));
    }

    #[test]
    fn nobody_is_messaged_without_consent() {
        let host = host().answer("POST /v1/visits", json!({"id": "v"})).install();
        let invite = json!({"contact_id": ANN, "message": "Hi"});
        assert!(matches!(Referrizer::run("contacts.invite", invite), Err(Error::Denied(_))));
        let notify = json!({"contact_id": ANN, "notify": true});
        assert!(matches!(Referrizer::run("visits.create", notify), Err(Error::Denied(_))));
        host.assert_no_partner_calls();
        Referrizer::run("visits.create", json!({"contact_id": ANN})).unwrap();
        assert_eq!(host.partner_calls()[0].body_json()["date"], "2026-11-21T08:00:00.000Z");
        let both = json!({"contact_id": ANN, "points": 1, "amount_spent": 2});
        assert!(matches!(Referrizer::run("visits.create", both), Err(Error::Invalid(_))));
    }

    #[test]
    fn a_reward_keeps_what_a_change_does_not_name() {
        let reward = json!({"id": "r", "title": "Mug", "points": 30, "available": 3, "type": "ITEM"});
        let host = host()
            .answer("GET /v1/loyalty-rewards/r", reward)
            .route("PUT /v1/loyalty-rewards/r", |request| json(200, request.body_json()))
            .install();
        let output = Referrizer::run("rewards.update", json!({"reward_id": "r", "points": 40})).unwrap();
        assert_eq!(output, json!({"title": "Mug", "points": 40, "type": "ITEM"}));
        assert_eq!(host.partner_calls().len(), 2);
    }

    #[test]
    fn a_check_counts_the_contacts_and_blames_the_right_setting() {
        let good = host().reply("GET /v1/contacts", page(json!([ann()]))).install();
        let account = Referrizer::check().unwrap();
        assert_eq!(account.details, [NamedValue::new("contacts", 1)]);
        drop(good);
        let _missing = host().reply("GET /v1/contacts", status(404)).install();
        assert!(
            matches!(Referrizer::check(), Err(Error::Invalid(problems)) if problems[0].field == "path_prefix")
        );
    }
}
