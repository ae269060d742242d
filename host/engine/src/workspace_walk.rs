//! What the walks over a whole workspace have in common: who wants them, how often, and whose cursor they keep.

use std::sync::Arc;

use contactor_store::{ConnectionState, Cursor, WorkspaceId};
use jiff::{SignedDuration, Timestamp};

use crate::active::Active;
use crate::engine::Engine;
use crate::failure::{Failure, of_engine, of_store};
use crate::reconcile::children::Kind;
use crate::trouble;

/// The connections that a walk is for.
pub(crate) struct Walkers {
    /// Those that keep lists of the walk's kind.
    pub(crate) keepers: Vec<Arc<Active>>,
    /// The one whose cursor and quota are used: a cursor belongs to a connection, and which of them it is does not matter.
    pub(crate) carrier: Arc<Active>,
    /// How long the walk rests: as long as the most impatient of them.
    pub(crate) interval: SignedDuration,
}

impl Walkers {
    /// Whether the walk has to go on, or to begin.
    pub(crate) fn is_due(&self, cursor: Option<&Cursor>, now: Timestamp) -> bool {
        match cursor {
            None => true,
            Some(cursor) if cursor.trouble.is_some() => !trouble::rests(Some(cursor), now),
            Some(cursor) => !cursor.done || now.duration_since(cursor.updated_at) >= self.interval,
        }
    }
}

impl Engine {
    /// Who wants a walk over the records of a kind: connections that keep lists of them, and those that handle one of these
    /// events. None when nobody does, or when all of them do without sweeps.
    pub(crate) async fn walkers(
        &self,
        workspace: &WorkspaceId,
        kind: Kind,
        events: &[&str],
    ) -> Result<Option<Walkers>, Failure> {
        let mut listeners = Vec::new();
        for event in events {
            listeners.extend(self.subscribers(workspace, event).await.map_err(of_engine)?);
        }
        let (mut keepers, mut others, mut intervals) = (Vec::new(), Vec::new(), Vec::new());
        for connection in self.store().connections(Some(workspace)).await.map_err(of_store)? {
            if connection.state != ConnectionState::Enabled {
                continue;
            }
            let active = self.active(&connection.id).await.map_err(of_engine)?;
            let keeps = active.lists.contains_key(kind.list());
            if keeps || listeners.contains(&connection.id) {
                intervals.extend(self.sweep_interval(&connection));
                if keeps { &mut keepers } else { &mut others }.push(active);
            }
        }
        let carrier = keepers.first().or(others.first()).cloned();
        let interval = intervals.into_iter().min();
        Ok(carrier.zip(interval).map(|(carrier, interval)| Walkers { keepers, carrier, interval }))
    }

    /// How long a connection may go without a sweep; `None` when it does without.
    pub(crate) fn sweep_interval(&self, connection: &contactor_store::Connection) -> Option<SignedDuration> {
        let host = self.config().sweep_interval;
        let own = connection.schedule.sweep_seconds.map(u64::from);
        let seconds = own.unwrap_or(host);
        (seconds > 0).then(|| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)))
    }
}
