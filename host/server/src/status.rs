//! Probes and metrics of the platform that runs the host. They need no token and show no records.

use std::time::{Duration, Instant};

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

/// How long an answer about readiness holds. Finding out costs a commit, and anybody can ask.
const READINESS: Duration = Duration::from_secs(1);

/// The latest answer about readiness: when it was found out, and the problems.
#[derive(Default)]
pub(crate) struct Readiness(tokio::sync::Mutex<Option<(Instant, Vec<String>)>>);

impl Readiness {
    /// The problems, found out at most once a second; whoever asks meanwhile waits for the one answer.
    async fn problems(&self, now: Instant, find_out: impl Future<Output = Vec<String>>) -> Vec<String> {
        let mut latest = self.0.lock().await;
        match &*latest {
            Some((at, problems)) if now.saturating_duration_since(*at) < READINESS => problems.clone(),
            _ => latest.insert((now, find_out.await)).1.clone(),
        }
    }
}

/// The host does its work: 200, or 503 with the problems.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let find_out = async { app.engine.health().await.problems };
    let problems = app.readiness.problems(Instant::now(), find_out).await;
    let ready = problems.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "problems": problems }))).into_response()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn however_many_ask_whether_the_host_is_ready_it_finds_out_once_a_second() {
        let readiness = Readiness::default();
        let begin = Instant::now();
        let first = || async { vec!["store: full".to_owned()] };
        assert_eq!(readiness.problems(begin, first()).await, ["store: full"]);
        let unasked = async { panic!("this was found out already") };
        assert_eq!(readiness.problems(begin + READINESS / 2, unasked).await, ["store: full"]);
        assert_eq!(readiness.problems(begin + READINESS, async { vec![] }).await, Vec::<String>::new());
    }
}
