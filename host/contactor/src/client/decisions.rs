//! What a person must look at: parked records, conflicts and deletions.

use contactor_server::dto::{
    Conflict, ConflictQuery, ConflictReport, DecideDeletion, DecideDeletions, DeletePolicies,
    DeletePolicyQuery, Deletion, DeletionPreview, DeletionQuery, LimitQuery, Parked, ParkedGroup,
    ParkedGroupDetail, PreviewDeletion, RecordRef, ReleaseAnswer, ResolveAnswer, ResolveConflict,
    RetryAllQuery, RetryAnswer, SetDeletePolicies,
};
use reqwest::Method;

use super::{Client, Result};

impl Client {
    pub(crate) async fn parked(&self, workspace: &str) -> Result<Vec<Parked>> {
        self.get(&["workspaces", workspace, "parked"]).await
    }

    pub(crate) async fn parked_groups(&self, workspace: &str) -> Result<Vec<ParkedGroup>> {
        self.get(&["workspaces", workspace, "parked", "groups"]).await
    }

    pub(crate) async fn parked_group(
        &self,
        workspace: &str,
        group: &str,
        limit: Option<u32>,
    ) -> Result<ParkedGroupDetail> {
        let request = self.request(Method::GET, &["workspaces", workspace, "parked", "groups", group]);
        self.json(request.query(&LimitQuery { limit })).await
    }

    /// `action` is `retry` or `discard`.
    pub(crate) async fn release_parked_group(
        &self,
        workspace: &str,
        group: &str,
        action: &str,
    ) -> Result<ReleaseAnswer> {
        let path = ["workspaces", workspace, "parked", "groups", group, action];
        self.json(self.request(Method::POST, &path)).await
    }

    /// `action` is `retry` or `discard`.
    pub(crate) async fn release_all_parked(
        &self,
        workspace: &str,
        connector: &str,
        action: &str,
        query: RetryAllQuery,
    ) -> Result<ReleaseAnswer> {
        let action = format!("{action}-all");
        let request = self.of_connection(Method::POST, workspace, connector, &["parked", &action]);
        // Only asked for where it is meant: letting go knows no such choice.
        let request = if query.also_may_have_happened { request.query(&query) } else { request };
        self.json(request).await
    }

    /// `action` is `retry` or `discard`.
    pub(crate) async fn release_parked(
        &self,
        workspace: &str,
        connector: &str,
        record: &RecordRef,
        action: &str,
    ) -> Result<RetryAnswer> {
        let request = self.of_connection(Method::POST, workspace, connector, &["parked", action]);
        self.json(request.json(record)).await
    }

    pub(crate) async fn conflicts(&self, workspace: &str, query: &ConflictQuery) -> Result<Vec<Conflict>> {
        let request = self.request(Method::GET, &["workspaces", workspace, "conflicts"]);
        self.json(request.query(query)).await
    }

    pub(crate) async fn conflict(&self, workspace: &str, id: i64) -> Result<ConflictReport> {
        self.get(&["workspaces", workspace, "conflicts", &id.to_string()]).await
    }

    pub(crate) async fn resolve_conflict(
        &self,
        workspace: &str,
        id: i64,
        how: &ResolveConflict,
    ) -> Result<ResolveAnswer> {
        let path = ["workspaces", workspace, "conflicts", &id.to_string(), "resolve"];
        self.json(self.request(Method::POST, &path).json(how)).await
    }

    pub(crate) async fn deletions(&self, workspace: &str, query: &DeletionQuery) -> Result<Vec<Deletion>> {
        let request = self.request(Method::GET, &["workspaces", workspace, "deletes"]);
        self.json(request.query(query)).await
    }

    pub(crate) async fn deletion(&self, workspace: &str, id: i64) -> Result<Deletion> {
        self.get(&["workspaces", workspace, "deletes", &id.to_string()]).await
    }

    pub(crate) async fn decide_deletion(
        &self,
        workspace: &str,
        id: i64,
        decision: &str,
        how: &DecideDeletion,
    ) -> Result<Deletion> {
        let path = ["workspaces", workspace, "deletes", &id.to_string(), decision];
        self.json(self.request(Method::POST, &path).json(how)).await
    }

    pub(crate) async fn decide_deletions(
        &self,
        workspace: &str,
        decision: &str,
        how: &DecideDeletions,
    ) -> Result<Vec<Deletion>> {
        self.json(self.request(Method::POST, &["workspaces", workspace, "deletes", decision]).json(how)).await
    }

    pub(crate) async fn delete_policies(
        &self,
        workspace: &str,
        connector: &str,
        entity: &str,
    ) -> Result<DeletePolicies> {
        let query = DeletePolicyQuery { entity: Some(entity.to_owned()) };
        let request = self.of_connection(Method::GET, workspace, connector, &["deletes", "policy"]);
        self.json(request.query(&query)).await
    }

    pub(crate) async fn set_delete_policies(
        &self,
        workspace: &str,
        connector: &str,
        change: &SetDeletePolicies,
    ) -> Result<DeletePolicies> {
        let request = self.of_connection(Method::PUT, workspace, connector, &["deletes", "policy"]);
        self.json(request.json(change)).await
    }

    pub(crate) async fn preview_deletion(
        &self,
        workspace: &str,
        connector: &str,
        which: &PreviewDeletion,
    ) -> Result<DeletionPreview> {
        let request = self.of_connection(Method::POST, workspace, connector, &["deletes", "preview"]);
        self.json(request.json(which)).await
    }
}
