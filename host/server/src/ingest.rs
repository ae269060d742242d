//! Webhooks in. The answer is 200 only when the engine says that the event is committed, and the body is handed on in the
//! memory it arrived in: this is the path that takes tens of thousands of requests per second.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use contactor_engine::{IngestError, Ingested};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use metrics::{Counter, Histogram};

use crate::app::App;
use crate::body::{self, BodyError, Crowded, Room};
use crate::gate::Pace;

/// Seconds after which a sender should try again when the store is out of order.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("30");
/// Log lines about refusals of one kind within a minute; the next one tells how many there were not.
const LINES: u32 = 60;

pub(crate) fn highlevel_route() -> MethodRouter<App> {
    get(probe).post(highlevel)
}

pub(crate) fn partner_route() -> MethodRouter<App> {
    get(probe).post(partner)
}

/// Vendors ask with GET or HEAD whether an address exists before they send to it. The answer is the same for every token,
/// so that it cannot be used to guess one.
async fn probe() -> Response {
    answer(StatusCode::OK, r#"{"result":"ready"}"#)
}

async fn highlevel(State(app): State<App>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let accept = async {
        let (body, _room) = read(&app, &head.headers, body).await?;
        Ok(app.engine.ingest_highlevel(&head.headers, body).await?)
    };
    respond(&app, &app.ingest.highlevel, accept).await
}

async fn partner(State(app): State<App>, Path(token): Path<String>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let accept = async {
        // First: nobody's address costs no more than this look-up, whatever is sent to it.
        let endpoint = app.engine.endpoint(&token).await?;
        let (body, _room) = read(&app, &head.headers, body).await?;
        Ok(app.engine.ingest_partner(endpoint, &head.headers, body).await?)
    };
    // Boxed: what checks a sender of one's choice is large.
    respond(&app, &app.ingest.partner, Box::pin(accept)).await
}

/// The body, and what it takes of all bodies' room until the request is answered.
async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<(Bytes, Room), Refusal> {
    let cap = app.config.webhook_body_cap;
    let room = app.webhook_bodies.room(headers, cap)?;
    let body = body::read(headers, body, cap, app.config.body_timeout).await?;
    Ok((body, room))
}

async fn respond(
    app: &App,
    metrics: &SourceMetrics,
    accept: impl Future<Output = Result<Ingested, Refusal>>,
) -> Response {
    let started = Instant::now();
    let outcome =
        tokio::time::timeout(app.config.webhook_timeout, accept).await.unwrap_or(Err(Refusal::Overdue));
    metrics.seconds.record(started.elapsed());
    match outcome {
        Ok(ingested) => {
            let (counter, body) = match ingested {
                Ingested::New => (&metrics.new, r#"{"result":"new"}"#),
                Ingested::Duplicate => (&metrics.duplicate, r#"{"result":"duplicate"}"#),
                Ingested::Held => (&metrics.held, r#"{"result":"held"}"#),
                Ingested::OtherApp => (&metrics.other_app, r#"{"result":"other-app"}"#),
            };
            counter.increment(1);
            answer(StatusCode::OK, body)
        }
        Err(refusal) => metrics.refuse(&refusal, Instant::now()),
    }
}

fn answer(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// Why a webhook was not accepted.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Crowded(#[from] Crowded),
    #[error(transparent)]
    Engine(#[from] IngestError),
    #[error("the store did not answer in time")]
    Overdue,
}

impl Refusal {
    /// Whether the body was left where it was.
    fn is_unread(&self) -> bool {
        matches!(
            self,
            Self::Crowded(_) | Self::Engine(IngestError::UnknownToken | IngestError::Unavailable(_))
        )
    }

    /// Status for the sender, label for the counter, and the whole answer: a stranger learns no more than the kind.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Body(BodyError::TooLarge(_)) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large", r#"{"result":"too-large"}"#)
            }
            Self::Body(BodyError::TooSlow) => {
                (StatusCode::REQUEST_TIMEOUT, "too_slow", r#"{"result":"too-slow"}"#)
            }
            Self::Crowded(_) => (StatusCode::SERVICE_UNAVAILABLE, "crowded", r#"{"result":"not-stored"}"#),
            Self::Body(BodyError::BrokeOff) => {
                (StatusCode::BAD_REQUEST, "broke_off", r#"{"result":"broke-off"}"#)
            }
            Self::Engine(IngestError::Signature(_)) => {
                (StatusCode::UNAUTHORIZED, "signature", r#"{"result":"signature-refused"}"#)
            }
            Self::Engine(IngestError::Stale(_)) => {
                (StatusCode::BAD_REQUEST, "stale", r#"{"result":"stale"}"#)
            }
            Self::Engine(IngestError::Malformed(_)) => {
                (StatusCode::BAD_REQUEST, "malformed", r#"{"result":"malformed"}"#)
            }
            Self::Engine(IngestError::UnknownToken) => {
                (StatusCode::NOT_FOUND, "unknown_token", r#"{"result":"unknown-address"}"#)
            }
            Self::Engine(IngestError::Store(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "store", r#"{"result":"not-stored"}"#)
            }
            Self::Engine(IngestError::Unavailable(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", r#"{"result":"not-stored"}"#)
            }
            Self::Overdue => (StatusCode::SERVICE_UNAVAILABLE, "overdue", r#"{"result":"not-stored"}"#),
        }
    }
}

/// Handles of the counters, looked up once: a look-up per request would hash the name and its labels each time.
pub(crate) struct IngestMetrics {
    highlevel: SourceMetrics,
    partner: SourceMetrics,
}

struct SourceMetrics {
    source: &'static str,
    new: Counter,
    duplicate: Counter,
    held: Counter,
    other_app: Counter,
    seconds: Histogram,
    lines: Pace<&'static str>,
}

impl IngestMetrics {
    /// Registers the counters with the process's recorder, which has to be installed before.
    pub(crate) fn register() -> Self {
        metrics::describe_counter!(
            "contactor_ingest_requests_total",
            "Webhook requests by source and result, refusals included."
        );
        metrics::describe_histogram!(
            "contactor_ingest_seconds",
            metrics::Unit::Seconds,
            "Time from a webhook's head to its answer, commit included."
        );
        Self { highlevel: SourceMetrics::register("highlevel"), partner: SourceMetrics::register("partner") }
    }
}

impl SourceMetrics {
    fn register(source: &'static str) -> Self {
        let counter = |result| metrics::counter!("contactor_ingest_requests_total", "source" => source, "result" => result);
        Self {
            source,
            new: counter("new"),
            duplicate: counter("duplicate"),
            held: counter("held"),
            other_app: counter("other_app"),
            seconds: metrics::histogram!("contactor_ingest_seconds", "source" => source),
            lines: Pace::new(LINES),
        }
    }

    /// One counter for each refusal, and a line unless there were too many of its kind: no stranger fills the disk by being refused.
    /// Neither carries anything that the sender wrote into the body.
    fn refuse(&self, refusal: &Refusal, now: Instant) -> Response {
        let (status, reason, body) = refusal.kind();
        metrics::counter!("contactor_ingest_requests_total", "source" => self.source, "result" => reason)
            .increment(1);
        if let Ok(untold) = self.lines.take(reason, now) {
            let source = self.source;
            tracing::warn!(source, reason, status = status.as_u16(), untold, error = %refusal, "webhook refused");
        }
        let mut response = answer(status, body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        if refusal.is_unread() {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lines;

    #[test]
    fn each_refusal_is_counted_once_under_its_reason() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let metrics = SourceMetrics::register("partner");
            let _ = metrics.refuse(&Refusal::Engine(IngestError::UnknownToken), Instant::now());
            let _ = metrics.refuse(&Refusal::Body(BodyError::TooLarge(1)), Instant::now());
            let _ = metrics.refuse(&Refusal::Engine(IngestError::UnknownToken), Instant::now());
        });
        let rendered = recorder.handle().render();
        for line in [
            r#"contactor_ingest_requests_total{source="partner",result="unknown_token"} 2"#,
            r#"contactor_ingest_requests_total{source="partner",result="too_large"} 1"#,
        ] {
            assert!(rendered.contains(line), "{line} is missing in: {rendered}");
        }
    }

    #[test]
    fn a_stranger_fills_no_log_by_being_refused() {
        let (metrics, now) = (SourceMetrics::register("partner"), Instant::now());
        let lines = std::sync::Arc::new(Lines::of("contactor_server::ingest"));
        tracing::subscriber::with_default(std::sync::Arc::clone(&lines), || {
            for _ in 0..10 * LINES {
                let _ = metrics.refuse(&Refusal::Engine(IngestError::UnknownToken), now);
            }
            let _ = metrics.refuse(&Refusal::Body(BodyError::TooLarge(1)), now);
        });
        assert_eq!(lines.told(), LINES + 1, "another reason has lines of its own");
    }

    #[test]
    fn only_what_a_repetition_can_mend_asks_for_one() {
        let metrics = SourceMetrics::register("highlevel");
        let cases = [
            (Refusal::Body(BodyError::TooLarge(1)), 413, false),
            (Refusal::Body(BodyError::TooSlow), 408, false),
            (Refusal::Body(BodyError::BrokeOff), 400, false),
            (Refusal::Engine(IngestError::Signature("missing".into())), 401, false),
            (Refusal::Engine(IngestError::Stale("old".into())), 400, false),
            (Refusal::Engine(IngestError::Malformed("no object".into())), 400, false),
            (Refusal::Engine(IngestError::UnknownToken), 404, false),
            (Refusal::Engine(IngestError::Unavailable("no component".into())), 503, true),
            (Refusal::Engine(IngestError::Store(contactor_store::StoreError::Closed)), 503, true),
            (Refusal::Crowded(Crowded), 503, true),
            (Refusal::Overdue, 503, true),
        ];
        for (refusal, status, again) in cases {
            let response = metrics.refuse(&refusal, Instant::now());
            assert_eq!(response.status().as_u16(), status, "{refusal}");
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), again, "{refusal}");
        }
    }
}
