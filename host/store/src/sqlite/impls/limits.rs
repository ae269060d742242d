//! What was used of quotas, and what connections changed and may still change.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::automation::WriteLimit;
use crate::model::{
    Allowance, Changed, ConnectionId, DailyBudget, Guarded, PartnerWindow, RecordId, Side, Usage, WorkspaceId,
};
use crate::sqlite::{Result, SqliteStore, changes, configuration, usage, writes};
use crate::store::LimitStore;

#[async_trait]
impl LimitStore for SqliteStore {
    async fn guarded(&self, connection: &ConnectionId, since: Timestamp) -> Result<Guarded> {
        let connection = connection.clone();
        self.read(move |db| changes::guarded(db, &connection, since)).await
    }

    async fn changed(&self, connection: &ConnectionId, limit: u32) -> Result<Vec<Changed>> {
        let connection = connection.clone();
        self.read(move |db| changes::latest(db, &connection, limit)).await
    }

    async fn was_changed(
        &self,
        connection: &ConnectionId,
        side: Side,
        record: &RecordId,
        since: Timestamp,
    ) -> Result<bool> {
        let (connection, record) = (connection.clone(), record.clone());
        self.read(move |db| changes::is_counted(db, &connection, side, &record, since)).await
    }

    async fn allow_changes(&self, connection: &ConnectionId, allowance: Allowance) -> Result<()> {
        let connection = connection.clone();
        self.write(move |db| changes::allow(db, &connection, allowance)).await
    }

    async fn may_write(&self, connection: &ConnectionId, limit: WriteLimit) -> Result<()> {
        let (connection, now) = (connection.clone(), self.now());
        self.read(move |db| writes::check(db, &configuration::owner(db, &connection)?, &limit, now)).await
    }

    async fn add_usage(&self, usage: Vec<Usage>) -> Result<()> {
        self.write(move |db| usage::add(db, &usage)).await
    }

    async fn usage(&self, workspace: &WorkspaceId, since: Timestamp) -> Result<Vec<Usage>> {
        let workspace = workspace.clone();
        self.read(move |db| usage::since(db, &workspace, since)).await
    }

    async fn put_budget(&self, budget: DailyBudget) -> Result<()> {
        self.write(move |db| usage::put_budget(db, &budget)).await
    }

    async fn budget(&self, workspace: &WorkspaceId) -> Result<Option<DailyBudget>> {
        let workspace = workspace.clone();
        self.read(move |db| usage::budget(db, &workspace)).await
    }

    async fn put_partner_windows(&self, windows: Vec<PartnerWindow>) -> Result<()> {
        self.write(move |db| usage::put_windows(db, &windows)).await
    }

    async fn partner_windows(&self, connection: &ConnectionId) -> Result<Vec<PartnerWindow>> {
        let connection = connection.clone();
        self.read(move |db| usage::windows(db, &connection)).await
    }
}
