//! Deleted records: what is waited for, what people decide, and the policies.

use axum::Json;
use axum::extract::State;
use contactor_engine::{Caller, DeletionDecision};
use contactor_store::DeletionFilter;

use super::{by, connection_id, page, workspace_id};
use crate::app::App;
use crate::dto::{
    DecideDeletion, DecideDeletions, DeletePolicies, DeletePolicyQuery, Deletion, DeletionPreview,
    DeletionQuery, ErrorBody, PreviewDeletion, SetDeletePolicies,
};
use crate::error::{ApiError, ApiResult};
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::gate::Asks;

/// Records that one side lost: in quarantine, waiting for a person, and done; those that ended only when asked for.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/deletes",
    tag = "deletes",
    operation_id = "deletes.list",
    params(("workspace" = String, Path, description = "The workspace's id."), DeletionQuery),
    responses((status = 200, body = Vec<Deletion>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
    ApiQuery(query): ApiQuery<DeletionQuery>,
) -> ApiResult<Json<Vec<Deletion>>> {
    let filter = DeletionFilter {
        connection: query.connector.map(|connector| connection_id(&workspace, &connector)),
        workspace: workspace_id(workspace),
        state: None,
        ended: query.ended,
        limit: page(query.limit),
    };
    Ok(Json(app.engine.deletions(filter).await?.into_iter().map(Into::into).collect()))
}

/// One of them.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/deletes/{deletion}",
    tag = "deletes",
    operation_id = "deletes.get",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("deletion" = i64, Path, description = "The deletion's number."),
    ),
    responses((status = 200, body = Deletion), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(
    State(app): State<App>,
    ApiPath((workspace, deletion)): ApiPath<(String, String)>,
) -> ApiResult<Json<Deletion>> {
    let number = number(&deletion)?;
    Ok(Json(app.engine.deletion(&workspace_id(workspace), number).await?.into()))
}

/// Decides about one: `confirm` deletes the other record as well, `keep` leaves it, `undo` takes back what was done. The next run
/// of the record, which is the next of all, carries it out.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/deletes/{deletion}/{decision}",
    tag = "deletes",
    operation_id = "deletes.decide",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("deletion" = i64, Path, description = "The deletion's number."),
        ("decision" = String, Path, description = "`confirm`, `keep` or `undo`."),
    ),
    request_body = DecideDeletion,
    responses(
        (status = 200, body = Deletion),
        (status = 404, body = ErrorBody),
        (status = 409, description = "It cannot be decided so, with the reason; nothing was stored.", body = ErrorBody),
    )
)]
pub(crate) async fn decide(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiPath((workspace, deletion, decision)): ApiPath<(String, String, String)>,
    ApiJson(request): ApiJson<DecideDeletion>,
) -> ApiResult<Json<Deletion>> {
    let (number, decision) = (number(&deletion)?, decision_of(&decision)?);
    let workspace = workspace_id(workspace);
    Ok(Json(app.engine.decide_deletion(&workspace, number, decision, &by(&caller, request.by)).await?.into()))
}

/// Confirms deletions of a workspace that wait for it, of all its connections: all, if they are as many as was expected, or those named.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/deletes/confirm",
    tag = "deletes",
    operation_id = "deletes.confirm-all",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    request_body = DecideDeletions,
    responses(
        (status = 200, body = Vec<Deletion>),
        (status = 400, description = "Neither `expect` nor `ids` says which; nothing was decided.", body = ErrorBody),
        (status = 404, body = ErrorBody),
        (
            status = 409,
            description = "Others wait than was expected, with the present count; nothing was decided.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn confirm_all(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiPath(workspace): ApiPath<String>,
    ApiJson(request): ApiJson<DecideDeletions>,
) -> ApiResult<Json<Vec<Deletion>>> {
    all(&app, &caller, workspace, DeletionDecision::Confirm, request).await
}

/// Keeps the other record of deletions of a workspace that wait for a person: all, if they are as many as was expected, or those named.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/deletes/keep",
    tag = "deletes",
    operation_id = "deletes.keep-all",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    request_body = DecideDeletions,
    responses(
        (status = 200, body = Vec<Deletion>),
        (status = 400, description = "Neither `expect` nor `ids` says which; nothing was decided.", body = ErrorBody),
        (status = 404, body = ErrorBody),
        (
            status = 409,
            description = "Others wait than was expected, with the present count; nothing was decided.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn keep_all(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiPath(workspace): ApiPath<String>,
    ApiJson(request): ApiJson<DecideDeletions>,
) -> ApiResult<Json<Vec<Deletion>>> {
    all(&app, &caller, workspace, DeletionDecision::Keep, request).await
}

async fn all(
    app: &App,
    caller: &Caller,
    workspace: String,
    decision: DeletionDecision,
    request: DecideDeletions,
) -> ApiResult<Json<Vec<Deletion>>> {
    let workspace = workspace_id(workspace);
    let Some(meant) = request.meant() else {
        return Err(ApiError::invalid(
            "either `expect` has to say how many waiting deletions you saw, or `ids` which; `contactor deletes list` shows them",
        ));
    };
    let decided = app.engine.decide_deletions(&workspace, meant, decision, &by(caller, request.by)).await?;
    Ok(Json(decided.into_iter().map(Into::into).collect()))
}

/// What is done to one record when the other one is gone.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/deletes/policy",
    tag = "deletes",
    operation_id = "deletes.policy",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
        DeletePolicyQuery,
    ),
    responses(
        (status = 200, body = DeletePolicies),
        (status = 400, description = "The entity has no policy.", body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn policy(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<DeletePolicyQuery>,
) -> ApiResult<Json<DeletePolicies>> {
    let entity = query.entity.unwrap_or_else(contact);
    let policies = app.engine.delete_policies(&connection_id(&workspace, &connector), &entity).await?;
    Ok(Json(DeletePolicies::of(entity, policies)))
}

/// Sets what is done to one record when the other one is gone; refused with the reason where it is not possible.
#[utoipa::path(
    put,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/deletes/policy",
    tag = "deletes",
    operation_id = "deletes.set-policy",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = SetDeletePolicies,
    responses(
        (status = 200, body = DeletePolicies),
        (status = 400, description = "The policy is not possible; nothing was set.", body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn set_policy(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<SetDeletePolicies>,
) -> ApiResult<Json<DeletePolicies>> {
    let entity = request.entity.clone().unwrap_or_else(contact);
    let id = connection_id(&workspace, &connector);
    let policies = app.engine.set_delete_policies(&id, &entity, request.into()).await?;
    Ok(Json(DeletePolicies::of(entity, policies)))
}

/// Shows what would follow if a linked contact were deleted on one side. Reads both sides, writes and stores nothing.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/deletes/preview",
    tag = "deletes",
    operation_id = "deletes.preview",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = PreviewDeletion,
    responses((status = 200, body = DeletionPreview), (status = 404, body = ErrorBody))
)]
pub(crate) async fn preview(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<PreviewDeletion>,
) -> ApiResult<Json<DeletionPreview>> {
    let id = connection_id(&workspace, &connector);
    let record = contactor_store::RecordId::new(request.record);
    Ok(Json(app.engine.preview_deletion(&id, request.gone.into(), &record).await?.into()))
}

fn contact() -> String {
    "contact".to_owned()
}

fn decision_of(word: &str) -> ApiResult<DeletionDecision> {
    match word {
        "confirm" => Ok(DeletionDecision::Confirm),
        "keep" => Ok(DeletionDecision::Keep),
        "undo" => Ok(DeletionDecision::Undo),
        _ => Err(ApiError::invalid(format!("`{word}` is no decision: `confirm`, `keep` or `undo` is"))),
    }
}

fn number(text: &str) -> ApiResult<i64> {
    text.parse().map_err(|_| {
        ApiError::invalid(format!("`{text}` is no number of a deletion; `contactor deletes list` shows them"))
    })
}
