//! Consents and grants of HighLevel's marketplace.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use contactor_engine::{Caller, Connected, EngineError};
use contactor_store::{GrantId, WorkspaceId};
use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;

use super::workspace_id;
use crate::app::App;
use crate::dto::{Consent, ErrorBody, GrantState, HighLevelGrant, Installation, NewConsent, RenewGrant};
use crate::error::{ApiError, ApiResult};
use crate::extract::{ApiJson, ApiPath};
use crate::gate::Asks;

/// Where HighLevel sends the browser back. Open to everybody: it does nothing without a state that was given out.
pub(crate) const CALLBACK: &str = "/oauth/highlevel/callback";

/// Begins a consent for a workspace's location: the answer is the page to which the person who may grant access is sent, for one time.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/consents",
    tag = "oauth",
    operation_id = "oauth.consent",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    request_body = NewConsent,
    responses(
        (status = 201, body = Consent),
        (status = 400, description = "This host is no app of HighLevel's marketplace.", body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn consent(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiPath(workspace): ApiPath<String>,
    ApiJson(NewConsent { white_label }): ApiJson<NewConsent>,
) -> ApiResult<(StatusCode, Json<Consent>)> {
    begin(&app, caller, Some(workspace_id(workspace)), white_label).await
}

/// Begins a consent for an agency with all locations in which it has installed the app.
#[utoipa::path(
    post,
    path = "/api/v1/oauth/consents",
    tag = "oauth",
    operation_id = "oauth.consent-of-agency",
    request_body = NewConsent,
    responses(
        (status = 201, body = Consent),
        (status = 400, description = "This host is no app of HighLevel's marketplace.", body = ErrorBody),
    )
)]
pub(crate) async fn consent_of_agency(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiJson(NewConsent { white_label }): ApiJson<NewConsent>,
) -> ApiResult<(StatusCode, Json<Consent>)> {
    begin(&app, caller, None, white_label).await
}

async fn begin(
    app: &App,
    caller: Caller,
    workspace: Option<WorkspaceId>,
    white_label: bool,
) -> ApiResult<(StatusCode, Json<Consent>)> {
    let page = app
        .engine
        .begin_consent(contactor_engine::NewConsent { workspace, by: caller.actor, white_label })
        .await?;
    Ok((StatusCode::CREATED, Json(Consent { url: page.url, expires_at: page.expires_at })))
}

/// All grants, without their tokens.
#[utoipa::path(
    get,
    path = "/api/v1/oauth/grants",
    tag = "oauth",
    operation_id = "oauth.grants",
    responses((status = 200, body = Vec<HighLevelGrant>))
)]
pub(crate) async fn grants(State(app): State<App>) -> ApiResult<Json<Vec<HighLevelGrant>>> {
    Ok(Json(app.engine.grants().await?.into_iter().map(HighLevelGrant::from).collect()))
}

/// The grants that open a workspace's location, without their tokens and without the other workspaces that they open.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/grants",
    tag = "oauth",
    operation_id = "oauth.grants-of-workspace",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses((status = 200, body = Vec<HighLevelGrant>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn grants_of_workspace(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<Json<Vec<HighLevelGrant>>> {
    Ok(Json(of_workspace(&app, &workspace_id(workspace)).await?))
}

async fn of_workspace(app: &App, workspace: &WorkspaceId) -> ApiResult<Vec<HighLevelGrant>> {
    app.engine.workspace(workspace).await?;
    let grants = app.engine.grants().await?.into_iter().filter(|view| view.workspaces.contains(workspace));
    let own = |view| HighLevelGrant { workspaces: vec![workspace.to_string()], ..HighLevelGrant::from(view) };
    Ok(grants.map(own).collect())
}

/// Renews a grant now, whatever its turn, and lets go on what waited for it.
#[utoipa::path(
    post,
    path = "/api/v1/oauth/grants/renew",
    tag = "oauth",
    operation_id = "oauth.renew",
    request_body = RenewGrant,
    responses(
        (status = 200, body = HighLevelGrant),
        (status = 404, body = ErrorBody),
        (status = 502, description = "HighLevel refuses it or does not answer; nothing is lost.", body = ErrorBody),
    )
)]
pub(crate) async fn renew(
    State(app): State<App>,
    ApiJson(which): ApiJson<RenewGrant>,
) -> ApiResult<Json<HighLevelGrant>> {
    let id = GrantId::from_stored(which.grant);
    app.engine.renew_grant(&id).await?;
    let grants = app.engine.grants().await?;
    let grant = grants.into_iter().find(|view| view.grant.id == id);
    grant.map(|view| Json(HighLevelGrant::from(view))).ok_or_else(ApiError::no_route)
}

/// Renews the grants that open a workspace's location now, whatever their turn, and lets go on what waited for them.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/grants/renew",
    tag = "oauth",
    operation_id = "oauth.renew-of-workspace",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses(
        (status = 200, body = Vec<HighLevelGrant>),
        (status = 404, body = ErrorBody),
        (status = 502, description = "HighLevel refuses it or does not answer; nothing is lost.", body = ErrorBody),
    )
)]
pub(crate) async fn renew_of_workspace(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<Json<Vec<HighLevelGrant>>> {
    let workspace = workspace_id(workspace);
    // An agency's grant is the platform's: while it works, one workspace does not spend its tokens.
    let renewed =
        |grant: &HighLevelGrant| grant.id.starts_with("location/") || grant.state != GrantState::Active;
    for grant in of_workspace(&app, &workspace).await?.into_iter().filter(renewed) {
        app.engine.renew_grant(&GrantId::from_stored(grant.id)).await?;
    }
    app.engine.reopen(&workspace).await?;
    Ok(Json(of_workspace(&app, &workspace).await?))
}

/// Where the app is installed, as far as HighLevel told.
#[utoipa::path(
    get,
    path = "/api/v1/oauth/installations",
    tag = "oauth",
    operation_id = "oauth.installations",
    responses((status = 200, body = Vec<Installation>))
)]
pub(crate) async fn installations(State(app): State<App>) -> ApiResult<Json<Vec<Installation>>> {
    Ok(Json(app.engine.installations().await?.into_iter().map(Installation::from).collect()))
}

/// What HighLevel sends back with the browser.
#[derive(Deserialize)]
pub(crate) struct Back {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Takes the answer of the consent page. It is a page for a person, without anything that came with the request in it.
pub(crate) async fn callback(State(app): State<App>, Query(back): Query<Back>) -> Response {
    let ended = match back {
        Back { error: Some(_), .. } => Err((
            StatusCode::BAD_REQUEST,
            "HighLevel says that no access was given. Begin again when you want to give it.".to_owned(),
        )),
        Back { code: Some(code), state: Some(state), .. } if state.len() <= 128 && code.len() <= 4096 => {
            let ended = app.engine.end_consent(&SecretString::from(state), &SecretString::from(code)).await;
            ended.map_err(|error| {
                tracing::warn!(%error, "a consent did not end well");
                match error {
                    EngineError::Invalid(problem) => (StatusCode::BAD_REQUEST, problem),
                    EngineError::Marketplace(_) | EngineError::HighLevel(_) => {
                        (StatusCode::BAD_GATEWAY, error.to_string())
                    }
                    // What is wrong with the host is not for everybody.
                    _ => (StatusCode::SERVICE_UNAVAILABLE, "The host could not store it: begin again later.".to_owned()),
                }
            })
        }
        _ => Err((
            StatusCode::BAD_REQUEST,
            "This address takes the answer of HighLevel's consent page, and this is none. Begin with `contactor oauth connect`."
                .to_owned(),
        )),
    };
    match ended {
        Ok(Connected::Workspace(workspace)) => page(
            StatusCode::OK,
            "Connected",
            &format!("The workspace {workspace} is connected to HighLevel."),
        ),
        Ok(Connected::Agency { company, locations, lacking }) => {
            let lacks = if lacking.is_empty() {
                String::new()
            } else {
                format!(
                    " It was not granted {}: give the app these scopes at HighLevel's marketplace, then connect the agency again.",
                    lacking.join(", ")
                )
            };
            let connected = format!(
                "The agency {company} is connected to HighLevel; {locations} of its locations have the app.{lacks}"
            );
            page(StatusCode::OK, "Connected", &connected)
        }
        Err((status, problem)) => page(status, "Not connected", &problem),
    }
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <h1>{title}</h1><p>{text}</p><p>You can close this window.</p></html>"
    );
    // The code is in the address of this page: the headers of every answer keep it from travelling on with a link or into a cache.
    (status, Html(html)).into_response()
}
