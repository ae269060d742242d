//! The catalogue.

use axum::Json;
use axum::extract::State;

use super::workspace_id;
use crate::app::App;
use crate::dto::{CatalogueEntry, CatalogueQuery, ErrorBody};
use crate::error::ApiResult;
use crate::extract::ApiQuery;

/// Every trigger and action: HighLevel's, the host's, and those of connectors.
#[utoipa::path(
    get,
    path = "/api/v1/catalogue",
    tag = "catalogue",
    operation_id = "catalogue.list",
    params(CatalogueQuery),
    responses((status = 200, body = Vec<CatalogueEntry>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    ApiQuery(query): ApiQuery<CatalogueQuery>,
) -> ApiResult<Json<Vec<CatalogueEntry>>> {
    let workspace = query.workspace.map(workspace_id);
    let entries = app.engine.catalogue(workspace.as_ref()).await?;
    Ok(Json(entries.into_iter().map(Into::into).collect()))
}
