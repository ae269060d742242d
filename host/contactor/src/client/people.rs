//! Who may do what, and who did it: users, members, tokens and the audit log.

use contactor_server::dto::{
    AuditEntry, AuditQuery, AuditReport, AuditVerifyQuery, IssuedToken, Member, NewToken, NewUser, PutMember,
    RevokeAnswer, Token, TokenQuery, User, Whoami,
};
use reqwest::Method;

use super::{Client, Result};

impl Client {
    pub(crate) async fn whoami(&self) -> Result<Whoami> {
        self.get(&["whoami"]).await
    }

    pub(crate) async fn users(&self) -> Result<Vec<User>> {
        self.get(&["users"]).await
    }

    pub(crate) async fn user(&self, id: &str) -> Result<User> {
        self.get(&["users", id]).await
    }

    pub(crate) async fn create_user(&self, new: &NewUser) -> Result<User> {
        self.json(self.request(Method::POST, &["users"]).json(new)).await
    }

    /// `switch` is `disable` or `enable`.
    pub(crate) async fn switch_user(&self, id: &str, switch: &str) -> Result<User> {
        self.json(self.request(Method::POST, &["users", id, switch])).await
    }

    pub(crate) async fn unbind_user(&self, id: &str) -> Result<()> {
        self.send(self.request(Method::DELETE, &["users", id, "identity"])).await.map(drop)
    }

    pub(crate) async fn make_platform_admin(&self, id: &str) -> Result<User> {
        self.json(self.request(Method::PUT, &["users", id, "platform-admin"])).await
    }

    pub(crate) async fn unmake_platform_admin(&self, id: &str) -> Result<User> {
        self.json(self.request(Method::DELETE, &["users", id, "platform-admin"])).await
    }

    pub(crate) async fn members(&self, workspace: &str) -> Result<Vec<Member>> {
        self.get(&["workspaces", workspace, "members"]).await
    }

    pub(crate) async fn put_member(&self, workspace: &str, user: &str, how: PutMember) -> Result<Member> {
        self.json(self.request(Method::PUT, &["workspaces", workspace, "members", user]).json(&how)).await
    }

    pub(crate) async fn remove_member(&self, workspace: &str, user: &str) -> Result<()> {
        let request = self.request(Method::DELETE, &["workspaces", workspace, "members", user]);
        self.send(request).await.map(drop)
    }

    pub(crate) async fn tokens(&self, query: &TokenQuery) -> Result<Vec<Token>> {
        self.json(self.request(Method::GET, &["tokens"]).query(query)).await
    }

    pub(crate) async fn create_token(&self, new: &NewToken) -> Result<IssuedToken> {
        self.json(self.request(Method::POST, &["tokens"]).json(new)).await
    }

    pub(crate) async fn revoke_token(&self, id: &str) -> Result<RevokeAnswer> {
        self.json(self.request(Method::DELETE, &["tokens", id])).await
    }

    pub(crate) async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>> {
        self.json(self.request(Method::GET, &["audit"]).query(query)).await
    }

    pub(crate) async fn verify_audit(&self, head: Option<String>) -> Result<AuditReport> {
        self.json(self.request(Method::GET, &["audit", "verify"]).query(&AuditVerifyQuery { head })).await
    }
}
