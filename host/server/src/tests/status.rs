//! Probes and metrics.

use reqwest::Method;
use serde_json::json;

use crate::ServerConfig;
use crate::testing::{TestServer, answer, config};

#[tokio::test]
async fn the_platform_can_ask_how_the_host_is_without_a_token() {
    let server = TestServer::start().await;
    let alive = server.request(Method::GET, "/healthz").send().await.unwrap();
    assert_eq!(alive.status(), 200);
    assert_eq!(
        answer(server.request(Method::GET, "/readyz")).await,
        (200, json!({"ready": true, "problems": []}))
    );
}

#[tokio::test]
async fn metrics_are_rendered_where_there_is_a_recorder() {
    let server = TestServer::start().await;
    let metrics = server.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(metrics.status(), 200);
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let without = TestServer::start_with(ServerConfig { metrics: None, ..config() }).await;
    assert_eq!(answer(without.request(Method::GET, "/metrics")).await.0, 404);
}
