//! Making something happen, to see what becomes of it.

use axum::Json;
use axum::extract::State;
use contactor_engine::Ingested;
use http::StatusCode;

use super::{connection_id, workspace_id};
use crate::app::App;
use crate::dto::{ErrorBody, SampleAnswer};
use crate::error::ApiResult;
use crate::extract::ApiPath;

/// Polls every stream of a connection as soon as possible.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/poll",
    tag = "sync",
    operation_id = "sync.poll",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses(
        (status = 202, description = "The streams are due; `runs` shows what they found."),
        (status = 400, description = "The connector declares no stream.", body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn poll(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<StatusCode> {
    app.engine.poll_now(&connection_id(&workspace, &connector)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Reads all tasks of the workspace's location as soon as possible, for edits: HighLevel sends no webhook about one.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/tasks/poll",
    tag = "sync",
    operation_id = "tasks.poll",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses(
        (status = 202, description = "The walk is due, if a connection keeps tasks or acts on their edits."),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn poll_tasks(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<StatusCode> {
    app.engine.look_at_tasks(&workspace_id(workspace)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Receives the sample of a partner's webhook, signed as the manifest says. Only for a partner on this machine, such as the sandbox.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/samples/{trigger}",
    tag = "catalogue",
    operation_id = "samples.receive",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
        ("trigger" = String, Path, description = "The trigger's name in the manifest."),
    ),
    responses(
        (status = 200, body = SampleAnswer),
        (status = 400, description = "There is no sample, or it was refused.", body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The partner is not on this machine.", body = ErrorBody),
    )
)]
pub(crate) async fn sample(
    State(app): State<App>,
    ApiPath((workspace, connector, trigger)): ApiPath<(String, String, String)>,
) -> ApiResult<Json<SampleAnswer>> {
    let connection = connection_id(&workspace, &connector);
    let received = app.engine.receive_sample(&connection, &trigger).await?;
    Ok(Json(SampleAnswer { new: received != Ingested::Duplicate }))
}
