//! The session of whoever asks with a cookie.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

use crate::app::App;
use crate::cookies::{self, SESSION};
use crate::dto::{ErrorBody, Session};
use crate::error::{ApiError, ApiResult};
use crate::gate::Asks;

/// The session of whoever asks, and the token that each change has to show.
#[utoipa::path(
    get,
    path = "/api/v1/session",
    tag = "people",
    operation_id = "session.get",
    responses(
        (status = 200, body = Session),
        (status = 404, description = "Whoever asks showed a token and has no session.", body = ErrorBody),
    )
)]
pub(crate) async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    Asks(caller): Asks,
) -> ApiResult<Json<Session>> {
    let (Some(_), Some(cookie)) = (&caller.session, cookies::get(&headers, SESSION)) else {
        return Err(none());
    };
    let found = app.engine.session(&cookie).await.map_err(contactor_engine::EngineError::from)?;
    Ok(Json(found.map_err(|_| none())?.into()))
}

/// Logs out: ends the session of whoever asks.
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    tag = "people",
    operation_id = "session.end",
    responses(
        (status = 204, description = "It has ended, and the browser forgets its cookie."),
        (status = 404, description = "Whoever asks showed a token and has no session.", body = ErrorBody),
    )
)]
pub(crate) async fn end(State(app): State<App>, Asks(caller): Asks) -> ApiResult<Response> {
    let id = caller.session.as_ref().ok_or_else(none)?;
    app.engine.end_session(id).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookies::forget(SESSION))]).into_response())
}

fn none() -> ApiError {
    contactor_engine::EngineError::NotFound {
        what: "session",
        id: "of this request".to_owned(),
        hint: ": it showed a token".to_owned(),
    }
    .into()
}
