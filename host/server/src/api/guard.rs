//! The guard against mass changes.

use axum::Json;
use axum::extract::State;

use super::connection_id;
use crate::app::App;
use crate::dto::{AllowRequest, ErrorBody, GuardReport};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath};

/// How many linked records a connection changed of late, how many it may, and what it changed last.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/guard",
    tag = "connections",
    operation_id = "guard.get",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses((status = 200, body = GuardReport), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<Json<GuardReport>> {
    Ok(Json(app.engine.guard(&connection_id(&workspace, &connector)).await?.into()))
}

/// Lets so many more records pass and has a connection that the guard stopped go on.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/guard/allow",
    tag = "connections",
    operation_id = "guard.allow",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = AllowRequest,
    responses(
        (status = 200, body = GuardReport),
        (status = 400, body = ErrorBody, description = "Nothing waits, and no number was given."),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "The connection is stopped for another reason."),
    )
)]
pub(crate) async fn allow(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<AllowRequest>,
) -> ApiResult<Json<GuardReport>> {
    let id = connection_id(&workspace, &connector);
    Ok(Json(app.engine.allow_changes(&id, request.records).await?.into()))
}
