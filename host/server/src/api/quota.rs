//! How the quotas of a workspace stand.

use axum::Json;
use axum::extract::State;

use super::workspace_id;
use crate::app::App;
use crate::dto::{ErrorBody, Quota};
use crate::error::ApiResult;
use crate::extract::ApiPath;

/// What is left of the quotas, who used them, and how far they go.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/quota",
    tag = "workspaces",
    operation_id = "quota.get",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses((status = 200, body = Quota), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<Json<Quota>> {
    Ok(Json(app.engine.quota(&workspace_id(workspace)).await?.into()))
}
