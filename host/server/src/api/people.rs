//! Users, what they may do where, and whoever asks.

use axum::extract::State;
use axum::{Extension, Json};
use contactor_store::{Member as OwnMember, UserChange, UserId};
use http::StatusCode;

use super::workspace_id;
use crate::app::App;
use crate::dto::{ErrorBody, Member, NewUser, PutMember, User, Whoami};
use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiPath};
use crate::gate::{Asks, Told, rules};

/// Who asks, and what the token opens.
#[utoipa::path(
    get,
    path = "/api/v1/whoami",
    tag = "people",
    operation_id = "whoami",
    responses((status = 200, body = Whoami))
)]
pub(crate) async fn whoami(State(app): State<App>, Asks(caller): Asks) -> ApiResult<Json<Whoami>> {
    let token = match &caller.token {
        Some(id) => app.engine.token(id).await?,
        None => None,
    };
    Ok(Json(Whoami::of(&caller, token)))
}

/// All users, by id.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    tag = "people",
    operation_id = "users.list",
    responses((status = 200, body = Vec<User>), (status = 403, body = ErrorBody))
)]
pub(crate) async fn list(State(app): State<App>) -> ApiResult<Json<Vec<User>>> {
    Ok(Json(app.engine.users().await?.into_iter().map(Into::into).collect()))
}

/// Makes a user, who may do nothing until a role is given.
#[utoipa::path(
    post,
    path = "/api/v1/users",
    tag = "people",
    operation_id = "users.create",
    request_body = NewUser,
    responses(
        (status = 201, body = User),
        (status = 400, description = "A value is not allowed.", body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 409, description = "The id is taken.", body = ErrorBody),
    )
)]
pub(crate) async fn create(
    State(app): State<App>,
    ApiJson(new): ApiJson<NewUser>,
) -> ApiResult<(StatusCode, Extension<Told>, Json<User>)> {
    let user: User = app.engine.create_user(new.into()).await?.into();
    let told = Told(format!("user={} platform-admin={}", user.id, user.platform_admin));
    Ok((StatusCode::CREATED, Extension(told), Json(user)))
}

/// One user.
#[utoipa::path(
    get,
    path = "/api/v1/users/{user}",
    tag = "people",
    operation_id = "users.get",
    params(("user" = String, Path, description = "The user's id.")),
    responses((status = 200, body = User), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(State(app): State<App>, ApiPath(user): ApiPath<String>) -> ApiResult<Json<User>> {
    Ok(Json(app.engine.user(&UserId::new(user)).await?.into()))
}

async fn change(app: &App, user: String, change: UserChange) -> ApiResult<Json<User>> {
    Ok(Json(app.engine.change_user(&UserId::new(user), change).await?.into()))
}

/// Switches a user off: every token of the user is refused from now on.
#[utoipa::path(
    post,
    path = "/api/v1/users/{user}/disable",
    tag = "people",
    operation_id = "users.disable",
    params(("user" = String, Path, description = "The user's id.")),
    responses((status = 200, body = User), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn disable(State(app): State<App>, ApiPath(user): ApiPath<String>) -> ApiResult<Json<User>> {
    change(&app, user, UserChange { disabled: Some(true), ..UserChange::default() }).await
}

/// Forgets who a user is at the identity provider, and ends the user's sessions: the next login binds anew.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{user}/identity",
    tag = "people",
    operation_id = "users.unbind",
    params(("user" = String, Path, description = "The user's id.")),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn unbind(
    State(app): State<App>,
    ApiPath(user): ApiPath<String>,
) -> ApiResult<(StatusCode, Extension<Told>)> {
    let was = app.engine.unbind_user(&UserId::new(user)).await?;
    Ok((StatusCode::NO_CONTENT, Extension(Told(format!("was-bound={was}")))))
}

/// Switches a user on again, with the roles and those tokens that have not ended.
#[utoipa::path(
    post,
    path = "/api/v1/users/{user}/enable",
    tag = "people",
    operation_id = "users.enable",
    params(("user" = String, Path, description = "The user's id.")),
    responses((status = 200, body = User), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn enable(State(app): State<App>, ApiPath(user): ApiPath<String>) -> ApiResult<Json<User>> {
    change(&app, user, UserChange { disabled: Some(false), ..UserChange::default() }).await
}

/// Makes a user a platform admin, who may do everything, everywhere.
#[utoipa::path(
    put,
    path = "/api/v1/users/{user}/platform-admin",
    tag = "people",
    operation_id = "users.make-platform-admin",
    params(("user" = String, Path, description = "The user's id.")),
    responses((status = 200, body = User), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn make_platform_admin(
    State(app): State<App>,
    ApiPath(user): ApiPath<String>,
) -> ApiResult<Json<User>> {
    change(&app, user, UserChange { platform_admin: Some(true), ..UserChange::default() }).await
}

/// Makes a platform admin a user with no more than the roles in workspaces.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{user}/platform-admin",
    tag = "people",
    operation_id = "users.unmake-platform-admin",
    params(("user" = String, Path, description = "The user's id.")),
    responses((status = 200, body = User), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn unmake_platform_admin(
    State(app): State<App>,
    ApiPath(user): ApiPath<String>,
) -> ApiResult<Json<User>> {
    change(&app, user, UserChange { platform_admin: Some(false), ..UserChange::default() }).await
}

/// The users of a workspace, by id.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{workspace}/members",
    tag = "people",
    operation_id = "members.list",
    params(("workspace" = String, Path, description = "The workspace's id.")),
    responses((status = 200, body = Vec<Member>), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn members(
    State(app): State<App>,
    ApiPath(workspace): ApiPath<String>,
) -> ApiResult<Json<Vec<Member>>> {
    let members = app.engine.members(&workspace_id(workspace)).await?;
    Ok(Json(members.into_iter().map(Into::into).collect()))
}

/// Gives a user a role in a workspace, in the place of the one that the user has there.
#[utoipa::path(
    put,
    path = "/api/v1/workspaces/{workspace}/members/{user}",
    tag = "people",
    operation_id = "members.put",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("user" = String, Path, description = "The user's id."),
    ),
    request_body = PutMember,
    responses(
        (status = 200, body = Member),
        (status = 400, description = "The role is none of a workspace.", body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, description = "No such workspace or user.", body = ErrorBody),
    )
)]
pub(crate) async fn put_member(
    State(app): State<App>,
    ApiPath((workspace, user)): ApiPath<(String, String)>,
    ApiJson(PutMember { role }): ApiJson<PutMember>,
) -> ApiResult<(Extension<Told>, Json<Member>)> {
    let role = role.into();
    let member = OwnMember { workspace: workspace_id(workspace), user: UserId::new(user), role };
    let given = app.engine.put_member(member).await?;
    Ok((Extension(Told(format!("role={}", rules::word(role)))), Json(given.into())))
}

/// Takes a user's role in a workspace away.
#[utoipa::path(
    delete,
    path = "/api/v1/workspaces/{workspace}/members/{user}",
    tag = "people",
    operation_id = "members.remove",
    params(
        ("workspace" = String, Path, description = "The workspace's id."),
        ("user" = String, Path, description = "The user's id."),
    ),
    responses(
        (status = 204, description = "It is gone."),
        (status = 403, body = ErrorBody),
        (status = 404, description = "No such workspace, or the user has no role there.", body = ErrorBody),
    )
)]
pub(crate) async fn remove_member(
    State(app): State<App>,
    ApiPath((workspace, user)): ApiPath<(String, String)>,
) -> ApiResult<StatusCode> {
    app.engine.remove_member(&workspace_id(workspace), &UserId::new(user)).await?;
    Ok(StatusCode::NO_CONTENT)
}
