//! What holds for every call alike: the grant comes first, a preview writes nothing, and what is allowed reaches the vendor's
//! operation and no other.

use contactor_runtime::bindings::bulk::TagMode;
use contactor_runtime::bindings::contacts::SearchRequest;
use contactor_runtime::bindings::types::{Error, NamedValue, Value};
use contactor_runtime::bindings::{
    appointments, bulk, campaigns, contacts, notes, partner, settings, state, tags, tasks, workflows,
};

use super::Capabilities;
use super::testing::{Bench, READ, WRITE, now};
use crate::access::Access::{self, Read, Write};

/// One call on HighLevel: how it reaches its contacts, the request that it should make, and its result.
type Outcome = (Access, &'static str, Result<(), Error>);

fn text(name: &str, value: &str) -> NamedValue {
    NamedValue { name: name.to_owned(), value: Value::Text(value.to_owned()) }
}

fn id(id: &str) -> String {
    id.to_owned()
}

/// Every call on HighLevel that a connector can make, once.
async fn call_everything(host: &mut Capabilities) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    macro_rules! calls {
        ($($access:ident $request:literal $interface:ident.$function:ident($($argument:expr),*);)*) => { $(
            let result = $interface::Host::$function(host, $($argument),*).await;
            outcomes.push(($access, $request, result.map(drop)));
        )* };
    }
    let page = SearchRequest { query: None, filters: vec![], sort: vec![], limit: 10, cursor: None };
    let ada = || vec![text("email", "ada@example.com")];
    let call = || vec![text("title", "Call"), text("dueDate", "2026-12-01T09:00:00Z")];
    let [c, t, n] = ["c1", "t1", "n1"];
    let vip = || vec![id("vip")];
    calls! {
        Read "POST /contacts/search" contacts.search(page);
        Read "GET /contacts/search/duplicate?locationId=loc-1&email=ada%40example.com"
            contacts.find_duplicate(Some(id("ada@example.com")), None);
        Read "GET /contacts/c1" contacts.get(id(c));
        Write "POST /contacts/" contacts.create(ada(), vip());
        Write "PUT /contacts/c1" contacts.update(id(c), ada());
        Write "DELETE /contacts/c1" contacts.delete(id(c));
        Write "POST /contacts/upsert" contacts.upsert(ada(), false);
        Read "GET /contacts/?locationId=loc-1&limit=5" contacts.list_page(None, 5, None);
        Read "GET /contacts/business/b1?locationId=loc-1&limit=5&skip=0"
            contacts.list_by_business(id("b1"), None, 5, 0);
        Write "POST /contacts/c1/followers" contacts.add_followers(id(c), vec![id("u1")]);
        Write "DELETE /contacts/c1/followers" contacts.remove_followers(id(c), vec![id("u1")]);
        Read "GET /contacts/c1/tasks" tasks.list_all(id(c));
        Write "POST /contacts/c1/tasks" tasks.create(id(c), false, call());
        Read "GET /contacts/c1/tasks/t1" tasks.get(id(c), id(t));
        Write "PUT /contacts/c1/tasks/t1" tasks.update(id(c), id(t), call());
        Write "DELETE /contacts/c1/tasks/t1" tasks.delete(id(c), id(t));
        Write "PUT /contacts/c1/tasks/t1/completed" tasks.set_completed(id(c), id(t), true);
        Read "GET /contacts/c1/notes" notes.list_all(id(c));
        Write "POST /contacts/c1/notes" notes.create(id(c), id("Hi"), vec![]);
        Read "GET /contacts/c1/notes/n1" notes.get(id(c), id(n));
        Write "PUT /contacts/c1/notes/n1" notes.update(id(c), id(n), vec![text("body", "Ho")]);
        Write "DELETE /contacts/c1/notes/n1" notes.delete(id(c), id(n));
        Read "GET /contacts/c1" tags.list_all(id(c));
        Write "POST /contacts/c1/tags" tags.add(id(c), vip());
        Write "DELETE /contacts/c1/tags" tags.remove(id(c), vip());
        Read "GET /contacts/c1/appointments" appointments.list_all(id(c));
        Write "POST /contacts/bulk/tags/update/add" bulk.update_tags(TagMode::Add, vec![id(c)], vip());
        Write "POST /contacts/bulk/tags/update/remove" bulk.update_tags(TagMode::RemoveAll, vec![id(c)], vec![]);
        Write "POST /contacts/bulk/business" bulk.set_business(vec![id(c)], None);
        Write "POST /contacts/c1/campaigns/k1" campaigns.add(id(c), id("k1"));
        Write "DELETE /contacts/c1/campaigns/k1" campaigns.remove(id(c), id("k1"));
        Write "DELETE /contacts/c1/campaigns/removeAll" campaigns.remove_all(id(c));
        Write "POST /contacts/c1/workflow/w1" workflows.add(id(c), id("w1"), None);
        Write "DELETE /contacts/c1/workflow/w1"
            workflows.remove(id(c), id("w1"), Some(id("2026-11-21T09:00:00Z")));
    }
    outcomes
}

#[tokio::test]
async fn each_call_makes_the_request_of_its_operation_and_is_recorded() {
    let bench = Bench::new().await;
    let mut host = bench.allowed();
    let outcomes = call_everything(&mut host).await;
    for (_, request, result) in &outcomes {
        assert_eq!(result, &Ok(()), "{request}");
    }
    let expected: Vec<_> = outcomes.iter().map(|(_, request, _)| *request).collect();
    assert_eq!(bench.requests(), expected);
    let writes: Vec<_> = outcomes.iter().map(|(access, ..)| *access == Write).collect();
    let recorded = host.recorded();
    assert!(recorded.iter().all(|call| call.target == "highlevel" && call.status == Some(200)));
    assert_eq!(recorded.iter().map(|call| call.write).collect::<Vec<_>>(), writes);
}

#[tokio::test]
async fn without_its_grant_no_call_has_any_effect() {
    let bench = Bench::new().await;
    for (grants, missing) in
        [(vec![READ], vec![Write]), (vec![WRITE], vec![Read]), (vec![], vec![Read, Write])]
    {
        let before = bench.requests().len();
        let outcomes = call_everything(&mut bench.run(&grants, false)).await;
        let allowed = outcomes.iter().filter(|(access, ..)| !missing.contains(access)).count();
        for (access, request, result) in outcomes {
            let scope = if access == Read { READ } else { WRITE };
            let expected =
                if missing.contains(&access) { Err(Error::Denied(scope.to_owned())) } else { Ok(()) };
            assert_eq!(result, expected, "{request} under {grants:?}");
        }
        assert_eq!(bench.requests().len() - before, allowed, "under {grants:?}");
    }
}

#[tokio::test]
async fn a_preview_reads_and_writes_nothing() {
    let bench = Bench::new().await;
    let mut host = bench.run(&[READ, WRITE], true);
    let held_back = || Error::Denied("held back: this is a preview".to_owned());
    let outcomes = call_everything(&mut host).await;
    let reads: Vec<_> =
        outcomes.iter().filter(|(access, ..)| *access == Read).map(|(_, request, _)| *request).collect();
    for (access, request, result) in &outcomes {
        let expected = if *access == Read { Ok(()) } else { Err(held_back()) };
        assert_eq!(result, &expected, "{request}");
    }
    assert_eq!(state::Host::compare_and_set(&mut host, id("k"), 0, vec![1]).await, Err(held_back()));
    assert_eq!(state::Host::delete(&mut host, id("k")).await, Err(held_back()));
    assert_eq!(state::Host::get(&mut host, id("k")).await, Ok(None));
    assert_eq!(state::Host::keys(&mut host, String::new()).await, Ok(vec![]));
    assert_eq!(bench.requests(), reads);
    // What was held back is noted as it would have been sent.
    let recorded = host.recorded();
    let held = recorded.iter().filter(|call| {
        call.target == "highlevel" && call.error.as_deref() == Some("held back: this is a preview")
    });
    assert_eq!(held.count(), outcomes.iter().filter(|(access, ..)| *access == Write).count());
}

#[tokio::test]
async fn a_partner_request_carries_the_credential_and_is_recorded_without_it() {
    let bench = Bench::new().await;
    let mut host = bench.run(&[], false);
    let answer = partner::Host::send(&mut host, request(partner::Method::Post)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(bench.requests(), ["POST /testers?page=2"]);
    let recorded = host.recorded();
    assert_eq!(recorded.len(), 1);
    assert_eq!((recorded[0].target.as_str(), recorded[0].operation.as_str()), ("partner", "POST /testers"));
    assert!(recorded[0].write);
    assert!(!format!("{recorded:?}").contains("fake-partner-token"));
}

#[tokio::test]
async fn in_a_preview_the_partner_is_read_and_not_written() {
    use partner::Method::{Delete, Get, Head, Patch, Post, Put};
    let bench = Bench::new().await;
    let mut host = bench.run(&[], true);
    for method in [Post, Put, Patch, Delete] {
        let result = partner::Host::send(&mut host, request(method)).await;
        assert_eq!(result, Err(Error::Denied("held back: this is a preview".to_owned())), "{method:?}");
    }
    for method in [Get, Head] {
        assert_eq!(
            partner::Host::send(&mut host, request(method)).await.map(|answer| answer.status),
            Ok(200)
        );
    }
    assert_eq!(bench.requests(), ["GET /testers?page=2", "HEAD /testers?page=2"]);
}

fn request(method: partner::Method) -> partner::Request {
    let page = partner::Pair { name: id("page"), value: id("2") };
    partner::Request { method, path: id("/testers"), query: vec![page], headers: vec![], body: None }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_with_both_numbers_and_only_its_beginning_is_kept() {
    let bench = Bench::new().await;
    let mut host = bench.run(&[], false);
    let pair = |value: usize| partner::Pair { name: id("x"), value: "y".repeat(value) };
    let own = || request(partner::Method::Post);
    let large = [
        ("body", partner::Request { body: Some(vec![7; 8 << 20]), ..own() }),
        ("path", partner::Request { path: format!("/{}", "p".repeat(8 << 20)), ..own() }),
        ("query", partner::Request { query: vec![pair(8 << 20)], ..own() }),
        ("headers", partner::Request { headers: vec![pair(1); 65], ..own() }),
    ];
    for (part, request) in large {
        let Err(Error::Invalid(problems)) = partner::Host::send(&mut host, request).await else {
            panic!("{part} was sent")
        };
        assert_eq!(problems[0].field, part);
    }
    assert!(bench.requests().is_empty());
    let recorded = host.recorded();
    assert_eq!(recorded.len(), 4);
    assert!(recorded[0].error.as_deref().unwrap().contains("at most 1048576 bytes, these are 8388608"));
    assert!(recorded.iter().all(|call| call.operation.starts_with("POST /") && call.operation.len() < 1_024));
    assert!(recorded.iter().all(|call| call.request.is_none() && call.path.is_none()));
    let largest = partner::Request { body: Some(vec![b'{'; 1 << 20]), ..own() };
    assert!(partner::Host::send(&mut host, largest).await.is_ok());
}

#[tokio::test]
async fn a_connector_reads_its_settings_and_the_runs_own_time() {
    let bench = Bench::new().await;
    let mut host = bench.run(&[], false);
    assert_eq!(settings::Host::all(&mut host).await, r#"{"suffix":".json"}"#);
    let millis = contactor_runtime::bindings::clock::Host::now(&mut host).await;
    assert_eq!(i64::try_from(millis), Ok(now().as_millisecond()));
}

#[tokio::test]
async fn a_connectors_lines_are_in_its_runs_log_also_in_a_preview() {
    use contactor_runtime::bindings::log::{Host, Level};
    let bench = Bench::new().await;
    let mut host = bench.run(&[], true);
    Host::write(&mut host, Level::Info, id("page read"), vec![text("stream", "testers")]).await;
    assert_eq!(host.logged(), ["info: page read stream=testers"]);
}

#[tokio::test]
async fn a_credential_that_the_partner_gave_away_does_not_get_into_the_runs_log() {
    use contactor_runtime::bindings::log::{Host, Level};
    let bench = Bench::new().await;
    let mut host = bench.run(&[], false);
    Host::write(&mut host, Level::Info, id("echo: fake-partner-token"), vec![]).await;
    assert_eq!(host.logged(), ["info: echo: [redacted]"]);
}

#[tokio::test]
async fn capabilities_do_not_show_what_they_hold() {
    let bench = Bench::new().await;
    let shown = format!("{:?}", bench.allowed());
    assert!(shown.contains("acme/test"), "{shown}");
    for secret in [".json", "webhook-token", "partner-token", "pit-"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
