//! What was used of quotas, and what connections changed and may still change.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::automation::WriteLimit;
use crate::model::{
    Allowance, Changed, ConnectionId, DailyBudget, Guarded, PartnerWindow, RecordId, Side, Usage, WorkspaceId,
};

/// The part of a [`Store`](crate::Store) about quotas and limits of change.
#[async_trait]
pub trait LimitStore: Send + Sync + 'static {
    /// How many linked records a connection changed at this instant or later, and what a person allowed.
    async fn guarded(&self, connection: &ConnectionId, since: Timestamp) -> Result<Guarded>;
    /// The linked records that a connection changed last.
    async fn changed(&self, connection: &ConnectionId, limit: u32) -> Result<Vec<Changed>>;
    /// Whether a record was counted on a side at this instant or later: changing it again makes the count no larger.
    async fn was_changed(
        &self,
        connection: &ConnectionId,
        side: Side,
        record: &RecordId,
        since: Timestamp,
    ) -> Result<bool>;
    /// Lets a connection change so many more records without counting them, and enables it if it is paused, all or nothing.
    async fn allow_changes(&self, connection: &ConnectionId, allowance: Allowance) -> Result<()>;
    /// Whether a connection may write a record once more: `Limited`, with who wrote it how often, when not. Runs of records that
    /// changed something are counted when they are completed, handlers' calls when they are noted. A person who has something
    /// parked done again begins the count anew.
    async fn may_write(&self, connection: &ConnectionId, limit: WriteLimit) -> Result<()>;

    /// Adds calls to what is counted already; those of a connection that is gone are left out. Hours older than two weeks are
    /// forgotten by [`expire`](crate::OperationStore::expire).
    async fn add_usage(&self, usage: Vec<Usage>) -> Result<()>;
    /// What a workspace's connections used since this hour, the oldest first.
    async fn usage(&self, workspace: &WorkspaceId, since: Timestamp) -> Result<Vec<Usage>>;
    /// Keeps what HighLevel said is left of a location's day.
    async fn put_budget(&self, budget: DailyBudget) -> Result<()>;
    /// What was kept.
    async fn budget(&self, workspace: &WorkspaceId) -> Result<Option<DailyBudget>>;
    /// Keeps what was used of partners' quotas, each in the place of what was kept of it; those of a connection that is gone are
    /// left out.
    async fn put_partner_windows(&self, windows: Vec<PartnerWindow>) -> Result<()>;
    /// What was kept of a connection's; nothing when there is no such connection.
    async fn partner_windows(&self, connection: &ConnectionId) -> Result<Vec<PartnerWindow>>;
}
