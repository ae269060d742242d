//! The audit log.

use axum::Json;
use axum::extract::State;
use contactor_engine::EngineError;
use contactor_store::{AuditFilter, AuditHash, Role};

use super::{page, workspace_id};
use crate::app::App;
use crate::dto::{AuditEntry, AuditQuery, AuditReport, AuditVerifyQuery, ErrorBody};
use crate::error::{ApiError, ApiResult};
use crate::extract::ApiQuery;
use crate::gate::Asks;

/// Changes that were asked for, newest first. An admin of workspaces sees theirs, a platform admin all.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "audit",
    operation_id = "audit.list",
    params(AuditQuery),
    responses((status = 200, body = Vec<AuditEntry>), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiQuery(query): ApiQuery<AuditQuery>,
) -> ApiResult<Json<Vec<AuditEntry>>> {
    let own = caller.rights.workspaces(Role::WorkspaceAdmin);
    let workspaces = match (query.workspace.map(workspace_id), own) {
        (None, own) => own,
        (Some(one), Some(own)) if !own.contains(&one) => {
            return Err(EngineError::no_workspace(&one).into());
        }
        // A workspace that was refused because it does not exist stands in the log as well.
        (Some(one), _) => Some(vec![one]),
    };
    let filter = AuditFilter {
        workspaces,
        actor: query.actor,
        since: query.since,
        before: query.before,
        limit: page(query.limit),
    };
    Ok(Json(app.engine.audit(filter).await?.into_iter().map(Into::into).collect()))
}

/// Follows the chain of the whole log, and looks for a head that was noted earlier.
#[utoipa::path(
    get,
    path = "/api/v1/audit/verify",
    tag = "audit",
    operation_id = "audit.verify",
    params(AuditVerifyQuery),
    responses(
        (status = 200, body = AuditReport, description = "What was found; `sound` tells."),
        (status = 400, description = "The head is no hash.", body = ErrorBody),
        (status = 403, body = ErrorBody),
    )
)]
pub(crate) async fn verify(
    State(app): State<App>,
    ApiQuery(query): ApiQuery<AuditVerifyQuery>,
) -> ApiResult<Json<AuditReport>> {
    let noted = match query.head.as_deref().map(AuditHash::parse) {
        Some(None) => return Err(ApiError::invalid("`head` has to be the 64 hex digits of a hash")),
        given => given.flatten(),
    };
    Ok(Json(AuditReport::of(app.engine.verify_audit(noted).await?, noted)))
}
