//! Users, what lets them in, and the log of what they changed.

use async_trait::async_trait;

use crate::model::{
    AuditFilter, AuditHash, AuditVerdict, AuditedChange, Bearer, Identity, LoggedIn, Member, NewAudit, Role,
    Session, SessionId, Token, TokenId, User, UserChange, UserId, WorkspaceId,
};
use crate::sqlite::{Result, SqliteStore, audit, logins, people};
use crate::store::PeopleStore;

#[async_trait]
impl PeopleStore for SqliteStore {
    async fn create_user(&self, user: User) -> Result<()> {
        self.write(move |db| people::create_user(db, &user)).await
    }

    async fn update_user(&self, id: &UserId, change: UserChange) -> Result<()> {
        let id = id.clone();
        self.write(move |db| people::update_user(db, &id, change)).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        let id = id.clone();
        self.read(move |db| people::user(db, &id)).await
    }

    async fn users(&self) -> Result<Vec<User>> {
        self.read(people::users).await
    }

    async fn put_member(&self, member: Member) -> Result<()> {
        self.write(move |db| people::put_member(db, &member)).await
    }

    async fn remove_member(&self, workspace: &WorkspaceId, user: &UserId) -> Result<bool> {
        let (workspace, user) = (workspace.clone(), user.clone());
        self.write(move |db| people::remove_member(db, &workspace, &user)).await
    }

    async fn members(&self, workspace: &WorkspaceId) -> Result<Vec<(User, Role)>> {
        let workspace = workspace.clone();
        self.read(move |db| people::members(db, &workspace)).await
    }

    async fn members_of(&self, user: &UserId) -> Result<Vec<Member>> {
        let user = user.clone();
        self.read(move |db| people::members_of(db, &user)).await
    }

    async fn create_token(&self, token: Token) -> Result<()> {
        self.write(move |db| people::create_token(db, &token)).await
    }

    async fn token(&self, id: &TokenId) -> Result<Option<Token>> {
        let id = id.clone();
        self.read(move |db| people::token(db, &id)).await
    }

    async fn tokens(&self, user: Option<&UserId>) -> Result<Vec<Token>> {
        let user = user.cloned();
        self.read(move |db| people::tokens(db, user.as_ref())).await
    }

    async fn revoke_token(&self, id: &TokenId) -> Result<u64> {
        let (id, now) = (id.clone(), self.now());
        self.write(move |db| people::revoke_token(db, &id, now)).await
    }

    async fn touch_token(&self, id: &TokenId) -> Result<()> {
        let (id, now) = (id.clone(), self.now());
        self.write(move |db| people::touch_token(db, &id, now)).await
    }

    async fn bearer(&self, id: &TokenId) -> Result<Option<Bearer>> {
        let id = id.clone();
        self.read(move |db| people::bearer(db, &id)).await
    }

    async fn identified(&self, identity: &Identity) -> Result<Option<UserId>> {
        let identity = identity.clone();
        self.read(move |db| logins::identified(db, &identity)).await
    }

    async fn bind_identity(&self, identity: &Identity, user: &UserId) -> Result<()> {
        let (identity, user, now) = (identity.clone(), user.clone(), self.now());
        self.write(move |db| logins::bind_identity(db, &identity, &user, now)).await
    }

    async fn unbind_identities(&self, user: &UserId) -> Result<bool> {
        let user = user.clone();
        self.write(move |db| logins::unbind_identities(db, &user)).await
    }

    async fn begin_session(&self, session: Session, most: u32) -> Result<()> {
        self.write(move |db| logins::begin_session(db, &session, most)).await
    }

    async fn logged_in(&self, id: &SessionId) -> Result<Option<LoggedIn>> {
        let id = id.clone();
        self.read(move |db| logins::logged_in(db, &id)).await
    }

    async fn touch_session(&self, id: &SessionId) -> Result<()> {
        let (id, now) = (id.clone(), self.now());
        self.write(move |db| logins::touch_session(db, &id, now)).await
    }

    async fn end_session(&self, id: &SessionId) -> Result<bool> {
        let id = id.clone();
        self.write(move |db| logins::end_session(db, &id)).await
    }

    async fn append_audit(&self, entry: NewAudit) -> Result<i64> {
        let now = self.now();
        self.write(move |db| audit::append(db, &entry, now)).await
    }

    async fn audit(&self, filter: AuditFilter) -> Result<Vec<AuditedChange>> {
        self.read(move |db| audit::list(db, &filter)).await
    }

    async fn verify_audit(&self, noted: Option<AuditHash>) -> Result<AuditVerdict> {
        self.read(move |db| audit::verify(db, noted)).await
    }
}
