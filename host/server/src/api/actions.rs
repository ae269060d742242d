//! Actions by name.

use axum::Json;
use axum::extract::State;

use super::workspace_id;
use crate::app::App;
use crate::dto::{ActionReport, ActionRequest, ErrorBody};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath};

/// Runs an action of the catalogue in a workspace. It leaves a run behind.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/actions/{action}",
    tag = "catalogue",
    operation_id = "actions.run",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("action" = String, Path, description = "The action, for example `highlevel.contacts.create`."),
    ),
    request_body = ActionRequest,
    responses(
        (status = 200, body = ActionReport),
        (status = 400, description = "The input does not fit the action's schema; every problem is named.", body = ErrorBody),
        (status = 404, description = "No such workspace, connection or action.", body = ErrorBody),
        (status = 502, description = "The other system did not do it.", body = ErrorBody),
        (status = 503, description = "Too many calls of connectors are under way; nothing was run.", body = ErrorBody),
    )
)]
pub(crate) async fn run(
    State(app): State<App>,
    ApiPath((workspace, action)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<ActionRequest>,
) -> ApiResult<Json<ActionReport>> {
    let input = if request.input.is_null() { serde_json::json!({}) } else { request.input };
    let report = app.engine.run_named(&workspace_id(workspace), &action, input, request.preview).await?;
    Ok(Json(report.into()))
}
