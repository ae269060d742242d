//! The connector as it is, against a programmed host.

use contactor_sdk::partner::{Request, Response};
use contactor_sdk::prelude::*;
use contactor_sdk::testing::{InstalledHost, MockHost, contact, event, json, status, webhook};
use prefinery::{EFFECTS, MANIFEST, Prefinery};
use serde_json::{Value as Json, json};

const TESTERS: &str = "/betas/17/testers.json";
const TESTER_5: &str = "/betas/17/testers/5.json";

fn host() -> MockHost {
    MockHost::new().manifest(MANIFEST).setting("beta_id", "17")
}

fn ada() -> Json {
    json!({
        "id": 5, "uuid": "f00", "email": "ada@example.com", "status": "applied", "groups": "vip, beta",
        "referral_code": "R1", "unsubscribed_at": null, "updated_at": "2026-03-01T10:00:00Z",
        "profile": { "first_name": "Ada", "last_name": null, "custom_var1": "+15550100", "custom_var2": "blue" }
    })
}

/// Writes like Prefinery: the request's tester over an existing one.
fn written(status: u16) -> impl Fn(&Request) -> Response {
    move |request| {
        let mut tester = ada();
        for (name, value) in request.body_json()["tester"].as_object().expect("a wrapped tester") {
            tester[name] = value.clone();
        }
        json(status, tester)
    }
}

fn only_request(host: &InstalledHost) -> Request {
    let requests = host.partner_calls();
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests.into_iter().next().expect("one request")
}

fn reason(decision: Decision) -> String {
    match decision {
        Decision::Skip(reason) => reason,
        Decision::Accept => panic!("expected a reason to skip"),
    }
}

mod records {
    use super::*;

    #[test]
    fn a_tester_is_read_with_its_phone_groups_and_profile() {
        let host = host().answer(&format!("GET {TESTER_5}"), ada()).install();
        let record = Prefinery::read("contact", "5").unwrap();
        assert_eq!((record.id.as_str(), record.updated_at.as_deref()), ("5", Some("2026-03-01T10:00:00Z")));
        assert_eq!(record.email(), Some("ada@example.com"));
        assert_eq!(record.phone(), Some("+15550100"));
        assert_eq!(record.text("profile.first_name"), Some("Ada"));
        assert_eq!(record.value("profile.last_name"), Some(&Value::Empty));
        assert_eq!(record.value("profile.custom_var1"), None, "it is the phone");
        assert_eq!(record.text("profile.custom_var2"), Some("blue"));
        assert_eq!(record.value("profile.custom_var3"), None, "the answer does not mention it");
        assert_eq!(record.texts("groups").unwrap(), ["vip", "beta"]);
        host.assert_no_writes();
    }

    #[test]
    fn every_field_of_a_record_is_declared_in_the_manifest() {
        let manifest = contactor_manifest::Manifest::parse(MANIFEST).unwrap();
        let _host = host().setting("phone_field", "none").answer(&format!("GET {TESTER_5}"), ada()).install();
        for NamedValue { name, .. } in Prefinery::read("contact", "5").unwrap().fields {
            assert!(manifest.field("contact", &name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_tester_that_is_gone_is_not_found() {
        let _host = host().reply(&format!("GET {TESTER_5}"), status(404)).install();
        assert!(matches!(Prefinery::read("contact", "5"), Err(Error::NotFound(_))));
    }

    #[test]
    fn names_beside_the_profile_and_an_id_that_is_only_a_uuid_are_understood() {
        let tester = json!({ "uuid": "f00", "first_name": "Ada", "groups": null });
        let _host = host().answer("GET /betas/17/testers/f00.json", tester).install();
        let record = Prefinery::read("contact", "f00").unwrap();
        assert_eq!((record.id.as_str(), record.text("profile.first_name")), ("f00", Some("Ada")));
        assert_eq!(record.texts("groups").unwrap().len(), 0);
    }

    #[test]
    fn paths_follow_the_settings_and_ids_cannot_leave_their_segment() {
        let host = host()
            .setting("path_suffix", "")
            .answer("GET /betas/17/testers/5", ada())
            .answer("GET /betas/17/testers/*", ada())
            .install();
        Prefinery::read("contact", "5").unwrap();
        Prefinery::read("contact", "../../points").unwrap();
        assert_eq!(host.partner_calls()[1].path, "/betas/17/testers/..%2F..%2Fpoints");
    }

    #[test]
    fn testers_are_found_by_exactly_their_email() {
        let other = json!({ "id": 6, "email": "xada@example.com" });
        let host = host()
            .setting("email_search_param", "email")
            .reply(
                &format!("GET {TESTERS}"),
                json(200, json!([other, ada()])).with_header("X-Pagination", r#"{"next_page":null}"#),
            )
            .install();
        let found = Prefinery::find("contact", &NamedValue::new("email", "ADA@example.com")).unwrap();
        assert_eq!(found.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["5"]);
        assert_eq!(only_request(&host).query_value("email"), Some("ADA@example.com"));
        let by_phone = Prefinery::find("contact", &NamedValue::new("phone", "+15550100"));
        assert!(matches!(by_phone, Err(Error::Unsupported(_))));
    }

    #[test]
    fn other_entities_are_not_offered_and_ask_nothing() {
        let host = host().install();
        assert!(matches!(Prefinery::read("task", "5"), Err(Error::Unsupported(_))));
        assert!(matches!(Prefinery::create("note", &Fields::new()), Err(Error::Unsupported(_))));
        host.assert_no_partner_calls();
    }
}

mod writes {
    use super::*;

    fn contact() -> Fields {
        Fields::new()
            .with("email", "ada@example.com")
            .with("profile.first_name", "Ada")
            .with("phone", "+15550100")
            .with("groups", ["vip", "beta"])
    }

    #[test]
    fn a_new_tester_is_wrapped_has_the_default_status_and_answers_as_created() {
        let host = host().route(&format!("POST {TESTERS}"), written(201)).install();
        let record = Prefinery::create("contact", &contact()).unwrap();
        assert_eq!((record.id.as_str(), record.email()), ("5", Some("ada@example.com")));
        let request = only_request(&host);
        assert_eq!(request.header_value("content-type"), Some("application/json"));
        assert_eq!(
            request.body_json(),
            json!({ "tester": {
                "email": "ada@example.com", "status": "imported", "groups": "beta,vip",
                "profile": { "first_name": "Ada", "custom_var1": "+15550100" }
            }})
        );
    }

    #[test]
    fn a_taken_email_is_a_duplicate_whatever_the_status() {
        let taken = json!({ "errors": [{ "code": 2310, "message": "Email has already been taken" }] });
        for status in [400, 409, 422, 500] {
            let _host = host().reply(&format!("POST {TESTERS}"), json(status, taken.clone())).install();
            assert_eq!(
                Prefinery::create("contact", &contact()),
                Err(Error::Duplicate(String::new())),
                "{status}"
            );
        }
    }

    #[test]
    fn other_refusals_carry_prefinerys_words() {
        let refusal = json!({ "errors": [{ "code": 2301, "message": "Email is invalid" }] });
        let _host = host().reply(&format!("POST {TESTERS}"), json(422, refusal)).install();
        let error = Prefinery::create("contact", &contact()).unwrap_err();
        assert_eq!(error, Error::invalid("", "Email is invalid (code 2301)"));
    }

    #[test]
    fn an_update_sends_only_what_it_was_given_and_clears_with_null() {
        let host = host().setting("profile_updates", "changed");
        let host = host.route(&format!("PUT {TESTER_5}"), written(200)).install();
        let fields =
            Fields::new().with("profile.last_name", None::<&str>).with("groups", Value::Texts(Vec::new()));
        let record = Prefinery::update("contact", "5", &fields).unwrap();
        assert_eq!(record.texts("groups").unwrap().len(), 0);
        assert_eq!(
            only_request(&host).body_json(),
            json!({ "tester": { "groups": "", "profile": { "last_name": null } } })
        );
    }

    #[test]
    fn an_update_carries_the_rest_of_the_profile_and_clears_as_the_setting_says() {
        let present =
            json!({ "id": 5, "profile": { "first_name": "Ada", "last_name": "King", "custom_var1": null } });
        let host = host().setting("clear_with", "empty").answer(&format!("GET {TESTER_5}"), present);
        let host = host.route(&format!("PUT {TESTER_5}"), written(200)).install();
        Prefinery::update("contact", "5", &Fields::new().with("profile.last_name", None::<&str>)).unwrap();
        let sent = host.partner_calls().pop().unwrap().body_json();
        assert_eq!(sent, json!({ "tester": { "profile": { "first_name": "Ada", "last_name": "" } } }));
        // Without a field of the profile nothing needs to be read.
        Prefinery::update("contact", "5", &Fields::new().with("groups", Value::Texts(Vec::new()))).unwrap();
        assert_eq!(host.partner_calls().len(), 3);
    }

    #[test]
    fn a_status_that_sends_mail_is_never_written_without_consent() {
        let refused = host().route(&format!("PUT {TESTER_5}"), written(200)).install();
        for status in ["invited", "rejected"] {
            let error = Prefinery::update("contact", "5", &Fields::new().with("status", status)).unwrap_err();
            assert!(error.message().contains("allow_email_side_effects"), "{error}");
        }
        refused.assert_no_writes();
        drop(refused);
        let default = host().setting("default_status", "invited").install();
        assert!(matches!(Prefinery::create("contact", &contact()), Err(Error::Invalid(_))));
        default.assert_no_writes();
        drop(default);
        let allowed = host()
            .setting("allow_email_side_effects", true)
            .route(&format!("PUT {TESTER_5}"), written(200))
            .install();
        Prefinery::update("contact", "5", &Fields::new().with("status", "invited")).unwrap();
        assert_eq!(only_request(&allowed).body_json(), json!({ "tester": { "status": "invited" } }));
    }

    #[test]
    fn what_prefinery_cannot_hold_is_refused_before_anything_is_sent() {
        let host = host().install();
        for (fields, words) in [
            (Fields::new().with("groups", ["a,b"]), "commas"),
            (Fields::new().with("share_link", "x"), "cannot be written"),
            (Fields::new().with("profile.custom_var1", "x"), "phone_field"),
            (Fields::new().with("profile.custom_var9", "x"), "cannot be written"),
            (Fields::new().with("status", None::<&str>), "cannot be cleared"),
        ] {
            let error = Prefinery::update("contact", "5", &fields).unwrap_err();
            assert!(error.message().contains(words), "{error}");
        }
        assert!(matches!(Prefinery::create("contact", &Fields::new()), Err(Error::Invalid(_))));
        host.assert_no_partner_calls();
    }

    #[test]
    fn the_phone_goes_where_the_setting_says() {
        let custom = host()
            .setting("phone_field", "custom_var3")
            .setting("profile_updates", "changed")
            .route(&format!("PUT {TESTER_5}"), written(200))
            .install();
        Prefinery::update(
            "contact",
            "5",
            &Fields::new().with("phone", "+15550199").with("profile.custom_var1", "x"),
        )
        .unwrap();
        let profile = only_request(&custom).body_json()["tester"]["profile"].clone();
        assert_eq!(profile, json!({ "custom_var3": "+15550199", "custom_var1": "x" }));
        drop(custom);
        let none = host().setting("phone_field", "none").install();
        assert!(Prefinery::update("contact", "5", &Fields::new().with("phone", "+15550199")).is_err());
        none.assert_no_partner_calls();
    }

    #[test]
    fn a_tester_is_deleted() {
        let host = host().reply(&format!("DELETE {TESTER_5}"), status(200)).install();
        Prefinery::delete("contact", "5").unwrap();
        assert_eq!(host.writes(), [format!("partner.send(DELETE {TESTER_5})")]);
    }
}

mod answers {
    use super::*;

    #[test]
    fn the_status_tells_whose_turn_it_is() {
        let read = |response: Response| {
            let _host = host().reply(&format!("GET {TESTER_5}"), response).install();
            Prefinery::read("contact", "5").unwrap_err()
        };
        assert!(matches!(read(status(401)), Error::Unauthorized(_)));
        assert!(matches!(read(status(403)), Error::Unauthorized(_)));
        assert_eq!(read(status(429)), Error::Limited(None));
        assert_eq!(read(status(429).with_header("Retry-After", "30")), Error::Limited(Some(30_000)));
        assert!(matches!(read(status(500)), Error::Unavailable(_)));
        assert!(matches!(read(status(503)), Error::Unavailable(_)));
    }

    #[test]
    fn a_list_of_errors_does_not_hide_a_bad_key_or_a_used_up_quota() {
        let body = json!({ "errors": [{ "message": "no" }] });
        for (status, limited) in [(401, false), (429, true)] {
            let _host = host().reply(&format!("PUT {TESTER_5}"), json(status, body.clone())).install();
            let error =
                Prefinery::update("contact", "5", &Fields::new().with("email", "a@example.com")).unwrap_err();
            assert_eq!(matches!(error, Error::Limited(_)), limited, "{error}");
            assert_eq!(matches!(error, Error::Unauthorized(_)), !limited, "{error}");
        }
    }

    #[test]
    fn a_check_names_the_project_and_blames_the_right_setting() {
        let good = host()
            .answer("GET /betas/17.json", json!({ "id": 17, "name": "Launch", "testers_count": 40 }))
            .install();
        let account = Prefinery::check().unwrap();
        assert_eq!((account.id.as_str(), account.name.as_str()), ("17", "Launch"));
        assert_eq!(account.details, [NamedValue::new("testers_count", 40)]);
        drop(good);
        let _missing = host().reply("GET /betas/17.json", status(404)).install();
        assert!(
            matches!(Prefinery::check(), Err(Error::Invalid(problems)) if problems[0].field == "beta_id")
        );
    }
}

mod rules {
    use super::*;

    fn admit(host: MockHost, direction: Direction, fields: &Fields) -> Decision {
        let host = host.install();
        let decision = Prefinery::admit("contact", direction, fields).expect("a decision");
        host.assert_no_partner_calls();
        decision
    }

    #[test]
    fn contacts_are_left_alone_for_a_reason_that_an_admin_understands() {
        let contact = |email: &str| Fields::new().with("email", email);
        let host = || host().setting("blocked_domains", json!(["spam.example"]));
        let to_partner = |fields: &Fields| admit(host(), Direction::ToPartner, fields);
        assert_eq!(to_partner(&contact("ada@example.com")), Decision::Accept);
        assert!(reason(to_partner(&Fields::new().with("phone", "+15550100"))).contains("no email"));
        assert!(reason(to_partner(&contact("ada"))).contains("not a usable"));
        assert!(reason(to_partner(&contact("ada@mail.spam.example"))).contains("spam.example"));
        assert!(reason(to_partner(&contact("ada@example.com").with("dnd", true))).contains("do not disturb"));
        let email_off = Value::Json(r#"{"Email":{"status":"active"}}"#.into());
        assert!(
            reason(to_partner(&contact("ada@example.com").with("dndSettings", email_off)))
                .contains("unsubscribed")
        );
    }

    #[test]
    fn testers_are_left_alone_for_a_reason_that_an_admin_understands() {
        let tester = |status: &str| Fields::new().with("email", "ada@example.com").with("status", status);
        let to_highlevel = |fields: &Fields| admit(host(), Direction::ToHighlevel, fields);
        assert_eq!(to_highlevel(&tester("applied")), Decision::Accept);
        assert_eq!(to_highlevel(&tester("applied").with("unsubscribed_at", None::<&str>)), Decision::Accept);
        assert!(reason(to_highlevel(&tester("rejected"))).contains("rejected"));
        let left = tester("active").with("unsubscribed_at", "2026-01-01T00:00:00Z");
        assert!(reason(to_highlevel(&left)).contains("unsubscribed"));
        assert!(reason(to_highlevel(&Fields::new().with("status", "applied"))).contains("no email"));
    }
}

mod triggers {
    use super::*;

    fn receive(host: MockHost, body: &Json) -> Received {
        let host = host.install();
        let received = Prefinery::receive(&webhook(body.to_string())).expect("an understood webhook");
        host.assert_no_partner_calls();
        received
    }

    #[test]
    fn a_whole_tester_is_a_snapshot() {
        let change = receive(host(), &json!({ "event": "tester_updated", "tester": ada() })).change();
        assert_eq!((change.entity.as_str(), change.id.as_str()), ("contact", "5"));
        assert_eq!((change.kind, change.event.as_str()), (ChangeKind::Updated, "tester_updated"));
        assert_eq!(change.snapshot.unwrap().phone(), Some("+15550100"));
    }

    #[test]
    fn a_mention_of_a_tester_is_no_snapshot() {
        let mention = json!({ "id": "5", "email": "ada@example.com" });
        for body in [
            json!({ "event": "tester_created", "tester": mention }),
            json!({ "event_type": "tester_created", "data": { "user": mention } }),
            json!({ "type": "tester_created", "payload": mention }),
            json!({ "event": { "name": "tester_created" }, "id": 99, "tester": mention }),
            json!({ "event": "tester_created", "id": "5", "email": "ada@example.com" }),
        ] {
            let change = receive(host(), &body).change();
            assert_eq!((change.id.as_str(), change.kind), ("5", ChangeKind::Created), "{body}");
            assert_eq!(change.snapshot, None, "{body}");
        }
    }

    #[test]
    fn deletions_are_told_and_never_carry_a_snapshot() {
        let change = receive(host(), &json!({ "event": "tester_deleted", "tester": ada() })).change();
        assert_eq!((change.kind, change.snapshot), (ChangeKind::Deleted, None));
    }

    #[test]
    fn a_reward_belongs_to_its_user_and_is_passed_on() {
        let reward = json!({ "id": 900, "user_id": 5, "name": "Mug", "status": "delivered" });
        let change = receive(host(), &json!({ "event": "reward_delivered", "reward": reward })).change();
        assert_eq!((change.id.as_str(), change.kind), ("5", ChangeKind::Other));
        let Some(Value::Json(object)) = change.value("object") else { panic!("no object") };
        assert_eq!(serde_json::from_str::<Json>(object).unwrap(), reward);
    }

    #[test]
    fn points_have_the_manifests_name_whether_the_vendor_says_point_or_points() {
        let keys = ["point_earned", "points_earned"].map(|name| {
            let point = json!({ "id": 901, "user_id": 5, "quantity": 10 });
            let change = receive(host(), &json!({ "event": name, "point": point })).change();
            assert_eq!((change.event.as_str(), change.kind), ("points_earned", ChangeKind::Other));
            change.text("key").unwrap().to_owned()
        });
        assert_eq!(keys[0], keys[1], "it happened once");
    }

    #[test]
    fn an_unknown_event_is_passed_on_unless_the_admin_knows_it() {
        let body = json!({ "event": "tester_sparkled", "tester": ada() });
        assert_eq!(receive(host(), &body).change().kind, ChangeKind::Other);
        let knowing = host().setting("update_events", json!(["tester_sparkled"]));
        assert_eq!(receive(knowing, &body).change().kind, ChangeKind::Updated);
    }

    #[test]
    fn what_is_no_webhook_of_prefinery_is_rejected_with_a_reason() {
        let host = host().install();
        let rejected = |body: &[u8]| {
            let Received::Rejected(reason) = Prefinery::receive(&webhook(body)).unwrap() else {
                panic!("expected a rejection");
            };
            reason
        };
        assert!(rejected(b"\xff").contains("no JSON"));
        assert!(rejected(b"[]").contains("names no event"));
        assert!(rejected(br#"{"event":"test"}"#).contains("names no tester"));
        host.assert_no_partner_calls();
    }

    #[test]
    fn a_poll_walks_through_all_pages_and_then_begins_again() {
        let page = |request: &Request| {
            let next = if request.query_value("page") == Some("1") { "2" } else { "null" };
            let pagination = format!(r#"{{"current_page":1,"next_page":{next},"per_page":25}}"#);
            json(200, json!([ada()])).with_header("X-Pagination", pagination)
        };
        let host = host().route(&format!("GET {TESTERS}"), page).install();
        let first = Prefinery::poll("testers", None).unwrap();
        assert_eq!((first.more, first.cursor.as_deref()), (true, Some("2")));
        assert_eq!(first.changes[0].snapshot.as_ref().unwrap().email(), Some("ada@example.com"));
        let last = Prefinery::poll("testers", first.cursor.as_deref()).unwrap();
        assert_eq!((last.more, last.cursor), (false, None));
        let pages: Vec<_> = host
            .partner_calls()
            .iter()
            .map(|request| request.query_value("page").unwrap().to_owned())
            .collect();
        assert_eq!(pages, ["1", "2"]);
        assert!(matches!(Prefinery::poll("rewards", None), Err(Error::Unsupported(_))));
    }

    #[test]
    fn a_full_page_without_paging_is_an_error_and_an_empty_one_is_the_end() {
        let silent = host().answer(&format!("GET {TESTERS}"), json!([ada()])).install();
        assert!(Prefinery::poll("testers", None).unwrap_err().message().contains("X-Pagination"));
        drop(silent);
        let _empty = host().answer(&format!("GET {TESTERS}"), json!([])).install();
        assert_eq!(Prefinery::poll("testers", None), Ok(PollPage::last(Vec::new(), None)));
    }
}

mod actions {
    use super::*;

    #[test]
    fn every_declared_action_works_and_writes_only_if_it_says_so() {
        let manifest = contactor_manifest::Manifest::parse(MANIFEST).unwrap();
        for action in &manifest.actions {
            let host = host()
                .setting("allow_email_side_effects", true)
                .answer("GET /betas.json", json!([]))
                .answer("GET /betas/17/rewards.json", json!([]))
                .answer("GET /betas/17/points.json", json!([]))
                .answer("GET /betas/17.json", json!({ "id": 17 }))
                .answer(&format!("GET {TESTERS}"), json!([]))
                .answer("GET /betas/17/testers/1000001.json", ada())
                .route("PUT /betas/17/testers/1000001.json", written(200))
                .answer("GET /betas/17/testers/1000001/verify.json", ada())
                .reply("POST /betas/17/testers/1000001/checkin.json", status(202))
                .reply("POST /betas/17/points.json", json(201, json!({ "id": 1 })))
                .reply("POST /betas/17/friend_invitations.json", status(200))
                .install();
            let output = Prefinery::run(&action.name, action.example.clone()).unwrap();
            assert!(output.is_object(), "{}", action.name);
            assert_eq!(host.writes().len(), usize::from(action.writes), "{}", action.name);
        }
        let _host = host().install();
        assert!(matches!(Prefinery::run("testers.teleport", json!({})), Err(Error::Unsupported(_))));
    }

    #[test]
    fn rewards_are_listed_by_email_status_and_page() {
        let answer = json(200, json!([{ "id": 1 }])).with_header("X-Pagination", r#"{"next_page":3}"#);
        let host = host().reply("GET /betas/17/rewards.json", answer).install();
        let input = json!({ "email": "ada@example.com", "status": "earned", "page": 2 });
        let output = Prefinery::run("rewards.list", input).unwrap();
        assert_eq!(output, json!({ "items": [{ "id": 1 }], "next_page": 3 }));
        let line = "GET /betas/17/rewards.json?email=ada@example.com&status=earned&page=2";
        assert_eq!(only_request(&host).line(), line);
    }

    #[test]
    fn points_are_awarded_unwrapped_and_their_errors_name_the_field() {
        let input = json!({ "email": "ada@example.com", "quantity": 10 });
        let host_ = host()
            .reply("POST /betas/17/points.json", json(201, json!({ "id": 9, "quantity": 10 })))
            .install();
        assert_eq!(Prefinery::run("points.award", input.clone()).unwrap()["id"], 9);
        assert_eq!(only_request(&host_).body_json(), input);
        drop(host_);
        let error = |code: u32| {
            let body = json!({ "errors": [{ "code": code, "message": "no" }] });
            let _host = host().reply("POST /betas/17/points.json", json(422, body)).install();
            Prefinery::run("points.award", input.clone()).unwrap_err()
        };
        assert!(matches!(error(2803), Error::NotFound(_)));
        assert_eq!(error(2804), Error::invalid("quantity", "no (code 2804)"));
        assert_eq!(error(2802), Error::invalid("email", "no (code 2802)"));
    }

    #[test]
    fn a_friend_is_not_invited_without_consent() {
        let host = host().install();
        let input = json!({ "sender_email": "ada@example.com", "recipient_email": "bob@example.com" });
        assert!(matches!(Prefinery::run("friends.invite", input), Err(Error::Denied(_))));
        host.assert_no_partner_calls();
    }
}

mod automations {
    use super::*;

    fn with_template(name: &str) -> MockHost {
        let manifest = contactor_manifest::Manifest::parse(MANIFEST).expect("a manifest");
        let template = manifest.templates.iter().find(|template| template.name == name).expect("a template");
        template.settings.iter().fold(host(), |host, (name, value)| host.setting(name, value.clone()))
    }

    fn ada_contact(tags: &[&str]) -> contacts::Contact {
        contact("c1", Fields::new().with("email", "ada@example.com"), tags)
    }

    fn reward(kind: &str) -> Event {
        let object = json!({ "id": 900, "user_id": 5, "name": "Mug", "user_role": "referrer" });
        event(kind).with("object", Value::Json(object.to_string())).of_contact("c1").of_partner("5")
    }

    #[test]
    fn the_manifest_offers_what_the_connector_links() {
        let manifest = contactor_manifest::Manifest::parse(MANIFEST).unwrap();
        let setting = manifest.settings.iter().find(|setting| setting.name == "rules").unwrap();
        assert_eq!(setting.effects, EFFECTS.names());
    }

    #[test]
    fn a_reward_is_a_tag_and_a_note() {
        for (kind, tag) in [
            ("reward_earned", "reward earned"),
            ("reward_delivered", "reward delivered"),
            ("reward_revoked", "reward revoked"),
        ] {
            let host = host().contact(ada_contact(&[])).install();
            Prefinery::handle(&reward(kind)).unwrap();
            assert_eq!(host.stored_contact("c1").unwrap().tags, [tag]);
            let writes = host.writes();
            assert!(
                writes.len() == 2 && writes[1].contains(&format!("Mug (referrer): {tag}.")),
                "{writes:?}"
            );
            host.assert_no_partner_calls();
        }
    }

    #[test]
    fn the_same_reward_has_the_same_key_however_it_is_wrapped() {
        let reward = json!({ "id": 900, "user_id": 5, "name": "Mug" });
        for body in [
            json!({ "event": "reward_earned", "reward": reward }),
            json!({ "type": "reward_earned", "id": "x", "data": reward }),
        ] {
            let _host = host().install();
            let change = Prefinery::receive(&webhook(body.to_string())).unwrap().change();
            assert_eq!(change.text("key"), Some("reward_earned:900"), "{body}");
        }
        let _host = host().install();
        let body = json!({ "event": "tester_updated", "tester": { "id": 5, "email": "ada@example.com" } });
        assert_eq!(
            Prefinery::receive(&webhook(body.to_string())).unwrap().change().value("key"),
            None,
            "it can happen again"
        );
    }

    #[test]
    fn groups_follow_open_and_completed_tasks_and_tags() {
        let run = |kind: &str, tasks: &[bool], tags: &[&str]| {
            let host = with_template("groups-by-tasks")
                .contact(ada_contact(tags))
                .answer(&format!("GET {TESTER_5}"), ada())
                .route(&format!("PUT {TESTER_5}"), written(200))
                .install();
            for completed in tasks {
                let fields = Fields::new().with("title", "Call").with("dueDate", "2026-03-01T10:00:00Z");
                tasks::create("c1", *completed, &fields).unwrap();
            }
            Prefinery::handle(&event(kind).of_contact("c1").of_partner("5")).unwrap();
            let puts = host.partner_calls().into_iter().filter(|call| call.line().starts_with("PUT"));
            puts.map(|call| call.body_json()["tester"]["groups"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(run("TaskCreate", &[false, true], &[]), ["beta,open tasks,vip"]);
        assert_eq!(run("TaskComplete", &[true, true], &[]), ["beta,tasks done,vip"]);
        assert_eq!(run("TaskDelete", &[], &[]), Vec::<String>::new(), "it is in neither group");
        assert_eq!(run("ContactTagUpdate", &[], &["vip"]), ["beta,priority,vip"]);
        assert_eq!(run("ContactTagUpdate", &[], &["other"]), Vec::<String>::new());
    }

    #[test]
    fn the_team_hears_of_contacts_sign_ups_and_rewards() {
        let host =
            with_template("team-notifications").destination("team").contact(ada_contact(&[])).install();
        Prefinery::handle(&event("ContactCreate").of_contact("c1")).unwrap();
        Prefinery::handle(&event("tester_created").with("email", "ada@example.com").of_partner("5")).unwrap();
        Prefinery::handle(&reward("reward_earned")).unwrap();
        let titles: Vec<String> = host.messages().into_iter().map(|(_, message)| message.title).collect();
        assert_eq!(
            titles,
            ["New contact: ada@example.com", "Sign-up: ada@example.com", "Mug: reward earned"]
        );
    }

    #[test]
    fn groups_are_written_only_when_they_differ() {
        let host = host().answer(&format!("GET {TESTER_5}"), ada()).install();
        let input = json!({ "tester_id": "5", "add": ["VIP"], "remove": "gone" });
        let output = Prefinery::run("testers.groups", input).unwrap();
        assert_eq!(output, json!({ "groups": ["vip", "beta"], "changed": false }));
        host.assert_no_writes();
    }
}
