//! The connector as it is, against a programmed host.

use contactor_sdk::partner::{Request, Response};
use contactor_sdk::prelude::*;
use contactor_sdk::testing::{InstalledHost, MockHost, contact, event, json, status, webhook};
use pheedloop::{MANIFEST, PheedLoop};
use serde_json::{Value as Json, json};

const ATTENDEES: &str = "/ORG1/events/EVE1/attendees/";
const ATT_5: &str = "/ORG1/events/EVE1/attendees/ATT5/";

fn host() -> MockHost {
    MockHost::new()
        .manifest(MANIFEST)
        .setting("organization_code", "ORG1")
        .setting("event_codes", json!(["EVE1"]))
        .answer("GET /ORG1/events/EVE1/", json!({ "code": "EVE1", "event_name": "Summit" }))
}

fn ada() -> Json {
    json!({
        "code": "ATT5", "first_name": "Ada", "last_name": "-", "email": "ada@example.com", "organization": "",
        "address_phone": "+15550100", "tags": ["vip", { "id": 3, "name": "press" }], "code_internal": "",
        "is_checked_in": false, "checkin_date": null,
        "metadata": { "seat": "A1", "highlevel_tasks": [{ "id": "t1", "title": "Call" }] },
    })
}

fn envelope(results: &Json, next: Option<&str>) -> Json {
    json!({ "count": 1, "next": next, "previous": null, "results": results })
}

/// A list with one page, and no reply beyond it but the vendor's.
fn one_page(results: &Json) -> impl Fn(&Request) -> Response + use<> {
    let results = results.clone();
    move |request| match request.query_value("page") {
        Some("1") => json(200, envelope(&results, None)),
        _ => json(404, json!({ "detail": "Invalid page." })),
    }
}

fn with_ada() -> MockHost {
    host().route(&format!("GET {ATTENDEES}"), one_page(&json!([ada()])))
}

fn bodies(host: &InstalledHost) -> Vec<Json> {
    host.partner_calls().iter().filter(|call| call.body.is_some()).map(Request::body_json).collect()
}

fn receive(body: &Json) -> Received {
    let host = host().install();
    let received = PheedLoop::receive(&webhook(body.to_string())).expect("an understood webhook");
    host.assert_no_partner_calls();
    received
}

mod records {
    use super::*;

    #[test]
    fn an_attendee_is_found_in_its_list_and_read_with_tags_names_and_metadata() {
        let host = with_ada().install();
        let record = PheedLoop::read("contact", "ATT5:EVE1").unwrap();
        assert_eq!((record.id.as_str(), record.email()), ("ATT5:EVE1", Some("ada@example.com")));
        assert_eq!(record.text("first_name"), Some("Ada"));
        assert_eq!(record.value("last_name"), Some(&Value::Empty), "the stand-in is no name");
        assert_eq!(record.value("organization"), Some(&Value::Empty));
        assert_eq!(record.texts("tags").unwrap(), ["vip", "press"]);
        assert_eq!(record.text("event_code"), Some("EVE1"));
        let tasks = Value::Json(r#"[{"id":"t1","title":"Call"}]"#.into());
        assert_eq!(record.value("metadata.highlevel_tasks"), Some(&tasks));
        assert_eq!(record.value("metadata.highlevel_notes"), Some(&Value::Empty));
        assert_eq!(host.partner_calls()[0].line(), format!("GET {ATTENDEES}?page_size=500&page=1"));
        host.assert_no_writes();
    }

    #[test]
    fn every_field_of_a_record_is_declared_in_the_manifest() {
        let manifest = contactor_manifest::Manifest::parse(MANIFEST).unwrap();
        let _host = with_ada().install();
        for NamedValue { name, .. } in PheedLoop::read("contact", "ATT5:EVE1").unwrap().fields {
            assert!(manifest.field("contact", &name).is_some(), "{name}");
        }
    }

    #[test]
    fn whoever_is_in_neither_list_nor_attendance_is_gone() {
        let attendance = |codes: Json| {
            with_ada().answer(
                "GET /ORG1/events/EVE1/attendance/",
                json!({ "checked_in": [], "not_checked_in": codes }),
            )
        };
        let gone = attendance(json!(["ATT5"])).install();
        assert!(matches!(PheedLoop::read("contact", "ATT6:EVE1"), Err(Error::NotFound(_))));
        drop(gone);
        let _moved = attendance(json!(["ATT5", "ATT6"])).install();
        assert!(matches!(PheedLoop::read("contact", "ATT6:EVE1"), Err(Error::Unavailable(_))));
    }

    #[test]
    fn an_event_that_does_not_exist_is_no_missing_attendee() {
        let _host = host().reply(&format!("GET {ATTENDEES}"), status(404)).install();
        let error = PheedLoop::read("contact", "ATT5:EVE1").unwrap_err();
        assert!(matches!(&error, Error::Invalid(problems) if problems[0].field == "event_codes"), "{error}");
        assert!(matches!(PheedLoop::read("contact", "ATT5"), Err(Error::NotFound(_))), "no id of ours");
    }

    #[test]
    fn pages_are_walked_to_their_end_and_invalid_page_is_the_end() {
        let page = |request: &Request| match request.query_value("page") {
            Some("1") => {
                json(200, envelope(&json!([ada()]), Some("https://elsewhere.example/x/?page=2&page_size=1")))
            }
            Some("2") => {
                let mut other = ada();
                other["code"] = json!("ATT6");
                json(200, envelope(&json!([other]), Some("https://elsewhere.example/x/?page=3")))
            }
            _ => json(404, json!({ "detail": "Invalid page." })),
        };
        let host = host().setting("page_size", 1).route(&format!("GET {ATTENDEES}"), page).install();
        let found = PheedLoop::find("contact", &NamedValue::new("email", "ADA@example.com")).unwrap();
        assert_eq!(
            found.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(),
            ["ATT5:EVE1", "ATT6:EVE1"]
        );
        assert_eq!(host.partner_calls().len(), 3);
        PheedLoop::read("contact", "ATT5:EVE1").unwrap();
        assert_eq!(host.partner_calls().len(), 4, "the walk ends where the attendee is");
    }

    #[test]
    fn the_first_event_that_knows_the_email_answers() {
        let host = with_ada()
            .setting("event_codes", json!(["EVE0", "EVE1"]))
            .route("GET /ORG1/events/EVE0/attendees/", one_page(&json!([])))
            .install();
        let found = PheedLoop::find("contact", &NamedValue::new("email", "ada@example.com")).unwrap();
        assert_eq!((found.len(), found[0].id.as_str()), (1, "ATT5:EVE1"));
        assert_eq!(host.partner_calls().len(), 2);
        let by_phone = PheedLoop::find("contact", &NamedValue::new("address_phone", "+15550100"));
        assert!(matches!(by_phone, Err(Error::Unsupported(_))));
        assert!(matches!(PheedLoop::read("task", "1"), Err(Error::Unsupported(_))));
    }

    #[test]
    fn an_account_that_can_read_one_attendee_is_asked_for_one() {
        let host = host().setting("attendee_reads", "get").answer(&format!("GET {ATT_5}"), ada()).install();
        assert_eq!(PheedLoop::read("contact", "ATT5:EVE1").unwrap().email(), Some("ada@example.com"));
        assert_eq!(host.partner_calls().len(), 1);
    }
}

mod writes {
    use super::*;

    #[test]
    fn a_new_attendee_is_never_welcomed_unless_the_admin_says_so() {
        let fields = Fields::new().with("email", "ada@example.com").with("first_name", "Ada");
        let created = |host: MockHost| {
            let host =
                host.reply(&format!("POST {ATTENDEES}"), json(201, json!({ "code": "ATT9" }))).install();
            let record = PheedLoop::create("contact", &fields).unwrap();
            (record, bodies(&host).remove(0))
        };
        let (record, body) = created(host());
        let expected = json!({
            "email": "ada@example.com", "first_name": "Ada", "last_name": "-",
            "code_internal": "highlevel:ada@example.com", "send_app_welcome_email": false,
            "send_attendee_portal_welcome": false, "send_welcome_virtual_portal_email": false,
        });
        assert_eq!(body, expected);
        assert_eq!((record.id.as_str(), record.email()), ("ATT9:EVE1", Some("ada@example.com")));
        assert_eq!(record.value("last_name"), Some(&Value::Empty));
        let (_, body) = created(host().setting("welcome_emails", json!(["send_app_welcome_email"])));
        assert_eq!(
            (&body["send_app_welcome_email"], &body["send_attendee_portal_welcome"]),
            (&json!(true), &json!(false))
        );
        let _host = host().install();
        assert!(matches!(PheedLoop::create("contact", &Fields::new()), Err(Error::Invalid(_))));
    }

    #[test]
    fn a_list_is_written_into_metadata_beside_what_others_keep_there() {
        let host =
            with_ada().reply(&format!("PATCH {ATT_5}"), json(200, json!({ "code": "ATT5" }))).install();
        let fields = Fields::new()
            .with("metadata.highlevel_tasks", None::<&str>)
            .with("metadata.highlevel_notes", Value::Json(r#"[{"id":"n1"}]"#.into()))
            .with("title", None::<&str>);
        let record = PheedLoop::update("contact", "ATT5:EVE1", &fields).unwrap();
        let metadata = json!({ "seat": "A1", "highlevel_notes": [{ "id": "n1" }] });
        assert_eq!(bodies(&host), [json!({ "title": "", "metadata": metadata })]);
        assert_eq!(record.value("metadata.highlevel_tasks"), Some(&Value::Empty));
    }

    #[test]
    fn an_update_without_metadata_is_one_request_and_names_only_what_changes() {
        let host = host().reply(&format!("PATCH {ATT_5}"), json(200, json!({ "code": "ATT5" }))).install();
        let fields = Fields::new().with("organization", "Analytics").with("tags", ["a"]);
        let record = PheedLoop::update("contact", "ATT5:EVE1", &fields).unwrap();
        assert_eq!(bodies(&host), [json!({ "organization": "Analytics", "tags": ["a"] })]);
        assert_eq!(host.partner_calls().len(), 1);
        assert_eq!((record.id.as_str(), record.value("email")), ("ATT5:EVE1", None));
    }

    #[test]
    fn what_pheedloop_cannot_hold_is_refused_before_anything_is_sent() {
        let host = host().install();
        for fields in [
            Fields::new().with("is_checked_in", true),
            Fields::new().with("tags", "a"),
            Fields::new().with("email", None::<&str>),
        ] {
            assert!(matches!(PheedLoop::update("contact", "ATT5:EVE1", &fields), Err(Error::Invalid(_))));
        }
        host.assert_no_partner_calls();
    }

    #[test]
    fn refusals_name_their_fields_and_a_taken_email_is_a_duplicate() {
        let error = |body: Json| {
            let _host = host().reply(&format!("POST {ATTENDEES}"), json(400, body)).install();
            PheedLoop::create("contact", &Fields::new().with("email", "ada@example.com")).unwrap_err()
        };
        let refused = error(json!({ "address_phone": ["Too long.", "No phone."] }));
        assert_eq!(refused.message(), "refused: address_phone: Too long.; address_phone: No phone.");
        let taken = error(json!({ "email": ["attendee with this email already exists."] }));
        assert_eq!(taken, Error::Duplicate(String::new()));
        assert!(matches!(error(json!({ "detail": "JSON parse error." })), Error::Invalid(_)));
    }

    #[test]
    fn an_attendee_leaves_its_event() {
        let host = host().reply(&format!("DELETE {ATT_5}"), status(204)).install();
        PheedLoop::delete("contact", "ATT5:EVE1").unwrap();
        assert_eq!(host.writes(), [format!("partner.send(DELETE {ATT_5})")]);
    }
}

#[test]
fn a_check_names_the_events_and_blames_the_right_setting() {
    let good = host().install();
    let account = PheedLoop::check().unwrap();
    assert_eq!((account.id.as_str(), account.details), ("ORG1", vec![NamedValue::new("EVE1", "Summit")]));
    drop(good);
    let missing = host().reply("GET /ORG1/events/EVE1/", status(404)).install();
    let error = PheedLoop::check().unwrap_err();
    assert!(matches!(&error, Error::Invalid(problems) if problems[0].field == "event_codes"), "{error}");
    drop(missing);
    let _refused = host().reply("GET /ORG1/events/EVE1/", status(403)).install();
    assert!(matches!(PheedLoop::check(), Err(Error::Unauthorized(_))));
}

#[test]
fn people_are_left_alone_for_a_reason_that_an_admin_understands() {
    let admit = |host: MockHost, direction, fields: &Fields| {
        let host = host.install();
        let decision = PheedLoop::admit("contact", direction, fields).unwrap();
        host.assert_no_partner_calls();
        decision
    };
    let ada = Fields::new().with("email", "ada@example.com").with("tags", ["vip"]).with("dnd", true);
    let skipped =
        |decision, words: &str| matches!(decision, Decision::Skip(reason) if reason.contains(words));
    assert!(skipped(admit(host(), Direction::ToPartner, &ada), "the tag `pheedloop`"));
    assert_eq!(admit(host(), Direction::ToHighlevel, &ada), Decision::Accept);
    let all = || host().setting("only_tagged", false);
    assert_eq!(admit(all(), Direction::ToPartner, &ada), Decision::Accept, "nobody is mailed");
    let mailing = all().setting("welcome_emails", json!(["send_app_welcome_email"]));
    assert!(skipped(admit(mailing, Direction::ToPartner, &ada), "do not disturb"));
    assert_eq!(
        admit(host(), Direction::ToPartner, &ada.clone().with("tags", ["pheedloop"])),
        Decision::Accept
    );
    let blocked = host().setting("blocked_domains", json!(["example.com"]));
    assert!(skipped(admit(blocked, Direction::ToHighlevel, &ada), "blocked"));
    assert!(skipped(admit(host(), Direction::ToHighlevel, &Fields::new()), "no email"));
}

mod triggers {
    use super::*;

    fn registration() -> Json {
        json!({
            "code": "REG1", "attendee_code": "ATT5", "event_code": "EVE1", "first_name": "Ada",
            "ticket_name": "Workshop", "registration_complete": true, "canceled": false,
            "date": "2026-11-21T08:00:00Z", "date_updated": "2026-11-21T08:00:00Z",
        })
    }

    fn named(action: &str, data: &Json) -> Json {
        json!({ "action": action, "organization_code": "ORG1", "event_code": "EVE1", "data": data })
    }

    #[test]
    fn a_registration_is_a_sign_up_of_its_attendee_in_every_shape_that_names_the_action() {
        let hook = json!({ "id": 1, "action": "registration.created", "event": "EVE1" });
        for body in
            [named("registration.created", &registration()), json!({ "hook": hook, "data": registration() })]
        {
            let change = receive(&body).change();
            assert_eq!((change.id.as_str(), change.event.as_str()), ("ATT5:EVE1", "signup"), "{body}");
            assert_eq!(
                (change.text("key"), change.text("ticket_name")),
                (Some("ATT5:EVE1"), Some("Workshop"))
            );
            assert_eq!(change.text("event_code"), Some("EVE1"));
        }
    }

    #[test]
    fn a_whole_attendee_is_a_snapshot_and_what_we_created_is_no_sign_up() {
        let organisers = receive(&named("attendee.created", &ada())).change();
        assert_eq!((organisers.event.as_str(), organisers.kind), ("signup", ChangeKind::Created));
        assert_eq!(organisers.snapshot.unwrap().email(), Some("ada@example.com"));
        let mut ours = ada();
        ours["code_internal"] = json!("highlevel:ada@example.com");
        assert_eq!(receive(&named("attendee.created", &ours)).change().event, "attendee.created");
        let mention =
            receive(&json!({ "action": "attendee.created", "event_code": "EVE1", "code": "ATT5" })).change();
        assert_eq!((mention.event.as_str(), mention.snapshot), ("attendee.created", None));
        let gone = receive(&named("attendee.deleted", &ada())).change();
        assert_eq!((gone.kind, gone.snapshot), (ChangeKind::Deleted, None));
    }

    #[test]
    fn a_body_without_action_and_event_is_a_hint_and_no_more() {
        let change = receive(&registration()).change();
        assert_eq!(
            (change.id.as_str(), change.event.as_str(), change.kind),
            ("ATT5:EVE1", "", ChangeKind::Updated)
        );
        let two = host().setting("event_codes", json!(["EVE1", "EVE2"])).install();
        let changes = PheedLoop::receive(&webhook(ada().to_string())).unwrap().changes();
        assert_eq!(
            changes.iter().map(|change| change.id.as_str()).collect::<Vec<_>>(),
            ["ATT5:EVE1", "ATT5:EVE2"]
        );
        two.assert_no_partner_calls();
    }

    #[test]
    fn cancellations_and_check_ins_have_their_own_identity() {
        let mut cancelled = registration();
        cancelled["is_canceled"] = json!(true);
        let cancelled = receive(&named("registration.updated", &cancelled)).change();
        assert_eq!((cancelled.event.as_str(), cancelled.text("key")), ("cancellation", Some("REG1")));
        let mut inside = ada();
        inside["checkin_date"] = json!("2026-12-10T09:00:00Z");
        let checkin = receive(&named("checkin.created", &inside)).change();
        assert_eq!(
            (checkin.event.as_str(), checkin.text("key")),
            ("checkin", Some("ATT5:EVE1 2026-12-10T09:00:00Z"))
        );
    }

    #[test]
    fn another_event_is_passed_over_and_garbage_rejected() {
        let mut other = named("attendee.updated", &ada());
        other["event_code"] = json!("EVE9");
        assert!(receive(&other).changes().is_empty());
        let _host = host().install();
        for body in [&b"\xff"[..], b"[]", b"null", br#"{"action":"attendee.updated"}"#] {
            let received = PheedLoop::receive(&webhook(body)).unwrap();
            assert!(matches!(received, Received::Rejected(_)), "{received:?}");
        }
    }

    #[test]
    fn every_sample_of_the_manifest_is_understood_as_its_trigger() {
        let manifest = contactor_manifest::Manifest::parse(MANIFEST).unwrap();
        let _host = host().setting("event_codes", json!(["EVESANDBOX"])).install();
        for trigger in &manifest.triggers {
            let Some(sample) = trigger.sample.as_ref().filter(|_| !trigger.name.starts_with("timer:")) else {
                continue;
            };
            let changes = PheedLoop::receive(&webhook(sample.to_string())).unwrap().changes();
            assert_eq!(changes[0].event, trigger.name);
        }
    }

    #[test]
    fn a_walk_shows_the_attendees_of_every_event_and_begins_again() {
        let host = with_ada()
            .setting("event_codes", json!(["EVE0", "EVE1"]))
            .route("GET /ORG1/events/EVE0/attendees/", one_page(&json!([])))
            .install();
        let first = PheedLoop::poll("attendees", None).unwrap();
        assert_eq!((first.changes.len(), first.more), (0, true));
        let last = PheedLoop::poll("attendees", first.cursor.as_deref()).unwrap();
        assert_eq!((last.changes[0].id.as_str(), last.more, last.cursor), ("ATT5:EVE1", false, None));
        assert!(last.changes[0].snapshot.is_some());
        host.assert_no_writes();
        assert!(matches!(PheedLoop::poll("members", None), Err(Error::Unsupported(_))));
        assert!(PheedLoop::poll("attendees", Some("nonsense")).is_err());
    }

    #[test]
    fn registrations_are_polled_from_the_day_before_and_each_is_news_once() {
        let noon = 1_795_262_400_000; // 2026-11-21T12:00:00Z
        let mut old = registration();
        (old["code"], old["date"]) = (json!("REG0"), json!("2026-11-21T11:59:59Z"));
        let mut new = registration();
        (new["code"], new["date"]) = (json!("REG2"), json!("2026-11-21T12:00:01Z"));
        let rows = json!([old, new]);
        let host = host().now(noon).route("GET /ORG1/events/EVE1/registrations/", one_page(&rows)).install();
        let first = PheedLoop::poll("registrations", None).unwrap();
        let events: Vec<_> = first.changes.iter().map(|change| change.event.as_str()).collect();
        assert_eq!(events, ["", "signup"], "who was there before the connection is not welcomed");
        assert_eq!(host.partner_calls()[0].query_value("date_updated_gte"), Some("2026-11-20"));
        let again = PheedLoop::poll("registrations", first.cursor.as_deref()).unwrap();
        assert!(again.changes.is_empty() && !again.more);
    }
}

mod automations {
    use super::*;

    fn appointment(kind: &str, status: &str) -> Event {
        event(kind)
            .of_contact("c1")
            .with("id", "a1")
            .with("title", "Call")
            .with("startTime", "2026-12-10T09:00:00Z")
            .with("appointmentStatus", status)
    }

    #[test]
    fn a_sign_up_is_tagged_with_its_event_and_gets_onboarding_tasks() {
        let ada = contact("c1", Fields::new().with("firstName", "Ada"), &[]);
        let sign_up = event("signup").of_contact("c1").with("event_code", "EVE1");
        let host_ = host().contact(ada.clone()).install();
        let outcome = PheedLoop::handle(&sign_up).unwrap();
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        assert_eq!(host_.stored_contact("c1").unwrap().tags, ["event summit"]);
        let writes = host_.writes().join("\n");
        assert!(writes.contains("Welcome Ada to Summit") && writes.contains("travel and meals"), "{writes}");
        drop(host_);
        let named = host().contact(ada).setting("event_names", json!({ "EVE1": "Gala" })).install();
        PheedLoop::handle(&sign_up).unwrap();
        assert_eq!(named.stored_contact("c1").unwrap().tags, ["event gala"]);
        named.assert_no_partner_calls();
    }

    #[test]
    fn a_reminder_is_set_a_day_ahead_and_taken_back_when_the_appointment_is_cancelled() {
        let host = host().install();
        PheedLoop::handle(&appointment("AppointmentCreate", "confirmed")).unwrap();
        let timers = host.timers();
        assert_eq!(
            (timers.len(), timers[0].name.as_str(), timers[0].at.as_str()),
            (1, "appointment/a1", "2026-12-09T09:00:00Z")
        );
        PheedLoop::handle(&appointment("AppointmentUpdate", "confirmed")).unwrap();
        assert_eq!(host.timers().len(), 1);
        PheedLoop::handle(&appointment("AppointmentUpdate", "cancelled")).unwrap();
        assert!(host.timers().is_empty());
        host.assert_no_partner_calls();
    }

    #[test]
    fn a_near_appointment_is_told_where_the_admin_says_or_becomes_a_task() {
        let near = || {
            let fields = json!({ "title": "Call" });
            event("timer:appointment")
                .of_contact("c1")
                .with_payload(json!({ "about": "a1", "at": "2026-12-10T09:00:00Z", "fields": fields }))
        };
        let told = host().setting("reminder_destination", "team").destination("team").install();
        PheedLoop::handle(&near()).unwrap();
        let (to, message) = told.messages().remove(0);
        assert_eq!((to.as_str(), message.title.as_str()), ("team", "Appointment: Call"));
        drop(told);
        let task = host().contact(contact("c1", Fields::new(), &[])).install();
        PheedLoop::handle(&near()).unwrap();
        assert!(
            task.writes().join("").contains("Reminder: Call begins at 2026-12-10T09:00:00Z"),
            "{:?}",
            task.writes()
        );
    }

    #[test]
    fn an_event_without_a_rule_costs_nothing() {
        let host = host().install();
        let outcome = PheedLoop::handle(&event("checkin").with("event_code", "EVE1")).unwrap();
        assert!(matches!(outcome, Outcome::Ignored(_)));
        assert!(host.calls().is_empty());
    }
}

mod actions {
    use super::*;

    #[test]
    fn every_declared_action_sends_one_request_and_writes_only_if_it_says_so() {
        let manifest = contactor_manifest::Manifest::parse(MANIFEST).unwrap();
        for action in &manifest.actions {
            let mut host = host();
            let listed = json(200, envelope(&json!([]), None));
            for depth in 1..=6 {
                let path = "/*".repeat(depth) + "/";
                host = host.reply(&format!("GET {path}"), listed.clone());
                for method in ["POST", "PATCH", "PUT", "DELETE"] {
                    host = host.reply(&format!("{method} {path}"), json(200, json!({ "code": "X1" })));
                }
            }
            let host = host.install();
            let output = PheedLoop::run(&action.name, action.example.clone()).unwrap();
            assert!(output.is_object(), "{}", action.name);
            assert_eq!(host.writes().len(), usize::from(action.writes), "{}", action.name);
            let path = &host.partner_calls()[0].path;
            assert!(
                host.partner_calls().len() == 1 && path.starts_with("/ORG1/") && path.ends_with('/'),
                "{path}"
            );
        }
        let _host = host().install();
        assert!(matches!(PheedLoop::run("attendees.teleport", json!({})), Err(Error::Unsupported(_))));
    }

    #[test]
    fn an_action_cannot_send_a_welcome_that_the_admin_did_not_choose() {
        let host = host()
            .reply(&format!("POST {ATTENDEES}"), json(201, json!({ "code": "ATT9" })))
            .reply("POST /ORG1/events/EVE1/attendeesbulk/", json(201, json!([{ "code": "ATT10" }])))
            .install();
        let sly = json!({ "email": "a@example.com", "send_app_welcome_email": true });
        PheedLoop::run("attendees.create", json!({ "fields": sly })).unwrap();
        let many = PheedLoop::run("attendees.create-many", json!({ "items": [sly] })).unwrap();
        assert_eq!(many, json!({ "items": [{ "code": "ATT10" }] }));
        let bodies = bodies(&host);
        assert_eq!(
            (&bodies[0]["send_app_welcome_email"], &bodies[1][0]["send_app_welcome_email"]),
            (&json!(false), &json!(false))
        );
    }

    #[test]
    fn a_check_in_tells_which_codes_failed_and_a_check_out_is_a_delete_with_a_body() {
        let answer = json!({ "attendees": [ada()], "errored_attendees": ["ATT6"] });
        let host = host()
            .answer("POST /ORG1/events/EVE1/checkin/", answer)
            .answer("DELETE /ORG1/events/EVE2/checkout/", json!({ "attendees": [], "errored_attendees": [] }))
            .install();
        let codes = json!({ "codes": ["ATT5", "ATT6"] });
        let output = PheedLoop::run("attendees.check-in", codes.clone()).unwrap();
        assert_eq!(output["errored_attendees"], json!(["ATT6"]));
        PheedLoop::run("attendees.check-out", json!({ "event": "EVE2", "codes": ["ATT5"] })).unwrap();
        assert_eq!(bodies(&host), [codes, json!({ "codes": ["ATT5"] })]);
    }

    #[test]
    fn a_list_takes_its_filters_and_ids_cannot_leave_their_segment() {
        let host = host()
            .route("GET /ORG1/events/EVE1/registrations/", one_page(&json!([{ "code": "REG1" }])))
            .reply("PATCH /ORG1/members/*/", json(200, json!({ "code": "X" })))
            .install();
        let output =
            PheedLoop::run("registrations.list", json!({ "date_updated_gte": "2026-01-01", "page": 1 }))
                .unwrap();
        assert_eq!(output, json!({ "items": [{ "code": "REG1" }], "next_page": null, "count": 1 }));
        assert_eq!(host.partner_calls()[0].query_value("date_updated_gte"), Some("2026-01-01"));
        let beyond = PheedLoop::run("registrations.list", json!({ "page": 2 })).unwrap();
        assert_eq!(beyond["items"], json!([]));
        PheedLoop::run("members.update", json!({ "member": "../events", "fields": {} })).unwrap();
        assert_eq!(host.partner_calls()[2].path, "/ORG1/members/..%2Fevents/");
    }
}
