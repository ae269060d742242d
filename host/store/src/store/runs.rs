//! Runs, and what was recorded of them.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::model::{NewRecording, Run, RunFilter, RunId, WorkspaceId};

/// The part of a [`Store`](crate::Store) about runs and recordings.
#[async_trait]
pub trait RunStore: Send + Sync + 'static {
    /// Writes a run that belongs to no dirty record (a poll, a sweep, a check). `Conflict` when its id is taken.
    async fn put_run(&self, run: Run) -> Result<()>;
    /// One run with its calls.
    async fn run(&self, id: &RunId) -> Result<Option<Run>>;
    /// The workspace of a run, if there is such a run: cheaper than the run itself.
    async fn workspace_of_run(&self, id: &RunId) -> Result<Option<WorkspaceId>>;
    /// Runs without their calls, newest first.
    async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>>;
    /// Contacts of a workspace whose change a partner was told since this time only because a walk over HighLevel found it: no webhook
    /// had announced it, and nobody had asked for it.
    async fn found_by_walk(&self, workspace: &WorkspaceId, since: Timestamp) -> Result<u64>;
    /// Keeps what a connector was given and answered in a run, in the place of what was kept of it. Recordings are forgotten after seven
    /// days, or sooner with the runs, and of each connection those beyond the newest 64 MiB. One whose data key is forgotten already is not
    /// kept.
    async fn put_recording(&self, recording: NewRecording) -> Result<()>;
    /// What was kept of a run.
    async fn recording(&self, run: &RunId) -> Result<Option<NewRecording>>;
}
