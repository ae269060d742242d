//! The connector as it is, against a programmed host.

#![expect(clippy::unwrap_used, reason = "test helpers fail loudly")]

use std::cell::RefCell;
use std::rc::Rc;

use connectif::{Connectif, EFFECTS, MANIFEST};
use contactor_manifest::Manifest;
use contactor_sdk::partner::{Request, Response};
use contactor_sdk::prelude::*;
use contactor_sdk::testing::{InstalledHost, MockHost, contact, event, json, status, webhook};
use serde_json::{Map, Value as Json, json};

const ADA: &str = "/contacts/ada%40example.com";

fn host() -> MockHost {
    MockHost::new().manifest(MANIFEST)
}

/// With the custom fields that the templates name.
fn with_fields() -> MockHost {
    host().setting(
        "custom_fields",
        json!({ "tags": "hl_tags", "tasks": "hl_tasks", "notes": "hl_notes", "open_tasks": "hl_open_tasks", "text1": "plan" }),
    )
}

fn ada() -> Json {
    json!({
        "id": "5f", "_email": "Ada@example.com", "_name": "Ada", "_mobilePhone": "+15550100", "_isAnonymous": false,
        "_birthdate": "1990-01-31T00:00:00.000Z", "_newsletterSubscriptionStatus": "subscribed", "_points": 7,
        "_totalPurchases": 2, "_rfm": "523", "_updatedAt": "2026-03-01T10:00:00.000Z", "_emailStatus": "active",
        "hl_tags": ["vip"], "hl_tasks": "[{\"id\":\"t1\",\"title\":\"Call\"}]", "plan": "pro"
    })
}

/// A Connectif that remembers: `lag` reads after a write still show what was before.
fn account(host: MockHost, contacts: &[Json], lag: u32) -> MockHost {
    type Store = Rc<RefCell<Vec<(String, Map<String, Json>, Map<String, Json>, u32)>>>;
    let store = Store::default();
    for contact in contacts {
        let contact = contact.as_object().unwrap().clone();
        let email = contact["_email"].as_str().unwrap().to_lowercase();
        store.borrow_mut().push((email, contact.clone(), contact, 0));
    }
    let email = |request: &Request| {
        request.path.strip_prefix("/contacts/").unwrap().replace("%40", "@").replace("%2B", "+")
    };
    let reading = Rc::clone(&store);
    let read = move |request: &Request| {
        let mut store = reading.borrow_mut();
        let Some(entry) = store.iter_mut().find(|entry| entry.0 == email(request)) else {
            return json(
                404,
                json!({ "status": 404, "title": "Not found", "detail": "unknown", "code": "E0401" }),
            );
        };
        if entry.3 > 0 {
            entry.3 -= 1;
            let before = entry.2.clone();
            return if before.is_empty() { status(404) } else { json(200, Json::Object(before)) };
        }
        json(200, Json::Object(entry.1.clone()))
    };
    let write = move |request: &Request| {
        let mut store = store.borrow_mut();
        let at = store.iter().position(|entry| entry.0 == email(request)).unwrap_or_else(|| {
            store.push((email(request), Map::new(), Map::new(), 0));
            store.len() - 1
        });
        let entry = &mut store[at];
        if entry.3 == 0 {
            entry.2 = entry.1.clone();
        }
        let created = entry.1.is_empty();
        entry.1.insert("_email".into(), json!(entry.0));
        entry.1.extend(request.body_json().as_object().unwrap().clone());
        entry.3 = lag;
        status(if created { 201 } else { 200 })
    };
    host.route("GET /contacts/*", read).route("PATCH /contacts/*", write)
}

fn requests(host: &InstalledHost) -> Vec<String> {
    host.partner_calls().iter().map(|request| format!("{} {}", request.method.name(), request.path)).collect()
}

fn written(host: &InstalledHost) -> Vec<Json> {
    let calls = host.partner_calls();
    calls.iter().filter(|request| request.method.name() == "PATCH").map(Request::body_json).collect()
}

fn change(body: &Json) -> Change {
    Connectif::receive(&webhook(body.to_string())).unwrap().change()
}

mod records {
    use super::*;

    #[test]
    fn a_contact_is_read_under_its_lower_cased_address_with_its_custom_fields() {
        let host = account(with_fields(), &[ada()], 0).install();
        let record = Connectif::read("contact", "ada@example.com").unwrap();
        assert_eq!(record.id, "ada@example.com");
        assert_eq!(record.updated_at.as_deref(), Some("2026-03-01T10:00:00.000Z"));
        assert_eq!((record.email(), record.text("firstName")), (Some("Ada@example.com"), Some("Ada")));
        assert_eq!((record.phone(), record.text("birthdate")), (Some("+15550100"), Some("1990-01-31")));
        assert_eq!((record.integer("totalPurchases"), record.text("rfm")), (Some(2), Some("523")));
        assert_eq!(
            (record.texts("tags").unwrap(), record.text("text1")),
            (&["vip".to_owned()][..], Some("pro"))
        );
        assert_eq!(record.value("tasks"), Some(&Value::Json(r#"[{"id":"t1","title":"Call"}]"#.into())));
        assert_eq!(record.boolean("unsubscribed"), Some(false));
        assert_eq!(record.value("lastName"), Some(&Value::Empty), "what is not shown has no value");
        assert_eq!(record.value("notes"), Some(&Value::Empty));
        host.assert_no_writes();
    }

    #[test]
    fn every_field_of_a_record_is_declared_in_the_manifest() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let _host = account(with_fields(), &[ada()], 0).install();
        for NamedValue { name, .. } in Connectif::read("contact", "ada@example.com").unwrap().fields {
            assert!(manifest.field("contact", &name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_contact_is_found_by_its_address_in_any_case_and_by_nothing_else() {
        let host = account(host(), &[ada()], 0).install();
        let find = |name: &str, text: &str| Connectif::find("contact", &NamedValue::new(name, text));
        assert_eq!(find("email", " ADA@example.com").unwrap()[0].id, "ada@example.com");
        assert_eq!(find("email", "ben@example.com"), Ok(Vec::new()));
        assert!(matches!(find("phone", "+15550100"), Err(Error::Unsupported(_))));
        assert!(matches!(Connectif::read("contact", "ben@example.com"), Err(Error::NotFound(_))));
        assert_eq!(requests(&host)[0], format!("GET {ADA}"));
    }

    #[test]
    fn an_address_cannot_leave_its_segment() {
        let host = host().reply("GET /contacts/*", status(404)).install();
        let _ = Connectif::read("contact", "a+b/../x?y@example.com");
        assert_eq!(requests(&host), ["GET /contacts/a%2Bb%2F..%2Fx%3Fy%40example.com"]);
    }

    #[test]
    fn a_field_that_holds_no_list_counts_as_empty() {
        let mut contact = ada();
        contact["hl_tasks"] = json!("call Ada");
        let host = account(with_fields(), &[contact], 0).install();
        let record = Connectif::read("contact", "ada@example.com").unwrap();
        assert_eq!(record.value("tasks"), Some(&Value::Empty));
        assert!(host.logs()[0].message.contains("holds no list"));
    }

    #[test]
    fn other_entities_are_not_offered_and_ask_nothing() {
        let host = host().install();
        assert!(matches!(Connectif::read("task", "5"), Err(Error::Unsupported(_))));
        assert!(matches!(Connectif::create("note", &Fields::new()), Err(Error::Unsupported(_))));
        assert!(matches!(Connectif::delete("contact", "ada@example.com"), Err(Error::Unsupported(_))));
        host.assert_no_partner_calls();
    }
}

mod writes {
    use super::*;

    fn person() -> Fields {
        Fields::new()
            .with("email", "Ada@Example.com")
            .with("firstName", "Ada")
            .with("birthdate", "1990-01-31")
            .with("tags", ["b", "a"])
            .with("tasks", Value::Json(r#"[{"id":"t1"}]"#.into()))
            .with("open_tasks", 1)
    }

    #[test]
    fn a_contact_is_created_by_its_address_with_typed_values() {
        let host = account(with_fields(), &[], 0).install();
        let record = Connectif::create("contact", &person()).unwrap();
        assert_eq!((record.id.as_str(), record.text("firstName")), ("ada@example.com", Some("Ada")));
        assert_eq!(requests(&host), [format!("PATCH {ADA}"), format!("GET {ADA}")]);
        assert_eq!(
            written(&host),
            [json!({
                "_name": "Ada", "_birthdate": "1990-01-31T00:00:00.000Z", "hl_tags": ["b", "a"],
                "hl_tasks": "[{\"id\":\"t1\"}]", "hl_open_tasks": 1
            })]
        );
    }

    #[test]
    fn a_contact_without_an_address_is_no_contact() {
        let host = host().install();
        let fields = Fields::new().with("firstName", "Ada");
        assert!(matches!(Connectif::create("contact", &fields), Err(Error::Invalid(_))));
        host.assert_no_partner_calls();
    }

    #[test]
    fn what_has_no_custom_field_is_not_sent_and_counts_as_not_kept() {
        let host = account(host(), &[ada()], 0).install();
        let fields =
            Fields::new().with("tags", ["a"]).with("tasks", Value::Json("[]".into())).with("company", "Acme");
        let record = Connectif::update("contact", "ada@example.com", &fields).unwrap();
        for name in ["tags", "tasks", "company"] {
            assert_eq!(record.value(name), Some(&Value::Empty), "{name}");
        }
        host.assert_no_writes();
    }

    #[test]
    fn a_field_is_cleared_as_the_setting_says() {
        for (clear_with, expected) in [("null", json!(null)), ("empty", json!(""))] {
            let host = account(host().setting("clear_with", clear_with), &[ada()], 0).install();
            let cleared = Fields::new().with("lastName", None::<&str>);
            Connectif::update("contact", "ada@example.com", &cleared).unwrap();
            assert_eq!(written(&host), [json!({ "_surname": expected })]);
        }
        let host = account(host(), &[ada()], 0).install();
        let cleared = Fields::new().with("firstName", None::<&str>);
        let record = Connectif::update("contact", "ada@example.com", &cleared).unwrap();
        assert_eq!(record.text("firstName"), Some("Ada"), "it keeps its value, and so it is told");
        host.assert_no_writes();
    }

    #[test]
    fn nothing_that_lets_connectif_write_to_people_is_written_unless_it_is_allowed() {
        for (field, value) in [
            ("newsletterSubscriptionStatus", "subscribed"),
            ("smsSubscriptionStatus", "subscribed"),
            ("emailStatus", "active"),
            ("mobilePhoneStatus", "active"),
        ] {
            let quiet = account(host(), &[ada()], 0).install();
            let fields = Fields::new().with(field, value);
            let error = Connectif::update("contact", "ada@example.com", &fields).unwrap_err();
            assert!(error.message().contains("allow_subscriptions"), "{error}");
            quiet.assert_no_writes();
            drop(quiet);
            let allowed = account(host().setting("allow_subscriptions", true), &[ada()], 0).install();
            Connectif::update("contact", "ada@example.com", &fields).unwrap();
            assert_eq!(written(&allowed).len(), 1);
        }
        let host = account(host(), &[ada()], 0).install();
        let fields = Fields::new().with("newsletterSubscriptionStatus", "unsubscribed");
        Connectif::update("contact", "ada@example.com", &fields).unwrap();
        assert_eq!(written(&host).len(), 1, "leaving is always allowed");
    }

    #[test]
    fn a_refusal_names_our_fields_and_connectifs_reasons() {
        let refusal = json!({
            "status": 400, "title": "Validation error", "detail": "Some values are not valid", "code": "E0201",
            "validationErrors": [{ "path": "_mobilePhone", "reason": "must be a phone" }, { "path": "shoe", "reason": "there is no such field" }]
        });
        let _host = host().reply("PATCH /contacts/*", json(400, refusal)).install();
        let error =
            Connectif::update("contact", "ada@example.com", &Fields::new().with("phone", "12")).unwrap_err();
        assert_eq!(error.message(), "refused: phone: must be a phone; shoe: there is no such field");
    }

    #[test]
    fn an_external_id_goes_by_its_own_route_alone() {
        let fields = Fields::new().with("externalId", "c1");
        let plain = account(host(), &[ada()], 0).install();
        assert!(matches!(Connectif::update("contact", "ada@example.com", &fields), Err(Error::Invalid(_))));
        plain.assert_no_writes();
        drop(plain);
        let host = host()
            .setting("contact_route", "/contacts/email")
            .reply("PATCH /contacts/email/*", json(200, ada()))
            .install();
        let record = Connectif::update("contact", "ada@example.com", &fields).unwrap();
        assert_eq!(record.text("firstName"), Some("Ada"), "an answer that carries the contact is believed");
        assert_eq!(requests(&host), ["PATCH /contacts/email/ada%40example.com"]);
    }

    #[test]
    fn every_success_status_is_one() {
        for code in [200, 201, 202, 204] {
            let _host =
                host().reply("PATCH /contacts/*", status(code)).answer("GET /contacts/*", ada()).install();
            Connectif::update("contact", "ada@example.com", &Fields::new().with("firstName", "Ada")).unwrap();
        }
    }

    #[test]
    fn a_limit_lasts_until_the_time_in_the_header() {
        let refused = |response: Response| {
            let _host = host().now(1_000_000).reply("PATCH /contacts/*", response).install();
            Connectif::update("contact", "ada@example.com", &Fields::new().with("firstName", "A"))
                .unwrap_err()
        };
        let reset = |text: &str| status(429).with_header("x-ratelimit-reset", text);
        assert_eq!(refused(reset("1007")), Error::Limited(Some(7_000)));
        assert_eq!(refused(reset("5")), Error::Limited(Some(1_000)), "never at once");
        assert_eq!(refused(status(429)), Error::Limited(None));
    }
}

mod addresses {
    use super::*;

    fn moved(host: MockHost, contacts: &[Json]) -> (PartnerRecord, Vec<Json>) {
        let host = account(host, contacts, 0).install();
        let fields = Fields::new().with("email", "ada@example.org").with("lastName", "King");
        let record = Connectif::update("contact", "ada@example.com", &fields).unwrap();
        (record, written(&host))
    }

    #[test]
    fn a_new_address_is_a_new_contact_with_the_old_values_and_the_old_one_is_paused() {
        let (record, bodies) = moved(host(), &[ada()]);
        assert_eq!((record.id.as_str(), record.text("lastName")), ("ada@example.org", Some("King")));
        assert_eq!(bodies.len(), 2);
        assert_eq!(
            (&bodies[0]["_name"], &bodies[0]["_surname"], &bodies[0]["plan"]),
            (&json!("Ada"), &json!("King"), &json!("pro"))
        );
        for key in ["id", "_email", "_totalPurchases", "_rfm", "_updatedAt", "_isAnonymous"] {
            assert_eq!(bodies[0].get(key), None, "{key}");
        }
        let begins = ["_newsletterSubscriptionStatus", "_emailStatus"].map(|key| bodies[0].get(key));
        assert_eq!(begins, [None, None], "nobody is welcomed anew");
        assert_eq!(bodies[1], json!({ "_emailStatus": "paused" }));
    }

    #[test]
    fn the_settings_keep_subscriptions_and_the_old_contact() {
        let (_, bodies) =
            moved(host().setting("allow_subscriptions", true).setting("pause_old_address", false), &[ada()]);
        assert_eq!(bodies.len(), 1);
        assert_eq!(bodies[0]["_newsletterSubscriptionStatus"], "subscribed");
    }

    #[test]
    fn a_contact_that_has_the_new_address_already_keeps_its_own_values() {
        let other = json!({ "_email": "ada@example.org", "_name": "Augusta" });
        let (record, bodies) = moved(host(), &[ada(), other]);
        assert_eq!(record.text("firstName"), Some("Augusta"));
        assert_eq!(bodies[0], json!({ "_surname": "King" }));
    }

    #[test]
    fn the_same_address_in_another_case_is_the_same_contact() {
        let host = account(host(), &[ada()], 0).install();
        let fields = Fields::new().with("email", "ADA@example.com").with("lastName", "King");
        assert_eq!(Connectif::update("contact", "ada@example.com", &fields).unwrap().id, "ada@example.com");
        assert_eq!(written(&host), [json!({ "_surname": "King" })]);
    }
}

mod lag {
    use super::*;

    #[test]
    fn a_write_that_is_not_shown_yet_counts_as_written_until_it_is() {
        let host = account(host(), &[ada()], 2).install();
        let record =
            Connectif::update("contact", "ada@example.com", &Fields::new().with("firstName", "Anna"))
                .unwrap();
        assert_eq!(record.text("firstName"), Some("Anna"), "the first read shows the old name");
        let record = Connectif::read("contact", "ada@example.com").unwrap();
        assert_eq!(record.text("firstName"), Some("Anna"), "and so does the second");
        assert!(host.stored_state("pending/ada@example.com").is_some());
        assert_eq!(Connectif::read("contact", "ada@example.com").unwrap().text("firstName"), Some("Anna"));
        assert_eq!(host.stored_state("pending/ada@example.com"), None, "now it is shown");
    }

    #[test]
    fn a_new_contact_that_is_not_shown_yet_is_there() {
        let _host = account(host(), &[], 2).install();
        let fields = Fields::new().with("email", "ben@example.com").with("firstName", "Ben");
        assert_eq!(Connectif::create("contact", &fields).unwrap().text("firstName"), Some("Ben"));
        let found = Connectif::find("contact", &NamedValue::new("email", "ben@example.com")).unwrap();
        assert_eq!(found.len(), 1, "it is not created twice");
    }

    #[test]
    fn reads_after_a_write_are_as_many_as_the_setting_says() {
        for (attempts, reads) in [(1, 1), (3, 3)] {
            let host = account(host().setting("reread_attempts", attempts), &[ada()], 9).install();
            Connectif::update("contact", "ada@example.com", &Fields::new().with("firstName", "Anna"))
                .unwrap();
            assert_eq!(requests(&host).len(), 1 + reads);
        }
    }
}

mod admission {
    use super::*;

    fn decision(host: MockHost, direction: Direction, fields: &Fields) -> Decision {
        let host = host.install();
        let decision = Connectif::admit("contact", direction, fields).unwrap();
        host.assert_no_partner_calls();
        decision
    }

    #[test]
    fn people_without_a_usable_address_and_blocked_ones_are_left_alone() {
        for fields in
            [Fields::new(), Fields::new().with("email", "x"), Fields::new().with("email", "a@spam.example")]
        {
            let host = host().setting("blocked_domains", json!(["spam.example"]));
            assert!(matches!(decision(host, Direction::ToPartner, &fields), Decision::Skip(_)));
        }
    }

    #[test]
    fn do_not_disturb_is_shown_unless_such_people_are_left_alone() {
        let fields = Fields::new().with("email", "ada@example.com").with("dnd", true);
        assert_eq!(decision(host(), Direction::ToPartner, &fields), Decision::Accept);
        let strict = host().setting("skip_do_not_disturb", true);
        assert!(matches!(decision(strict, Direction::ToPartner, &fields), Decision::Skip(_)));
        let row = Manifest::parse(MANIFEST)
            .unwrap()
            .mappings
            .into_iter()
            .find(|row| row.highlevel == "dnd")
            .unwrap();
        let _host = host().install();
        let value = |fields: &Fields| rules::evaluate(row.to_partner.as_ref().unwrap(), fields);
        let document = |name: &str, text: &str| Fields::new().with(name, Value::Json(text.into()));
        for stopped in [
            Fields::new().with("dnd", true),
            document("inboundDndSettings", r#"{"all":{"status":"active"}}"#),
            document("dndSettings", r#"{"Email":{"status":"permanent"}}"#),
        ] {
            assert_eq!(value(&stopped), Ok(Value::from("unsubscribed")), "{stopped:?}");
        }
        for goes_on in [
            Fields::new(),
            Fields::new().with("dnd", false).with("dndSettings", None::<&str>),
            document("dndSettings", r#"{"SMS":{"status":"active"},"Email":{"status":"inactive"}}"#),
        ] {
            assert_eq!(value(&goes_on), Ok(Value::Empty), "{goes_on:?}");
        }
    }

    #[test]
    fn somebody_who_may_be_disturbed_again_is_not_subscribed_by_that() {
        let host = account(host().setting("clear_with", "null"), &[ada()], 0).install();
        let cleared = Fields::new().with("newsletterSubscriptionStatus", None::<&str>);
        Connectif::update("contact", "ada@example.com", &cleared).unwrap();
        host.assert_no_writes();
    }

    #[test]
    fn a_banned_address_does_not_reach_highlevel() {
        let fields = Fields::new().with("email", "ada@example.com").with("emailStatus", "banned");
        assert!(matches!(decision(host(), Direction::ToHighlevel, &fields), Decision::Skip(_)));
    }
}

mod webhooks {
    use super::*;

    #[test]
    fn every_sample_of_the_manifest_is_understood() {
        let _host = host().install();
        for trigger in Manifest::parse(MANIFEST).unwrap().triggers {
            let Some(sample) = trigger.sample else { continue };
            let change = change(&sample);
            assert_eq!((change.event, change.id), (trigger.name, "ada@example.com".to_owned()));
        }
    }

    #[test]
    fn a_call_names_a_contact_to_read_again_and_its_values_and_identity() {
        let _host = host().install();
        let flat =
            change(&json!({ "event": "purchase", "email": "ADA@example.com", "id": "o1", "amount": 5 }));
        assert_eq!(
            (flat.id.as_str(), flat.kind, flat.snapshot.is_none()),
            ("ada@example.com", ChangeKind::Updated, true)
        );
        assert_eq!((flat.integer("amount"), flat.text("key")), (Some(5), Some("o1")));
        let nested = change(
            &json!({ "type": "cart.abandoned", "data": { "id": 7, "contact": { "_email": "ada@example.com" } } }),
        );
        assert_eq!((nested.event.as_str(), nested.text("key")), ("cart.abandoned", Some("7")));
        let bare = change(&json!({ "_email": "ada@example.com" }));
        assert_eq!((bare.event.as_str(), bare.text("key")), ("contact.updated", None));
        let gone = change(&json!({ "event": "contact.deleted", "email": "ada@example.com" }));
        assert_eq!(gone.kind, ChangeKind::Deleted);
    }

    #[test]
    fn a_member_called_key_is_no_identity_unless_the_setting_says_so() {
        let body = json!({ "event": "purchase", "email": "ada@example.com", "key": "vip", "amount": 5 });
        let host = host().install();
        let change = change(&body);
        assert_eq!((change.text("key"), change.integer("amount")), (None, Some(5)));
        drop(host);
        let _host = self::host().setting("webhook_key", json!(["/key"])).install();
        assert_eq!(self::change(&body).text("key"), Some("vip"));
    }

    #[test]
    fn the_settings_say_where_the_address_is() {
        let _host = host().setting("webhook_email", json!(["/who/0/mail"])).install();
        assert_eq!(change(&json!({ "who": [{ "mail": "ada@example.com" }] })).id, "ada@example.com");
    }

    #[test]
    fn what_is_no_call_of_a_workflow_is_rejected_with_the_reason() {
        let _host = host().install();
        for (body, words) in
            [("<x>", "no JSON"), ("{}", "webhook_email"), (r#"{"email":7}"#, "webhook_email")]
        {
            match Connectif::receive(&webhook(body)).unwrap() {
                Received::Rejected(reason) => assert!(reason.contains(words), "{reason}"),
                Received::Changes(changes) => panic!("{changes:?}"),
            }
        }
    }
}

mod polls {
    use super::*;

    /// An export that is finished after some looks, with this file.
    fn export(looks: u32, file: &'static str) -> MockHost {
        let left = RefCell::new(looks);
        host()
            .answer("POST /exports", json!({ "id": "e1" }))
            .route("GET /exports/e1", move |_| {
                let mut left = left.borrow_mut();
                *left = left.saturating_sub(1);
                let url = "https://api.connectif.cloud/files/e1?signature=a%2Bb";
                json(
                    200,
                    if *left > 0 {
                        json!({ "status": "running" })
                    } else {
                        json!({ "status": "finished", "fileUrl": url })
                    },
                )
            })
            .reply("GET /files/e1", Response { body: file.into(), ..status(200) })
    }

    fn ids(page: &PollPage) -> Vec<&str> {
        page.changes.iter().map(|change| change.id.as_str()).collect()
    }

    const FILE: &str =
        "_email,_name,_totalPurchases\r\nAda@example.com,Ada,1\r\nben@example.com,\"B, en\",0\r\n,,\r\n";

    #[test]
    fn only_lines_that_are_new_or_different_are_changes() {
        let host = export(3, FILE).install();
        let first = Connectif::poll("contacts", None).unwrap();
        assert_eq!((ids(&first), first.more), (vec!["ada@example.com", "ben@example.com"], false));
        assert_eq!(host.partner_calls()[4].query_value("signature"), Some("a+b"));
        assert!(first.changes.iter().all(|change| change.snapshot.is_none()), "the contact is read again");
        let second = Connectif::poll("contacts", first.cursor.as_deref()).unwrap();
        assert_eq!(ids(&second), Vec::<&str>::new());
        assert_eq!(requests(&host).iter().filter(|line| *line == "POST /exports").count(), 2);
    }

    #[test]
    fn an_export_that_takes_its_time_is_read_by_a_later_poll() {
        let host = export(6, FILE).install();
        let first = Connectif::poll("contacts", None).unwrap();
        assert_eq!((first.changes.len(), first.more), (0, false));
        let second = Connectif::poll("contacts", first.cursor.as_deref()).unwrap();
        assert_eq!(second.changes.len(), 2);
        assert_eq!(requests(&host).iter().filter(|line| *line == "POST /exports").count(), 1);
    }

    #[test]
    fn a_segment_is_exported_when_one_is_set() {
        let host = export(1, FILE).setting("export_segment_id", "s1").install();
        Connectif::poll("contacts", None).unwrap();
        assert_eq!(host.partner_calls()[0].body_json()["filters"], json!({ "segmentId": "s1" }));
    }

    #[test]
    fn an_export_that_fails_is_begun_anew_by_the_next_poll() {
        let host = export(1, FILE).answer("GET /exports/e1", json!({ "status": "error" })).install();
        let page = Connectif::poll("contacts", None).unwrap();
        assert_eq!((page.changes.len(), page.more), (0, false));
        assert!(host.logs()[0].message.contains("could not finish"));
        Connectif::poll("contacts", page.cursor.as_deref()).unwrap();
        assert_eq!(requests(&host).iter().filter(|line| *line == "POST /exports").count(), 2);
    }

    #[test]
    fn a_file_at_another_host_or_without_addresses_is_an_error_that_says_so() {
        let elsewhere =
            json!({ "status": "finished", "fileUrl": "https://files.example.com/bucket/x.zip?s=1" });
        let host = export(1, FILE)
            .answer("GET /exports/e1", elsewhere)
            .reply("GET /bucket/x.zip", status(404))
            .install();
        let error = Connectif::poll("contacts", None).unwrap_err();
        assert!(error.message().contains("https://files.example.com/bucket/x.zip"), "{error}");
        drop(host);
        let _host = export(1, "name\nAda\n").install();
        assert!(Connectif::poll("contacts", None).unwrap_err().message().contains("no column for the email"));
    }

    #[test]
    fn a_file_that_the_host_does_not_hand_over_is_told_with_its_size_and_what_to_do() {
        let said = "the partner's answer is larger than 4194304 bytes";
        let _host = export(1, FILE).fail("GET /files/*", Error::other(said)).install();
        let error = Connectif::poll("contacts", None).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{error}");
        let said = error.message();
        assert!(said.contains("4194304 bytes") && said.contains("export_segment_id"), "{said}");
    }

    #[test]
    fn a_file_without_news_is_one_page_and_a_line_without_an_address_stops_nobody() {
        let lines: Vec<String> = (0..1200).map(|number| format!("p{number}@example.com")).collect();
        let file: &'static str = format!("Email\n{}\nnobody\n\n", lines.join("\n")).leak();
        let host = export(1, file).install();
        let first = Connectif::poll("contacts", None).unwrap();
        let second = Connectif::poll("contacts", first.cursor.as_deref()).unwrap();
        assert_eq!((first.changes.len(), second.changes.len(), second.more), (1000, 201, false));
        let problem = second.changes[200].problem().unwrap();
        assert!(problem.contains("`/_email`: expected an address, found \"nobody\""), "{problem}");
        let downloads = || requests(&host).iter().filter(|line| line.contains("/files/")).count();
        let before = downloads();
        let again = Connectif::poll("contacts", second.cursor.as_deref()).unwrap();
        assert_eq!((again.more, downloads() - before), (false, 1), "nothing is news but the bad line");
    }

    #[test]
    fn a_long_file_is_read_page_by_page() {
        let lines: Vec<String> = (0..1200).map(|number| format!("p{number}@example.com")).collect();
        let file: &'static str = format!("Email\n{}\n", lines.join("\n")).leak();
        let _host = export(1, file).install();
        let (mut cursor, mut pages) = (None, Vec::new());
        loop {
            let page = Connectif::poll("contacts", cursor.as_deref()).unwrap();
            pages.push(page.changes.len());
            cursor = page.cursor;
            if !page.more {
                break;
            }
        }
        assert_eq!(pages, [1000, 200]);
    }
}

mod automations {
    use super::*;

    fn completion() -> Event {
        let event = event("TaskComplete").with("id", "t1").with("title", "Call Ada").of_contact("c1");
        Event { source: Source::Highlevel, at: "2026-03-01T10:00:00Z".into(), ..event }
    }

    fn body() -> Json {
        json!({ "email": "ada@example.com", "task_id": "t1", "title": "Call Ada", "completed_at": "2026-03-01T10:00:00Z" })
    }

    #[test]
    fn c3_a_completed_task_sets_an_event_of_the_public_api_off() {
        let host =
            host().setting("task_event_path", "/events/5f").reply("POST /events/5f", status(200)).install();
        let event = completion().of_partner("ada@example.com");
        assert!(
            matches!(Connectif::handle(&event), Ok(Outcome::Done(line)) if line.contains("told Connectif"))
        );
        let request = host.partner_calls().remove(0);
        assert_eq!((request.body_json(), request.query_value("createContact")), (body(), Some("false")));
    }

    #[test]
    fn c3_a_webhook_event_goes_through_a_destination_and_the_contact_gives_the_address() {
        let host = host()
            .setting("task_event_destination", "connectif-tasks")
            .destination("connectif-tasks")
            .contact(contact("c1", Fields::new().with("email", "Ada@example.com"), &[]))
            .install();
        assert!(matches!(Connectif::handle(&completion()), Ok(Outcome::Done(_))));
        let (destination, message) = host.messages().remove(0);
        assert_eq!((destination.as_str(), message.kind.as_str()), ("connectif-tasks", "task.completed"));
        assert_eq!(serde_json::from_str::<Json>(&message.data).unwrap(), body());
        host.assert_no_partner_calls();
    }

    #[test]
    fn c3_without_an_event_nothing_is_sent() {
        let host = host().install();
        assert!(matches!(Connectif::handle(&completion()), Ok(Outcome::Ignored(_))));
        host.assert_no_writes();
    }

    #[test]
    fn c3_a_workflow_completes_a_task_of_highlevel() {
        let host = host().contact(contact("c1", Fields::new(), &[])).install();
        let task = tasks::create(
            "c1",
            false,
            &Fields::new().with("title", "Call").with("dueDate", "2026-03-02T10:00:00Z"),
        )
        .unwrap();
        let done = event("task.completed").with("task_id", task.id.as_str()).of_contact("c1");
        let done = Event { source: Source::Partner, ..done };
        assert!(matches!(Connectif::handle(&done), Ok(Outcome::Done(line)) if line.contains(&task.id)));
        assert!(tasks::get("c1", &task.id).unwrap().completed);
        let lost = Event {
            source: Source::Partner,
            ..event("task.completed").with("task_id", "x").of_contact("c1")
        };
        assert!(matches!(Connectif::handle(&lost), Ok(Outcome::Ignored(_))));
        drop(host);
    }

    #[test]
    fn purchases_and_unsubscriptions_leave_their_marks_by_the_default_rules() {
        let host = host().contact(contact("c1", Fields::new(), &[])).install();
        for kind in ["purchase", "contact.unsubscribed", "contact.updated"] {
            let event = Event { source: Source::Partner, ..event(kind).of_contact("c1") };
            Connectif::handle(&event).unwrap();
        }
        assert_eq!(host.stored_contact("c1").unwrap().tags, ["customer", "unsubscribed"]);
        assert_eq!(notes::list_all("c1").unwrap().len(), 1);
    }

    #[test]
    fn a_name_cannot_write_other_members_through_a_rule() {
        let host = |fields: &str| {
            let rule = json!([{ "name": "show", "on": ["ContactUpdate"], "do": [
                { "run-action": { "action": "contacts.upsert", "input": { "email": "ada@example.com", "fields": fields } } }
            ] }]);
            let name = Fields::new().with("firstName", r#"Ada", "_points": "9999"#);
            let host = host().setting("rules", rule).contact(contact("c1", name, &[]));
            host.reply("PATCH /contacts/*", status(201)).install()
        };
        let happens = || Connectif::handle(&event("ContactUpdate").of_contact("c1"));
        let installed = host(r#"{"_name": "{{ contact.firstName }}"}"#);
        let refused = happens().unwrap_err().message();
        assert!(refused.contains("/fields: ") && refused.contains("is not of type object"), "{refused}");
        installed.assert_no_writes();
        drop(installed);
        let installed = host("{{ {'_name': contact.firstName} }}");
        happens().unwrap();
        assert_eq!(written(&installed), [json!({ "_name": r#"Ada", "_points": "9999"# })]);
    }

    #[test]
    fn a_rule_may_run_an_action() {
        let rule = json!([{ "name": "event", "on": ["purchase"], "when": "amount > 10", "do": [
            { "run-action": { "action": "events.send", "input": { "path": "/events/5f", "email": "{{ partner_id }}", "create_contact": "true" } } }
        ] }]);
        let host = host().setting("rules", rule).reply("POST /events/5f", status(204)).install();
        let event = event("purchase").with("amount", 20).of_partner("ada@example.com");
        Connectif::handle(&event).unwrap();
        let request = host.partner_calls().remove(0);
        assert_eq!(
            (request.body_json(), request.query_value("createContact")),
            (json!({ "email": "ada@example.com" }), Some("true"))
        );
    }

    #[test]
    fn the_manifest_offers_the_effects_that_are_linked() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let setting = manifest.settings.iter().find(|setting| setting.name == "rules").unwrap();
        assert_eq!(setting.effects, EFFECTS.names());
    }

    #[test]
    fn the_counts_of_tasks_are_those_of_the_list() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let _host = host().install();
        let list = Value::Json(r#"[{"completed":false},{"completed":true},{"completed":true}]"#.into());
        let count = |name: &str| {
            let row = manifest.mappings.iter().find(|row| row.partner == name).unwrap();
            rules::evaluate(row.to_partner.as_ref().unwrap(), &Fields::new().with("tasks", list.clone()))
                .unwrap()
        };
        assert_eq!((count("open_tasks"), count("done_tasks")), (Value::Integer(1), Value::Integer(2)));
        let tasks = manifest.entity("task").unwrap();
        let shown = |done: bool| {
            rules::holds(tasks.include.as_ref().unwrap(), &Fields::new().with("completed", done))
        };
        assert_eq!((shown(false), shown(true)), (Ok(true), Ok(false)));
    }
}

mod actions {
    use super::*;

    #[test]
    fn every_action_of_the_manifest_runs_with_its_example() {
        for action in Manifest::parse(MANIFEST).unwrap().actions {
            let finished = json!({ "status": "finished", "fileUrl": "https://api.connectif.cloud/files/1" });
            let host = host()
                .answer("GET /contacts/*", ada())
                .reply("PATCH /contacts/*", status(200))
                .reply("PATCH /contacts/email/*", status(200))
                .reply("POST /events/*", status(200))
                .answer("POST /exports", json!({ "id": "e1" }))
                .answer("POST /exports/type/data-explorer", json!({ "id": "e2" }))
                .answer("GET /exports/*", finished)
                .reply("GET /files/1", Response { body: "_email\na@example.com\n".into(), ..status(200) })
                .answer("POST /imports", json!({ "id": "i1", "total": 1 }))
                .answer("GET /imports/*", json!({ "status": "finished" }))
                .install();
            let output = Connectif::run(&action.name, action.example.clone())
                .unwrap_or_else(|error| panic!("{}: {error}", action.name));
            assert!(output.is_object(), "{}: {output}", action.name);
            assert_eq!(host.writes().is_empty(), !action.writes, "{}", action.name);
        }
        let _host = host().install();
        assert!(matches!(Connectif::run("contacts.delete", json!({})), Err(Error::Unsupported(_))));
    }

    #[test]
    fn an_upsert_takes_typed_fields_and_subscribes_nobody_unless_allowed() {
        let host = host().reply("PATCH /contacts/*", status(201)).install();
        let upsert = |fields: Json| {
            Connectif::run("contacts.upsert", json!({ "email": "ada@example.com", "fields": fields }))
        };
        assert!(matches!(upsert(json!("{\"_name\":\"Ada\"}")), Err(Error::Invalid(_))));
        assert_eq!(upsert(json!({ "_name": "Ada" })), Ok(json!({ "status": 201 })));
        let subscribe = upsert(json!({ "_newsletterSubscriptionStatus": "subscribed" }));
        assert!(matches!(subscribe, Err(Error::Denied(_))));
        assert_eq!(written(&host), [json!({ "_name": "Ada" })]);
    }

    #[test]
    fn an_import_is_a_form_with_its_file() {
        let host = host().answer("POST /imports", json!({ "id": "i1", "total": 1 })).install();
        Connectif::run(
            "imports.create",
            json!({ "csv": "_email\na@example.com\n", "only_empty_fields": true }),
        )
        .unwrap();
        let request = host.partner_calls().remove(0);
        assert!(request.header_value("content-type").unwrap().starts_with("multipart/form-data; boundary="));
        let body = String::from_utf8(request.body.unwrap()).unwrap();
        for part in [
            "name=\"type\"\r\n\r\ncontacts\r\n",
            "name=\"updateOnlyEmptyFields\"\r\n\r\ntrue",
            "filename=\"contacts.csv\"",
            "_email\na@example.com\n",
        ] {
            assert!(body.contains(part), "{part:?} in {body}");
        }
    }
}

mod credential {
    use super::*;

    #[test]
    fn a_good_key_is_told_that_there_is_no_such_contact() {
        let answer = json(404, json!({ "detail": "unknown" })).with_header("x-ratelimit-limit", "100");
        let host = host().reply("GET /contacts/*", answer).install();
        assert_eq!(Connectif::check().unwrap().details, [NamedValue::new("rate_limit", "100")]);
        host.assert_no_writes();
    }

    #[test]
    fn a_bad_key_and_a_missing_scope_are_the_credentials_fault() {
        for code in [401, 403] {
            let _host = host()
                .reply("GET /contacts/*", json(code, json!({ "detail": "no", "code": "E0101" })))
                .install();
            assert!(matches!(Connectif::check(), Err(Error::Unauthorized(_))));
        }
    }
}
