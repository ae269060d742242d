//! Webhooks.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::ServerConfig;
use crate::testing::{TestServer, answer, config};

fn contact_update(webhook_id: &str) -> String {
    json!({
        "type": "ContactUpdate",
        "locationId": "loc-1",
        "webhookId": webhook_id,
        "timestamp": jiff::Timestamp::now().to_string(),
        "id": "con-1",
        "email": "ann@example.com",
    })
    .to_string()
}

#[tokio::test]
async fn a_signed_webhook_is_accepted_once_and_its_repetition_is_recognised() {
    let server = TestServer::start().await;
    let body = contact_update("wh-1");
    // No workspace is bound to the location yet, so the event is kept for later.
    assert_eq!(answer(server.webhook(&body)).await, (200, json!({"result": "held"})));
    assert_eq!(answer(server.webhook(&body)).await, (200, json!({"result": "duplicate"})));
    let (_, health) = answer(server.admin(Method::GET, "/api/v1/health")).await;
    assert_eq!(health["held_events"], 1);
}

#[tokio::test]
async fn a_webhook_whose_bytes_were_changed_is_refused_and_not_kept() {
    let server = TestServer::start().await;
    let body = contact_update("wh-1");
    let forged = server.webhook(&body).body(body.replace("con-1", "con-2"));
    assert_eq!(answer(forged).await, (401, json!({"result": "signature-refused"})));
    let unsigned = server.request(Method::POST, "/webhooks/highlevel").body(body);
    assert_eq!(answer(unsigned).await.0, 401);
    let (_, health) = answer(server.admin(Method::GET, "/api/v1/health")).await;
    assert_eq!(health["held_events"], 0);
}

#[tokio::test]
async fn a_signed_body_that_is_no_event_and_a_stale_one_are_bad_requests() {
    let server = TestServer::start().await;
    assert_eq!(answer(server.webhook("[1, 2]")).await, (400, json!({"result": "malformed"})));
    let old = contact_update("wh-1").replace(&jiff::Timestamp::now().to_string()[..4], "2020");
    assert_eq!(answer(server.webhook(&old)).await, (400, json!({"result": "stale"})));
}

#[tokio::test]
async fn vendors_can_probe_both_addresses_and_learn_nothing_about_tokens() {
    let server = TestServer::start().await;
    for path in ["/webhooks/highlevel", "/webhooks/partner/no-such-token"] {
        assert_eq!(answer(server.request(Method::GET, path)).await, (200, json!({"result": "ready"})));
        let head = server.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!(head.status(), 200);
        assert_eq!(head.text().await.unwrap(), "");
    }
}

#[tokio::test]
async fn a_partner_webhook_of_an_unknown_address_is_not_found() {
    let server = TestServer::start().await;
    let request = server.request(Method::POST, "/webhooks/partner/no-such-token").body("{}");
    assert_eq!(answer(request).await, (404, json!({"result": "unknown-address"})));
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_refused_whether_or_not_its_length_was_announced() {
    let server = TestServer::start_with(ServerConfig { webhook_body_cap: 1_000, ..config() }).await;
    let just_fits = format!("\"{}\"", "x".repeat(998));
    assert_eq!(answer(server.webhook(&just_fits)).await.0, 400);
    let too_large = format!("\"{}\"", "x".repeat(999));
    assert_eq!(answer(server.webhook(&too_large)).await, (413, json!({"result": "too-large"})));
    // The rest of it is not read, so nothing else is to be sent on this connection.
    let refused = server.webhook(&too_large).send().await.unwrap();
    assert_eq!(refused.headers()["connection"], "close");
    // Sent in chunks by hand: a client library announces the length.
    let head = "POST /webhooks/highlevel HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{}\r\n", 600, "x".repeat(600));
    let answered = super::connections::exchange(server.address, &[head, &chunk, &chunk]).await;
    assert!(answered.starts_with("HTTP/1.1 413 "), "{answered}");
}

#[tokio::test]
async fn a_body_that_stops_in_the_middle_is_given_up() {
    let server =
        TestServer::start_with(ServerConfig { body_timeout: Duration::from_millis(10), ..config() }).await;
    let head = "POST /webhooks/highlevel HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nhalf";
    let answered = super::connections::exchange(server.address, &[head]).await;
    assert!(answered.starts_with("HTTP/1.1 408 "), "{answered}");
}

#[tokio::test]
async fn what_a_webhook_address_does_not_answer_is_named() {
    let server = TestServer::start().await;
    let response = server.request(Method::DELETE, "/webhooks/highlevel").send().await.unwrap();
    assert_eq!(response.status(), 405);
    let allowed = response.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allowed.contains("POST") && allowed.contains("GET"), "{allowed}");
}
