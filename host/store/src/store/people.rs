//! Users, what lets them in, and the log of what they changed.

use async_trait::async_trait;

use super::Result;
use crate::model::{
    AuditFilter, AuditHash, AuditVerdict, AuditedChange, Bearer, Identity, LoggedIn, Member, NewAudit, Role,
    Session, SessionId, Token, TokenId, User, UserChange, UserId, WorkspaceId,
};

/// The part of a [`Store`](crate::Store) about users, tokens, logins and the audit log.
#[async_trait]
pub trait PeopleStore: Send + Sync + 'static {
    /// Makes a user. `Conflict` when the id is taken.
    async fn create_user(&self, user: User) -> Result<()>;
    /// Changes what is said of a user.
    async fn update_user(&self, id: &UserId, change: UserChange) -> Result<()>;
    /// One user.
    async fn user(&self, id: &UserId) -> Result<Option<User>>;
    /// All users, by id.
    async fn users(&self) -> Result<Vec<User>>;
    /// Gives a user a role in a workspace, in the place of the one that the user has there. `Invalid` for that of a platform admin.
    async fn put_member(&self, member: Member) -> Result<()>;
    /// Takes a user's role in a workspace away; answers whether there was one.
    async fn remove_member(&self, workspace: &WorkspaceId, user: &UserId) -> Result<bool>;
    /// The users of a workspace with their roles, by id.
    async fn members(&self, workspace: &WorkspaceId) -> Result<Vec<(User, Role)>>;
    /// A user's roles, by workspace.
    async fn members_of(&self, user: &UserId) -> Result<Vec<Member>>;
    /// Makes a token. `NotFound` also when the one that it was made with is revoked.
    async fn create_token(&self, token: Token) -> Result<()>;
    /// One token.
    async fn token(&self, id: &TokenId) -> Result<Option<Token>>;
    /// The tokens of a user, or all, the newest first.
    async fn tokens(&self, user: Option<&UserId>) -> Result<Vec<Token>>;
    /// Revokes a token, those that were made with it, and so on; answers how many were revoked by that.
    async fn revoke_token(&self, id: &TokenId) -> Result<u64>;
    /// Notes that a token was used.
    async fn touch_token(&self, id: &TokenId) -> Result<()>;
    /// A token with all that decides what it opens, as of one moment.
    async fn bearer(&self, id: &TokenId) -> Result<Option<Bearer>>;

    /// The user that an identity was bound to.
    async fn identified(&self, identity: &Identity) -> Result<Option<UserId>>;
    /// Binds an identity to a user. `Conflict` when it is another user's, or the user has another one at this provider.
    async fn bind_identity(&self, identity: &Identity, user: &UserId) -> Result<()>;
    /// Forgets the identities of a user and ends the sessions; answers whether there was one. `NotFound` when there is no such user.
    async fn unbind_identities(&self, user: &UserId) -> Result<bool>;
    /// Begins a session of a user, who keeps at most so many: the oldest end. `NotFound` when the user does not exist or is disabled.
    async fn begin_session(&self, session: Session, most: u32) -> Result<()>;
    /// A session with all that decides what it opens, as of one moment. Whether its time is over, the caller decides. The sessions of
    /// a user who is switched off have ended.
    async fn logged_in(&self, id: &SessionId) -> Result<Option<LoggedIn>>;
    /// Notes that a session was used.
    async fn touch_session(&self, id: &SessionId) -> Result<()>;
    /// Ends a session; answers whether there was one.
    async fn end_session(&self, id: &SessionId) -> Result<bool>;

    /// Appends an entry to the audit log, in the order of the commits; answers its place.
    async fn append_audit(&self, entry: NewAudit) -> Result<i64>;
    /// Changes that were asked for, newest first. The log forgets nothing.
    async fn audit(&self, filter: AuditFilter) -> Result<Vec<AuditedChange>>;
    /// Follows the whole chain of the audit log, and looks for a hash that was noted earlier: without one a tail that was cut off cannot
    /// be missed.
    async fn verify_audit(&self, noted: Option<AuditHash>) -> Result<AuditVerdict>;
}
