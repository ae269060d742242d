//! Webhooks in. The answer is 200 only when the engine says that the event is committed, and the body is handed on in the
//! memory it arrived in: this is the path that takes tens of thousands of requests per second.

use std::time::{Duration, Instant};

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use contactor_engine::{IngestError, Ingested};
use http::{HeaderValue, StatusCode, header};
use metrics::{Counter, Histogram};

use crate::app::App;
use crate::body::{self, BodyError};

/// Seconds after which a sender should try again when the store is out of order.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("30");

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
        let body =
            body::read(&head.headers, body, app.config.webhook_body_cap, app.config.body_timeout).await?;
        Ok(app.engine.ingest_highlevel(&head.headers, body).await?)
    };
    respond(&app.ingest.highlevel, app.config.webhook_timeout, accept).await
}

async fn partner(State(app): State<App>, Path(token): Path<String>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let accept = async {
        let body =
            body::read(&head.headers, body, app.config.webhook_body_cap, app.config.body_timeout).await?;
        Ok(app.engine.ingest_partner(&token, &head.headers, body).await?)
    };
    respond(&app.ingest.partner, app.config.webhook_timeout, accept).await
}

async fn respond(
    metrics: &SourceMetrics,
    patience: Duration,
    accept: impl Future<Output = Result<Ingested, Refusal>>,
) -> Response {
    let started = Instant::now();
    let outcome = tokio::time::timeout(patience, accept).await.unwrap_or(Err(Refusal::Overdue));
    metrics.seconds.record(started.elapsed());
    match outcome {
        Ok(ingested) => {
            let (counter, body) = match ingested {
                Ingested::New => (&metrics.new, r#"{"result":"new"}"#),
                Ingested::Duplicate => (&metrics.duplicate, r#"{"result":"duplicate"}"#),
                Ingested::Held => (&metrics.held, r#"{"result":"held"}"#),
            };
            counter.increment(1);
            answer(StatusCode::OK, body)
        }
        Err(refusal) => metrics.refuse(&refusal),
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
    Engine(#[from] IngestError),
    #[error("the store did not answer in time")]
    Overdue,
}

impl Refusal {
    /// Status for the sender, label for the counter, and the whole answer: a stranger learns no more than the kind.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Body(BodyError::TooLarge(_)) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large", r#"{"result":"too-large"}"#)
            }
            Self::Body(BodyError::TooSlow) => {
                (StatusCode::REQUEST_TIMEOUT, "too_slow", r#"{"result":"too-slow"}"#)
            }
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
    seconds: Histogram,
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
            seconds: metrics::histogram!("contactor_ingest_seconds", "source" => source),
        }
    }

    /// One counter and one line for each refusal; neither carries anything that the sender wrote into the body.
    fn refuse(&self, refusal: &Refusal) -> Response {
        let (status, reason, body) = refusal.kind();
        metrics::counter!("contactor_ingest_requests_total", "source" => self.source, "result" => reason)
            .increment(1);
        tracing::warn!(source = self.source, reason, status = status.as_u16(), error = %refusal, "webhook refused");
        let mut response = answer(status, body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_counted_once_under_its_reason() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let metrics = SourceMetrics::register("partner");
            let _ = metrics.refuse(&Refusal::Engine(IngestError::UnknownToken));
            let _ = metrics.refuse(&Refusal::Body(BodyError::TooLarge(1)));
            let _ = metrics.refuse(&Refusal::Engine(IngestError::UnknownToken));
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
            (Refusal::Overdue, 503, true),
        ];
        for (refusal, status, again) in cases {
            let response = metrics.refuse(&refusal);
            assert_eq!(response.status().as_u16(), status, "{refusal}");
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), again, "{refusal}");
        }
    }
}
