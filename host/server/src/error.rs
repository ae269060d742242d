//! Errors of the admin API: one shape, and the status that says whose turn it is.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use contactor_engine::{EngineError, SessionRefused, TokenRefused};
use contactor_store::StoreError;
use http::{HeaderValue, StatusCode, header};

use crate::dto::{ErrorBody, ErrorDetail};

/// What a handler answers instead of a result.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: Option<String>,
    retry_after: Option<u64>,
}

/// What a handler answers.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), hint: None, retry_after: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
            .hint("see /api/v1/openapi.json for what belongs there")
    }

    pub(crate) fn wrong_type(expected: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "wrong-content-type",
            format!("the body has to be sent with `Content-Type: {expected}`"),
        )
    }

    pub(crate) fn too_large(cap: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("the body is larger than {cap} bytes"))
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "the body did not arrive in time")
    }

    /// Whoever knew the secret of a token is told why it does not count; everybody else only that none does.
    pub(crate) fn unauthorized(refused: &TokenRefused) -> Self {
        let told = |message: String| Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
        match refused {
            TokenRefused::Unknown => told(
                "the admin API needs the host's admin token, or a token of a user".to_owned(),
            )
            .hint("send `Authorization: Bearer <token>`; `contactor token create` makes one for a user"),
            ended => told(ended.to_string()).hint("ask a platform admin for another one"),
        }
    }

    /// The cookie of a session that has ended, or was none.
    pub(crate) fn logged_out(refused: &SessionRefused) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", refused.to_string()).hint("log in at /login")
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// Of a user, or of what users do.
    pub(crate) fn too_many(what: &str, wait: Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        let mut told = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many", what);
        told.retry_after = Some(seconds);
        told.hint(format!("wait {seconds} s; nothing of this request was done"))
    }

    /// There is no room for its body.
    pub(crate) fn crowded() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "crowded",
            "too many bodies of requests are on their way at once",
        )
        .hint("come again in half a minute; nothing of this request was done")
    }

    /// The host's own code panicked.
    pub(crate) fn panicked() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "host",
            "the host failed in this request, which is a defect of it; parts of the request may have been done",
        )
        .hint("look at the result before you repeat it; the host's log has the details")
    }

    /// A change was made, and the store could not put its end on record.
    pub(crate) fn not_on_record(status: StatusCode) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store",
            format!("the request ended with {status}, but the audit log could not keep that; that it began is on record"),
        )
        .hint("the host cannot use its disk; `contactor health` shows what is wrong. Look at the result before you repeat it")
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-such-path", "the host serves nothing at this path")
            .hint("/api/v1/openapi.json lists the paths of the admin API")
    }

    pub(crate) fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "this path does not answer this method")
            .hint("the `Allow` header lists the methods that it answers")
    }

    pub(crate) fn overdue(limit: Duration) -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "overdue",
            format!("the request was given up after {} s; parts of it may have been done", limit.as_secs()),
        )
        .hint("look at the result before you repeat it, or ask for less at once")
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let (status, code) = match &error {
            EngineError::NotFound { what, id, hint } => {
                let told = Self::new(StatusCode::NOT_FOUND, "not-found", format!("no {what} `{id}`"));
                let hint = hint.trim_start_matches([';', ',', ':', ' ']);
                return if hint.is_empty() { told } else { told.hint(hint) };
            }
            EngineError::Invalid(_) | EngineError::Store(StoreError::Invalid(_)) => {
                (StatusCode::BAD_REQUEST, "invalid")
            }
            EngineError::Conflict(_) | EngineError::Store(StoreError::Conflict { .. }) => {
                (StatusCode::CONFLICT, "conflict")
            }
            EngineError::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            EngineError::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            EngineError::Component(_) | EngineError::Unvouched { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "component-refused")
            }
            EngineError::HighLevel(_) | EngineError::Marketplace(_) => (StatusCode::BAD_GATEWAY, "highlevel"),
            EngineError::Partner { .. } => (StatusCode::BAD_GATEWAY, "partner"),
            EngineError::Store(StoreError::NotFound { .. }) => (StatusCode::NOT_FOUND, "not-found"),
            EngineError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store"),
            EngineError::Artefacts(_) => (StatusCode::SERVICE_UNAVAILABLE, "artefacts"),
            EngineError::Vault(_) => (StatusCode::INTERNAL_SERVER_ERROR, "vault"),
        };
        if status.is_server_error() {
            tracing::warn!(%error, code, "an admin request failed");
        }
        let told = Self::new(status, code, error.to_string());
        match code {
            "store" | "artefacts" => {
                told.hint("the host cannot use its disk; `contactor health` shows what is wrong")
            }
            "vault" => {
                told.hint("the vault key does not fit what is stored; start the host with the right key file")
            }
            _ => told,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: ErrorDetail { code: self.code.to_owned(), message: self.message, hint: self.hint },
        };
        let mut response = (self.status, Json(body)).into_response();
        let extra = match self.status {
            StatusCode::UNAUTHORIZED => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="contactor""#)))
            }
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, HeaderValue::from_static("30"))),
            StatusCode::TOO_MANY_REQUESTS => {
                self.retry_after.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds)))
            }
            _ => None,
        };
        response.headers_mut().extend(extra);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_thing_is_404_and_its_next_step_is_the_hint() {
        let error: ApiError = EngineError::NotFound {
            what: "workspace",
            id: "acme".to_owned(),
            hint: "; `contactor workspace list` shows those there are".to_owned(),
        }
        .into();
        assert_eq!((error.status, error.code), (StatusCode::NOT_FOUND, "not-found"));
        assert_eq!(error.message, "no workspace `acme`");
        assert_eq!(error.hint.as_deref(), Some("`contactor workspace list` shows those there are"));
    }

    #[test]
    fn the_status_says_whose_turn_it_is() {
        let partner =
            EngineError::Partner { connector: "prefinery".to_owned(), message: "refused".to_owned() };
        let artefacts = EngineError::Artefacts(std::io::Error::other("disk full"));
        for (error, status) in [
            (EngineError::Invalid("x".to_owned()), 400),
            (EngineError::Conflict("x".to_owned()), 409),
            (
                EngineError::Store(StoreError::Conflict { wanted: "x".to_owned(), existing: "y".to_owned() }),
                409,
            ),
            (EngineError::Store(StoreError::Closed), 503),
            (EngineError::Busy("x".to_owned()), 503),
            (partner, 502),
            (artefacts, 503),
        ] {
            let response = ApiError::from(error).into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), status == 503);
        }
    }
}
