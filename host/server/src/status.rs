//! Probes and metrics of the platform that runs the host. They need no token and show no records.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::json;

use crate::app::App;
use crate::error::ApiError;

/// The process is alive; nothing else is said.
pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// The host does its work: 200, or 503 with the problems.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let health = app.engine.health().await;
    let status = if health.healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": health.healthy, "problems": health.problems }))).into_response()
}

/// Prometheus text.
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    match &app.config.metrics {
        Some(recorder) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder.render())
                .into_response()
        }
        None => ApiError::no_route().into_response(),
    }
}
