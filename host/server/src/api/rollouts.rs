//! Other versions of a connection's connector: what they would change, their trial, and the way back.

use axum::extract::{Query, State};
use axum::{Extension, Json};

use super::connection_id;
use crate::app::App;
use crate::dto::{
    ErrorBody, Rollout, RolloutMode, RolloutQuery, Upgrade, UpgradePlan, UpgradeQuery, Version,
};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::gate::{Asks, Told};

/// What another version would change for a connection: permissions, default mapping, and whether it fits.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/upgrade",
    tag = "connections",
    operation_id = "rollouts.plan",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
        UpgradeQuery,
    ),
    responses(
        (status = 200, body = UpgradePlan),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "The connection runs that version, or the host took it back and it is not named."),
    )
)]
pub(crate) async fn plan(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    Query(UpgradeQuery { digest }): Query<UpgradeQuery>,
) -> ApiResult<Json<UpgradePlan>> {
    let id = connection_id(&workspace, &connector);
    Ok(Json(app.engine.upgrade_plan(&id, digest.as_deref()).await?.into()))
}

/// Puts another version on trial, or changes what the one that is on trial does.
#[utoipa::path(
    put,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/upgrade",
    tag = "connections",
    operation_id = "rollouts.begin",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    request_body = Upgrade,
    responses(
        (status = 200, body = Rollout),
        (status = 400, body = ErrorBody, description = "It does not fit the connection, or the share is none."),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "It asks for more and that is not approved; another one is on trial; the connection is under review; the host took it back and it is not named; the rollout that was named does not run."),
    )
)]
pub(crate) async fn begin(
    State(app): State<App>,
    Asks(caller): Asks,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiJson(upgrade): ApiJson<Upgrade>,
) -> ApiResult<(Extension<Told>, Json<Rollout>)> {
    let id = connection_id(&workspace, &connector);
    let (approve, settings) = (upgrade.approve, upgrade.settings.is_some());
    let rollout: Rollout = app.engine.upgrade(caller.actor, &id, upgrade.into()).await?.into();
    let mode = match rollout.mode {
        RolloutMode::Shadow => "shadow",
        RolloutMode::Live => "live",
    };
    let (candidate, former, share) = (&rollout.candidate, &rollout.former.digest, rollout.share);
    let own = if settings { " settings=own" } else { "" };
    let told = Told(format!(
        "version={} digest={} former={former} mode={mode} share={share} approve={approve}{own}",
        candidate.version, candidate.digest
    ));
    Ok((Extension(told), Json(rollout)))
}

/// The rollouts of a connection, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/rollouts",
    tag = "connections",
    operation_id = "rollouts.list",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses((status = 200, body = Vec<Rollout>), (status = 404, body = ErrorBody))
)]
pub(crate) async fn list(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<Json<Vec<Rollout>>> {
    let views = app.engine.rollouts(&connection_id(&workspace, &connector)).await?;
    Ok(Json(views.into_iter().map(Into::into).collect()))
}

/// The rollout that is running, or the newest, with how runs in shadow differed.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/rollout",
    tag = "connections",
    operation_id = "rollouts.get",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
    ),
    responses((status = 200, body = Rollout), (status = 404, body = ErrorBody, description = "It has had one version only."))
)]
pub(crate) async fn get(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
) -> ApiResult<Json<Rollout>> {
    Ok(Json(app.engine.rollout(&connection_id(&workspace, &connector)).await?.into()))
}

/// Pins the version that is on trial.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/adopt",
    tag = "connections",
    operation_id = "rollouts.adopt",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
        RolloutQuery
    ),
    responses(
        (status = 200, body = Rollout),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "No version is on trial, or not in the rollout that was named."),
    )
)]
pub(crate) async fn adopt(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiQuery(seen): ApiQuery<RolloutQuery>,
) -> ApiResult<(Extension<Told>, Json<Rollout>)> {
    let id = connection_id(&workspace, &connector);
    let rollout: Rollout = app.engine.adopt(&id, seen.rollout).await?.into();
    let told = pinned(&rollout.candidate, &rollout.former);
    Ok((Extension(told), Json(rollout)))
}

/// For the record: which version a connection runs now, and which it ran or tried before.
fn pinned(now: &Version, before: &Version) -> Told {
    Told(format!("version={} digest={} before={}", now.version, now.digest, before.digest))
}

/// Ends the trial; without one, pins the version before the present one again, with its settings, and with its grants but for what
/// was withheld since. When the host was the last to take a version back, the rollout that brought the present one has to be named.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{workspace}/connections/{connector}/rollback",
    tag = "connections",
    operation_id = "rollouts.rollback",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("connector" = String, Path, description = "The connector's id."),
        RolloutQuery
    ),
    responses(
        (status = 200, body = Rollout),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "It has had no other version; the rollout that was named is not what would be taken back; none was named, and the host took one back."),
    )
)]
pub(crate) async fn rollback(
    State(app): State<App>,
    ApiPath((workspace, connector)): ApiPath<(String, String)>,
    ApiQuery(seen): ApiQuery<RolloutQuery>,
) -> ApiResult<(Extension<Told>, Json<Rollout>)> {
    let id = connection_id(&workspace, &connector);
    let rollout: Rollout = app.engine.roll_back(&id, seen.rollout).await?.into();
    let told = pinned(&rollout.former, &rollout.candidate);
    Ok((Extension(told), Json(rollout)))
}
