//! Faults as a client meets them.

use contactor_sandbox::faults::{Effect, Fault, When};
use serde_json::json;

use crate::client::start;

#[tokio::test]
async fn a_create_that_answers_422_has_succeeded_all_the_same() {
    let (sandbox, location, client) = start().await;
    sandbox.faults().add(Fault::next(1, "highlevel.contacts.create", Effect::lie(422)));
    let body = json!({"locationId": location, "email": "ann@example.com"});
    let lied = client.post("/contacts/", body.clone()).await;
    assert_eq!((lied.status, lied.body["message"].is_array()), (422, true));
    assert_eq!(sandbox.highlevel().contacts(&location).len(), 1);
    assert_eq!(client.post("/contacts/", body).await.status, 400, "the second try meets the first");
    assert_eq!(sandbox.recorder().count_of("highlevel.contacts.create").carried_out, 1);
}

#[tokio::test]
async fn a_connection_is_dropped_before_or_after_the_effect() {
    let (sandbox, location, client) = start().await;
    for (after, expected) in [(false, 0), (true, 1)] {
        sandbox.faults().add(Fault::next(1, "highlevel.contacts.create", Effect::Drop { after }));
        let body = json!({"locationId": location, "email": format!("{after}@example.com")});
        let sent = client.request("POST", "/contacts/", Some(&body)).send().await;
        assert!(sent.is_err(), "nothing may come back");
        assert_eq!(sandbox.highlevel().contacts(&location).len(), expected);
    }
    assert_eq!(sandbox.recorder().recent().last().unwrap().status, None);
    assert_eq!(client.get(&format!("/contacts/?locationId={location}")).await.status, 200);
}

#[tokio::test]
async fn refusals_may_be_html_and_name_a_pause() {
    let (sandbox, location, client) = start().await;
    let effect = Effect::Answer {
        status: 503,
        body: Some(json!("<h1>Sorry</h1>")),
        retry_after: Some(7),
        after: false,
    };
    sandbox.faults().add(Fault::next(1, "highlevel.*", effect));
    let refused = client.get(&format!("/contacts/?locationId={location}")).await;
    assert_eq!((refused.status, refused.headers["retry-after"].to_str().unwrap()), (503, "7"));
    assert!(refused.headers["content-type"].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn an_injected_429_looks_like_the_vendors() {
    let (sandbox, location, client) = start().await;
    let storm =
        Fault { when: When::Next(3), ..Fault::always("highlevel.contacts.*", Effect::TooManyRequests) };
    sandbox.faults().add(storm);
    let path = format!("/contacts/?locationId={location}");
    for _ in 0..3 {
        let refused = client.get(&path).await;
        assert_eq!((refused.status, refused.headers["x-ratelimit-remaining"].to_str().unwrap()), (429, "0"));
    }
    assert_eq!(client.get(&path).await.status, 200);
    assert_eq!(sandbox.recorder().count_of("highlevel.contacts.list").limited, 3);
}

#[tokio::test]
async fn a_token_can_be_revoked_in_the_middle_of_work() {
    let (sandbox, location, client) = start().await;
    let path = format!("/contacts/?locationId={location}");
    sandbox.faults().add(Fault { skip: 1, ..Fault::next(1, "*", Effect::RevokeCredential) });
    assert_eq!(client.get(&path).await.status, 200);
    assert_eq!(client.get(&path).await.body["message"], "Invalid JWT");
    assert_eq!(client.get(&path).await.status, 401);
}

#[tokio::test]
async fn the_record_shows_requests_without_their_secrets() {
    let (sandbox, location, client) = start().await;
    client.post("/contacts/", json!({"locationId": location, "email": "ann@example.com"})).await;
    let form = [("client_secret", "very-secret"), ("client_id", "x"), ("grant_type", "refresh_token")];
    client.http.post(format!("{}/oauth/token", client.base)).form(&form).send().await.unwrap();
    let url = format!("{}/betas.json?api_key={}", sandbox.prefinery_url(), sandbox.prefinery().api_key());
    client.http.get(url).send().await.unwrap();
    let recent = sandbox.recorder().recent();
    assert_eq!(recent[0].body.as_deref().map(|body| body.contains("ann@example.com")), Some(true));
    assert_eq!((recent[1].operation.as_str(), &recent[1].body), ("highlevel.oauth.token", &None));
    assert_eq!(recent[2].path, "/api/v2/betas.json?api_key=***");
    let all = format!("{recent:?}");
    assert!(!all.contains("very-secret") && !all.contains(&client.token));
}
