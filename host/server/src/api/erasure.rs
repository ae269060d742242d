//! Forgetting one person.

use axum::Json;
use axum::extract::State;

use super::workspace_id;
use crate::app::App;
use crate::dto::{EraseRequest, Erasure, ErrorBody};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath};

/// Forgets one person: every record, run, webhook and message of the person, and the words that name the person elsewhere. It cannot
/// be undone. HighLevel and the partners keep what they have.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/erase",
    tag = "workspaces",
    operation_id = "workspaces.erase",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    request_body = EraseRequest,
    responses(
        (status = 200, body = Erasure),
        (status = 400, description = "`who` names nobody.", body = ErrorBody),
        (status = 409, description = "`who` stands for several contacts; their ids are named.", body = ErrorBody),
        (status = 404, description = "No such workspace, or nothing is known of the person.", body = ErrorBody),
    )
)]
pub(crate) async fn erase(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
    ApiJson(request): ApiJson<EraseRequest>,
) -> ApiResult<Json<Erasure>> {
    let EraseRequest { who, all, preview } = request;
    let erased = app.engine.erase(&workspace_id(workspace), &who, all, preview).await?;
    Ok(Json(erased.into()))
}
