//! What is wrong in a workspace, and who is told.

use axum::Json;
use axum::extract::State;

use super::workspace_id;
use crate::app::App;
use crate::dto::{AlertRules, Alerts, ErrorBody};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath};

/// The alerts of a workspace, open ones and those that ended within the retention, and where they go.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/alerts",
    tag = "alerts",
    operation_id = "alerts.list",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses((status = 200, body = Alerts), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<Json<Alerts>> {
    Ok(Json(app.engine.alerts(&workspace_id(workspace)).await?.into()))
}

/// Sets where the alerts of a workspace go, and from which threshold on. What is left out has its default.
#[utoipa::path(
    put,
    path = "/api/v1/workspaces/{workspace}/alerts/rules",
    tag = "alerts",
    operation_id = "alerts.set-rules",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    request_body = AlertRules,
    responses(
        (status = 200, body = AlertRules),
        (status = 400, description = "A threshold is out of its range.", body = ErrorBody),
        (status = 404, description = "No such workspace or destination.", body = ErrorBody),
    )
)]
pub(crate) async fn set_rules(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
    ApiJson(rules): ApiJson<AlertRules>,
) -> ApiResult<Json<AlertRules>> {
    Ok(Json(app.engine.set_alert_rules(&workspace_id(workspace), rules.into()).await?.into()))
}
