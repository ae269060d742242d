//! Runs, and what was recorded of them.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::{NewRecording, Run, RunFilter, RunId, WorkspaceId};
use crate::sqlite::{Result, SqliteStore, configuration, recordings, runs};
use crate::store::RunStore;

#[async_trait]
impl RunStore for SqliteStore {
    async fn put_run(&self, run: Run) -> Result<()> {
        self.write(move |db| match run.connection.workspace_of_highlevel() {
            Some(workspace) => runs::insert_of_highlevel(db, &workspace, &run),
            None => runs::insert(db, &configuration::owner(db, &run.connection)?, &run),
        })
        .await
    }

    async fn run(&self, id: &RunId) -> Result<Option<Run>> {
        let id = id.clone();
        self.read(move |db| runs::run(db, &id)).await
    }

    async fn workspace_of_run(&self, id: &RunId) -> Result<Option<WorkspaceId>> {
        let id = id.clone();
        self.read(move |db| runs::workspace_of(db, &id)).await
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>> {
        self.read(move |db| runs::list(db, &filter)).await
    }

    async fn found_by_walk(&self, workspace: &WorkspaceId, since: Timestamp) -> Result<u64> {
        let workspace = workspace.clone();
        self.read(move |db| runs::found_by_walk(db, &workspace, since)).await
    }

    async fn put_recording(&self, recording: NewRecording) -> Result<()> {
        self.write(move |db| {
            let owner = configuration::owner(db, &recording.connection)?;
            recordings::insert(db, owner.connection, &recording)
        })
        .await
    }

    async fn recording(&self, run: &RunId) -> Result<Option<NewRecording>> {
        let run = run.clone();
        self.read(move |db| recordings::find(db, &run)).await
    }
}
