//! Connections: how they are enabled and guarded, and how another version of their connector is rolled out.

use contactor_server::dto::{
    AllowRequest, CheckReport, Connection, EnableConnection, GuardReport, Rollout, RolloutQuery, Upgrade,
    UpgradePlan, UpgradeQuery,
};
use reqwest::Method;

use super::{Client, Result};

impl Client {
    pub(crate) async fn connections(&self, workspace: &str) -> Result<Vec<Connection>> {
        self.get(&["workspaces", workspace, "connections"]).await
    }

    pub(crate) async fn connection(&self, workspace: &str, connector: &str) -> Result<Connection> {
        self.get(&["workspaces", workspace, "connections", connector]).await
    }

    pub(crate) async fn enable(
        &self,
        workspace: &str,
        connector: &str,
        how: &EnableConnection,
    ) -> Result<Connection> {
        self.json(self.request(Method::PUT, &["workspaces", workspace, "connections", connector]).json(how))
            .await
    }

    pub(crate) async fn disable(&self, workspace: &str, connector: &str) -> Result<Connection> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["disable"])).await
    }

    pub(crate) async fn check(&self, workspace: &str, connector: &str) -> Result<CheckReport> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["check"])).await
    }

    pub(crate) async fn upgrade_plan(
        &self,
        workspace: &str,
        connector: &str,
        query: &UpgradeQuery,
    ) -> Result<UpgradePlan> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["upgrade"]).query(query)).await
    }

    pub(crate) async fn upgrade(
        &self,
        workspace: &str,
        connector: &str,
        upgrade: &Upgrade,
    ) -> Result<Rollout> {
        self.json(self.of_connection(Method::PUT, workspace, connector, &["upgrade"]).json(upgrade)).await
    }

    pub(crate) async fn rollouts(&self, workspace: &str, connector: &str) -> Result<Vec<Rollout>> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["rollouts"])).await
    }

    pub(crate) async fn rollout(&self, workspace: &str, connector: &str) -> Result<Rollout> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["rollout"])).await
    }

    pub(crate) async fn adopt(
        &self,
        workspace: &str,
        connector: &str,
        seen: &RolloutQuery,
    ) -> Result<Rollout> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["adopt"]).query(seen)).await
    }

    pub(crate) async fn rollback(
        &self,
        workspace: &str,
        connector: &str,
        seen: &RolloutQuery,
    ) -> Result<Rollout> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["rollback"]).query(seen)).await
    }

    pub(crate) async fn guards(&self, workspace: &str) -> Result<Vec<GuardReport>> {
        self.get(&["workspaces", workspace, "guard"]).await
    }

    pub(crate) async fn guard(&self, workspace: &str, connector: &str) -> Result<GuardReport> {
        self.get(&["workspaces", workspace, "connections", connector, "guard"]).await
    }

    pub(crate) async fn renew_webhook_address(&self, workspace: &str, connector: &str) -> Result<Connection> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["webhook-address"])).await
    }

    pub(crate) async fn allow(
        &self,
        workspace: &str,
        connector: &str,
        request: &AllowRequest,
    ) -> Result<GuardReport> {
        let path = ["workspaces", workspace, "connections", connector, "guard", "allow"];
        self.json(self.request(Method::POST, &path).json(request)).await
    }
}
