//! Headers of every answer. The host serves data, and one page without anything active in it: whatever a browser makes of it, it shows no frame, loads nothing, keeps
//! nothing and tells nobody where it was. That only TLS is spoken is the proxy's to say.

use axum::response::Response;
use http::{HeaderName, HeaderValue, header};

const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Adds them.
pub(crate) async fn secured(mut response: Response) -> Response {
    response.headers_mut().extend(HEADERS);
    response
}
