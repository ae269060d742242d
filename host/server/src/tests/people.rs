//! What is put on record, how much one may ask for, and what every answer carries.

use reqwest::Method;
use rusqlite::Connection;
use serde_json::json;

use crate::ServerConfig;
use crate::testing::{TestServer, answer, config, json as body_of};

/// A user that is made, with whatever the store makes of the log.
async fn making_a_user(server: &TestServer) -> (u16, String) {
    let (status, body) =
        answer(server.admin(Method::POST, "/api/v1/users").json(&json!({"id": "bob"}))).await;
    (status, body.to_string())
}

#[tokio::test]
async fn what_cannot_be_put_on_record_is_not_done() {
    let server = TestServer::start().await;
    let refuse = |phase: u8, name: &str| {
        let db = Connection::open(server.database()).unwrap();
        let sql = format!(
            "CREATE TRIGGER {name} BEFORE INSERT ON audit WHEN NEW.phase = {phase} \
             BEGIN SELECT RAISE(ABORT, 'no room'); END"
        );
        db.execute_batch(&sql).unwrap();
    };
    let users = async || answer(server.admin(Method::GET, "/api/v1/users")).await.1;
    refuse(0, "no_beginning");
    let (status, text) = making_a_user(&server).await;
    assert_eq!(status, 503, "{text}");
    assert_eq!(users().await, json!([]), "it was done and is on no record");
    // A request that only looks needs no record.
    assert_eq!(answer(server.admin(Method::GET, "/api/v1/workspaces")).await.0, 200);

    Connection::open(server.database()).unwrap().execute_batch("DROP TRIGGER no_beginning").unwrap();
    refuse(1, "no_end");
    let (status, text) = making_a_user(&server).await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("201 Created") && text.contains("audit log"), "{text}");
    assert_eq!(users().await[0]["id"], "bob");
    let (_, log) = answer(server.admin(Method::GET, "/api/v1/audit")).await;
    assert_eq!((&log[0]["action"], &log[0]["status"]), (&json!("users.create"), &json!(null)), "{log}");
}

#[tokio::test]
async fn a_token_that_asks_too_often_has_to_wait_and_the_hosts_own_has_not() {
    let server = TestServer::start_with(ServerConfig { admin_requests_per_minute: 2, ..config() }).await;
    making_a_user(&server).await;
    let made = answer(server.admin(Method::POST, "/api/v1/tokens").json(&json!({"user": "bob"}))).await.1;
    let token = made["secret"].as_str().unwrap().to_owned();
    let whoami = || server.request(Method::GET, "/api/v1/whoami").bearer_auth(&token);
    for _ in 0..2 {
        assert_eq!(answer(whoami()).await.0, 200);
    }
    let response = whoami().send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert!(response.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 31);
    assert_eq!(body_of(response).await["error"]["code"], "too-many");
    for _ in 0..5 {
        assert_eq!(answer(server.admin(Method::GET, "/api/v1/whoami")).await.0, 200);
    }
}
