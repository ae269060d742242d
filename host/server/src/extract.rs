//! Extractors whose refusals have the admin API's shape and repeat no values: a misplaced credential must not come back in
//! an error message that somebody pastes into a ticket.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::body::{self, BodiesOfUsers, BodyError};
use crate::error::ApiError;

const JSON: &str = "application/json";
const WASM: &str = "application/wasm";

/// How large a body may be, by what the request says that it is, and the room that there is for its kind.
pub(crate) fn kind_of<'a>(app: &'a App, headers: &HeaderMap) -> (usize, &'a BodiesOfUsers) {
    if essence(headers).eq_ignore_ascii_case(WASM) {
        (app.config.component_body_cap, &app.components)
    } else {
        (app.config.json_body_cap, &app.json_bodies)
    }
}

/// A JSON body.
pub(crate) struct ApiJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        expect_type(&request, JSON)?;
        let body = read(request, app, app.config.json_body_cap).await?;
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            ApiError::invalid(format!("the body does not fit: {}", without_value(&error.to_string())))
        })
    }
}

/// The bytes of a component.
pub(crate) struct Component(pub(crate) bytes::Bytes);

impl FromRequest<App> for Component {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        expect_type(&request, WASM)?;
        read(request, app, app.config.component_body_cap).await.map(Self)
    }
}

/// Query parameters.
pub(crate) struct ApiQuery<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Query::from_request_parts(parts, app)
            .await
            .map(|Query(query)| Self(query))
            .map_err(|rejection| ApiError::invalid(rejection.body_text()))
    }
}

/// Path parameters.
pub(crate) struct ApiPath<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for ApiPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Path::from_request_parts(parts, app)
            .await
            .map(|Path(path)| Self(path))
            .map_err(|rejection| ApiError::invalid(rejection.body_text()))
    }
}

fn expect_type(request: &Request, expected: &str) -> Result<(), ApiError> {
    let fits = essence(request.headers()).eq_ignore_ascii_case(expected);
    if fits { Ok(()) } else { Err(ApiError::wrong_type(expected)) }
}

/// What a body is, without parameters.
fn essence(headers: &HeaderMap) -> &str {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim()
}

async fn read(request: Request, app: &App, cap: usize) -> Result<bytes::Bytes, ApiError> {
    let (head, body) = request.into_parts();
    Ok(body::read(&head.headers, body, cap, app.config.body_timeout).await?)
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(cap) => Self::too_large(cap),
            BodyError::TooSlow => Self::too_slow(),
            BodyError::BrokeOff => Self::invalid("the body broke off"),
        }
    }
}

/// Serde's message without the value that it quotes: `invalid type: string "…", expected a map at line 1 column 9`.
fn without_value(message: &str) -> String {
    for kind in ["invalid type: ", "invalid value: "] {
        if let Some(rest) = message.strip_prefix(kind)
            && let Some(at) = rest.rfind("expected ")
        {
            return format!("{kind}{}", &rest[at..]);
        }
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_misplaced_value_is_not_repeated() {
        let error = serde_json::from_str::<BTreeMap<String, String>>(r#""fake-secret, expected nothing""#)
            .unwrap_err();
        assert_eq!(without_value(&error.to_string()), "invalid type: expected a map at line 1 column 31");
    }

    #[test]
    fn a_missing_or_unknown_key_is_named() {
        assert_eq!(
            without_value("missing field `id` at line 1 column 2"),
            "missing field `id` at line 1 column 2"
        );
    }
}
