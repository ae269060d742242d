//! The OpenAPI document and the router say the same.

use std::collections::BTreeSet;

use axum::Router;
use http::{Method as M, Request};
use reqwest::Method;
use serde_json::Value;
use tower::ServiceExt;

use crate::api;
use crate::testing::{TestServer, answer, app};

fn described() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(crate::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, operations)| {
            operations.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase()))
        })
        .collect()
}

/// A router does not list its methods, but it does name them when it is asked with one that it has not.
async fn served() -> BTreeSet<(String, String)> {
    let dir = tempfile::tempdir().unwrap();
    let app = app(dir.path());
    let mut served = BTreeSet::new();
    for (path, methods) in api::routes() {
        let router = Router::new().route(path, methods).with_state(app.clone());
        let request = Request::builder()
            .method(M::TRACE)
            .uri(path.replace(['{', '}'], ""))
            .body(String::new())
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 405, "{path}");
        let allowed = response.headers()["allow"].to_str().unwrap();
        // HEAD comes with every GET and is described by it.
        served.extend(
            allowed
                .split(',')
                .filter(|method| *method != "HEAD")
                .map(|method| (path.to_owned(), method.to_owned())),
        );
    }
    served
}

#[tokio::test]
async fn the_document_names_exactly_the_routes_that_are_served() {
    let (described, served) = (described(), served().await);
    assert!(described.len() > 20, "{described:?}");
    assert_eq!(described, served);
}

#[tokio::test]
async fn the_document_can_be_read_without_a_token_and_asks_for_one_everywhere_else() {
    let server = TestServer::start().await;
    let (status, document) = answer(server.request(Method::GET, "/api/v1/openapi.json")).await;
    assert_eq!(status, 200);
    assert_eq!(document["security"][0]["admin-token"], serde_json::json!([]));
    assert_eq!(document["components"]["securitySchemes"]["admin-token"]["scheme"], "bearer");
}

#[tokio::test]
async fn every_schema_that_the_document_refers_to_is_in_it() {
    let document = serde_json::to_value(crate::document()).unwrap();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            references.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
