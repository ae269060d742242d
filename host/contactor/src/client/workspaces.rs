//! Workspaces: what is set of them and what they use, where their alerts and events are sent, and the erasure of a person.

use contactor_server::dto::{
    AlertRules, Alerts, Destination, EraseRequest, Erasure, NewWorkspace, PutDestination, Quota, Workspace,
    WorkspacePolicy, WorkspaceSettings, WorkspaceToken,
};
use reqwest::Method;

use super::{Client, Result};

impl Client {
    pub(crate) async fn workspaces(&self) -> Result<Vec<Workspace>> {
        self.get(&["workspaces"]).await
    }

    pub(crate) async fn workspace(&self, id: &str) -> Result<Workspace> {
        self.get(&["workspaces", id]).await
    }

    pub(crate) async fn create_workspace(&self, new: &NewWorkspace) -> Result<Workspace> {
        self.json(self.request(Method::POST, &["workspaces"]).json(new)).await
    }

    pub(crate) async fn set_workspace_token(&self, id: &str, new: &WorkspaceToken) -> Result<Workspace> {
        self.json(self.request(Method::PUT, &["workspaces", id, "token"]).json(new)).await
    }

    pub(crate) async fn set_workspace(
        &self,
        workspace: &str,
        settings: &WorkspaceSettings,
    ) -> Result<Workspace> {
        self.json(self.request(Method::PUT, &["workspaces", workspace, "settings"]).json(settings)).await
    }

    pub(crate) async fn set_policy(&self, workspace: &str, policy: &WorkspacePolicy) -> Result<Workspace> {
        self.json(self.request(Method::PUT, &["policies", workspace]).json(policy)).await
    }

    pub(crate) async fn quota(&self, workspace: &str) -> Result<Quota> {
        self.get(&["workspaces", workspace, "quota"]).await
    }

    pub(crate) async fn alerts(&self, workspace: &str) -> Result<Alerts> {
        self.get(&["workspaces", workspace, "alerts"]).await
    }

    pub(crate) async fn set_alert_rules(&self, workspace: &str, rules: &AlertRules) -> Result<AlertRules> {
        let request = self.request(Method::PUT, &["workspaces", workspace, "alerts", "rules"]);
        self.json(request.json(rules)).await
    }

    pub(crate) async fn destinations(&self, workspace: &str) -> Result<Vec<Destination>> {
        self.get(&["workspaces", workspace, "destinations"]).await
    }

    pub(crate) async fn put_destination(
        &self,
        workspace: &str,
        name: &str,
        how: &PutDestination,
    ) -> Result<Destination> {
        self.json(self.request(Method::PUT, &["workspaces", workspace, "destinations", name]).json(how)).await
    }

    pub(crate) async fn remove_destination(&self, workspace: &str, name: &str) -> Result<()> {
        let request = self.request(Method::DELETE, &["workspaces", workspace, "destinations", name]);
        self.send(request).await.map(drop)
    }

    pub(crate) async fn test_destination(&self, workspace: &str, name: &str) -> Result<()> {
        let request = self.request(Method::POST, &["workspaces", workspace, "destinations", name, "test"]);
        self.send(request).await.map(drop)
    }

    pub(crate) async fn erase(&self, workspace: &str, request: &EraseRequest) -> Result<Erasure> {
        self.json(self.request(Method::POST, &["workspaces", workspace, "erase"]).json(request)).await
    }
}
