//! Synchronisation on request.

use axum::Json;
use axum::extract::State;
use contactor_store::RecordId;
use http::StatusCode;

use super::connection_id;
use crate::app::App;
use crate::dto::{ErrorBody, FirstSync, PreviewReport, PreviewRequest, RecordRef, SyncProgress, SyncRequest};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath};

/// Records that a preview looks at unless the client says otherwise, and at most: each costs a read at both vendors.
const PREVIEW: u32 = 25;
const LARGEST_PREVIEW: u32 = 500;

/// How far a connection's synchronisation is.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/sync",
    tag = "sync",
    operation_id = "sync.progress",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses((status = 200, body = SyncProgress), (status = 404, body = ErrorBody))
)]
pub(crate) async fn progress(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<Json<SyncProgress>> {
    Ok(Json(app.engine.sync_progress(&connection_id(&workspace, &connector)).await?.into()))
}

/// Starts a walk through all contacts, or lets one that is under way go on. It runs in the background.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/sync",
    tag = "sync",
    operation_id = "sync.start",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = SyncRequest,
    responses((status = 202, body = SyncProgress), (status = 404, body = ErrorBody))
)]
pub(crate) async fn start(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<SyncRequest>,
) -> ApiResult<(StatusCode, Json<SyncProgress>)> {
    let progress = app.engine.start_sync(&connection_id(&workspace, &connector), request.full).await?;
    Ok((StatusCode::ACCEPTED, Json(progress.into())))
}

/// What a synchronisation of the whole location would cost: requests, their share of the day, and minutes. Asks HighLevel how many
/// contacts there are, and begins nothing.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/sync/estimate",
    tag = "sync",
    operation_id = "sync.estimate",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses(
        (status = 200, body = FirstSync),
        (status = 404, body = ErrorBody),
        (status = 502, description = "HighLevel did not answer.", body = ErrorBody),
    )
)]
pub(crate) async fn estimate(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<Json<FirstSync>> {
    Ok(Json(app.engine.sync_estimate(&connection_id(&workspace, &connector)).await?.into()))
}

/// What a synchronisation would do with the next records. Nothing is written anywhere.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/preview",
    tag = "sync",
    operation_id = "sync.preview",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = PreviewRequest,
    responses(
        (status = 200, body = PreviewReport),
        (status = 404, body = ErrorBody),
        (status = 502, description = "A vendor did not answer.", body = ErrorBody),
    )
)]
pub(crate) async fn preview(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<PreviewRequest>,
) -> ApiResult<Json<PreviewReport>> {
    let connection = connection_id(&workspace, &connector);
    if let Some(record) = request.record {
        return Ok(Json(app.engine.preview_one(&record.of(connection)).await?.into()));
    }
    let limit = request.limit.unwrap_or(PREVIEW).clamp(1, LARGEST_PREVIEW);
    Ok(Json(app.engine.preview(&connection, limit).await?.into()))
}

/// Synchronises one record before everything else.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/records",
    tag = "sync",
    operation_id = "sync.record",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = RecordRef,
    responses(
        (status = 202, description = "The record is next; `runs` shows what became of it."),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn record(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(record): ApiJson<RecordRef>,
) -> ApiResult<StatusCode> {
    let connection = connection_id(&workspace, &connector);
    let id = RecordId::new(record.record);
    app.engine.sync_record(&connection, &record.entity, record.side.into(), &id).await?;
    Ok(StatusCode::ACCEPTED)
}
