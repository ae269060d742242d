//! Loads of connections that are under way: so many at a time, and of those so many of one workspace.
//!
//! Each holds a component and what it was compiled to, megabytes of both. An admin, an author or a viewer may ask for hundreds at once;
//! they take turns, and keep the components of another workspace waiting for no longer than one load takes.

use std::sync::Arc;

use contactor_store::WorkspaceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::locks::Held;

/// In all.
const AT_ONCE: usize = 8;
/// Of one workspace.
const OF_ONE: usize = 2;

/// Who loads.
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    of_one: Held<WorkspaceId, Semaphore>,
}

/// The turn of one load, until it is dropped.
pub(crate) struct Turn(
    #[expect(dead_code, reason = "given back when they are dropped")] Option<[OwnedSemaphorePermit; 2]>,
);

impl Default for Turns {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), of_one: Held::default() }
    }
}

impl Turns {
    /// Waits for the turn of a load of this workspace.
    pub(crate) async fn take(&self, workspace: &WorkspaceId) -> Turn {
        let of_one = self.of_one.of(workspace, || Semaphore::new(OF_ONE));
        // First the workspace's own: who waits for it is in nobody else's way. Neither semaphore is ever closed.
        let Ok(own) = of_one.acquire_owned().await else { return Turn(None) };
        let Ok(one) = Arc::clone(&self.all).acquire_owned().await else { return Turn(None) };
        Turn(Some([own, one]))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_workspace_that_loads_much_leaves_others_their_turn() {
        let turns = Turns::default();
        let (busy, other) = (WorkspaceId::new("busy"), WorkspaceId::new("other"));
        let first = turns.take(&busy).await;
        let _second = turns.take(&busy).await;
        assert!(turns.take(&busy).now_or_never().is_none(), "it has as many as one may have");
        assert!(turns.take(&other).now_or_never().is_some());
        drop(first);
        assert!(turns.take(&busy).now_or_never().is_some());
    }

    #[tokio::test]
    async fn all_together_have_a_bound() {
        let turns = Turns::default();
        let mut held = Vec::new();
        for number in 0..AT_ONCE {
            held.push(turns.take(&WorkspaceId::new(format!("w{number}"))).await);
        }
        let late = WorkspaceId::new("late");
        assert!(turns.take(&late).now_or_never().is_none());
        held.pop();
        assert!(turns.take(&late).now_or_never().is_some());
    }
}
