//! Syncs on request, and how things stand.

use contactor_store::{
    ConnectionId, ConnectionState, Counts, Mark, Priority, RecordId, Run, RunFilter, Side, StoreError,
};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::progress::{Health, SyncProgress};
use crate::walk::BACKFILL;

/// HighLevel's published rate: 100 requests in 10 seconds per app and location.
const REQUESTS_PER_SECOND: u64 = 10;

impl Engine {
    /// Begins a walk over all contacts of the location, or goes on with the one under way; `full` begins anew.
    pub async fn start_sync(&self, id: &ConnectionId, full: bool) -> Result<SyncProgress, EngineError> {
        let connection = self.stored(id).await?;
        if connection.state != ConnectionState::Enabled {
            return Err(EngineError::Conflict(format!(
                "{id} is not enabled{}; nothing would be synced",
                connection.state_reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
            )));
        }
        self.begin_backfill(id, full).await?;
        self.sync_progress(id).await
    }

    /// How far the backfill of a connection is.
    pub async fn sync_progress(&self, id: &ConnectionId) -> Result<SyncProgress, EngineError> {
        let connection = self.stored(id).await?;
        let cursor = self.store().cursor(id, BACKFILL).await?;
        let counts = self.store().counts_of(id).await?;
        let workspace = self.workspace(&connection.workspace).await?;
        let (seen, total) = cursor.as_ref().map_or((0, None), |c| (c.seen, c.total));
        let unread = total.unwrap_or(seen).saturating_sub(seen);
        Ok(SyncProgress {
            connection: id.clone(),
            state: connection.state,
            walking: cursor.is_some_and(|cursor| !cursor.done),
            seen,
            total,
            waiting: counts.dirty,
            parked: counts.parked,
            links: counts.links,
            quota_daily_remaining: self.daily_remaining(&workspace),
            // One read for each record that is left, and as a rule of thumb one write.
            estimated_seconds: Some((unread + counts.dirty) * 2 / REQUESTS_PER_SECOND),
        })
    }

    /// Syncs one record now: an operator asked for it.
    pub async fn sync_record(
        &self,
        id: &ConnectionId,
        entity: &str,
        side: Side,
        record: &RecordId,
    ) -> Result<(), EngineError> {
        let active = self.active(id).await?;
        if active.manifest.entity(entity).is_none() {
            return Err(EngineError::Invalid(format!("{id} has no entity `{entity}`")));
        }
        let mark =
            Mark { entity: entity.to_owned(), side, record: record.clone(), snapshot: None, deleted: false };
        self.store().mark(id, vec![mark], Priority::Interactive, None).await?;
        self.wake().wake();
        Ok(())
    }

    /// Whether the host does its work. Proves by a commit that the store can keep something.
    pub async fn health(&self) -> Health {
        let mut problems = Vec::new();
        if let Err(error) = self.store().probe().await {
            problems.push(format!("store: {error}"));
        }
        let counts = match self.store().counts(None).await {
            Ok(counts) => counts,
            Err(error) => {
                problems.push(format!("store: {error}"));
                Counts::default()
            }
        };
        let attention = self.needs_attention().await.unwrap_or_else(|error| {
            problems.push(format!("store: {error}"));
            Vec::new()
        });
        Health {
            healthy: problems.is_empty(),
            problems,
            held_events: counts.held,
            counts,
            last_webhook_at: self.last_webhook(),
            attention,
        }
    }

    async fn needs_attention(&self) -> Result<Vec<ConnectionId>, StoreError> {
        let connections = self.store().connections(None).await?;
        Ok(connections
            .into_iter()
            .filter(|c| matches!(c.state, ConnectionState::Paused | ConnectionState::NeedsReconnect))
            .map(|c| c.id)
            .collect())
    }

    /// Runs without their calls, newest first.
    pub async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>, EngineError> {
        Ok(self.store().runs(filter).await?)
    }
}
