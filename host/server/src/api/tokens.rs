//! Tokens of users.

use axum::extract::State;
use axum::{Extension, Json};
use contactor_store::{TokenId, UserId};
use http::StatusCode;

use crate::app::App;
use crate::dto::{ErrorBody, IssuedToken, NewToken, RevokeAnswer, Token, TokenQuery};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::gate::{Asks, Told};

/// The tokens of whoever asks; of a platform admin those of a user, or all. The newest first, also those that have ended.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "people",
    operation_id = "tokens.list",
    params(TokenQuery),
    responses((status = 200, body = Vec<Token>), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiQuery(query): ApiQuery<TokenQuery>,
) -> ApiResult<Json<Vec<Token>>> {
    let tokens = app.engine.tokens_for(&caller, query.user.map(UserId::new)).await?;
    Ok(Json(tokens.into_iter().map(Into::into).collect()))
}

/// Makes a token, and answers its secret, once. A platform admin makes them for everybody; everybody else for oneself, no wider than the
/// token that it is asked with.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "people",
    operation_id = "tokens.create",
    request_body = NewToken,
    responses(
        (status = 201, body = IssuedToken),
        (status = 400, description = "The days are out of range, or nobody is named.", body = ErrorBody),
        (status = 403, description = "It is for another user, or wider.", body = ErrorBody),
        (status = 404, description = "No such user or workspace.", body = ErrorBody),
        (status = 409, description = "The user is disabled, or has many tokens.", body = ErrorBody),
    )
)]
pub(crate) async fn create(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiJson(new): ApiJson<NewToken>,
) -> ApiResult<(StatusCode, Extension<Told>, Json<IssuedToken>)> {
    let issued: IssuedToken = app.engine.issue_token(&caller, new.into()).await?.into();
    let told = Told(format!("token={} user={}", issued.token.id, issued.token.user));
    Ok((StatusCode::CREATED, Extension(told), Json(issued)))
}

/// Revokes a token, and those that were made with it.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{token}",
    tag = "people",
    operation_id = "tokens.revoke",
    params(("token" = String, Path, description = "The token's id, without its secret.")),
    responses(
        (status = 200, body = RevokeAnswer),
        (status = 404, description = "No such token, or it is another user's.", body = ErrorBody),
    )
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiPath(token): ApiPath<String>,
) -> ApiResult<Json<RevokeAnswer>> {
    let revoked = app.engine.revoke_token(&caller, &TokenId::new(token)).await?;
    Ok(Json(RevokeAnswer { revoked }))
}
