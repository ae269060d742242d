//! Access to HighLevel by OAuth: consents, the grants that come of them, and installations.

use contactor_server::dto::{Consent, HighLevelGrant, Installation, NewConsent, RenewGrant};
use reqwest::Method;

use super::{Client, Result};

impl Client {
    /// For a workspace's location, or for an agency.
    pub(crate) async fn consent(&self, workspace: Option<&str>, new: &NewConsent) -> Result<Consent> {
        let request = match workspace {
            Some(workspace) => self.request(Method::POST, &["workspaces", workspace, "consents"]),
            None => self.request(Method::POST, &["oauth", "consents"]),
        };
        self.json(request.json(new)).await
    }

    pub(crate) async fn grants_of(&self, workspace: &str) -> Result<Vec<HighLevelGrant>> {
        self.get(&["workspaces", workspace, "grants"]).await
    }

    pub(crate) async fn renew_grants_of(&self, workspace: &str) -> Result<Vec<HighLevelGrant>> {
        self.json(self.request(Method::POST, &["workspaces", workspace, "grants", "renew"])).await
    }

    pub(crate) async fn grants(&self) -> Result<Vec<HighLevelGrant>> {
        self.get(&["oauth", "grants"]).await
    }

    pub(crate) async fn renew_grant(&self, which: &RenewGrant) -> Result<HighLevelGrant> {
        self.json(self.request(Method::POST, &["oauth", "grants", "renew"]).json(which)).await
    }

    pub(crate) async fn installations(&self) -> Result<Vec<Installation>> {
        self.get(&["oauth", "installations"]).await
    }
}
