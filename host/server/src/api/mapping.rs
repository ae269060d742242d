//! Mapping rows without a file, and trials of them.

use axum::Json;
use axum::extract::State;

use super::connection_id;
use crate::app::App;
use crate::dto::{
    DraftReport, ErrorBody, MappingDraft, MappingRow, MappingRowQuery, MappingTrial, SetMappingPolicy,
    SetMappingRow, TrialReport,
};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath, ApiQuery};

/// Records that a draft is tried on unless the client says otherwise, and at most: each costs reads at both vendors.
const RECORDS: u32 = 20;
const MOST_RECORDS: u32 = 200;

/// The rows that count, and those that the admin has switched off.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/mapping",
    tag = "mapping",
    operation_id = "mapping.list",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses((status = 200, body = Vec<MappingRow>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<Json<Vec<MappingRow>>> {
    let rows = app.engine.mapping(&connection_id(&workspace, &connector)).await?;
    Ok(Json(rows.into_iter().map(Into::into).collect()))
}

/// Writes a row of the admin's, in place of the one that joins the same two fields. Answers all rows.
#[utoipa::path(
    put,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/mapping",
    tag = "mapping",
    operation_id = "mapping.set",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = SetMappingRow,
    responses(
        (status = 200, body = Vec<MappingRow>),
        (status = 400, description = "A field does not exist (those that do are named), or the row cannot work.", body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn set(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<SetMappingRow>,
) -> ApiResult<Json<Vec<MappingRow>>> {
    let id = connection_id(&workspace, &connector);
    let rows = app.engine.set_mapping_row(&id, &request.entity, request.row).await?;
    Ok(Json(rows.into_iter().map(Into::into).collect()))
}

/// Chooses who wins when both sides changed a field, and leaves the rest of its row as it is. Answers all rows.
#[utoipa::path(
    put,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/mapping/policy",
    tag = "mapping",
    operation_id = "mapping.policy",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = SetMappingPolicy,
    responses(
        (status = 200, body = Vec<MappingRow>),
        (status = 400, description = "The policy does not fit the field.", body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn policy(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<SetMappingPolicy>,
) -> ApiResult<Json<Vec<MappingRow>>> {
    let id = connection_id(&workspace, &connector);
    let SetMappingPolicy { entity, highlevel, partner, policy } = request;
    let rows = app.engine.set_mapping_policy(&id, &entity, (&highlevel, &partner), policy.into()).await?;
    Ok(Json(rows.into_iter().map(Into::into).collect()))
}

/// Takes a row of the admin's away; the connector's own counts again. Answers all rows.
#[utoipa::path(
    delete,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/mapping",
    tag = "mapping",
    operation_id = "mapping.unset",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
        MappingRowQuery,
    ),
    responses((status = 200, body = Vec<MappingRow>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn unset(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiQuery(row): ApiQuery<MappingRowQuery>,
) -> ApiResult<Json<Vec<MappingRow>>> {
    let id = connection_id(&workspace, &connector);
    let rows = app.engine.unset_mapping_row(&id, &row.entity, &row.highlevel, &row.partner).await?;
    Ok(Json(rows.into_iter().map(Into::into).collect()))
}

/// Tries the mapping, or a draft of it, on sample values. Nothing is written anywhere.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/mapping/test",
    tag = "mapping",
    operation_id = "mapping.test",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = MappingTrial,
    responses(
        (status = 200, body = TrialReport),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 502, description = "A vendor did not answer.", body = ErrorBody),
    )
)]
pub(crate) async fn test(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(trial): ApiJson<MappingTrial>,
) -> ApiResult<Json<TrialReport>> {
    let id = connection_id(&workspace, &connector);
    Ok(Json(app.engine.try_mapping(&id, trial.into()).await?.into()))
}

/// What a draft would do with the records of the last events, beside what the mapping in force would do. Nothing is written anywhere.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/mapping/preview",
    tag = "mapping",
    operation_id = "mapping.preview",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = MappingDraft,
    responses(
        (status = 200, body = DraftReport),
        (status = 400, description = "The draft does not compile.", body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn preview(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(draft): ApiJson<MappingDraft>,
) -> ApiResult<Json<DraftReport>> {
    let id = connection_id(&workspace, &connector);
    let records = draft.records.unwrap_or(RECORDS).clamp(1, MOST_RECORDS);
    Ok(Json(app.engine.preview_mapping(&id, draft.mapping, records).await?.into()))
}
