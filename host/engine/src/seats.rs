//! Calls of connectors that somebody waits for: so many of one workspace at a time.
//!
//! A call holds a slot of the instance pool for as long as it takes, waiting for others included. Of the work that the scheduler gives
//! out no workspace has more than its share under way; what is asked for through the admin API (actions, previews, checks, replays)
//! passes by it, and without a share of its own the slow actions of one workspace would hold all slots there are.

use std::time::Duration;

use contactor_store::WorkspaceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::locks::Held;

/// How long a call waits for its turn: longer than most calls take, and well within the time in which the admin API answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is left to each workspace in which somebody waits.
pub(crate) struct Seats {
    each: usize,
    left: Held<WorkspaceId, Semaphore>,
}

/// The place of one call, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(#[expect(dead_code, reason = "given back when it is dropped")] OwnedSemaphorePermit);

/// All of a workspace's stayed taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{each} calls of connectors that somebody waits for stayed under way in this workspace for {PATIENCE:?}; nothing was run, ask again \
     in a moment"
)]
pub(crate) struct Crowded {
    each: usize,
}

impl Seats {
    /// With so many for each workspace.
    pub(crate) fn new(each: u32) -> Self {
        let each = usize::try_from(each).unwrap_or(Semaphore::MAX_PERMITS);
        Self { each, left: Held::default() }
    }

    /// Waits for one of a workspace's that exists.
    pub(crate) async fn take(&self, workspace: &WorkspaceId) -> Result<Seat, Crowded> {
        let left = self.left.of(workspace, || Semaphore::new(self.each));
        match timeout(PATIENCE, left.acquire_owned()).await {
            Ok(Ok(seat)) => Ok(Seat(seat)),
            _ => Err(Crowded { each: self.each }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(number: usize) -> WorkspaceId {
        WorkspaceId::new(format!("w{number}"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_workspace_has_so_many_and_who_comes_too_many_waits_and_is_sent_away() {
        let seats = Seats::new(2);
        let (one, other) = (workspace(1), workspace(2));
        let (first, _second) = (seats.take(&one).await.unwrap(), seats.take(&one).await.unwrap());
        assert_eq!(seats.take(&one).await.unwrap_err(), Crowded { each: 2 });
        assert!(seats.take(&other).await.is_ok(), "another workspace has its own");
        let (third, ()) = tokio::join!(seats.take(&one), async { drop(first) });
        assert!(third.is_ok(), "it waited for its turn");
    }
}
