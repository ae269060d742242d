//! The admin API: who may, what is refused, and how that reads.

use reqwest::Method;
use serde_json::{Value, json};

use crate::ServerConfig;
use crate::testing::{TestServer, answer, config, json as body_of};

#[tokio::test]
async fn nobody_gets_in_without_the_token() {
    let server = TestServer::start().await;
    for request in [
        server.request(Method::GET, "/api/v1/workspaces"),
        server.request(Method::GET, "/api/v1/workspaces").bearer_auth("fake-admin-tokem"),
        server.request(Method::GET, "/api/v1/workspaces").basic_auth("fake-admin-token", None::<&str>),
        server.request(Method::POST, "/api/v1/connectors").body("x"),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
        assert_eq!(body_of(response).await["error"]["code"], "unauthorized");
    }
    assert_eq!(answer(server.admin(Method::GET, "/api/v1/workspaces")).await, (200, json!([])));
}

#[tokio::test]
async fn what_is_not_there_is_404_with_what_to_do_next() {
    let server = TestServer::start().await;
    for path in [
        "/api/v1/workspaces/acme",
        "/api/v1/workspaces/acme/connections",
        "/api/v1/workspaces/acme/connections/prefinery",
        "/api/v1/workspaces/acme/connections/prefinery/sync",
        "/api/v1/workspaces/acme/parked",
        "/api/v1/workspaces/acme/conflicts",
        "/api/v1/workspaces/acme/events",
        "/api/v1/workspaces/acme/contacts/con-1/timeline",
        "/api/v1/runs/no-such-run",
    ] {
        let (status, body) = answer(server.admin(Method::GET, path)).await;
        assert_eq!((status, &body["error"]["code"]), (404, &json!("not-found")), "{path}: {body}");
        assert!(body["error"]["hint"].is_string(), "{path}: {body}");
    }
    let (status, body) = answer(server.admin(Method::GET, "/api/v1/no-such-path")).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("no-such-path")));
}

#[tokio::test]
async fn a_method_that_a_path_does_not_answer_is_405_in_the_same_shape() {
    let server = TestServer::start().await;
    let (status, body) = answer(server.admin(Method::DELETE, "/api/v1/workspaces")).await;
    assert_eq!((status, &body["error"]["code"]), (405, &json!("wrong-method")));
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_without_repeating_its_values() {
    let server = TestServer::start().await;
    let refused = |body: Value| answer(server.admin(Method::POST, "/api/v1/workspaces").json(&body));
    let (status, body) =
        refused(json!({"id": "acme", "location": "loc-1", "token": ["fake-pit-token"]})).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("invalid")));
    assert!(!body.to_string().contains("fake-pit-token"), "{body}");
    let (status, body) = refused(json!({"id": "acme", "locatoin": "loc-1"})).await;
    assert_eq!(status, 400);
    assert!(body["error"]["message"].as_str().unwrap().contains("locatoin"), "{body}");
    let no_json = server.admin(Method::POST, "/api/v1/workspaces").body("id=acme");
    assert_eq!(answer(no_json).await.0, 415);
}

#[tokio::test]
async fn a_workspace_with_an_impossible_id_is_refused_before_anybody_is_asked() {
    let server = TestServer::start().await;
    let new = json!({"id": "Not Allowed", "location": "loc-1", "token": "fake-pit-token"});
    let (status, body) = answer(server.admin(Method::POST, "/api/v1/workspaces").json(&new)).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("invalid")), "{body}");
}

#[tokio::test]
async fn a_vendor_that_does_not_answer_is_a_bad_gateway_and_leaves_nothing_behind() {
    let server = TestServer::start().await;
    let new = json!({"id": "acme", "location": "loc-1", "token": "fake-pit-token"});
    let (status, body) = answer(server.admin(Method::POST, "/api/v1/workspaces").json(&new)).await;
    assert_eq!((status, &body["error"]["code"]), (502, &json!("highlevel")), "{body}");
    assert!(!body.to_string().contains("fake-pit-token"), "{body}");
    assert_eq!(answer(server.admin(Method::GET, "/api/v1/workspaces")).await.1, json!([]));
}

#[tokio::test]
async fn bytes_that_are_no_connector_are_refused_and_not_installed() {
    let server = TestServer::start().await;
    for path in ["/api/v1/connectors", "/api/v1/connectors/inspect"] {
        let request = || server.admin(Method::POST, path);
        let garbage = request().header("content-type", "application/wasm").body("no component");
        let (status, body) = answer(garbage).await;
        assert_eq!((status, &body["error"]["code"]), (422, &json!("component-refused")), "{path}: {body}");
        assert_eq!(answer(request().body("no component")).await.0, 415);
    }
    assert_eq!(answer(server.admin(Method::GET, "/api/v1/connectors")).await.1, json!([]));
}

#[tokio::test]
async fn uploads_have_a_cap() {
    let server =
        TestServer::start_with(ServerConfig { component_body_cap: 10, json_body_cap: 10, ..config() }).await;
    let component =
        server.admin(Method::POST, "/api/v1/connectors").header("content-type", "application/wasm");
    let (status, body) = answer(component.body("eleven byte")).await;
    assert_eq!((status, &body["error"]["code"]), (413, &json!("too-large")));
    let workspace = server.admin(Method::POST, "/api/v1/workspaces").json(&json!({"id": "longer than ten"}));
    assert_eq!(answer(workspace).await.0, 413);
}

#[tokio::test]
async fn runs_are_filtered_and_a_filter_that_makes_no_sense_is_refused() {
    let server = TestServer::start().await;
    let runs = |query: &str| answer(server.admin(Method::GET, &format!("/api/v1/runs?{query}")));
    assert_eq!(runs("workspace=acme&connector=prefinery&outcome=parked&limit=5").await, (200, json!([])));
    for wrong in ["connector=prefinery", "outcome=lost", "limit=many", "workspase=acme"] {
        let (status, body) = runs(wrong).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!("invalid")), "{wrong}: {body}");
    }
}
