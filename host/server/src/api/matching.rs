//! The match report of a connection's first synchronisation.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use super::{LARGEST_PAGE, connection_id};
use crate::app::App;
use crate::dto::{ApproveMatch, ErrorBody, MatchQuery, MatchReport, StartMatch};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath, ApiQuery};

/// Records of each bucket that are shown unless the client says otherwise.
const EXAMPLES: u32 = 3;

/// How the match report stands: progress, each bucket, what it would cost, and some of its records.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/match",
    tag = "match",
    operation_id = "match.show",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
        MatchQuery,
    ),
    responses(
        (status = 200, body = MatchReport),
        (status = 404, description = "No such connection, or it has no report.", body = ErrorBody),
    )
)]
pub(crate) async fn show(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<MatchQuery>,
) -> ApiResult<Json<MatchReport>> {
    let limit = query.limit.unwrap_or(EXAMPLES).min(LARGEST_PAGE);
    let bucket = query.bucket.map(Into::into);
    let id = connection_id(&workspace, &connector);
    Ok(Json(app.engine.match_report(&id, bucket, query.skip.unwrap_or(0), limit).await?.into()))
}

/// Begins a match report, or goes on with the one under way. It runs in the background and writes nothing. From now on, records that
/// are not linked wait until their bucket is approved.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/match",
    tag = "match",
    operation_id = "match.start",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = StartMatch,
    responses(
        (status = 202, body = MatchReport),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The connection is not enabled.", body = ErrorBody),
    )
)]
pub(crate) async fn start(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<StartMatch>,
) -> ApiResult<(StatusCode, Json<MatchReport>)> {
    let report = app.engine.start_match(&connection_id(&workspace, &connector), request.anew).await?;
    Ok((StatusCode::ACCEPTED, Json(report.into())))
}

/// Approves buckets of the report: their records are synchronised in the background, those that were listed first. A record whose
/// bucket has changed by then waits.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/match/approve",
    tag = "match",
    operation_id = "match.approve",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = ApproveMatch,
    responses(
        (status = 202, body = MatchReport),
        (status = 400, description = "No bucket was named.", body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The report was made with another component, other settings or another mapping.", body = ErrorBody),
    )
)]
pub(crate) async fn approve(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<ApproveMatch>,
) -> ApiResult<(StatusCode, Json<MatchReport>)> {
    let id = connection_id(&workspace, &connector);
    let report = app.engine.approve_match(&id, request.buckets()).await?;
    Ok((StatusCode::ACCEPTED, Json(report.into())))
}
