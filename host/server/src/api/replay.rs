//! Runs that are run again, offline.

use axum::Json;
use axum::extract::State;
use contactor_store::RunId;

use crate::app::App;
use crate::dto::{ErrorBody, RecordingSummary, ReplayReport};
use crate::error::ApiResult;
use crate::extract::{ApiPath, Component};

/// What is recorded of a run. Runs nothing.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{run}/recording",
    tag = "history",
    operation_id = "runs.recording",
    params(("run" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, body = RecordingSummary),
        (status = 404, body = ErrorBody),
        (status = 409, description = "It was not recorded; the message says why.", body = ErrorBody),
    )
)]
pub(crate) async fn recording(
    State(app): State<App>,
    ApiPath(run): ApiPath<String>,
) -> ApiResult<Json<RecordingSummary>> {
    Ok(Json(app.engine.recording(&RunId::new(run)).await?.into()))
}

/// Runs a recorded run again and says where it parts from what was recorded. Nothing is called and nothing is written: what the
/// connector asks for is answered from the recording.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{run}/replay",
    tag = "history",
    operation_id = "runs.replay",
    params(("run" = String, Path, description = "The run's id.")),
    request_body(
        content = Vec<u8>,
        content_type = "application/wasm",
        description = "Another build of the same connector; empty for the component that ran."
    ),
    responses(
        (status = 200, body = ReplayReport),
        (status = 400, description = "The component is of another connector.", body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "It was not recorded; the message says why.", body = ErrorBody),
        (status = 422, description = "The host refuses the component; the message says why.", body = ErrorBody),
    )
)]
pub(crate) async fn replay(
    State(app): State<App>,
    ApiPath(run): ApiPath<String>,
    Component(bytes): Component,
) -> ApiResult<Json<ReplayReport>> {
    let component = (!bytes.is_empty()).then(|| bytes.to_vec());
    Ok(Json(app.engine.replay(&RunId::new(run), component).await?.into()))
}
