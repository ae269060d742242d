//! Workspaces, their connections, and the components that these run or have on trial.

use async_trait::async_trait;

use super::Result;
use crate::model::{
    Connection, ConnectionId, ConnectionState, InstalledConnector, LocationId, NewRollout, Policy, Rollout,
    RolloutEnd, RolloutMode, RolloutNews, SecretHash, ShadowDifference, StopCause, UnsealedWebhook,
    Workspace, WorkspaceId,
};
use crate::vault::Sealed;

/// The part of a [`Store`](crate::Store) about workspaces, connections and components.
#[async_trait]
pub trait ConfigurationStore: Send + Sync + 'static {
    /// Creates a workspace. Events that were held for its location become its events, in state `Ignored`: they are kept to be
    /// looked at. `Conflict` when its id or location is taken.
    async fn create_workspace(&self, workspace: Workspace) -> Result<()>;
    /// Changes name, country, time zone and retention.
    async fn update_workspace(&self, workspace: Workspace) -> Result<()>;
    /// One workspace.
    async fn workspace(&self, id: &WorkspaceId) -> Result<Option<Workspace>>;
    /// The workspace bound to a location.
    async fn workspace_of(&self, location: &LocationId) -> Result<Option<Workspace>>;
    /// Sets what none of a workspace's connectors may do.
    async fn set_policy(&self, workspace: &WorkspaceId, policy: Policy) -> Result<()>;
    /// All workspaces, by id.
    async fn workspaces(&self) -> Result<Vec<Workspace>>;

    /// Records an installed component. Installing the same digest again approves it and makes it the newest, if it is approved now, and
    /// changes nothing otherwise.
    async fn install_connector(&self, connector: InstalledConnector) -> Result<()>;
    /// All installed components, newest first.
    async fn connectors(&self) -> Result<Vec<InstalledConnector>>;

    /// Writes a connection (by id). `Conflict` when it exists in another workspace or its webhook address is taken. The address of one that
    /// exists stays: [`put_webhook_address`](Self::put_webhook_address) gives it another one. One that gets another component is listed among its rollouts as adopted, with what it had before; a rollout that was running ends.
    async fn put_connection(&self, connection: Connection) -> Result<()>;
    /// Changes only the mapping. `NotFound` when there is no such connection.
    async fn set_mapping(&self, id: &ConnectionId, mapping: serde_json::Value) -> Result<()>;
    /// Changes only the state, with the reason for the admin.
    async fn set_connection_state(
        &self,
        id: &ConnectionId,
        state: ConnectionState,
        reason: Option<String>,
    ) -> Result<()>;
    /// Changes the state if it is `from` now, and answers whether it was: what stopped a connection meanwhile had another reason. That is
    /// the host's own doing ([`Actor::Host`]), and on record with it.
    async fn exchange_connection_state(
        &self,
        id: &ConnectionId,
        from: ConnectionState,
        to: ConnectionState,
        reason: Option<String>,
        cause: Option<StopCause>,
    ) -> Result<bool>;
    /// Pauses a connection because of a mass change, unless it is not enabled any more: whoever stopped it before had another
    /// reason, which allowing more changes must not undo. Answers whether it was paused now, which is then on record.
    async fn stop_mass_change(&self, id: &ConnectionId, reason: String) -> Result<bool>;
    /// One connection.
    async fn connection(&self, id: &ConnectionId) -> Result<Option<Connection>>;
    /// The connection whose webhook address has a token of this hash.
    async fn connection_by_webhook(&self, hash: SecretHash) -> Result<Option<Connection>>;
    /// Gives a connection another webhook address: what its token is recognised by, and the token sealed as the credential
    /// [`ConnectionId::webhook_address`], both or nothing. The former one is nobody's from then on. `Conflict` when the address is
    /// taken, `KeyRetired` as for [`put_credential`](Self::put_credential).
    async fn put_webhook_address(&self, id: &ConnectionId, hash: SecretHash, sealed: Sealed) -> Result<()>;
    /// Tokens that an earlier version kept in the clear, until [`put_webhook_address`](Self::put_webhook_address) is called for their
    /// connections.
    async fn unsealed_webhooks(&self) -> Result<Vec<UnsealedWebhook>>;
    /// The connections of a workspace, or all.
    async fn connections(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Connection>>;

    /// Puts another version of a connector on trial, and counts what the pinned one did shortly before. `Conflict` when one is on trial.
    async fn begin_rollout(&self, new: NewRollout) -> Result<Rollout>;
    /// Changes what a running rollout does; answers whether it was running.
    async fn set_rollout(&self, id: u64, mode: RolloutMode, share: u8) -> Result<bool>;
    /// Adds to the counts of a rollout, if it is running. The newest [`KEPT_DIFFERENCES`](crate::KEPT_DIFFERENCES) differences are kept.
    async fn count_rollout(&self, id: u64, news: RolloutNews) -> Result<()>;
    /// Ends a running rollout; answers whether it was running. Adopting pins its version, its grants and its settings, all or nothing.
    async fn end_rollout(&self, id: u64, end: RolloutEnd, reason: String) -> Result<bool>;
    /// Pins what the connection had before its present component, which was adopted, with the settings of then and with these grants, all
    /// or nothing; answers the rollout that this takes back. None when nothing is known to be before it. The grants of then may hold what
    /// was withheld since: what is left of them, the caller says.
    async fn roll_back(
        &self,
        connection: &ConnectionId,
        grants: Vec<String>,
        reason: String,
    ) -> Result<Option<Rollout>>;
    /// The rollouts of a connection, the newest first.
    async fn rollouts(&self, connection: &ConnectionId, limit: u32) -> Result<Vec<Rollout>>;
    /// The rollout of a connection that is running.
    async fn running_rollout(&self, connection: &ConnectionId) -> Result<Option<Rollout>>;
    /// How runs in shadow differed, the newest first.
    async fn rollout_differences(&self, id: u64) -> Result<Vec<ShadowDifference>>;
}
