//! The vault: how its keys stand, and exchanging them.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::dto::{ErrorBody, RotateRequest, VaultStatus};
use crate::error::ApiResult;
use crate::extract::ApiJson;

/// Where the key-encryption keys come from, what is under which key, and what comes next. Never shows any part of a key.
#[utoipa::path(
    get,
    path = "/api/v1/vault",
    tag = "vault",
    operation_id = "vault.status",
    responses((status = 200, body = VaultStatus))
)]
pub(crate) async fn status(State(app): State<App>) -> ApiResult<Json<VaultStatus>> {
    Ok(Json(app.engine.vault_report().await?.into()))
}

/// Begins to exchange keys while everything goes on, and answers at once how that stands. One that is under way is continued, also
/// by a restart of the host.
#[utoipa::path(
    post,
    path = "/api/v1/vault/rotate",
    tag = "vault",
    operation_id = "vault.rotate",
    request_body = RotateRequest,
    responses(
        (status = 200, body = VaultStatus),
        (
            status = 409,
            description = "The key source gives no keys, or lacks one that is needed; the host goes on with those that it has.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn rotate(
    State(app): State<App>,
    ApiJson(request): ApiJson<RotateRequest>,
) -> ApiResult<Json<VaultStatus>> {
    Ok(Json(app.engine.rotate_keys(request.keys.into()).await?.into()))
}
