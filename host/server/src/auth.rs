//! The gate of the admin API: who asks, how long it may take, and what stays in the log.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, header};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::error::ApiError;

/// Lets a request with the admin token through, within the admin API's time.
pub(crate) async fn gate(State(app): State<App>, request: Request, next: Next) -> Response {
    if !bears(request.headers(), app.config.admin_token.expose_secret()) {
        metrics::counter!("contactor_admin_refused_total").increment(1);
        tracing::warn!("a request of the admin API had no valid token");
        return ApiError::unauthorized().into_response();
    }
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = match tokio::time::timeout(app.config.admin_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::overdue(app.config.admin_timeout).into_response(),
    };
    // The pattern instead of the path: an operator's changes are worth a line, the ids in them are in the store.
    if method != Method::GET {
        let route = route.as_ref().map_or("", MatchedPath::as_str);
        tracing::info!(%method, route, status = response.status().as_u16(), "admin request");
    }
    response
}

/// Whether the request carries `token`. Compared without stopping at the first difference.
fn bears(headers: &HeaderMap, token: &str) -> bool {
    let Some(value) = headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes) else {
        return false;
    };
    let Some((scheme, given)) = value.split_at_checked("Bearer ".len()) else { return false };
    scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(given.ct_eq(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn nothing_but_the_whole_token_opens() {
        assert!(bears(&with("Bearer fake-admin-token"), "fake-admin-token"));
        assert!(bears(&with("bearer fake-admin-token"), "fake-admin-token"));
        for wrong in
            ["", "Bearer ", "Bearer", "fake-admin-token", "Basic fake-admin-token", "Bearer fake-admin-tok"]
        {
            assert!(!bears(&with(wrong), "fake-admin-token"), "{wrong}");
        }
        assert!(!bears(&HeaderMap::new(), "fake-admin-token"));
    }
}
