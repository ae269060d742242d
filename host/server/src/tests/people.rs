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

/// Makes a token of a user.
async fn token_of(server: &TestServer, user: &str) -> String {
    let made = answer(server.admin(Method::POST, "/api/v1/tokens").json(&json!({ "user": user }))).await.1;
    made["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_user_who_asks_too_often_has_to_wait_with_every_token_and_the_hosts_own_has_not() {
    let server = TestServer::start_with(ServerConfig { admin_requests_per_minute: 2, ..config() }).await;
    making_a_user(&server).await;
    let tokens = [token_of(&server, "bob").await, token_of(&server, "bob").await];
    let whoami = |token: &str| server.request(Method::GET, "/api/v1/whoami").bearer_auth(token);
    for token in &tokens {
        assert_eq!(answer(whoami(token)).await.0, 200);
    }
    for token in &tokens {
        let response = whoami(token).send().await.unwrap();
        assert_eq!(response.status(), 429, "the second token is no second user");
        assert!(response.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 31);
        assert_eq!(body_of(response).await["error"]["code"], "too-many");
    }
    for _ in 0..5 {
        assert_eq!(answer(server.admin(Method::GET, "/api/v1/whoami")).await.0, 200);
    }
}

#[tokio::test]
async fn changes_that_fail_cannot_fill_the_store_and_those_that_succeed_are_no_part_of_it() {
    let server = TestServer::start().await;
    making_a_user(&server).await;
    let tokens = [token_of(&server, "bob").await, token_of(&server, "bob").await];
    let ask = |method: Method, path: &str, token: &str| server.request(method, path).bearer_auth(token);
    // More than may fail, one after the other.
    for _ in 0..40 {
        let made = ask(Method::POST, "/api/v1/tokens", &tokens[0]).json(&json!({}));
        let (status, made) = answer(made).await;
        assert_eq!(status, 201, "{made}");
        let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
        assert_eq!(answer(ask(Method::DELETE, &path, &tokens[0])).await.0, 200);
    }
    let mut answers = [0, 0];
    for number in 0..200 {
        let nobodys = ask(Method::DELETE, "/api/v1/tokens/0000000000000000", &tokens[number % 2]);
        let response = nobodys.send().await.unwrap();
        match response.status().as_u16() {
            404 => answers[0] += 1,
            429 => {
                answers[1] += 1;
                assert!(response.headers().contains_key("retry-after"));
            }
            other => panic!("{other}"),
        }
    }
    // One comes back in a second.
    assert!((60..120).contains(&answers[0]) && answers[1] > 80, "{answers:?}");
    let (_, log) = answer(server.admin(Method::GET, "/api/v1/audit?actor=bob&limit=500")).await;
    let of_status =
        |status: u16| log.as_array().unwrap().iter().filter(move |entry| entry["status"] == status);
    assert_eq!((of_status(404).count(), of_status(201).count()), (answers[0], 40));
    assert!((20..60).contains(&of_status(429).count()), "they are folded as refusals are: {log}");
    assert!(of_status(429).all(|entry| entry["phase"] == "refused"), "{log}");
    // The host's own token may fail as often as it likes.
    for _ in 0..70 {
        assert_eq!(answer(server.admin(Method::DELETE, "/api/v1/tokens/0000000000000000")).await.0, 404);
    }
}

#[tokio::test]
async fn a_policy_is_on_record_under_its_workspace() {
    let server = TestServer::start().await;
    let policy =
        server.admin(Method::PUT, "/api/v1/policies/acme").json(&json!({"deny": ["contacts.write"]}));
    assert_eq!(answer(policy).await.0, 404, "there is no such workspace, which the log need not know");
    let (_, log) = answer(server.admin(Method::GET, "/api/v1/audit?workspace=acme")).await;
    assert_eq!(
        (&log[0]["action"], &log[0]["workspace"], &log[0]["target"]),
        (&json!("workspaces.policy"), &json!("acme"), &json!("policy=acme")),
        "{log}"
    );
}
