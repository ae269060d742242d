//! The admin API: one file per subject, one table of routes.

pub(crate) mod actions;
pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod catalogue;
pub(crate) mod conflicts;
pub(crate) mod connections;
pub(crate) mod connectors;
pub(crate) mod deletes;
pub(crate) mod destinations;
pub(crate) mod emit;
pub(crate) mod erasure;
pub(crate) mod guard;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod mapping;
pub(crate) mod matching;
pub(crate) mod oauth;
pub(crate) mod parked;
pub(crate) mod people;
pub(crate) mod quota;
pub(crate) mod replay;
pub(crate) mod rollouts;
pub(crate) mod session;
pub(crate) mod sync;
pub(crate) mod tokens;
pub(crate) mod vault;
pub(crate) mod workspaces;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post, put};
use contactor_engine::Caller;
use contactor_store::{ConnectionId, WorkspaceId};

use crate::app::App;
use crate::gate;

/// How many things a list holds unless the client says otherwise, and at most.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 500;

/// Every route of the admin API. Tests compare it with the OpenAPI document, and that with the rules of the gate.
pub(crate) fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/api/v1/health", get(health::health)),
        ("/api/v1/whoami", get(people::whoami)),
        ("/api/v1/session", get(session::get).delete(session::end)),
        ("/api/v1/users", get(people::list).post(people::create)),
        ("/api/v1/users/{user}", get(people::get)),
        ("/api/v1/users/{user}/disable", post(people::disable)),
        ("/api/v1/users/{user}/enable", post(people::enable)),
        ("/api/v1/users/{user}/identity", delete(people::unbind)),
        (
            "/api/v1/users/{user}/platform-admin",
            put(people::make_platform_admin).delete(people::unmake_platform_admin),
        ),
        ("/api/v1/tokens", get(tokens::list).post(tokens::create)),
        ("/api/v1/tokens/{token}", delete(tokens::revoke)),
        ("/api/v1/workspaces/{workspace}/members", get(people::members)),
        (
            "/api/v1/workspaces/{workspace}/members/{user}",
            put(people::put_member).delete(people::remove_member),
        ),
        ("/api/v1/audit", get(audit::list)),
        ("/api/v1/audit/verify", get(audit::verify)),
        ("/api/v1/vault", get(vault::status)),
        ("/api/v1/vault/rotate", post(vault::rotate)),
        ("/api/v1/workspaces", get(workspaces::list).post(workspaces::create)),
        ("/api/v1/workspaces/{workspace}", get(workspaces::get)),
        ("/api/v1/workspaces/{workspace}/settings", put(workspaces::set)),
        ("/api/v1/policies/{policy}", put(workspaces::set_policy)),
        ("/api/v1/workspaces/{workspace}/token", put(workspaces::set_token)),
        ("/api/v1/workspaces/{workspace}/consents", post(oauth::consent)),
        ("/api/v1/workspaces/{workspace}/grants", get(oauth::grants_of_workspace)),
        ("/api/v1/workspaces/{workspace}/grants/renew", post(oauth::renew_of_workspace)),
        ("/api/v1/oauth/consents", post(oauth::consent_of_agency)),
        ("/api/v1/oauth/grants", get(oauth::grants)),
        ("/api/v1/oauth/grants/renew", post(oauth::renew)),
        ("/api/v1/oauth/installations", get(oauth::installations)),
        ("/api/v1/workspaces/{workspace}/actions/{action}", post(actions::run)),
        ("/api/v1/workspaces/{workspace}/connections", get(connections::list)),
        (
            "/api/v1/workspaces/{workspace}/connections/{connector}",
            get(connections::get).put(connections::enable),
        ),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/disable", post(connections::disable)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/check", post(connections::check)),
        (
            "/api/v1/workspaces/{workspace}/connections/{connector}/webhook-address",
            post(connections::renew_webhook_address),
        ),
        (
            "/api/v1/workspaces/{workspace}/connections/{connector}/upgrade",
            get(rollouts::plan).put(rollouts::begin),
        ),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/rollouts", get(rollouts::list)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/rollout", get(rollouts::get)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/adopt", post(rollouts::adopt)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/rollback", post(rollouts::rollback)),
        ("/api/v1/workspaces/{workspace}/guard", get(guard::list)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/guard", get(guard::get)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/guard/allow", post(guard::allow)),
        (
            "/api/v1/workspaces/{workspace}/connections/{connector}/sync",
            get(sync::progress).post(sync::start),
        ),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/sync/estimate", get(sync::estimate)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/preview", post(sync::preview)),
        (
            "/api/v1/workspaces/{workspace}/connections/{connector}/mapping",
            get(mapping::list).put(mapping::set).delete(mapping::unset),
        ),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/mapping/policy", put(mapping::policy)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/mapping/test", post(mapping::test)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/mapping/preview", post(mapping::preview)),
        (
            "/api/v1/workspaces/{workspace}/connections/{connector}/match",
            get(matching::show).post(matching::start),
        ),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/match/approve", post(matching::approve)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/poll", post(emit::poll)),
        ("/api/v1/workspaces/{workspace}/tasks/poll", post(emit::poll_tasks)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/samples/{trigger}", post(emit::sample)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/records", post(sync::record)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/parked/retry", post(parked::retry)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/parked/discard", post(parked::discard)),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/parked/retry-all", post(parked::retry_all)),
        (
            "/api/v1/workspaces/{workspace}/connections/{connector}/parked/discard-all",
            post(parked::discard_all),
        ),
        ("/api/v1/workspaces/{workspace}/destinations", get(destinations::list)),
        (
            "/api/v1/workspaces/{workspace}/destinations/{name}",
            put(destinations::put).delete(destinations::remove),
        ),
        ("/api/v1/workspaces/{workspace}/destinations/{name}/test", post(destinations::test)),
        ("/api/v1/workspaces/{workspace}/contacts/{contact}/timeline", get(history::timeline)),
        ("/api/v1/workspaces/{workspace}/contacts/{contact}/fields/{field}", get(history::why)),
        ("/api/v1/workspaces/{workspace}/parked", get(parked::list)),
        ("/api/v1/workspaces/{workspace}/parked/groups", get(parked::groups)),
        ("/api/v1/workspaces/{workspace}/parked/groups/{group}", get(parked::group)),
        ("/api/v1/workspaces/{workspace}/parked/groups/{group}/retry", post(parked::retry_group)),
        ("/api/v1/workspaces/{workspace}/parked/groups/{group}/discard", post(parked::discard_group)),
        ("/api/v1/workspaces/{workspace}/alerts", get(alerts::list)),
        ("/api/v1/workspaces/{workspace}/alerts/rules", put(alerts::set_rules)),
        ("/api/v1/workspaces/{workspace}/erase", post(erasure::erase)),
        ("/api/v1/workspaces/{workspace}/quota", get(quota::get)),
        ("/api/v1/workspaces/{workspace}/conflicts", get(conflicts::list)),
        ("/api/v1/workspaces/{workspace}/conflicts/{conflict}", get(conflicts::get)),
        ("/api/v1/workspaces/{workspace}/conflicts/{conflict}/resolve", post(conflicts::resolve)),
        ("/api/v1/workspaces/{workspace}/deletes", get(deletes::list)),
        ("/api/v1/workspaces/{workspace}/deletes/confirm", post(deletes::confirm_all)),
        ("/api/v1/workspaces/{workspace}/deletes/keep", post(deletes::keep_all)),
        ("/api/v1/workspaces/{workspace}/deletes/{deletion}", get(deletes::get)),
        ("/api/v1/workspaces/{workspace}/deletes/{deletion}/{decision}", post(deletes::decide)),
        (
            "/api/v1/workspaces/{workspace}/connections/{connector}/deletes/policy",
            get(deletes::policy).put(deletes::set_policy),
        ),
        ("/api/v1/workspaces/{workspace}/connections/{connector}/deletes/preview", post(deletes::preview)),
        ("/api/v1/workspaces/{workspace}/events", get(history::events)),
        ("/api/v1/workspaces/{workspace}/events/{event}", get(history::event)),
        ("/api/v1/catalogue", get(catalogue::list)),
        ("/api/v1/connectors", get(connectors::list).post(connectors::install)),
        ("/api/v1/connectors/inspect", post(connectors::inspect)),
        ("/api/v1/runs", get(history::runs)),
        ("/api/v1/runs/{run}", get(history::run)),
        ("/api/v1/runs/{run}/recording", get(replay::recording)),
        ("/api/v1/runs/{run}/replay", post(replay::replay)),
    ]
}

/// The admin API behind its gate.
pub(crate) fn router(app: &App) -> Router<App> {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .route_layer(from_fn_with_state(app.clone(), gate::gate))
}

fn connection_id(workspace: &str, connector: &str) -> ConnectionId {
    ConnectionId::new(format!("{workspace}/{connector}"))
}

fn workspace_id(workspace: String) -> WorkspaceId {
    WorkspaceId::new(workspace)
}

/// Who decides, in the words of the history. A user is known; whoever has the host's own token says who it is.
fn by(caller: &Caller, said: Option<String>) -> String {
    match (caller.user(), said) {
        (Some(user), _) => format!("{user} (admin)"),
        (None, Some(name)) => format!("{name} (admin)"),
        (None, None) => "an admin".to_owned(),
    }
}

fn page(limit: Option<u32>) -> u32 {
    limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE)
}
