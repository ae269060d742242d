//! What is done because somebody asks for it: a first sync, a preview, one record, a poll, a sample, an action.

use contactor_server::dto::{
    ActionReport, ActionRequest, FirstSync, PreviewReport, PreviewRequest, RecordRef, SampleAnswer,
    SyncProgress, SyncRequest,
};
use reqwest::Method;

use super::{Client, Result};

impl Client {
    pub(crate) async fn sync_progress(&self, workspace: &str, connector: &str) -> Result<SyncProgress> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["sync"])).await
    }

    pub(crate) async fn sync_estimate(&self, workspace: &str, connector: &str) -> Result<FirstSync> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["sync", "estimate"])).await
    }

    pub(crate) async fn start_sync(
        &self,
        workspace: &str,
        connector: &str,
        how: SyncRequest,
    ) -> Result<SyncProgress> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["sync"]).json(&how)).await
    }

    pub(crate) async fn preview(
        &self,
        workspace: &str,
        connector: &str,
        how: PreviewRequest,
    ) -> Result<PreviewReport> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["preview"]).json(&how)).await
    }

    pub(crate) async fn sync_record(
        &self,
        workspace: &str,
        connector: &str,
        record: &RecordRef,
    ) -> Result<()> {
        let request = self.of_connection(Method::POST, workspace, connector, &["records"]).json(record);
        self.send(request).await.map(drop)
    }

    pub(crate) async fn poll_tasks(&self, workspace: &str) -> Result<()> {
        self.send(self.request(Method::POST, &["workspaces", workspace, "tasks", "poll"])).await.map(drop)
    }

    pub(crate) async fn poll(&self, workspace: &str, connector: &str) -> Result<()> {
        self.send(self.of_connection(Method::POST, workspace, connector, &["poll"])).await.map(drop)
    }

    pub(crate) async fn sample(
        &self,
        workspace: &str,
        connector: &str,
        trigger: &str,
    ) -> Result<SampleAnswer> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["samples", trigger])).await
    }

    pub(crate) async fn run_action(
        &self,
        workspace: &str,
        action: &str,
        request: &ActionRequest,
    ) -> Result<ActionReport> {
        let path = ["workspaces", workspace, "actions", action];
        self.json(self.request(Method::POST, &path).json(request)).await
    }
}
