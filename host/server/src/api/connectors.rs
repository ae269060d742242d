//! Installed components.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;

use crate::app::App;
use crate::dto::{Connector, ErrorBody, InspectReport};
use crate::error::ApiResult;
use crate::extract::Component;
use crate::gate::{Asks, Told};

/// All installed components, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/connectors",
    tag = "connectors",
    operation_id = "connectors.list",
    responses((status = 200, body = Vec<Connector>))
)]
pub(crate) async fn list(State(app): State<App>) -> ApiResult<Json<Vec<Connector>>> {
    let connectors = app.engine.connectors().await?;
    Ok(Json(connectors.into_iter().map(Into::into).collect()))
}

/// Installs a component. Installing the same bytes again changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/connectors",
    tag = "connectors",
    operation_id = "connectors.install",
    request_body(content = Vec<u8>, content_type = "application/wasm", description = "The component."),
    responses(
        (status = 201, body = Connector),
        (status = 413, description = "The component is too large.", body = ErrorBody),
        (status = 422, description = "The host refuses the component; the message says why.", body = ErrorBody),
    )
)]
pub(crate) async fn install(
    State(app): State<App>,
    Asks(caller): Asks,
    Component(bytes): Component,
) -> ApiResult<(StatusCode, Extension<Told>, Json<Connector>)> {
    let connector: Connector = app.engine.install_connector_for(&caller, bytes.into()).await?.into();
    let publisher = connector.publisher.as_deref().unwrap_or("(nobody)");
    let told = Told(format!(
        "connector={} version={} digest={} publisher={publisher}",
        connector.id, connector.version, connector.digest
    ));
    Ok((StatusCode::CREATED, Extension(told), Json(connector)))
}

/// Reads what a component says about itself, without installing, compiling or running it.
#[utoipa::path(
    post,
    path = "/api/v1/connectors/inspect",
    tag = "connectors",
    operation_id = "connectors.inspect",
    request_body(content = Vec<u8>, content_type = "application/wasm", description = "The component."),
    responses(
        (status = 200, body = InspectReport),
        (status = 422, description = "These bytes are no connector.", body = ErrorBody),
    )
)]
pub(crate) async fn inspect(
    State(app): State<App>,
    Component(bytes): Component,
) -> ApiResult<Json<InspectReport>> {
    Ok(Json(app.engine.inspect(bytes.into()).await?.into()))
}
