//! Syncs on request, and how things stand.

use contactor_highlevel::SearchRequest;
use contactor_store::{
    ConnectionId, ConnectionState, Counts, Mark, Priority, RecordId, Run, RunFilter, Side, StoreError,
    Workspace,
};

use super::matching::{SyncEstimate, estimate};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::progress::{Health, SyncProgress};
use crate::walk::BACKFILL;

/// Requests to either side for a record that waits: one read, and as a rule of thumb one write.
const CALLS: u64 = 2;

/// What a first sync would cost, before it is begun.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirstSync {
    /// Contacts of the location, as HighLevel counts them.
    pub contacts: u64,
    /// What reading and writing all of them would cost.
    pub estimate: SyncEstimate,
    /// Requests left today at HighLevel.
    pub quota_daily_remaining: u32,
}

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
        let estimate = self.cost_of(id, &workspace, unread, counts.dirty).await;
        let walking = cursor.as_ref().is_some_and(|cursor| !cursor.done);
        Ok(SyncProgress {
            connection: id.clone(),
            state: connection.state,
            walking,
            waits_for: if walking { self.backfill_ahead(&connection).await? } else { None },
            seen,
            total,
            waiting: counts.dirty,
            parked: counts.parked,
            links: counts.links,
            quota_daily_remaining: self.daily_remaining(&workspace),
            estimate,
        })
    }

    /// What a sync of the whole location would cost, before it is begun. Asks HighLevel how many contacts there are: one request.
    ///
    /// # Errors
    /// No such connection, or HighLevel does not answer.
    pub async fn sync_estimate(&self, id: &ConnectionId) -> Result<FirstSync, EngineError> {
        let active = self.active(id).await?;
        let run = self.context(&active, Priority::Interactive, true);
        let request = SearchRequest { limit: 1, ..SearchRequest::default() };
        let page = run.location.search_contacts(&request).await?;
        let contacts = page.total.ok_or_else(|| {
            EngineError::Invalid(
                "HighLevel did not say how many contacts the location has; try again".to_owned(),
            )
        })?;
        let workspace = self.workspace(&active.connection.workspace).await?;
        let estimate = self.cost_of(id, &workspace, contacts, 0).await;
        Ok(FirstSync { contacts, estimate, quota_daily_remaining: self.budget(&workspace).daily.remaining })
    }

    /// What it costs to read so many contacts with their lists, and to work off so many records that wait.
    async fn cost_of(
        &self,
        id: &ConnectionId,
        workspace: &Workspace,
        contacts: u64,
        waiting: u64,
    ) -> SyncEstimate {
        // A connection that cannot be loaded says so elsewhere.
        let lists = self.active(id).await.map_or(0, |active| active.lists.len() as u64);
        let records = contacts * (1 + lists) + waiting;
        let pages = contacts.div_ceil(u64::from(self.config().page_size.max(1)));
        estimate(pages + records * CALLS, records * CALLS, &self.budget(workspace))
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
