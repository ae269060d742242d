//! Connectors enabled in workspaces.

use axum::extract::State;
use axum::{Extension, Json};
use contactor_engine::{Caller, ConnectionView};
use contactor_store::Role;

use super::{connection_id, workspace_id};
use crate::app::App;
use crate::dto::{CheckReport, Connection, EnableConnection, ErrorBody};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath};
use crate::gate::{Asks, Told};

/// The connections of a workspace.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/connections",
    tag = "connections",
    operation_id = "connections.list",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses((status = 200, body = Vec<Connection>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<Json<Vec<Connection>>> {
    let connections = app.engine.connections(&workspace_id(workspace)).await?;
    Ok(Json(connections.into_iter().map(|connection| shown(&caller, connection)).collect()))
}

/// One connection.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}",
    tag = "connections",
    operation_id = "connections.get",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses((status = 200, body = Connection), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<Json<Connection>> {
    Ok(Json(shown(&caller, app.engine.connection(&connection_id(&workspace, &connector)).await?)))
}

/// To whoever only looks the address of the webhooks is not shown: for some partners it is all the proof there is.
fn shown(caller: &Caller, connection: ConnectionView) -> Connection {
    let works = caller.rights.role_in(&connection.workspace) >= Some(Role::Author);
    let connection = Connection::from(connection);
    if works {
        connection
    } else {
        Connection { webhook_path: "(not shown to viewers)".to_owned(), ..connection }
    }
}

/// Enables a connector in a workspace, or changes how it is enabled.
#[utoipa::path(
    put,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}",
    tag = "connections",
    operation_id = "connections.enable",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = EnableConnection,
    responses(
        (status = 200, body = Connection),
        (status = 400, description = "A setting, a mapping row, a grant or a credential does not fit.", body = ErrorBody),
        (status = 403, description = "It is moved to another address, which only an admin of the workspace does.", body = ErrorBody),
        (status = 404, description = "No such workspace or connector.", body = ErrorBody),
    )
)]
pub(crate) async fn enable(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(request): ApiJson<EnableConnection>,
) -> ApiResult<(Extension<Told>, Json<Connection>)> {
    let id = connection_id(&workspace, &connector);
    let decides = caller.rights.role_in(&workspace_id(workspace.clone())) >= Some(Role::WorkspaceAdmin);
    let before = app.engine.connection(&id).await.ok();
    let given = Given::of(&request);
    let after = app.engine.enable_connection(request.at(workspace, connector, !decides)).await?;
    let told = given.told(before.as_ref(), &after);
    Ok((Extension(told), Json(after.into())))
}

/// Names of a list that are on record; a manifest may ask for much.
const LISTED: usize = 64;

/// What a request gives of which the connection does not show that it is new.
struct Given {
    credentials: Vec<String>,
    webhook_secret: bool,
    approve: bool,
}

impl Given {
    fn of(request: &EnableConnection) -> Self {
        Self {
            credentials: request.credentials.keys().cloned().collect(),
            webhook_secret: request.webhook_secret.is_some(),
            approve: request.approve,
        }
    }

    /// For the record: which version it is, and what is new with it. Of a credential it tells which parts were replaced, by the names
    /// that the manifest gives them.
    fn told(&self, before: Option<&ConnectionView>, after: &ConnectionView) -> Told {
        let mut words = vec![format!("version={} digest={}", after.version, after.digest)];
        if before.is_none_or(|before| before.base_url != after.base_url) {
            words.push(format!("base-url={}", after.base_url));
        }
        if before.is_none_or(|before| (&before.grants, &before.withheld) != (&after.grants, &after.withheld))
        {
            words.push(format!("grants={} withheld={}", listed(&after.grants), listed(&after.withheld)));
        }
        if !self.credentials.is_empty() {
            words.push(format!("credential={}", listed(&self.credentials)));
        }
        if self.webhook_secret {
            words.push("webhook-secret=replaced".to_owned());
        }
        if self.approve {
            words.push("approve=true".to_owned());
        }
        Told(words.join(" "))
    }
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(",");
    match names.len().saturating_sub(LISTED) {
        0 if names.is_empty() => "-".to_owned(),
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Switches a connection off. Its links and history stay, and enabling it again goes on from there.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/disable",
    tag = "connections",
    operation_id = "connections.disable",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses((status = 200, body = Connection), (status = 404, body = ErrorBody))
)]
pub(crate) async fn disable(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<Json<Connection>> {
    Ok(Json(app.engine.disable_connection(&connection_id(&workspace, &connector)).await?.into()))
}

/// Asks both vendors whether the stored credentials are good, and whose they are.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/check",
    tag = "connections",
    operation_id = "connections.check",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses((status = 200, body = CheckReport), (status = 404, body = ErrorBody))
)]
pub(crate) async fn check(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<Json<CheckReport>> {
    Ok(Json(app.engine.check_connection(&connection_id(&workspace, &connector)).await?.into()))
}

/// Gives the webhooks of a connection another address, and answers with it. The former one is refused from then on.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/webhook-address",
    tag = "connections",
    operation_id = "connections.renew-webhook-address",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses((status = 200, body = Connection), (status = 404, body = ErrorBody))
)]
pub(crate) async fn renew_webhook_address(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<Json<Connection>> {
    Ok(Json(app.engine.renew_webhook_address(&connection_id(&workspace, &connector)).await?.into()))
}
