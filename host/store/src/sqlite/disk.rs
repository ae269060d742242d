//! What became of the disk, known to the writer, to the readers and to whoever runs the store.
//!
//! - A full disk passes: the store **waits**, refuses every change, and writes again after a probe has committed.
//! - A read, write or `fsync` that failed, and a damaged database, do not pass in this process: the store is **lost**. After a
//!   failed `fsync` the kernel calls pages clean that never reached the disk, so neither a second `fsync` nor what is read back
//!   proves anything. The process has to end; the next one reads the log afresh, checks every frame's sum and the mark, and
//!   writes all of the log into the database before it goes on.

use tokio::sync::watch;

use super::mark::Mark;
use crate::error::StoreError;

#[derive(Clone, Debug)]
enum State {
    Well,
    Waiting(StoreError),
    Lost(StoreError),
}

/// The shared state, with the mark, which remembers damage beyond this process.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) mark: Mark,
    state: watch::Sender<State>,
}

impl Disk {
    pub(super) fn new(mark: Mark) -> Self {
        Self { mark, state: watch::Sender::new(State::Well) }
    }

    /// Why nothing can be written, if so.
    pub(super) fn refusal(&self) -> Option<StoreError> {
        match &*self.state.borrow() {
            State::Well => None,
            State::Waiting(error) | State::Lost(error) => Some(error.clone()),
        }
    }

    /// Why nothing will be written any more, if so.
    pub(super) fn loss(&self) -> Option<StoreError> {
        match &*self.state.borrow() {
            State::Lost(error) => Some(error.clone()),
            State::Well | State::Waiting(_) => None,
        }
    }

    /// Takes note of an error, if it is one of the disk. The first of its kind is said aloud; what is lost stays lost.
    pub(super) fn report(&self, error: &StoreError) {
        if error.is_lasting() {
            if self.loss().is_some() {
                return;
            }
            // Both before anybody is told: whoever runs the store ends the process at once.
            if matches!(error, StoreError::Corrupt { .. })
                && let Err(error) = self.mark.condemn()
            {
                tracing::error!(%error, "the damage could not be noted beside the database");
            }
            tracing::error!(%error, "THE STORE HAS STOPPED for good: this process must end");
            self.state.send_replace(State::Lost(error.clone()));
        } else if matches!(error, StoreError::Failed { .. }) {
            let first = self.state.send_if_modified(|state| {
                let first = matches!(state, State::Well);
                if first {
                    *state = State::Waiting(error.clone());
                }
                first
            });
            if first {
                tracing::error!(%error, "the store stops writing");
            }
        }
    }

    /// A commit succeeded. What is lost stays lost.
    pub(super) fn recovered(&self) {
        let ended = self.state.send_if_modified(|state| {
            let waited = matches!(state, State::Waiting(_));
            if waited {
                *state = State::Well;
            }
            waited
        });
        if ended {
            tracing::warn!("the store writes again");
        }
    }

    pub(super) fn watch(&self) -> DiskWatch {
        DiskWatch(self.state.subscribe())
    }
}

/// Tells what becomes of a store's disk.
#[derive(Clone, Debug)]
pub struct DiskWatch(watch::Receiver<State>);

impl DiskWatch {
    /// Waits until the store has stopped for good: the process has to end. Never, while the store is well or closed well.
    pub async fn lost(&mut self) -> StoreError {
        match self.0.wait_for(|state| matches!(state, State::Lost(_))).await.as_deref() {
            Ok(State::Lost(error)) => error.clone(),
            Ok(State::Well | State::Waiting(_)) | Err(_) => std::future::pending().await,
        }
    }

    /// Whether the store waits for the disk, so that it needs a [`probe`](crate::OperationStore::probe) to write again.
    pub fn waits(&self) -> bool {
        matches!(&*self.0.borrow(), State::Waiting(_))
    }
}
