//! Headers of every answer. The host serves data, and one page without anything active in it: whatever a browser makes of an answer,
//! it shows no frame, loads nothing, keeps nothing and tells nobody where it was. Whether only TLS is spoken is known to the operator,
//! who ends it in front of this host.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::config::ServerConfig;

const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// What is said by the operator's wish.
#[derive(Clone)]
pub(crate) struct Secure {
    strict_transport: Option<HeaderValue>,
}

impl Secure {
    pub(crate) fn of(config: &ServerConfig) -> Self {
        let header =
            |time: std::time::Duration| HeaderValue::try_from(format!("max-age={}", time.as_secs())).ok();
        Self { strict_transport: config.strict_transport.and_then(header) }
    }
}

/// Adds them.
pub(crate) async fn secured(State(secure): State<Secure>, mut response: Response) -> Response {
    response.headers_mut().extend(HEADERS);
    if let Some(strict) = secure.strict_transport {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, strict);
    }
    // The rest of such a request is not read, so the connection ends: who keeps connections is not to send the next request on it.
    if [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT].contains(&response.status()) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
