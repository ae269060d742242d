//! The client against a scripted server on loopback.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod double;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contactor_highlevel::{
    AccessToken, AppointmentDraft, AppointmentPatch, BulkTags, CalendarScope, Config, ContactDraft,
    ContactPatch, Cursor, ErrorClass, ErrorKind, HighLevel, Location, LocationId, NoteDraft, NotePatch,
    SearchRequest, TaskDraft, TaskPatch, TaskQuery, TokenError, TokenProvider, operation,
};
use double::{Answer, Double, Notes};
use serde_json::{Value, json};

/// Gives `first`, and after each refresh the next fake token.
#[derive(Default)]
struct Tokens {
    refreshes: AtomicUsize,
}

#[async_trait::async_trait]
impl TokenProvider for Tokens {
    async fn token(&self, _: &LocationId) -> Result<AccessToken, TokenError> {
        Ok(AccessToken::new("fake-token-0"))
    }

    async fn refresh(&self, _: &LocationId, rejected: &AccessToken) -> Result<AccessToken, TokenError> {
        assert!(rejected.same_as(&AccessToken::new("fake-token-0")));
        let number = self.refreshes.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(AccessToken::new(format!("fake-token-{number}")))
    }
}

fn client(base_url: &str) -> (HighLevel, Arc<Tokens>) {
    let tokens = Arc::new(Tokens::default());
    let config = Config { base_url: base_url.to_owned(), ..Config::default() };
    (HighLevel::new(config, Arc::clone(&tokens) as Arc<dyn TokenProvider>).unwrap(), tokens)
}

fn at(double: &Double) -> (Location, Arc<Tokens>) {
    let (client, tokens) = client(&double.url);
    (client.at(LocationId::new("loc-1")), tokens)
}

fn draft() -> ContactDraft {
    ContactDraft::from_fields([("email", json!("ada@b.example"))]).unwrap()
}

fn tags(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

#[tokio::test]
async fn every_request_carries_token_version_and_agent() {
    let double = Double::answering([Answer::ok(json!({"contact": {"id": "c"}}))]).await;
    at(&double).0.contact(&"c".into()).await.unwrap();
    let seen = &double.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/contacts/c"));
    assert_eq!(seen.header("authorization"), "Bearer fake-token-0");
    assert_eq!(seen.header("version"), "2021-07-28");
    assert_eq!(seen.header("user-agent"), concat!("contactor/", env!("CARGO_PKG_VERSION")));
    assert_eq!(seen.body, Value::Null);
}

#[tokio::test]
async fn the_calendars_api_gets_the_version_that_its_document_pins() {
    let double = Double::answering([Answer::ok(json!({"event": {"id": "a"}}))]).await;
    at(&double).0.appointment(&"a".into()).await.unwrap();
    assert_eq!(double.seen()[0].header("version"), "2021-04-15");
}

#[tokio::test]
async fn a_delete_keeps_its_json_body() {
    let answer = json!({"tags": ["a"], "tagsRemoved": ["b"]});
    let double = Double::answering([Answer::ok(answer)]).await;
    let change = at(&double).0.remove_tags(&"c".into(), &tags(&["b"])).await.unwrap();
    assert_eq!((change.tags, change.changed), (tags(&["a"]), Some(tags(&["b"]))));
    let seen = &double.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("DELETE", "/contacts/c/tags"));
    assert_eq!(seen.body, json!({"tags": ["b"]}));
    assert_eq!(seen.header("content-type"), "application/json");
}

#[tokio::test]
async fn plus_and_at_are_encoded_in_a_query() {
    let double = Double::answering([Answer::ok(json!({"contact": null}))]).await;
    let found = at(&double).0.find_duplicate(Some("a+b@c.example"), Some("+14155550100")).await.unwrap();
    assert_eq!(found, None);
    let expected =
        "/contacts/search/duplicate?locationId=loc-1&number=%2B14155550100&email=a%2Bb%40c.example";
    assert_eq!(double.seen()[0].target, expected);
}

#[tokio::test]
async fn an_id_is_encoded_into_one_segment() {
    let double = Double::answering([Answer::ok(json!({"contact": {"id": "c"}}))]).await;
    at(&double).0.contact(&"a/b?c#d%e".into()).await.unwrap();
    assert_eq!(double.seen()[0].target, "/contacts/a%2Fb%3Fc%23d%25e");
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_and_the_call_made_again() {
    let double =
        Double::answering([Answer::error(401, "Invalid JWT"), Answer::ok(json!({"contact": {"id": "c"}}))])
            .await;
    let (location, tokens) = at(&double);
    location.contact(&"c".into()).await.unwrap();
    assert_eq!(tokens.refreshes.load(Ordering::SeqCst), 1);
    let sent: Vec<_> = double.seen().iter().map(|seen| seen.header("authorization").to_owned()).collect();
    assert_eq!(sent, ["Bearer fake-token-0", "Bearer fake-token-1"]);
}

#[tokio::test]
async fn a_renewed_token_that_is_rejected_as_well_is_not_renewed_again() {
    let double =
        Double::answering([Answer::error(401, "Invalid JWT"), Answer::error(401, "Invalid JWT")]).await;
    let (location, tokens) = at(&double);
    let error = location.contact(&"c".into()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TokenExpired { .. }), "{error}");
    assert_eq!((tokens.refreshes.load(Ordering::SeqCst), double.seen().len()), (1, 2));
}

#[tokio::test]
async fn no_other_401_renews_the_token() {
    for message in ["version header was not found.", "The token is not authorized for this scope.", "Nope"] {
        let double = Double::answering([Answer::error(401, message)]).await;
        let (location, tokens) = at(&double);
        location.contact(&"c".into()).await.unwrap_err();
        assert_eq!((tokens.refreshes.load(Ordering::SeqCst), double.seen().len()), (0, 1), "{message}");
    }
}

#[tokio::test]
async fn after_a_429_the_location_waits_and_another_one_does_not() {
    let double = Double::answering([
        Answer::error(429, "Too many requests").header("retry-after", "120"),
        Answer::ok(json!({"contact": {"id": "c"}})),
    ])
    .await;
    let (client, _) = client(&double.url);
    let limited = client.at(LocationId::new("loc-1"));
    for _ in 0..2 {
        let error = limited.contact(&"c".into()).await.unwrap_err();
        let ErrorKind::RateLimited { retry_after, daily: false } = error.kind() else { panic!("{error}") };
        assert!(*retry_after > Duration::from_mins(1), "{retry_after:?}");
        assert!(error.is_retryable() && !error.may_have_happened());
    }
    assert_eq!(double.seen().len(), 1, "the second call was not sent");
    client.at(LocationId::new("loc-2")).contact(&"c".into()).await.unwrap();
}

#[tokio::test]
async fn a_used_up_day_is_told_from_a_burst_and_remembered() {
    let double = Double::answering([Answer::error(429, "Too many requests")
        .header("x-ratelimit-daily-remaining", "0")
        .header("X-RateLimit-Daily-Reset", "3600000")])
    .await;
    let (client, _) = client(&double.url);
    let error = client.at(LocationId::new("loc-1")).contact(&"c".into()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::RateLimited { daily: true, .. }), "{error}");
    let daily = client.daily(&LocationId::new("loc-1")).unwrap();
    assert_eq!(daily.remaining, 0);
    assert!(daily.resets_in.unwrap() > Duration::from_secs(3_500));
}

#[tokio::test]
async fn every_exchange_is_recorded_and_no_token_is() {
    let double = Double::answering([
        Answer::error(401, "Invalid JWT"),
        Answer::ok(json!({"tags": ["vip"], "traceId": "t-1"})).header("x-ratelimit-remaining", "98"),
    ])
    .await;
    let notes = Arc::new(Notes::default());
    let (location, _) = at(&double);
    let location = location.recorded(Arc::clone(&notes) as Arc<_>);
    location.add_tags(&"c".into(), &tags(&["vip"])).await.unwrap();
    let records = notes.taken();
    assert_eq!(records.len(), 2);
    assert_eq!((records[0].status, records[0].error.is_some()), (Some(401), true));
    let second = &records[1];
    assert_eq!(
        (second.operation, second.method.as_str(), second.path.as_str()),
        ("tags.add", "POST", "/contacts/c/tags")
    );
    assert!(second.write);
    assert_eq!(
        (second.status, second.error.as_deref(), second.trace_id.as_deref()),
        (Some(200), None, Some("t-1"))
    );
    assert_eq!(second.quota.unwrap().burst_remaining, Some(98));
    assert_eq!(second.request_body.as_deref(), Some(r#"{"tags":["vip"]}"#));
    assert!(second.response_body.as_deref().unwrap().contains("t-1"));
    assert!(!format!("{records:?} {location:?}").contains("fake-token"));
}

#[tokio::test]
async fn a_token_that_highlevel_repeats_is_in_no_error_record_or_note() {
    let echo = "you sent Bearer fake-token-0";
    let body = format!("{}{echo}", "x".repeat(40_000));
    let double = Double::answering([
        Answer::error(400, echo),
        Answer::html(502, echo),
        Answer::ok(json!({"contact": {"id": "c", "email": echo, "fake-token-0": 1}})),
        Answer::ok(json!({"contact": {"id": "c", "email": body}})),
    ])
    .await;
    let notes = Arc::new(Notes::default());
    let (location, _) = at(&double);
    let location = location.recorded(Arc::clone(&notes) as Arc<_>);
    for _ in 0..2 {
        let error = location.contact(&"c".into()).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("fake-token"), "{error:?}");
    }
    for _ in 0..2 {
        let contact = location.contact(&"c".into()).await.unwrap();
        let shown = format!("{contact:?}");
        assert!(shown.contains("you sent Bearer [redacted]") && !shown.contains("fake-token"));
    }
    assert!(!format!("{:?}", notes.taken()).contains("fake-token"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let double = Double::answering([Answer::status(302).header("location", "/elsewhere")]).await;
    let error = at(&double).0.contact(&"c".into()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unavailable { status: 302, retry_after: None });
    assert_eq!(double.seen().len(), 1);
}

#[tokio::test]
async fn a_refused_connection_was_not_sent_and_a_lost_answer_may_have_happened() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let location = client(&url).0.at(LocationId::new("loc-1"));
    let hang_up = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        assert!(tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await.unwrap() > 0);
    });
    let lost = location.create_contact(&draft(), &[]).await.unwrap_err();
    hang_up.await.unwrap();
    assert!(matches!(lost.kind(), ErrorKind::Transport { sent: true, .. }), "{lost}");
    assert!(lost.may_have_happened() && lost.is_retryable());

    let refused = location.create_contact(&draft(), &[]).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Transport { sent: false, .. }), "{refused}");
    assert!(!refused.may_have_happened() && refused.is_retryable());
}

#[tokio::test]
async fn strange_answers_are_errors_and_not_panics() {
    let double = Double::answering([
        Answer::html(502, "<h1>Bad gateway</h1>"),
        Answer::html(200, "<h1>Welcome</h1>"),
        Answer::status(200),
        Answer::ok(json!({"contact": {"name": "no id"}})),
        Answer::ok(json!([1, 2])),
    ])
    .await;
    let (location, _) = at(&double);
    let expected = [
        ErrorClass::Transient,
        ErrorClass::Defect,
        ErrorClass::Defect,
        ErrorClass::Defect,
        ErrorClass::Defect,
    ];
    for class in expected {
        assert_eq!(location.contact(&"c".into()).await.unwrap_err().class(), class);
    }
}

#[tokio::test]
async fn a_missing_list_or_id_is_not_taken_for_an_empty_list() {
    let double = Double::answering([
        Answer::ok(json!({"tasks": []})),
        Answer::ok(json!({"tasks": null})),
        Answer::ok(json!({"traceId": "t"})),
        Answer::ok(json!({"tasks": [{"id": "t"}, {"title": "no id"}]})),
        Answer::status(200),
    ])
    .await;
    let (location, _) = at(&double);
    for ok in [true, true, false, false, false] {
        assert_eq!(location.tasks(&"c".into()).await.is_ok(), ok);
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let double = Double::answering([Answer::html(200, &"x".repeat(2_000))]).await;
    let config = Config { base_url: double.url.clone(), max_answer: 1_000, ..Config::default() };
    let location = HighLevel::new(config, Arc::new(Tokens::default())).unwrap().at(LocationId::new("loc-1"));
    let error = location.contact(&"c".into()).await.unwrap_err();
    assert!(error.to_string().contains("longer than 1000 bytes"), "{error}");
}

#[tokio::test]
async fn a_create_sends_the_first_tags_and_an_upsert_sends_none() {
    let contact = json!({"id": "c", "email": "ada@b.example"});
    let double = Double::answering([
        Answer::created(json!({"contact": contact})),
        Answer::ok(json!({"new": true, "contact": contact})),
    ])
    .await;
    let (location, _) = at(&double);
    location.create_contact(&draft(), &tags(&["vip"])).await.unwrap();
    assert!(location.upsert_contact(&draft(), false).await.unwrap().created);
    let seen = double.seen();
    assert_eq!(seen[0].target, "/contacts/");
    assert_eq!(seen[0].body, json!({"email": "ada@b.example", "locationId": "loc-1", "tags": ["vip"]}));
    assert_eq!(seen[1].body, json!({"email": "ada@b.example", "locationId": "loc-1"}));
}

#[tokio::test]
async fn a_duplicate_names_the_existing_contact() {
    let answer = json!({"statusCode": 400, "message": "This location does not allow duplicated contacts.",
        "meta": {"contactId": "c9", "contactName": "Ada", "matchingField": "email"}});
    let double = Double::answering([Answer::json(400, answer)]).await;
    let error = at(&double).0.create_contact(&draft(), &[]).await.unwrap_err();
    let ErrorKind::Duplicate { existing: Some(existing), .. } = error.kind() else { panic!("{error}") };
    assert_eq!((existing.as_str(), error.class()), ("c9", ErrorClass::Conflict));
}

#[tokio::test]
async fn what_cannot_succeed_is_not_sent() {
    let double = Double::answering([]).await;
    let (location, _) = at(&double);
    let nameless = ContactDraft::from_fields([("firstName", json!("Ada"))]).unwrap();
    let many: Vec<_> = (0..51).map(|number| format!("c{number}").into()).collect();
    let errors = [
        location.create_contact(&nameless, &[]).await.unwrap_err(),
        location.find_duplicate(None, None).await.unwrap_err(),
        location.add_tags(&"c".into(), &[]).await.unwrap_err(),
        location.contact(&"..".into()).await.unwrap_err(),
        location.remove_from_campaign(&"c".into(), &"removeAll".into()).await.unwrap_err(),
        location.search_contacts(&SearchRequest { limit: 0, ..SearchRequest::default() }).await.unwrap_err(),
        location.list_contacts(None, 101, None).await.unwrap_err(),
        location.bulk_update_tags(&BulkTags::RemoveAll, &many).await.unwrap_err(),
        location.bulk_set_business(&[], None).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error.kind(), ErrorKind::NotSendable(_)), "{error}");
    }
    assert!(double.seen().is_empty());
}

#[tokio::test]
async fn an_update_without_changes_reads_instead_of_writing() {
    let double = Double::answering([Answer::ok(json!({"contact": {"id": "c"}}))]).await;
    let nothing = ContactPatch::from_fields(Vec::<(String, Value)>::new()).unwrap();
    at(&double).0.update_contact(&"c".into(), &nothing).await.unwrap();
    assert_eq!(double.seen()[0].method, "GET");
}

#[tokio::test]
async fn both_spellings_of_success_are_read() {
    let double = Double::answering([
        Answer::ok(json!({"succeded": true})),
        Answer::ok(json!({"succeeded": true, "succeded": true})),
        Answer::status(204),
        Answer::ok(json!({"succeded": false})),
        Answer::ok(json!({"succeeded": false})),
    ])
    .await;
    let (location, _) = at(&double);
    for ok in [true, true, true, false, false] {
        assert_eq!(location.delete_contact(&"c".into()).await.is_ok(), ok);
    }
}

#[tokio::test]
async fn a_search_goes_on_from_the_last_hits_own_cursor() {
    let hit = |id: &str| json!({"id": id, "searchAfter": [1_795_000_000_000_i64, id]});
    let double = Double::answering([
        Answer::ok(json!({"contacts": [hit("a"), hit("b")], "total": 3})),
        Answer::ok(json!({"contacts": [hit("c")], "total": 3})),
        Answer::ok(json!({"contacts": [{"id": "a"}, {"id": "b"}], "total": 3})),
        Answer::ok(json!({"contacts": [{"id": "a"}, {"id": "b"}], "total": 2})),
    ])
    .await;
    let (location, _) = at(&double);
    let mut request = SearchRequest { limit: 2, ..SearchRequest::default() };
    let first = location.search_contacts(&request).await.unwrap();
    let cursor = first.next.unwrap();
    request.cursor = Cursor::from_text(&cursor.to_text());
    let second = location.search_contacts(&request).await.unwrap();
    assert_eq!((second.hits.len(), second.next, second.total), (1, None, Some(3)));
    assert_eq!(double.seen()[1].body["searchAfter"], json!([1_795_000_000_000_i64, "b"]));
    request.cursor = None;
    let stuck = location.search_contacts(&request).await.unwrap_err();
    assert!(
        matches!(stuck.kind(), ErrorKind::Decode { .. }),
        "a walk does not end early in silence: {stuck}"
    );
    assert_eq!(location.search_contacts(&request).await.unwrap().next, None);
}

#[tokio::test]
async fn a_listing_goes_on_from_both_parts_of_its_cursor() {
    let page =
        json!({"contacts": [{"id": "a"}], "count": 2, "meta": {"startAfter": 17, "startAfterId": "a"}});
    let double = Double::answering([Answer::ok(page), Answer::ok(json!({"contacts": [], "meta": {}}))]).await;
    let (location, _) = at(&double);
    let first = location.list_contacts(Some("ada"), 1, None).await.unwrap();
    let last = location.list_contacts(Some("ada"), 1, first.next.as_ref()).await.unwrap();
    assert_eq!((first.total, last.next), (Some(2), None));
    let expected = "/contacts/?locationId=loc-1&limit=1&query=ada&startAfter=17&startAfterId=a";
    assert_eq!(double.seen()[1].target, expected);
}

#[tokio::test]
async fn a_miss_of_the_duplicate_search_is_none_in_every_shape() {
    let double = Double::answering([
        Answer::ok(json!({"traceId": "t"})),
        Answer::ok(json!({"contact": null})),
        Answer::ok(json!({"contact": {}})),
        Answer::error(400, "Contact not found"),
        Answer::ok(json!({"contact": {"id": "c"}, "matchingField": "contactId"})),
    ])
    .await;
    let (location, _) = at(&double);
    for found in [false, false, false, false, true] {
        assert_eq!(location.find_duplicate(Some("a@b.example"), None).await.unwrap().is_some(), found);
    }
}

#[tokio::test]
async fn failures_inside_a_successful_bulk_change_are_told() {
    let answer = json!({"succeded": true, "errorCount": 1, "responses": [
        {"contactId": "a", "message": "Tags updated", "type": "success", "tagsAdded": ["x"]},
        {"contactId": "b", "message": "contact is deleted", "type": "error"}]});
    let double = Double::answering([Answer::created(answer)]).await;
    let change = BulkTags::Remove(tags(&["x"]));
    let outcome = at(&double).0.bulk_update_tags(&change, &["a".into(), "b".into()]).await.unwrap();
    assert_eq!(outcome.errors, 1);
    let items: Vec<_> = outcome.items.iter().map(|item| (item.ok, item.message.as_str())).collect();
    assert_eq!(items, [(true, "Tags updated"), (false, "contact is deleted")]);
    let seen = &double.seen()[0];
    assert_eq!(seen.target, "/contacts/bulk/tags/update/remove");
    assert_eq!(seen.body, json!({"contacts": ["a", "b"], "tags": ["x"], "locationId": "loc-1"}));
}

/// One answer that every operation understands.
fn everything() -> Answer {
    Answer::ok(json!({
        "id": "a", "succeded": true, "success": true, "new": false,
        "contact": {"id": "c"}, "contacts": [], "task": {"id": "t"}, "tasks": [{"id": "t"}], "note": {"id": "n"},
        "notes": [{"id": "n"}], "tags": [], "tag": {"id": "g"}, "followers": [], "events": [{"id": "a"}],
        "event": {"id": "a"}, "ids": [], "responses": [], "customFields": [], "location": {"id": "loc-1"},
    }))
}

#[tokio::test]
async fn every_operation_uses_its_documented_method_and_path() {
    let double = Double::always(everything()).await;
    let (location, _) = at(&double);
    let (contact, task, note, event) = (&"C".into(), &"T".into(), &"N".into(), &"A".into());
    let (campaign, workflow, business, users) = (&"K".into(), &"W".into(), &"B".into(), &["U".into()]);
    let title = [("title", json!("x"))];
    let new_task =
        TaskDraft::from_fields([("title", json!("x")), ("dueDate", json!("2026-11-21T09:00:00Z"))]).unwrap();
    let new_appointment =
        [("calendarId", json!("k")), ("contactId", json!("c")), ("startTime", json!("2026-11-21T09:00:00Z"))];
    let now = "2026-11-21T09:00:00Z".parse().unwrap();

    location.search_contacts(&SearchRequest::default()).await.unwrap();
    location.find_duplicate(Some("a@b.example"), None).await.unwrap();
    location.contact(contact).await.unwrap();
    location.create_contact(&draft(), &[]).await.unwrap();
    location
        .update_contact(contact, &ContactPatch::from_fields([("city", json!("x"))]).unwrap())
        .await
        .unwrap();
    location.delete_contact(contact).await.unwrap();
    location.upsert_contact(&draft(), true).await.unwrap();
    location.list_contacts(None, 100, None).await.unwrap();
    location.list_contacts_of_business(business, None, 25, 0).await.unwrap();
    location.bulk_set_business(&["C".into()], Some(business)).await.unwrap();
    location.bulk_update_tags(&BulkTags::RemoveAll, &["C".into()]).await.unwrap();
    location.tasks(contact).await.unwrap();
    location.create_task(contact, &new_task).await.unwrap();
    location.task(contact, task).await.unwrap();
    location.update_task(contact, task, &TaskPatch::from_fields(title.clone()).unwrap()).await.unwrap();
    location.delete_task(contact, task).await.unwrap();
    location.set_task_completed(contact, task, true).await.unwrap();
    location.notes(contact).await.unwrap();
    location.create_note(contact, &NoteDraft::from_fields([("body", json!("x"))]).unwrap()).await.unwrap();
    location.note(contact, note).await.unwrap();
    location.update_note(contact, note, &NotePatch::from_fields(title.clone()).unwrap()).await.unwrap();
    location.delete_note(contact, note).await.unwrap();
    location.add_tags(contact, &tags(&["x"])).await.unwrap();
    location.remove_tags(contact, &tags(&["x"])).await.unwrap();
    location.add_followers(contact, users).await.unwrap();
    location.remove_followers(contact, users).await.unwrap();
    location.add_to_campaign(contact, campaign).await.unwrap();
    location.remove_from_campaign(contact, campaign).await.unwrap();
    location.remove_from_all_campaigns(contact).await.unwrap();
    location.add_to_workflow(contact, workflow, Some(now)).await.unwrap();
    location.remove_from_workflow(contact, workflow, None).await.unwrap();
    location.appointments_of(contact).await.unwrap();
    location.info().await.unwrap();
    location.location_tags().await.unwrap();
    location.create_location_tag("x").await.unwrap();
    location.custom_fields().await.unwrap();
    location.search_tasks(&TaskQuery::default()).await.unwrap();
    location.calendar_events(&CalendarScope::Calendar("k".into()), now, now).await.unwrap();
    location.appointment(event).await.unwrap();
    location.create_appointment(&AppointmentDraft::from_fields(new_appointment).unwrap()).await.unwrap();
    location.update_appointment(event, &AppointmentPatch::from_fields(title).unwrap()).await.unwrap();
    location.delete_appointment(event).await.unwrap();

    let mut seen: Vec<_> =
        double.seen().iter().map(|seen| format!("{} {}", seen.method, seen.path())).collect();
    let ids = [
        ("{contactId}", "C"),
        ("{taskId}", "T"),
        ("{id}", "N"),
        ("{eventId}", "A"),
        ("{campaignId}", "K"),
        ("{workflowId}", "W"),
        ("{businessId}", "B"),
        ("{locationId}", "loc-1"),
        ("{type}", "remove"),
    ];
    let filled = |path: &str| ids.iter().fold(path.to_owned(), |path, (name, id)| path.replace(name, id));
    let mut expected: Vec<_> =
        operation::ALL.iter().map(|op| format!("{} {}", op.method, filled(op.path))).collect();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
    assert_eq!(seen.len(), 42);
}
