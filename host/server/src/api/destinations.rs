//! Where messages of a workspace can go.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use super::workspace_id;
use crate::app::App;
use crate::dto::{Destination, ErrorBody, PutDestination};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath};

/// The destinations of a workspace, by name.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/destinations",
    tag = "destinations",
    operation_id = "destinations.list",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses((status = 200, body = Vec<Destination>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<Json<Vec<Destination>>> {
    let destinations = app.engine.destinations(&workspace_id(workspace)).await?;
    Ok(Json(destinations.into_iter().map(Into::into).collect()))
}

/// Makes a destination, or replaces it. One that was stopped works again, and what waited for it is sent.
#[utoipa::path(
    put,
    path = "/api/v1/workspaces/{workspace}/destinations/{name}",
    tag = "destinations",
    operation_id = "destinations.put",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("name" = String, Path, description = "The destination's name."),
    ),
    request_body = PutDestination,
    responses(
        (status = 200, body = Destination),
        (status = 400, description = "The address or the secret does not fit the kind.", body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn put(
    State(app): State<App>,
    ApiPath((workspace, name)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<PutDestination>,
) -> ApiResult<Json<Destination>> {
    Ok(Json(app.engine.put_destination(request.at(workspace, name)).await?.into()))
}

/// Removes a destination and the messages that wait for it.
#[utoipa::path(
    delete,
    path = "/api/v1/workspaces/{workspace}/destinations/{name}",
    tag = "destinations",
    operation_id = "destinations.remove",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("name" = String, Path, description = "The destination's name."),
    ),
    responses((status = 204, description = "It is gone."), (status = 404, body = ErrorBody))
)]
pub(crate) async fn remove(
    State(app): State<App>,
    ApiPath((workspace, name)): ApiPath<(String, String)>,
) -> ApiResult<StatusCode> {
    app.engine.remove_destination(&workspace_id(workspace), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a test message at once.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/destinations/{name}/test",
    tag = "destinations",
    operation_id = "destinations.test",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("name" = String, Path, description = "The destination's name."),
    ),
    responses(
        (status = 204, description = "It was delivered."),
        (status = 404, body = ErrorBody),
        (status = 502, description = "It was not delivered; the message says why.", body = ErrorBody),
    )
)]
pub(crate) async fn test(
    State(app): State<App>,
    ApiPath((workspace, name)): ApiPath<(String, String)>,
) -> ApiResult<StatusCode> {
    app.engine.test_destination(&workspace_id(workspace), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
