//! Whether the host does its work.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::dto::Health;

/// How the host is, with what waits and what needs a person. Always 200: `healthy` tells.
#[utoipa::path(
    get,
    path = "/api/v1/health",
    tag = "health",
    operation_id = "health",
    responses((status = 200, body = Health))
)]
pub(crate) async fn health(State(app): State<App>) -> Json<Health> {
    Json(app.engine.health().await.into())
}
