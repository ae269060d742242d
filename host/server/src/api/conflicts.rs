//! Fields that both sides changed: what waits for a person, and what people decide.

use axum::Json;
use axum::extract::State;
use contactor_engine::Resolve;
use contactor_store::ConflictFilter;

use super::{by, connection_id, page, workspace_id};
use crate::app::App;
use crate::dto::{Conflict, ConflictQuery, ConflictReport, ErrorBody, ResolveAnswer, ResolveConflict};
use crate::error::{ApiError, ApiResult};
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::gate::Asks;

/// Conflicts that were met: those that wait for a person first, then those that wait for a run, then the newest.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/conflicts",
    tag = "conflicts",
    operation_id = "conflicts.list",
    params(("workspace" = String, Path, description = "The workspace's id."), ConflictQuery),
    responses((status = 200, body = Vec<Conflict>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
    ApiQuery(query): ApiQuery<ConflictQuery>,
) -> ApiResult<Json<Vec<Conflict>>> {
    let filter = ConflictFilter {
        connection: query.connector.map(|connector| connection_id(&workspace, &connector)),
        record: query.record.map(contactor_store::RecordId::new),
        workspace: workspace_id(workspace),
        open: query.open,
        limit: page(query.limit),
    };
    Ok(Json(app.engine.conflicts(filter).await?.into_iter().map(Into::into).collect()))
}

/// One conflict, explained: what both sides had, who decided and why, and what can be done.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/conflicts/{conflict}",
    tag = "conflicts",
    operation_id = "conflicts.get",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("conflict" = i64, Path, description = "The conflict's number."),
    ),
    responses((status = 200, body = ConflictReport), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(
    State(app): State<App>,
    ApiPath((workspace, conflict)): ApiPath<(String, String)>,
) -> ApiResult<Json<ConflictReport>> {
    let number = number(&conflict)?;
    Ok(Json(app.engine.conflict(&workspace_id(workspace), number).await?.into()))
}

/// Decides about a conflict. The next run of the record, which is the next of all, puts the value in place on both sides, unless the
/// field was changed since. A preview writes and stores nothing.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/conflicts/{conflict}/resolve",
    tag = "conflicts",
    operation_id = "conflicts.resolve",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("conflict" = i64, Path, description = "The conflict's number."),
    ),
    request_body = ResolveConflict,
    responses(
        (status = 200, body = ResolveAnswer),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "It cannot be decided so, with the reason; nothing was stored.", body = ErrorBody),
    )
)]
pub(crate) async fn resolve(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiPath((workspace, conflict)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<ResolveConflict>,
) -> ApiResult<Json<ResolveAnswer>> {
    let number = number(&conflict)?;
    let workspace = workspace_id(workspace);
    let how = Resolve { take: request.take.into(), by: by(&caller, request.by) };
    Ok(Json(if request.preview {
        app.engine.preview_resolution(&workspace, number, how).await?.into()
    } else {
        app.engine.resolve_conflict(&workspace, number, how).await?.into()
    }))
}

fn number(text: &str) -> ApiResult<i64> {
    text.parse().map_err(|_| {
        ApiError::invalid(format!(
            "`{text}` is no number of a conflict; `contactor conflicts list` shows them"
        ))
    })
}
