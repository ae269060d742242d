//! Workspaces, their connections, and the components that these run or have on trial.

use async_trait::async_trait;

use crate::model::{
    Connection, ConnectionId, ConnectionState, InstalledConnector, LocationId, NewRollout, Policy, Rollout,
    RolloutEnd, RolloutMode, RolloutNews, SecretHash, ShadowDifference, StopCause, UnsealedWebhook,
    Workspace, WorkspaceId,
};
use crate::sqlite::{Result, SqliteStore, configuration, rollouts};
use crate::store::ConfigurationStore;
use crate::vault::Sealed;

#[async_trait]
impl ConfigurationStore for SqliteStore {
    async fn create_workspace(&self, workspace: Workspace) -> Result<()> {
        self.write(move |db| configuration::create_workspace(db, &workspace)).await
    }

    async fn update_workspace(&self, workspace: Workspace) -> Result<()> {
        self.write(move |db| configuration::update_workspace(db, &workspace)).await
    }

    async fn workspace(&self, id: &WorkspaceId) -> Result<Option<Workspace>> {
        let id = id.clone();
        self.read(move |db| configuration::workspace(db, &id)).await
    }

    async fn workspace_of(&self, location: &LocationId) -> Result<Option<Workspace>> {
        let location = location.clone();
        self.read(move |db| configuration::workspace_of(db, &location)).await
    }

    async fn set_policy(&self, workspace: &WorkspaceId, policy: Policy) -> Result<()> {
        let workspace = workspace.clone();
        self.write(move |db| configuration::set_policy(db, &workspace, &policy)).await
    }

    async fn workspaces(&self) -> Result<Vec<Workspace>> {
        self.read(configuration::workspaces).await
    }

    async fn install_connector(&self, connector: InstalledConnector) -> Result<()> {
        self.write(move |db| configuration::install_connector(db, &connector)).await
    }

    async fn connectors(&self) -> Result<Vec<InstalledConnector>> {
        self.read(configuration::connectors).await
    }

    async fn put_connection(&self, connection: Connection) -> Result<()> {
        let now = self.now();
        self.write(move |db| configuration::put_connection(db, &connection, now)).await
    }

    async fn set_mapping(&self, id: &ConnectionId, mapping: serde_json::Value) -> Result<()> {
        let id = id.clone();
        self.write(move |db| configuration::set_mapping(db, &id, &mapping)).await
    }

    async fn set_connection_state(
        &self,
        id: &ConnectionId,
        state: ConnectionState,
        reason: Option<String>,
    ) -> Result<()> {
        let id = id.clone();
        self.write(move |db| configuration::set_connection_state(db, &id, state, reason.as_deref())).await
    }

    async fn exchange_connection_state(
        &self,
        id: &ConnectionId,
        from: ConnectionState,
        to: ConnectionState,
        reason: Option<String>,
        cause: Option<StopCause>,
    ) -> Result<bool> {
        let (id, states, now) = (id.clone(), (from, to), self.now());
        self.write(move |db| {
            configuration::exchange_connection_state(db, &id, states, reason.as_deref(), cause, now)
        })
        .await
    }

    async fn stop_mass_change(&self, id: &ConnectionId, reason: String) -> Result<bool> {
        let (id, now) = (id.clone(), self.now());
        self.write(move |db| configuration::stop_mass_change(db, &id, &reason, now)).await
    }

    async fn connection(&self, id: &ConnectionId) -> Result<Option<Connection>> {
        let id = id.clone();
        self.read(move |db| configuration::connection(db, &id)).await
    }

    async fn connection_by_webhook(&self, hash: SecretHash) -> Result<Option<Connection>> {
        self.read(move |db| configuration::connection_by_webhook(db, hash)).await
    }

    async fn put_webhook_address(&self, id: &ConnectionId, hash: SecretHash, sealed: Sealed) -> Result<()> {
        let id = id.clone();
        self.write(move |db| configuration::put_webhook_address(db, &id, hash, &sealed)).await
    }

    async fn unsealed_webhooks(&self) -> Result<Vec<UnsealedWebhook>> {
        self.read(configuration::unsealed_webhooks).await
    }

    async fn connections(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Connection>> {
        let workspace = workspace.cloned();
        self.read(move |db| configuration::connections(db, workspace.as_ref())).await
    }

    async fn begin_rollout(&self, new: NewRollout) -> Result<Rollout> {
        let now = self.now();
        self.write(move |db| rollouts::begin(db, &new, now)).await
    }

    async fn set_rollout(&self, id: u64, mode: RolloutMode, share: u8) -> Result<bool> {
        let now = self.now();
        self.write(move |db| rollouts::set(db, id, mode, share, now)).await
    }

    async fn count_rollout(&self, id: u64, news: RolloutNews) -> Result<()> {
        self.write(move |db| rollouts::count(db, id, &news)).await
    }

    async fn end_rollout(&self, id: u64, end: RolloutEnd, reason: String) -> Result<bool> {
        let now = self.now();
        self.write(move |db| rollouts::end(db, id, end, &reason, now)).await
    }

    async fn roll_back(
        &self,
        connection: &ConnectionId,
        grants: Vec<String>,
        reason: String,
    ) -> Result<Option<Rollout>> {
        let (connection, now) = (connection.clone(), self.now());
        self.write(move |db| rollouts::roll_back(db, &connection, grants, &reason, now)).await
    }

    async fn rollouts(&self, connection: &ConnectionId, limit: u32) -> Result<Vec<Rollout>> {
        let connection = connection.clone();
        self.read(move |db| rollouts::list(db, &connection, limit)).await
    }

    async fn running_rollout(&self, connection: &ConnectionId) -> Result<Option<Rollout>> {
        let connection = connection.clone();
        self.read(move |db| rollouts::running(db, &connection)).await
    }

    async fn rollout_differences(&self, id: u64) -> Result<Vec<ShadowDifference>> {
        self.read(move |db| rollouts::differences(db, id)).await
    }
}
