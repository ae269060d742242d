//! Which connections of a workspace want which of HighLevel's events for their automations.
//!
//! A connector gets the events that its manifest declares as triggers, and those that a rule in its settings mentions, unless they
//! are withheld or denied. Webhooks come by the thousand, so the answer is kept in memory and thrown away when a connection of the
//! workspace changes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use contactor_manifest::Manifest;
use contactor_store::{ConnectionId, ConnectionState, WorkspaceId};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::permissions;

/// Connections by the kind of event that they want.
type Wanted = HashMap<String, Vec<ConnectionId>>;

/// What is known, by workspace.
#[derive(Default)]
pub(crate) struct Subscriptions {
    known: RwLock<HashMap<WorkspaceId, Arc<Wanted>>>,
    /// Grows with every change, so that what was read before it is not kept after it.
    changes: AtomicU64,
}

impl Subscriptions {
    /// A connection changed.
    pub(crate) fn forget(&self, id: &ConnectionId) {
        let workspace = id.as_str().split('/').next().unwrap_or_default();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        known.remove(&WorkspaceId::new(workspace));
    }

    fn get(&self, workspace: &WorkspaceId) -> Option<Arc<Wanted>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(workspace).cloned()
    }
}

impl Engine {
    /// The connections that want events of this kind.
    pub(crate) async fn subscribers(
        &self,
        workspace: &WorkspaceId,
        kind: &str,
    ) -> Result<Vec<ConnectionId>, EngineError> {
        let subscriptions = self.subscriptions();
        if let Some(wanted) = subscriptions.get(workspace) {
            return Ok(wanted.get(kind).cloned().unwrap_or_default());
        }
        let before = subscriptions.changes.load(Ordering::SeqCst);
        let wanted = Arc::new(self.wanted(workspace).await?);
        let answer = wanted.get(kind).cloned().unwrap_or_default();
        let mut known = subscriptions.known.write().unwrap_or_else(PoisonError::into_inner);
        if subscriptions.changes.load(Ordering::SeqCst) == before {
            known.insert(workspace.clone(), wanted);
        }
        Ok(answer)
    }

    async fn wanted(&self, workspace: &WorkspaceId) -> Result<Wanted, EngineError> {
        let mut wanted = Wanted::new();
        let policy = self.workspace(workspace).await?.policy;
        for connection in self.store().connections(Some(workspace)).await? {
            // One that is paused, or waits for a reconnect, finds its events later.
            if connection.state == ConnectionState::Disabled {
                continue;
            }
            let installed = self.installed(&connection.connector, Some(connection.digest.as_str())).await;
            let manifest = match installed.map(|installed| Manifest::parse(&installed.manifest)) {
                Ok(Ok(manifest)) => manifest,
                Err(EngineError::Store(error)) => return Err(error.into()),
                // Nobody else's webhooks are refused for it.
                broken => {
                    let id = &connection.id;
                    tracing::error!(connection = %id, ?broken, "no events are handled: the connector cannot be read");
                    continue;
                }
            };
            if !policy.lets(&connection.connector) {
                continue;
            }
            let granted = policy.leaves(permissions::whole(&connection.grants, &manifest));
            let events = permissions::Events::of(&manifest, &granted, &policy);
            let kinds = permissions::wanted(&manifest, &connection.settings);
            for kind in kinds.into_iter().filter(|kind| events.reach(kind)) {
                wanted.entry(kind).or_default().push(connection.id.clone());
            }
        }
        Ok(wanted)
    }
}
