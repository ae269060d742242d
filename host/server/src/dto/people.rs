//! Users, roles, tokens, and whoever asks.

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Secret, mirror};

/// What somebody may do, in a workspace or everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Develops connectors, and tries them in the workspace.
    Author,
    /// Decides in the workspace.
    WorkspaceAdmin,
    /// Decides about everything.
    PlatformAdmin,
}

mirror!(Role, own::Role, [Viewer, Author, WorkspaceAdmin, PlatformAdmin]);

/// A role in a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// The workspace.
    pub workspace: String,
    /// The role.
    pub role: Role,
}

/// Somebody who uses the admin API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The short name.
    #[schema(example = "bob")]
    pub id: String,
    /// The name for people.
    pub name: String,
    /// The address.
    pub email: Option<String>,
    /// May do everything, everywhere.
    pub platform_admin: bool,
    /// May do nothing.
    pub disabled: bool,
    /// The roles, by workspace.
    pub roles: Vec<Grant>,
    /// Since when.
    pub created_at: Timestamp,
}

impl From<engine::UserView> for User {
    fn from(own: engine::UserView) -> Self {
        Self {
            id: own.user.id.to_string(),
            name: own.user.name,
            email: own.user.email,
            platform_admin: own.user.platform_admin,
            disabled: own.user.disabled,
            roles: own.members.into_iter().map(Into::into).collect(),
            created_at: own.user.created_at,
        }
    }
}

impl From<own::Member> for Grant {
    fn from(own: own::Member) -> Self {
        Self { workspace: own.workspace.to_string(), role: own.role.into() }
    }
}

/// A user to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// A short name: lower-case letters, digits and hyphens, at most 63.
    #[schema(example = "bob")]
    pub id: String,
    /// A name for people; the id if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// May do everything, everywhere.
    #[serde(default)]
    pub platform_admin: bool,
}

impl From<NewUser> for engine::NewUser {
    fn from(new: NewUser) -> Self {
        Self { id: new.id, name: new.name, email: new.email, platform_admin: new.platform_admin }
    }
}

/// A user of a workspace. The address and the roles elsewhere are not the workspace's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The user's short name.
    pub user: String,
    /// The user's name for people.
    pub name: String,
    /// The role in this workspace.
    pub role: Role,
    /// The user may do nothing.
    pub disabled: bool,
}

impl From<(own::User, own::Role)> for Member {
    fn from((user, role): (own::User, own::Role)) -> Self {
        Self { user: user.id.to_string(), name: user.name, role: role.into(), disabled: user.disabled }
    }
}

/// The role to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutMember {
    /// `viewer`, `author` or `workspace-admin`.
    pub role: Role,
}

/// What a user shows in place of a password, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Names it.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// What it is for.
    pub name: String,
    /// It opens at most what this role may.
    pub role: Option<Role>,
    /// It opens these workspaces at most.
    pub workspaces: Option<Vec<String>>,
    /// The token that it was made with, and ends with.
    pub made_with: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// When it was last used, to the hour.
    pub used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl From<own::Token> for Token {
    fn from(own: own::Token) -> Self {
        Self {
            id: own.id.to_string(),
            user: own.user.to_string(),
            name: own.name,
            role: own.role.map(Into::into),
            workspaces: own.workspaces.map(|ids| ids.iter().map(ToString::to_string).collect()),
            made_with: own.made_with.map(|id| id.to_string()),
            created_at: own.created_at,
            expires_at: own.expires_at,
            used_at: own.used_at,
            revoked_at: own.revoked_at,
        }
    }
}

/// A token to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewToken {
    /// Whose it is to be; that of whoever asks if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// It shall open at most what this role may; if absent what its user may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// It shall open these workspaces at most; if absent those of its user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<Vec<String>>,
    /// Days for which it counts, 1 to 366; 90 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

impl From<NewToken> for engine::NewToken {
    fn from(new: NewToken) -> Self {
        let ids = |ids: Vec<String>| ids.into_iter().map(own::WorkspaceId::new).collect();
        Self {
            user: new.user,
            name: new.name,
            role: new.role.map(Into::into),
            workspaces: new.workspaces.map(ids),
            days: new.days,
        }
    }
}

/// A token that was made. The one answer of the API that holds a secret; nobody can ask for it again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IssuedToken {
    /// What to show: `Authorization: Bearer ctk_…`.
    pub secret: Secret,
    /// The rest.
    #[serde(flatten)]
    pub token: Token,
}

impl From<engine::IssuedToken> for IssuedToken {
    fn from(own: engine::IssuedToken) -> Self {
        Self { secret: own.shown.into(), token: own.token.into() }
    }
}

/// Which tokens to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TokenQuery {
    /// Of this user; for a platform admin. If absent all, or those of whoever asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// How many tokens ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevokeAnswer {
    /// The token, if it had not ended before, and those that were made with it.
    pub revoked: u64,
}

/// Whoever asks, and what the token opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// The user, or `admin-token-file` for the host's own admin token.
    pub actor: String,
    /// The token; absent for the host's own.
    pub token: Option<Token>,
    /// The role that counts in every workspace, and with `platform-admin` for the platform.
    pub everywhere: Option<Role>,
    /// The roles that count in single workspaces.
    pub roles: Vec<Grant>,
    /// May install connectors.
    pub installs_connectors: bool,
}

impl Whoami {
    /// Of whoever asks, with the token.
    pub(crate) fn of(caller: &engine::Caller, token: Option<own::Token>) -> Self {
        let roles = caller.rights.roles();
        Self {
            actor: caller.actor.to_string(),
            token: token.map(Into::into),
            everywhere: caller.rights.everywhere().map(Into::into),
            roles: roles.map(|(id, role)| Grant { workspace: id.to_string(), role: role.into() }).collect(),
            installs_connectors: caller.rights.installs(),
        }
    }
}
