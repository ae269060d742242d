//! The connector as it is, against a programmed host.

#![expect(
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    reason = "tests write json!(…) in place and fail by panicking"
)]

use contactor_manifest::Manifest;
use contactor_sdk::partner::{Request, Response};
use contactor_sdk::prelude::*;
use contactor_sdk::testing::{InstalledHost, MockHost, contact, event, json, status};
use formbuilder::{EFFECTS, FormBuilder, MANIFEST};
use serde_json::{Value as Json, json};

const LIST: &str = "GET /forms/77/submissions";
const ONE: &str = "GET /forms/77/submissions/5";
const FIELDS: &str = "GET /forms/77/fields";

fn host() -> MockHost {
    let controls = json!([
        { "id": "1", "name": "Name" }, { "id": 2, "name": "E-mail *" }, { "id": "3", "name": "Phone" },
        { "id": "4", "name": "Interests" }, { "id": "5", "name": "Message" }
    ]);
    let fields = json!({ "data": { "id": "77", "name": "Contact us", "controls": { "data": controls } } });
    MockHost::new().manifest(MANIFEST).setting("form_ids", json!(["77"])).answer(FIELDS, fields)
}

/// Ada's submission, its content as an object.
fn ada(id: u64) -> Json {
    let field = |id: &str, value: &str| json!({ "fieldid": id, "fieldvalue": value });
    json!({
        "id": id.to_string(), "form_id": "77", "entry_id": 9, "country": "GB", "deleted": 0, "payed": "0", "approved": 1,
        "date": "2026-03-01 10:00:00",
        "content": { "fields": { "field": [
            field("1_2", "Lovelace"), field("1_1", "Ada "), field("2", "ada@example.com"), field("3", ""),
            field("4_10", "Ponds"), field("4_9", "Trees"), field("5", "Hello"),
        ] } },
    })
}

fn one(submission: Json) -> Json {
    json!({ "data": [submission], "status_code": 200 })
}

fn page(submissions: Vec<Json>, current: u64, pages: u64) -> Json {
    json!({ "data": submissions, "meta": { "pagination": { "current_page": current, "total_pages": pages } } })
}

fn error(code: u16, message: Json) -> Response {
    json(code, json!({ "error": { "message": message, "status_code": code } }))
}

fn webhook(kind: &str, body: &str) -> Webhook {
    Webhook { headers: vec![("content-type".into(), kind.into())], body: body.into() }
}

fn lines(host: &InstalledHost) -> Vec<String> {
    host.partner_calls().iter().map(Request::line).collect()
}

fn ids(page: &PollPage) -> Vec<&str> {
    page.changes.iter().map(|change| change.id.as_str()).collect()
}

mod records {
    use super::*;

    #[test]
    fn a_submission_is_a_person_by_the_labels_of_its_form() {
        let host = host().answer(ONE, one(ada(5))).install();
        let record = FormBuilder::read("contact", "77/5").unwrap();
        assert_eq!(
            (record.id.as_str(), record.updated_at.as_deref()),
            ("77/5", Some("2026-03-01T10:00:00Z"))
        );
        assert_eq!((record.text("first_name"), record.text("last_name")), (Some("Ada"), Some("Lovelace")));
        assert_eq!((record.email(), record.value("phone")), (Some("ada@example.com"), Some(&Value::Empty)));
        assert_eq!((record.text("message"), record.text("approved")), (Some("Hello"), Some("approved")));
        assert_eq!((record.text("payed"), record.text("entry_id")), (Some("no"), Some("9")));
        assert_eq!(record.texts("tags").unwrap().len(), 0, "no label speaks of tags");
        FormBuilder::read("contact", "77/5").unwrap();
        let fields = lines(&host).iter().filter(|line| line.contains("fields")).count();
        assert_eq!(fields, 1, "labels are remembered");
        host.assert_no_writes();
    }

    #[test]
    fn every_field_is_declared_and_there_so_that_an_unchanged_record_needs_no_read() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let _host = host().answer(ONE, one(ada(5))).install();
        let record = FormBuilder::read("contact", "77/5").unwrap();
        for field in &manifest.fields {
            assert!(record.value(&field.name).is_some(), "{}", field.name);
        }
        assert_eq!(record.fields.len(), manifest.fields.len());
    }

    #[test]
    fn the_field_map_goes_before_labels_and_the_most_exact_name_before_others() {
        let map =
            json!({ "4": "tags", "77/1_1": "company", "1": "full_name", "5": "ignore", "78/2": "phone" });
        let host = host().setting("field_map", map).answer(ONE, one(ada(5))).install();
        let record = FormBuilder::read("contact", "77/5").unwrap();
        assert_eq!(record.texts("tags").unwrap(), ["Trees", "Ponds"], "in the order of the choices");
        assert_eq!((record.text("company"), record.text("full_name")), (Some("Ada"), Some("Lovelace")));
        assert_eq!((record.value("message"), record.email()), (Some(&Value::Empty), Some("ada@example.com")));
        drop(host);

        let map = json!({ "2": "email" });
        let host = self::host().setting("field_map", map).setting("auto_map", false).answer(ONE, one(ada(5)));
        let host = host.install();
        let record = FormBuilder::read("contact", "77/5").unwrap();
        assert_eq!(
            (record.email(), record.value("first_name")),
            (Some("ada@example.com"), Some(&Value::Empty))
        );
        assert_eq!(lines(&host).len(), 1, "without labels no call is spent on them");
    }

    #[test]
    fn content_is_understood_as_object_text_flat_members_and_a_lone_field() {
        let field = json!({ "fieldid": "2", "fieldvalue": "ada@example.com" });
        let shapes = [
            json!({ "fields": { "field": [field] } }),
            json!({ "fields": { "field": field } }),
            json!({ "fields": [field] }),
            json!({ "2": "ada@example.com" }),
            json!(json!({ "fields": { "field": field } }).to_string()),
            json!(r#"{"2": "ada@example.com"}"#),
        ];
        for content in shapes {
            let submission = json!({ "id": 5, "content": content, "date": "yesterday" });
            let _host = host().answer(ONE, json!({ "data": submission })).install();
            let record = FormBuilder::read("contact", "77/5").unwrap();
            assert_eq!(
                (record.email(), record.updated_at.as_deref()),
                (Some("ada@example.com"), None),
                "{content}"
            );
        }
        for content in [json!("no JSON"), json!(7)] {
            let _host = host().answer(ONE, one(json!({ "id": 5, "content": content }))).install();
            let problem = FormBuilder::read("contact", "77/5").unwrap_err().message();
            assert!(problem.starts_with("`/content`: expected an object"), "{problem}");
        }
        for content in [json!(null), json!([]), json!("")] {
            let _host = host().answer(ONE, one(json!({ "id": 5, "content": content }))).install();
            assert_eq!(FormBuilder::read("contact", "77/5").unwrap().email(), None);
        }
    }

    #[test]
    fn dates_have_the_zone_of_the_setting() {
        let _host = host().setting("utc_offset", "-05:00").answer(ONE, one(ada(5))).install();
        let record = FormBuilder::read("contact", "77/5").unwrap();
        assert_eq!(record.updated_at.as_deref(), Some("2026-03-01T15:00:00Z"));
    }

    #[test]
    fn what_lies_in_the_bin_is_gone_and_an_answer_without_a_record_is_not_found() {
        let mut binned = ada(5);
        binned["deleted"] = json!("1");
        for answer in [one(binned), json!({ "data": [] }), json!({ "status_code": 200 })] {
            let _host = host().answer(ONE, answer).install();
            assert!(matches!(FormBuilder::read("contact", "77/5"), Err(Error::NotFound(_))));
        }
        let _host = host().reply(ONE, error(404, json!("Submission not found"))).install();
        assert!(matches!(FormBuilder::read("contact", "77/5"), Err(Error::NotFound(_))));
    }

    #[test]
    fn ids_name_form_and_submission_and_cannot_leave_their_segments() {
        let host = host().answer("GET /forms/*/submissions/*", one(ada(5))).install();
        for wrong in ["5", "77/", "/5"] {
            assert!(matches!(FormBuilder::read("contact", wrong), Err(Error::NotFound(_))), "{wrong}");
        }
        host.assert_no_partner_calls();
        FormBuilder::read("contact", "77/../8").unwrap();
        assert_eq!(host.partner_calls()[0].path, "/forms/77/submissions/..%2F8");
    }

    #[test]
    fn contacts_are_not_written_to_forms_and_other_entities_are_not_offered() {
        let host = host().install();
        let decision = FormBuilder::admit("contact", Direction::ToPartner, &Fields::new()).unwrap();
        assert!(matches!(decision, Decision::Skip(reason) if reason.contains("neither create")));
        let decision = FormBuilder::admit("contact", Direction::ToHighlevel, &Fields::new()).unwrap();
        assert!(matches!(decision, Decision::Accept), "a record without identifier is the host's to park");
        assert!(matches!(FormBuilder::read("task", "77/5"), Err(Error::Unsupported(_))));
        assert!(matches!(FormBuilder::create("contact", &Fields::new()), Err(Error::Unsupported(_))));
        assert!(matches!(FormBuilder::delete("contact", "77/5"), Err(Error::Unsupported(_))));
        host.assert_no_partner_calls();
    }
}

mod answers_of_the_vendor {
    use super::*;

    fn read(reply: Response) -> Error {
        let _host = host().reply(ONE, reply).install();
        FormBuilder::read("contact", "77/5").unwrap_err()
    }

    #[test]
    fn problems_are_told_however_deep_they_lie() {
        let nested = read(error(422, json!([["The payed is invalid."], { "approved": ["is odd"] }])));
        assert_eq!(nested.message(), "refused: The payed is invalid.; approved: is odd");
        assert!(matches!(read(error(400, json!("Token is invalid"))), Error::Unauthorized(_)));
        assert!(matches!(read(error(400, json!("Bad page"))), Error::Invalid(_)));
        assert!(matches!(read(error(403, json!("Access denied"))), Error::Unauthorized(_)));
        assert!(matches!(read(json(502, json!("<html>"))), Error::Unavailable(_)));
        assert!(matches!(read(status(500)), Error::Unavailable(_)));
    }

    #[test]
    fn a_used_up_quota_is_recognised_by_status_or_words_and_waited_for() {
        let half_an_hour = Error::Limited(Some(1_800_000));
        assert_eq!(read(error(429, json!("Slow down"))), half_an_hour);
        assert_eq!(read(error(403, json!("You have exceeded the daily quota of API calls"))), half_an_hour);
        let told = error(429, json!("Slow down")).with_header("retry-after", "7");
        assert_eq!(read(told), Error::Limited(Some(7_000)));
        assert_eq!(read(status(429)), Error::Limited(None), "a gateway's, without the vendor's body");
    }

    #[test]
    fn a_check_reads_each_form_and_names_the_one_that_is_not_there() {
        let form = |name: &str| json!({ "data": { "id": "77", "name": name } });
        let routes = || {
            let host = host().setting("form_ids", json!(["77", "78"]));
            host.answer("GET /forms/77", form("Contact us"))
        };
        let host = routes().answer("GET /forms/78", form("Quote")).install();
        assert_eq!(FormBuilder::check().unwrap().name, "Contact us, Quote");
        host.assert_no_writes();
        drop(host);
        let _host = routes().reply("GET /forms/78", error(404, json!("Form not found"))).install();
        assert!(FormBuilder::check().unwrap_err().message().contains("no form 78"));
    }
}

mod polls {
    use super::*;

    #[test]
    fn the_past_is_imported_silently_and_what_comes_later_sets_off_automations() {
        let host = host().route(LIST, move |request| match request.query_value("page") {
            Some("1") => json(200, page(vec![ada(7), ada(6)], 1, 2)),
            _ => json(200, page(vec![ada(5), json!({ "content": {} })], 2, 2)),
        });
        let host = host.install();
        let first = FormBuilder::poll("submissions", None).unwrap();
        assert!(first.more && first.changes.iter().all(|change| change.event.is_empty()));
        let second = FormBuilder::poll("submissions", first.cursor.as_deref()).unwrap();
        assert_eq!((second.more, ids(&second)), (false, vec!["77/5", second.changes[1].id.as_str()]));
        let problem = second.changes[1].problem().unwrap();
        assert!(problem.starts_with("`/id`: expected an id, found nothing"), "{problem}");
        let cursor = second.cursor.unwrap();
        drop(host);

        let host = self::host().route(LIST, move |request| {
            assert_eq!(request.query_value("start_submission_id"), Some("7"));
            json(200, page(vec![ada(7), ada(9), ada(8)], 1, 1))
        });
        let host = host.install();
        let third = FormBuilder::poll("submissions", Some(&cursor)).unwrap();
        assert_eq!((third.more, ids(&third)), (false, vec!["77/9", "77/8"]), "7 is known");
        let change = &third.changes[0];
        assert_eq!((change.event.as_str(), change.text("key")), ("submission", Some("77/9")));
        assert_eq!((change.text("form_id"), change.text("submission_id")), (Some("77"), Some("9")));
        assert!(change.snapshot.is_some());
        assert_eq!(host.stored_state("newest/77").as_deref(), Some(&b"9"[..]));
        host.assert_no_writes();
    }

    #[test]
    fn without_history_one_call_finds_where_to_begin() {
        let form = json!({ "data": { "id": "77", "latest_submission": { "id": "7" } } });
        let host = host().setting("import_history", false).answer("GET /forms/77", form).install();
        let first = FormBuilder::poll("submissions", None).unwrap();
        assert!(first.changes.is_empty() && !first.more);
        assert_eq!(lines(&host).len(), 1);
        drop(host);
        let host = self::host().setting("import_history", false).answer(LIST, page(vec![ada(8)], 1, 1));
        let host = host.install();
        let next = FormBuilder::poll("submissions", first.cursor.as_deref()).unwrap();
        assert_eq!(next.changes[0].event, "submission");
        assert_eq!(host.partner_calls()[0].query_value("start_submission_id"), Some("7"));
    }

    #[test]
    fn several_forms_take_turns_and_one_that_is_taken_out_of_the_settings_stops_nothing() {
        let host = host().setting("form_ids", json!(["77", "78"]));
        let host = host.answer("GET /forms/*/submissions", page(vec![], 1, 1)).install();
        let first = FormBuilder::poll("submissions", None).unwrap();
        assert!(first.more);
        drop(host);
        let host = self::host().answer(LIST, page(vec![ada(3)], 1, 1)).install();
        let second = FormBuilder::poll("submissions", first.cursor.as_deref()).unwrap();
        assert!(!second.more && second.changes.is_empty());
        let third = FormBuilder::poll("submissions", second.cursor.as_deref()).unwrap();
        assert_eq!(ids(&third), ["77/3"]);
        assert_eq!(lines(&host).len(), 2, "the list, and the labels");
    }

    #[test]
    fn a_walk_tells_edits_approvals_payments_and_the_bin_and_nothing_twice() {
        let content = std::rc::Rc::new(std::cell::RefCell::new(vec![ada(5), ada(6)]));
        let shown = std::rc::Rc::clone(&content);
        let host = host().route(LIST, move |_| json(200, page(shown.borrow().clone(), 1, 1))).install();
        let walk = |cursor: Option<&String>| {
            FormBuilder::poll("all_submissions", cursor.map(String::as_str)).unwrap()
        };
        let first = walk(None);
        assert!(first.changes.is_empty(), "the stream of new submissions has told of these");
        let second = walk(first.cursor.as_ref());
        assert!(second.changes.is_empty());
        content.borrow_mut()[0]["payed"] = json!("yes");
        content.borrow_mut()[1]["deleted"] = json!(1);
        let third = walk(second.cursor.as_ref());
        let told: Vec<_> =
            third.changes.iter().map(|change| (change.id.as_str(), change.event.as_str())).collect();
        let expected = [
            ("77/5", "submission_approved"),
            ("77/5", "submission_payed"),
            ("77/5", ""),
            ("77/6", "submission_deleted"),
            ("77/6", ""),
        ];
        assert_eq!(told, expected);
        assert_eq!(third.changes[1].text("key"), Some("77/5/submission_payed"));
        assert_eq!((third.changes[0].kind, third.changes[2].kind), (ChangeKind::Other, ChangeKind::Updated));
        assert_eq!((third.changes[3].kind, third.changes[4].kind), (ChangeKind::Other, ChangeKind::Deleted));
        let fourth = walk(third.cursor.as_ref());
        assert!(fourth.changes.is_empty());
        host.assert_no_writes();
        assert!(matches!(FormBuilder::poll("people", None), Err(Error::Unsupported(_))));
    }

    #[test]
    fn without_paging_a_full_page_is_followed_by_another() {
        let host = host().setting("page_size", 1).answer(LIST, json!({ "data": ada(5) })).install();
        assert!(FormBuilder::poll("submissions", None).unwrap().more);
        assert_eq!(host.partner_calls()[0].query_value("per_page"), Some("1"));
    }
}

mod webhooks {
    use super::*;

    #[test]
    fn a_number_in_any_kind_of_body_leads_to_the_submission() {
        let bodies = [
            ("application/x-www-form-urlencoded", "2=a%40example.com&submission_id=5".to_owned()),
            ("application/json; charset=utf-8", r#"{"data": {"submission_id": 5}}"#.to_owned()),
            ("text/xml", "<?xml version=\"1.0\"?><s><submission_id>5</submission_id></s>".to_owned()),
            (
                "multipart/form-data; boundary=b",
                "--b\r\nContent-Disposition: form-data; name=\"submission_id\"\r\n\r\n5\r\n--b--\r\n"
                    .to_owned(),
            ),
        ];
        for (kind, body) in bodies {
            let host = host().answer(ONE, one(ada(5))).install();
            let found = FormBuilder::receive(&webhook(kind, &body)).unwrap().changes();
            assert_eq!(
                (found.len(), found[0].id.as_str(), found[0].text("key")),
                (1, "77/5", Some("77/5")),
                "{kind}"
            );
            assert_eq!(found[0].snapshot.as_ref().unwrap().email(), Some("ada@example.com"));
            host.assert_no_writes();
        }
    }

    #[test]
    fn without_a_number_what_is_new_is_read() {
        let hook = webhook("application/x-www-form-urlencoded", "2=ada%40example.com");
        let host = host().answer(LIST, page(vec![ada(6), ada(5)], 1, 1)).install();
        assert!(FormBuilder::receive(&hook).unwrap().changes().is_empty(), "the first poll comes soon");
        state::update_json("newest/77", |_| Ok(5)).unwrap();
        let found = FormBuilder::receive(&hook).unwrap().changes();
        assert_eq!((found.len(), found[0].id.as_str(), found[0].event.as_str()), (1, "77/6", "submission"));
        assert!(FormBuilder::receive(&hook).unwrap().changes().is_empty(), "it is known now");
        host.assert_no_writes();
    }

    #[test]
    fn a_number_that_is_none_of_the_form_is_not_believed() {
        let host = host().reply(ONE, error(404, json!("Submission not found")));
        let _host = host.answer(LIST, page(vec![ada(6)], 1, 1)).install();
        state::update_json("newest/77", |_| Ok(5)).unwrap();
        let found = FormBuilder::receive(&webhook("", "submission_id=5")).unwrap().changes();
        assert_eq!(found[0].id, "77/6");
        let found = FormBuilder::receive(&webhook("", "submission_id=5%2F..")).unwrap().changes();
        assert!(found.is_empty(), "no number");
    }

    #[test]
    fn with_several_forms_the_body_has_to_tell_which_or_all_are_asked() {
        let host = host().setting("form_ids", json!(["77", "78"]));
        let host = host.answer("GET /forms/*/submissions", page(vec![], 1, 1)).answer(ONE, one(ada(5)));
        let host = host.install();
        for form in ["newest/77", "newest/78"] {
            state::update_json(form, |_| Ok(1)).unwrap();
        }
        FormBuilder::receive(&webhook("", "submission_id=5")).unwrap().changes();
        assert_eq!(lines(&host).len(), 2);
        let told = FormBuilder::receive(&webhook("", "submission_id=5&form_id=77")).unwrap().changes();
        assert_eq!(told[0].id, "77/5");
        let foreign = FormBuilder::receive(&webhook("", "submission_id=5&form_id=99")).unwrap();
        assert!(matches!(foreign, Received::Rejected(_)));
    }

    #[test]
    fn what_is_no_webhook_is_rejected_with_a_reason() {
        let host = host().install();
        for body in ["hello", "{", "[1"] {
            let received = FormBuilder::receive(&webhook("", body)).unwrap();
            assert!(matches!(received, Received::Rejected(_)), "{body}");
        }
        host.assert_no_partner_calls();
    }
}

mod automations {
    use super::*;

    fn with_ada() -> MockHost {
        host().contact(contact("c1", Fields::new().with("firstName", "Ada"), &["vip"]))
    }

    fn submission() -> Event {
        event("submission")
            .with("key", "77/5")
            .with("form_id", "77")
            .with("message", "Hello")
            .of_contact("c1")
    }

    fn completed(body: &str) -> Event {
        event("TaskComplete").with("id", "t1").with("body", body).of_contact("c1").of_partner("77/5")
    }

    #[test]
    fn a_submission_gets_a_welcome_task_that_names_it() {
        let host = with_ada().install();
        assert!(matches!(FormBuilder::handle(&submission()).unwrap(), Outcome::Done(_)));
        let task = &tasks::list_all("c1").unwrap()[0];
        assert_eq!(
            (task.text("title"), task.text("body")),
            (Some("Welcome Ada"), Some("123FormBuilder submission 77/5"))
        );
        assert_eq!(host.writes().len(), 1);
    }

    #[test]
    fn the_completion_of_the_task_marks_the_submission_if_a_setting_says_so() {
        let done = completed("Call her.\n123FormBuilder submission 77/5\n");
        let host = with_ada().install();
        FormBuilder::handle(&done).unwrap();
        host.assert_no_partner_calls();
        drop(host);
        for (sets, query) in
            [("approved", "approved=1"), ("payed", "payed=yes"), ("both", "approved=1&payed=yes")]
        {
            let host = with_ada().setting("completion_sets", sets);
            let host = host.answer("PUT /forms/77/submissions/5", json!({ "message": "ok" })).install();
            FormBuilder::handle(&done).unwrap();
            let request = host.partner_calls().remove(0);
            let pairs: Vec<_> =
                request.query.iter().map(|pair| format!("{}={}", pair.name, pair.value)).collect();
            assert_eq!((pairs.join("&").as_str(), request.body), (query, None), "the vendor reads the query");
        }
        let host = with_ada().setting("completion_sets", "both").install();
        for body in [
            "Call Ada",
            "123FormBuilder submission 5",
            "123FormBuilder submission 99/5",
            "From the form: 123FormBuilder submission 77/5",
            "123FormBuilder submission 77/5 is mine",
        ] {
            FormBuilder::handle(&completed(body)).unwrap();
        }
        host.assert_no_partner_calls();
    }

    #[test]
    fn a_task_marks_no_submission_of_somebody_else() {
        let another = |email: &str| {
            let fields = Fields::new().with("email", email);
            let host = host().setting("completion_sets", "approved").contact(contact("c1", fields, &[]));
            host.answer(ONE, one(ada(5)))
                .answer("PUT /forms/77/submissions/5", json!({ "message": "ok" }))
                .install()
        };
        let done = || {
            let event = event("TaskComplete").with("id", "t1").with("body", "123FormBuilder submission 77/5");
            event.of_contact("c1").of_partner("77/4")
        };
        let host = another("mallory@example.com");
        FormBuilder::handle(&done()).unwrap();
        host.assert_no_writes();
        drop(host);
        // A person may send a form twice; one of the submissions is linked.
        let host = another("Ada@example.com");
        FormBuilder::handle(&done()).unwrap();
        assert_eq!(host.writes().len(), 1, "{:?}", host.writes());
    }

    #[test]
    fn a_completion_without_the_tasks_text_reads_the_task() {
        let host = with_ada().setting("completion_sets", "approved");
        let host = host.answer("PUT /forms/77/submissions/5", json!({ "message": "ok" })).install();
        FormBuilder::handle(&submission()).unwrap();
        let id = tasks::list_all("c1").unwrap()[0].id.clone();
        FormBuilder::handle(&event("TaskComplete").with("id", id).of_contact("c1").of_partner("77/5"))
            .unwrap();
        assert_eq!(host.partner_calls().len(), 1);
    }

    #[test]
    fn tags_start_workflows_once_and_bring_further_tags() {
        let host = with_ada().setting("tag_workflows", json!({ "VIP": "w1" }));
        let host = host.setting("tag_tags", json!({ "vip": "priority" })).install();
        for _ in 0..3 {
            FormBuilder::handle(&event("ContactTagUpdate").of_contact("c1")).unwrap();
        }
        let starts = host.writes().iter().filter(|write| write.contains("workflows.add")).count();
        assert_eq!(starts, 1);
        assert_eq!(host.stored_contact("c1").unwrap().tags, ["priority", "routed: vip", "vip"]);
    }

    #[test]
    fn a_deleted_submission_tags_its_contact_and_deletes_nothing() {
        let host = with_ada().install();
        FormBuilder::handle(&event("submission_deleted").with("key", "77/5").of_contact("c1")).unwrap();
        assert_eq!(host.writes(), [r#"tags.add("c1", ["form submission deleted"])"#]);
        drop(host);
        let host = with_ada().setting("soft_delete_tag", "").install();
        FormBuilder::handle(&event("submission_deleted").of_contact("c1")).unwrap();
        host.assert_no_writes();
    }

    #[test]
    fn changes_of_tasks_go_to_a_board_by_the_template() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let template = manifest.templates.iter().find(|template| template.name == "project-board").unwrap();
        let host = with_ada().setting("rules", template.settings["rules"].clone()).destination("board");
        let host = host.install();
        for kind in ["TaskCreate", "TaskUpdate", "TaskComplete", "TaskDelete"] {
            let event = event(kind).with("title", "Call").with("body", "soon").of_contact("c1");
            assert!(matches!(FormBuilder::handle(&event).unwrap(), Outcome::Done(_)), "{kind}");
        }
        let kinds: Vec<_> = host.messages().into_iter().map(|(to, message)| (to, message.kind)).collect();
        assert_eq!(kinds.len(), 4);
        assert!(kinds.iter().all(|(to, _)| to == "board") && kinds[3].1 == "TaskDelete");
    }

    #[test]
    fn every_template_and_the_default_hold_with_the_effects_that_are_linked() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let rules = manifest.settings.iter().find(|setting| setting.name == "rules").unwrap();
        let mut linked = EFFECTS.names();
        let mut declared = rules.effects.clone();
        linked.sort_unstable();
        declared.sort();
        assert_eq!(declared, linked);
        assert!(manifest.templates.len() >= 2);
        for template in &manifest.templates {
            let mut settings = template.settings.clone();
            settings.insert("form_ids".into(), json!(["77"]));
            manifest.validate_settings(&Json::Object(settings)).unwrap();
        }
    }
}

mod actions {
    use super::*;

    fn run(action: &str, input: Json) -> Result<Json> {
        FormBuilder::run(action, input)
    }

    #[test]
    fn every_action_of_the_manifest_exists_and_its_example_is_complete() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let mut host = host().setting("allow_mails", true).contact(contact("c1", Fields::new(), &[]));
        for method in ["GET", "POST", "PUT", "DELETE"] {
            for path in ["/*", "/*/*", "/*/*/*", "/*/*/*/*"] {
                host = host.answer(&format!("{method} {path}"), json!({ "data": {}, "status_code": 200 }));
            }
        }
        let _host = host.install();
        let task = Fields::new().with("title", "x").with("dueDate", "2026-01-01T00:00:00Z");
        let task = tasks::create("c1", false, &task).unwrap();
        for action in &manifest.actions {
            let text = action.example.to_string().replace("{contact}", "c1").replace("{task}", &task.id);
            let done = run(&action.name, serde_json::from_str(&text).unwrap());
            assert!(done.is_ok(), "{}: {done:?}", action.name);
        }
        assert!(matches!(run("forms.fly", json!({})), Err(Error::Unsupported(_))));
    }

    #[test]
    fn writes_are_forms_and_only_a_submission_is_marked_by_the_query() {
        let host = host().setting("allow_mails", true);
        let host = host
            .answer("POST /forms", json!({ "data": {} }))
            .answer("PUT /forms/77/submissions/5", json!({}));
        let host = host.answer("DELETE /forms/bulk", json!({ "message": "gone" })).install();
        run("forms.create", json!({ "name": "A & B", "active": 3 })).unwrap();
        let mark = json!({ "form_id": "77", "submission_id": "5", "approved": 2, "payed": "no" });
        run("submissions.update", mark).unwrap();
        run("forms.delete_several", json!({ "form_ids": ["1", "2"], "confirm": true })).unwrap();
        let calls = host.partner_calls();
        assert_eq!(calls[0].body.as_deref(), Some(&b"name=A%20%26%20B&active=3"[..]));
        assert_eq!(
            (calls[1].query_value("approved"), calls[1].query_value("payed")),
            (Some("2"), Some("no"))
        );
        assert_eq!(calls[2].query_value("form_ids"), Some("1,2"));
    }

    #[test]
    fn what_mails_somebody_needs_the_setting_and_what_deletes_a_confirmation() {
        let host = host().install();
        for action in ["submissions.update", "groups.share", "users.create", "accounts.create"] {
            let input = json!({ "form_id": "77", "submission_id": "5", "group_id": "1" });
            assert!(matches!(run(action, input), Err(Error::Denied(_))), "{action}");
        }
        for action in ["forms.delete", "forms.delete_several", "submissions.delete", "submissions.unlink"] {
            let input =
                json!({ "form_id": "77", "submission_id": "5", "contact_id": "c1", "confirm": "true" });
            assert!(run(action, input).unwrap_err().message().contains("confirm"), "{action}");
        }
        host.assert_no_partner_calls();
        host.assert_no_writes();
    }

    #[test]
    fn an_unlinked_submission_counts_as_gone_and_its_contact_is_tagged() {
        let host = host().contact(contact("c1", Fields::new(), &["vip"])).answer(ONE, one(ada(5))).install();
        let input = json!({ "form_id": "77", "submission_id": "5", "contact_id": "c1", "confirm": true });
        run("submissions.unlink", input).unwrap();
        assert_eq!(host.stored_contact("c1").unwrap().tags, ["form submission deleted", "vip"]);
        assert!(matches!(FormBuilder::read("contact", "77/5"), Err(Error::NotFound(_))));
        host.assert_no_partner_calls();
    }

    #[test]
    fn a_contact_is_shown_with_its_tasks() {
        let _host = host().contact(contact("c1", Fields::new().with("firstName", "Ada"), &["vip"])).install();
        run("tasks.create", json!({ "contact_id": "c1", "title": "Call" })).unwrap();
        let shown = run("contacts.get", json!({ "contact_id": "c1" })).unwrap();
        assert_eq!(
            (&shown["contact"]["firstName"], &shown["tasks"][0]["title"]),
            (&json!("Ada"), &json!("Call"))
        );
    }
}
