//! What a person must look at: by its cause, to be done again or to be let go.

use axum::Json;
use axum::extract::State;
use contactor_engine::{ParkedAction, Unsure};

use super::{connection_id, page, workspace_id};
use crate::app::App;
use crate::dto::{
    ErrorBody, LimitQuery, Parked, ParkedGroup, ParkedGroupDetail, RecordRef, ReleaseAnswer, RetryAllQuery,
    RetryAnswer,
};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath, ApiQuery};

/// The records of a workspace that a person must look at.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/parked",
    tag = "parked",
    operation_id = "parked.list",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses((status = 200, body = Vec<Parked>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<Json<Vec<Parked>>> {
    Ok(Json(app.engine.parked(&workspace_id(workspace)).await?.into_iter().map(Into::into).collect()))
}

/// The same by its cause, the largest group first, each with what probably mends it.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/parked/groups",
    tag = "parked",
    operation_id = "parked.groups",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses((status = 200, body = Vec<ParkedGroup>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn groups(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<Json<Vec<ParkedGroup>>> {
    let groups = app.engine.parked_groups(&workspace_id(workspace)).await?;
    Ok(Json(groups.into_iter().map(Into::into).collect()))
}

/// One group with its oldest entries.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/parked/groups/{group}",
    tag = "parked",
    operation_id = "parked.group",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("group" = String, Path, description = "The group's id."),
        LimitQuery
    ),
    responses((status = 200, body = ParkedGroupDetail), (status = 404, body = ErrorBody))
)]
pub(crate) async fn group(
    State(app): State<App>,
    ApiPath((workspace, group)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<LimitQuery>,
) -> ApiResult<Json<ParkedGroupDetail>> {
    let found = app.engine.parked_group(&workspace_id(workspace), &group, page(query.limit)).await?;
    let entries = found.1.into_iter().map(Into::into).collect();
    Ok(Json(ParkedGroupDetail { group: found.0.into(), entries }))
}

/// Has all entries of a group done again, from the state that both sides are in now.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/parked/groups/{group}/retry",
    tag = "parked",
    operation_id = "parked.retry-group",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("group" = String, Path, description = "The group's id."),
    ),
    responses((status = 200, body = ReleaseAnswer), (status = 404, body = ErrorBody))
)]
pub(crate) async fn retry_group(
    State(app): State<App>,
    ApiPath((workspace, group)): ApiPath<(String, String)>,
) -> ApiResult<Json<ReleaseAnswer>> {
    release(&app, workspace, &group, ParkedAction::Retry).await
}

/// Lets all entries of a group go: nothing is done about them.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/parked/groups/{group}/discard",
    tag = "parked",
    operation_id = "parked.discard-group",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("group" = String, Path, description = "The group's id."),
    ),
    responses((status = 200, body = ReleaseAnswer), (status = 404, body = ErrorBody))
)]
pub(crate) async fn discard_group(
    State(app): State<App>,
    ApiPath((workspace, group)): ApiPath<(String, String)>,
) -> ApiResult<Json<ReleaseAnswer>> {
    release(&app, workspace, &group, ParkedAction::Discard).await
}

async fn release(
    app: &App,
    workspace: String,
    group: &str,
    action: ParkedAction,
) -> ApiResult<Json<ReleaseAnswer>> {
    let released = app.engine.release_group(&workspace_id(workspace), group, action).await?;
    Ok(Json(ReleaseAnswer { released, left_out: 0 }))
}

/// Has everything that is parked of a connection done again, from the state that both sides are in now. The mass-change guard counts
/// what comes of it; called again it releases what is parked by then. Calls that may have happened stay parked unless they are asked for.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/parked/retry-all",
    tag = "parked",
    operation_id = "parked.retry-all",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
        RetryAllQuery
    ),
    responses((status = 200, body = ReleaseAnswer), (status = 404, body = ErrorBody))
)]
pub(crate) async fn retry_all(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<RetryAllQuery>,
) -> ApiResult<Json<ReleaseAnswer>> {
    let connection = connection_id(&workspace, &connector);
    let unsure = if query.also_may_have_happened { Unsure::Repeat } else { Unsure::LeaveOut };
    Ok(Json(app.engine.release_all(&connection, ParkedAction::Retry, unsure).await?.into()))
}

/// Lets everything go that is parked of a connection: nothing is done about it.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/parked/discard-all",
    tag = "parked",
    operation_id = "parked.discard-all",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses((status = 200, body = ReleaseAnswer), (status = 404, body = ErrorBody))
)]
pub(crate) async fn discard_all(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<Json<ReleaseAnswer>> {
    let connection = connection_id(&workspace, &connector);
    Ok(Json(app.engine.release_all(&connection, ParkedAction::Discard, Unsure::LeaveOut).await?.into()))
}

/// Tries a parked record again.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/parked/retry",
    tag = "parked",
    operation_id = "parked.retry",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = RecordRef,
    responses((status = 200, body = RetryAnswer), (status = 404, body = ErrorBody))
)]
pub(crate) async fn retry(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(record): ApiJson<RecordRef>,
) -> ApiResult<Json<RetryAnswer>> {
    let key = record.of(connection_id(&workspace, &connector));
    Ok(Json(RetryAnswer { released: app.engine.retry_parked(&key).await? }))
}

/// Lets a parked record go: nothing is done about it until it changes.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/parked/discard",
    tag = "parked",
    operation_id = "parked.discard",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = RecordRef,
    responses((status = 200, body = RetryAnswer), (status = 404, body = ErrorBody))
)]
pub(crate) async fn discard(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(record): ApiJson<RecordRef>,
) -> ApiResult<Json<RetryAnswer>> {
    let key = record.of(connection_id(&workspace, &connector));
    Ok(Json(RetryAnswer { released: app.engine.discard_parked(&key).await? }))
}
