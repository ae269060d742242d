//! The description of the admin API, made from the handlers themselves.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::api;

/// Where the document lies.
pub(crate) const PATH: &str = "/api/v1/openapi.json";

/// The OpenAPI document of the admin API.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let token = SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The host's admin token, or a token of a user (`ctk_…`)."))
            .build(),
    );
    let cookie = ApiKeyValue::with_description(
        crate::cookies::SESSION,
        "The session of somebody who logged in at `/login`. Changes need the header `X-CSRF-Token` besides, and come from this origin.",
    );
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("admin-token", token);
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    document
}

/// Serves the document; it says nothing that the source code does not.
pub(crate) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Contactor admin API",
        description = "Workspaces, connectors, connections, synchronisation and what happened. Errors have the shape of \
                       `ErrorBody`; 401 means that no valid token was shown, 403 that its user may not do this; what lies in a \
                       workspace without a role of the user is answered with 404, as if it did not exist."
    ),
    security(("admin-token" = []), ("session" = [])),
    paths(
        api::health::health,
    api::audit::list, api::audit::verify, api::people::create, api::people::disable, api::people::enable, api::people::get, api::people::list, api::people::make_platform_admin, api::people::members, api::people::put_member, api::people::remove_member, api::people::unbind, api::people::unmake_platform_admin, api::session::end, api::session::get, api::people::whoami, api::tokens::create, api::tokens::list, api::tokens::revoke, api::vault::rotate, api::vault::status,
        api::workspaces::list,
        api::workspaces::create,
        api::workspaces::get,
        api::workspaces::set,
        api::workspaces::set_policy,
        api::workspaces::set_token,
        api::oauth::consent,
        api::oauth::consent_of_agency,
        api::oauth::grants,
        api::oauth::grants_of_workspace,
        api::oauth::renew_of_workspace,
        api::oauth::renew,
        api::oauth::installations,
        api::connectors::list,
        api::connectors::install,
        api::connectors::inspect,
        api::actions::run,
        api::catalogue::list,
        api::connections::list,
        api::connections::get,
        api::connections::enable,
        api::connections::disable,
        api::connections::check,
        api::connections::renew_webhook_address,
        api::destinations::list,
        api::destinations::put,
        api::destinations::remove,
        api::destinations::test,
        api::rollouts::plan,
        api::rollouts::begin,
        api::rollouts::list,
        api::rollouts::get,
        api::rollouts::adopt,
        api::rollouts::rollback,
        api::guard::list,
        api::guard::get,
        api::guard::allow,
        api::emit::poll,
        api::emit::poll_tasks,
        api::emit::sample,
        api::mapping::list,
        api::mapping::set,
        api::mapping::unset,
        api::mapping::policy,
        api::mapping::test,
        api::mapping::preview,
        api::matching::show,
        api::matching::start,
        api::matching::approve,
        api::sync::progress,
        api::sync::start,
        api::sync::estimate,
        api::sync::preview,
        api::sync::record,
        api::history::runs,
        api::history::run,
        api::replay::recording,
        api::replay::replay,
        api::history::timeline,
        api::history::why,
        api::alerts::list,
        api::alerts::set_rules,
        api::erasure::erase,
        api::quota::get,
        api::parked::list,
        api::parked::groups,
        api::parked::group,
        api::parked::retry_group,
        api::parked::discard_group,
        api::parked::retry_all,
        api::parked::discard_all,
        api::parked::retry,
        api::parked::discard,
        api::conflicts::list,
        api::conflicts::get,
        api::conflicts::resolve,
        api::deletes::list,
        api::deletes::get,
        api::deletes::decide,
        api::deletes::confirm_all,
        api::deletes::keep_all,
        api::deletes::policy,
        api::deletes::set_policy,
        api::deletes::preview,
        api::history::events,
        api::history::event,
    ),
    components(schemas(crate::dto::ErrorBody))
)]
struct Document;
