//! The guard against mass changes.

use axum::Json;
use axum::extract::State;

use contactor_engine::{Allow, EngineError};

use super::{connection_id, workspace_id};
use crate::app::App;
use crate::dto::{AllowRequest, ErrorBody, GuardReport};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath};

/// How the guards of a workspace's connections stand.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/guard",
    tag = "connections",
    operation_id = "guard.list",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses((status = 200, body = Vec<GuardReport>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<Json<Vec<GuardReport>>> {
    let reports = app.engine.guards_of(&workspace_id(workspace)).await?;
    Ok(Json(reports.into_iter().map(Into::into).collect()))
}

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

/// Lets more records pass, in the place of what was allowed before, and has a connection that the guard stopped go on.
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
        (status = 400, body = ErrorBody, description = "Nothing waits, and no number was given; or both a number and all."),
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
    let allow = match (request.records, request.all) {
        (Some(_), true) => {
            let why = "`records` and `all` exclude each other: say how many records may be changed, or all";
            return Err(EngineError::Invalid(why.to_owned()).into());
        }
        (Some(records), false) => Allow::Records(records),
        (None, true) => Allow::All,
        (None, false) => Allow::Waiting,
    };
    Ok(Json(app.engine.allow_changes(&id, allow).await?.into()))
}
