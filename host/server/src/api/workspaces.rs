//! Workspaces.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;

use super::workspace_id;
use crate::app::App;
use crate::dto::{ErrorBody, NewWorkspace, Workspace, WorkspacePolicy, WorkspaceSettings, WorkspaceToken};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath};
use crate::gate::{Asks, Told};

/// The workspaces in which whoever asks has a role, by id; all for a platform admin.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces",
    tag = "workspaces",
    operation_id = "workspaces.list",
    responses((status = 200, body = Vec<Workspace>))
)]
pub(crate) async fn list(State(app): State<App>, Asks(caller): Asks) -> ApiResult<Json<Vec<Workspace>>> {
    let mut workspaces = app.engine.workspaces().await?;
    workspaces.retain(|workspace| caller.rights.role_in(&workspace.id).is_some());
    let shown = |own| Workspace::of_engine(&app.engine, own);
    Ok(Json(workspaces.into_iter().map(shown).collect()))
}

/// Creates a workspace for a HighLevel location. HighLevel is asked for the location first, so that a wrong token is
/// refused here and not by the first synchronisation.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces",
    tag = "workspaces",
    operation_id = "workspaces.create",
    request_body = NewWorkspace,
    responses(
        (status = 201, body = Workspace),
        (status = 400, description = "The id or another value is not allowed.", body = ErrorBody),
        (status = 409, description = "The id or the location is taken.", body = ErrorBody),
        (status = 502, description = "HighLevel refused the token or did not answer.", body = ErrorBody),
    )
)]
pub(crate) async fn create(
    State(app): State<App>,
    ApiJson(new): ApiJson<NewWorkspace>,
) -> ApiResult<(StatusCode, Extension<Told>, Json<Workspace>)> {
    let workspace = app.engine.create_workspace(new.into()).await?;
    let told = Told(format!("workspace={}", workspace.id));
    Ok((StatusCode::CREATED, Extension(told), Json(Workspace::of_engine(&app.engine, workspace))))
}

/// One workspace.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}",
    tag = "workspaces",
    operation_id = "workspaces.get",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses((status = 200, body = Workspace), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<Json<Workspace>> {
    let workspace = app.engine.workspace(&workspace_id(workspace)).await?;
    Ok(Json(Workspace::of_engine(&app.engine, workspace)))
}

/// Changes how long a workspace's history is kept: runs, the bodies of events, recordings, messages and conflicts that ended.
#[utoipa::path(
    put,
    path = "/api/v1/workspaces/{workspace}/settings",
    tag = "workspaces",
    operation_id = "workspaces.set",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    request_body = WorkspaceSettings,
    responses(
        (status = 200, body = Workspace),
        (status = 400, description = "The number of days is not allowed.", body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn set(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
    ApiJson(settings): ApiJson<WorkspaceSettings>,
) -> ApiResult<Json<Workspace>> {
    let workspace = app.engine.set_retention(&workspace_id(workspace), settings.retention_days).await?;
    Ok(Json(Workspace::of_engine(&app.engine, workspace)))
}

/// Sets what none of a workspace's connectors may do, whatever its admins grant. It counts from the next run on.
#[utoipa::path(
    put,
    path = "/api/v1/policies/{policy}",
    tag = "workspaces",
    operation_id = "workspaces.policy",
    params(("policy" = String, Path, description = "The id of the workspace whose policy it is.")),
    request_body = WorkspacePolicy,
    responses(
        (status = 200, body = Workspace),
        (status = 400, description = "A pattern cannot mean what it says.", body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn set_policy(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
    ApiJson(policy): ApiJson<WorkspacePolicy>,
) -> ApiResult<Json<Workspace>> {
    let workspace = app.engine.set_policy(&workspace_id(workspace), policy.into()).await?;
    Ok(Json(Workspace::of_engine(&app.engine, workspace)))
}

/// Takes another private integration token for a workspace. HighLevel is asked first: a token that does not open the same location
/// is refused, and the old one stays. Connections that the old one had stopped go on.
#[utoipa::path(
    put,
    path = "/api/v1/workspaces/{workspace}/token",
    tag = "workspaces",
    operation_id = "workspaces.token",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    request_body = WorkspaceToken,
    responses(
        (status = 200, body = Workspace),
        (status = 404, body = ErrorBody),
        (status = 502, description = "HighLevel refused the token or did not answer.", body = ErrorBody),
    )
)]
pub(crate) async fn set_token(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
    ApiJson(new): ApiJson<WorkspaceToken>,
) -> ApiResult<Json<Workspace>> {
    let token = new.token.into_inner();
    let workspace = app.engine.set_workspace_token(&workspace_id(workspace), &token).await?;
    Ok(Json(Workspace::of_engine(&app.engine, workspace)))
}
