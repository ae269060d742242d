//! Who uses the admin API: users, what they may do where, and their tokens.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{TokenId, UserId, WorkspaceId};

/// What somebody may do, in a workspace or everywhere. A greater one may all that a lesser one may, but for installing connectors: see
/// the rules of the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Develops connectors, and tries them in the workspace.
    Author,
    /// Decides in the workspace.
    WorkspaceAdmin,
    /// Decides about everything. Nobody has it in a single workspace.
    PlatformAdmin,
}

/// Somebody who uses the admin API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// A short name, for commands and the audit log.
    pub id: UserId,
    /// A name for people.
    pub name: String,
    /// The address, by which a login of an identity provider will find the user.
    pub email: Option<String>,
    /// May do everything, everywhere.
    pub platform_admin: bool,
    /// May do nothing: every token of the user is refused.
    pub disabled: bool,
    /// Since when.
    pub created_at: Timestamp,
}

/// What is to be changed of a user; what is absent stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// See [`User::platform_admin`].
    pub platform_admin: Option<bool>,
    /// See [`User::disabled`].
    pub disabled: Option<bool>,
}

/// A user's role in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The user.
    pub user: UserId,
    /// The role; never that of a platform admin.
    pub role: Role,
}

/// SHA-256 of a token's secret, or of another one that the host makes. It is 256 random bits: nobody finds it by trying, so no slow hash is
/// needed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// What a user shows in place of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Names it; no secret.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserId,
    /// What it is for, in the user's words.
    pub name: String,
    /// What its secret is recognised by.
    pub hash: SecretHash,
    /// Narrows the user's roles to at most this one.
    pub role: Option<Role>,
    /// Narrows the user's workspaces to those of these that the user has.
    pub workspaces: Option<BTreeSet<WorkspaceId>>,
    /// The token that it was made with; it is revoked with that one.
    pub made_with: Option<TokenId>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// When it was last used, to the hour.
    pub used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A token with all that decides what it opens, as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The token.
    pub token: Token,
    /// Its user.
    pub user: User,
    /// The user's roles.
    pub members: Vec<Member>,
}
