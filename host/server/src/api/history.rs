//! What happened, and what waits for a person.

use axum::Json;
use axum::extract::State;
use contactor_engine::{TimelinePage, WhyField};
use contactor_store::{EventFilter, EventSeq, RecordId, Role, RunFilter, RunId};

use super::{connection_id, page, workspace_id};
use crate::app::App;
use crate::dto::{
    ErrorBody, Event, EventDetail, EventQuery, FieldStory, Run, RunQuery, StoryQuery, Timeline, TimelineQuery,
};
use crate::error::{ApiError, ApiResult};
use crate::extract::{ApiPath, ApiQuery};
use crate::gate::Asks;

/// Runs, newest first, without their calls; of all workspaces that whoever asks may see unless one is named.
#[utoipa::path(
    get,
    path = "/api/v1/runs",
    tag = "history",
    operation_id = "runs.list",
    params(RunQuery),
    responses((status = 200, body = Vec<Run>), (status = 400, body = ErrorBody))
)]
pub(crate) async fn runs(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiQuery(query): ApiQuery<RunQuery>,
) -> ApiResult<Json<Vec<Run>>> {
    let connection = match (&query.workspace, query.connector) {
        (Some(workspace), Some(connector)) => Some(connection_id(workspace, &connector)),
        (None, Some(_)) => return Err(ApiError::invalid("`connector` needs `workspace` beside it")),
        (_, None) => None,
    };
    let filter = RunFilter {
        workspace: query.workspace.map(workspace_id),
        connection,
        record: query.record.map(RecordId::new),
        outcome: query.outcome.map(Into::into),
        before: query.before.map(RunId::new),
        limit: page(query.limit),
    };
    let own = match &filter.workspace {
        None => caller.rights.workspaces(Role::Viewer),
        Some(_) => None,
    };
    let Some(own) = own else {
        return Ok(Json(app.engine.runs(filter).await?.into_iter().map(Into::into).collect()));
    };
    let mut runs = Vec::new();
    for workspace in own {
        runs.extend(app.engine.runs(RunFilter { workspace: Some(workspace), ..filter.clone() }).await?);
    }
    // The ids sort by time.
    runs.sort_by(|one, other| other.id.cmp(&one.id));
    runs.truncate(filter.limit as usize);
    Ok(Json(runs.into_iter().map(Into::into).collect()))
}

/// One run with every call it made.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{run}",
    tag = "history",
    operation_id = "runs.get",
    params(("run" = String, Path, description = "The run's id.")),
    responses((status = 200, body = Run), (status = 404, body = ErrorBody))
)]
pub(crate) async fn run(State(app): State<App>, ApiPath(run): ApiPath<String>) -> ApiResult<Json<Run>> {
    Ok(Json(app.engine.run_detail(&RunId::new(run)).await?.into()))
}

/// What happened to one contact on both sides, in order: the newest 500 entries, or those before an instant.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/contacts/{contact}/timeline",
    tag = "history",
    operation_id = "timeline",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("contact" = String, Path, description = "HighLevel's id of the contact, or a partner's of its record."),
        TimelineQuery,
    ),
    responses((status = 200, body = Timeline), (status = 404, body = ErrorBody))
)]
pub(crate) async fn timeline(
    State(app): State<App>,
    ApiPath((workspace, contact)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<TimelineQuery>,
) -> ApiResult<Json<Timeline>> {
    let page = TimelinePage { before: query.before, limit: query.limit.unwrap_or(500).clamp(1, 500) };
    Ok(Json(app.engine.timeline(&workspace_id(workspace), &RecordId::new(contact), page).await?.into()))
}

/// Why a field of a contact has its value.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/contacts/{contact}/fields/{field}",
    tag = "history",
    operation_id = "timeline.field",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("contact" = String, Path, description = "HighLevel's id of the contact, or a partner's of its record."),
        ("field" = String, Path, description = "HighLevel's name of the field, or a partner's."),
        StoryQuery,
    ),
    responses((status = 200, body = FieldStory), (status = 404, body = ErrorBody))
)]
pub(crate) async fn why(
    State(app): State<App>,
    ApiPath((workspace, contact, field)): ApiPath<(String, String, String)>,
    ApiQuery(query): ApiQuery<StoryQuery>,
) -> ApiResult<Json<FieldStory>> {
    let ask = WhyField {
        record: RecordId::new(contact),
        field,
        connector: query.connector,
        limit: page(query.limit),
    };
    Ok(Json(app.engine.why(&workspace_id(workspace), ask).await?.into()))
}

/// Accepted webhooks, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/events",
    tag = "history",
    operation_id = "events.list",
    params(("workspace" = String, Path, description = "The workspace's id."), EventQuery),
    responses((status = 200, body = Vec<Event>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn events(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
    ApiQuery(query): ApiQuery<EventQuery>,
) -> ApiResult<Json<Vec<Event>>> {
    let filter = EventFilter {
        workspace: workspace_id(workspace),
        record: query.record.map(RecordId::new),
        kind: query.kind,
        state: query.state.map(Into::into),
        since: query.since,
        before: query.before.map(EventSeq),
        limit: page(query.limit),
    };
    Ok(Json(app.engine.events(filter).await?.into_iter().map(Into::into).collect()))
}

/// One accepted webhook with its headers and its body.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/events/{event}",
    tag = "history",
    operation_id = "events.get",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("event" = i64, Path, description = "The event's number."),
    ),
    responses((status = 200, body = EventDetail), (status = 404, body = ErrorBody))
)]
pub(crate) async fn event(
    State(app): State<App>,
    ApiPath((workspace, event)): ApiPath<(String, i64)>,
) -> ApiResult<Json<EventDetail>> {
    let (event, body) = app.engine.event(&workspace_id(workspace), EventSeq(event)).await?;
    let headers = event.headers.clone();
    Ok(Json(EventDetail { event: event.into(), headers, body }))
}
