//! Headers of every answer. The host serves data, and one page without anything active in it: whatever a browser makes of an answer,
//! it shows no frame, loads nothing, keeps nothing and tells nobody where it was. That only TLS is spoken is the proxy's to say.

use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};

const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Adds them.
pub(crate) async fn secured(mut response: Response) -> Response {
    response.headers_mut().extend(HEADERS);
    // The rest of such a request is not read, so the connection ends: who keeps connections is not to send the next request on it.
    if [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT].contains(&response.status()) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
