//! Mappings with their trials, and the match report before a first sync.

use contactor_server::dto::{
    ApproveMatch, DraftReport, MappingDraft, MappingRow, MappingRowQuery, MappingTrial, MatchQuery,
    MatchReport, SetMappingPolicy, SetMappingRow, StartMatch, TrialReport,
};
use reqwest::Method;

use super::{Client, Result};

impl Client {
    pub(crate) async fn mapping(&self, workspace: &str, connector: &str) -> Result<Vec<MappingRow>> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["mapping"])).await
    }

    pub(crate) async fn set_mapping(
        &self,
        workspace: &str,
        connector: &str,
        row: &SetMappingRow,
    ) -> Result<Vec<MappingRow>> {
        self.json(self.of_connection(Method::PUT, workspace, connector, &["mapping"]).json(row)).await
    }

    pub(crate) async fn set_mapping_policy(
        &self,
        workspace: &str,
        connector: &str,
        how: &SetMappingPolicy,
    ) -> Result<Vec<MappingRow>> {
        self.json(self.of_connection(Method::PUT, workspace, connector, &["mapping", "policy"]).json(how))
            .await
    }

    pub(crate) async fn unset_mapping(
        &self,
        workspace: &str,
        connector: &str,
        row: &MappingRowQuery,
    ) -> Result<Vec<MappingRow>> {
        self.json(self.of_connection(Method::DELETE, workspace, connector, &["mapping"]).query(row)).await
    }

    pub(crate) async fn test_mapping(
        &self,
        workspace: &str,
        connector: &str,
        trial: &MappingTrial,
    ) -> Result<TrialReport> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["mapping", "test"]).json(trial))
            .await
    }

    pub(crate) async fn preview_mapping(
        &self,
        workspace: &str,
        connector: &str,
        draft: &MappingDraft,
    ) -> Result<DraftReport> {
        let request = self.of_connection(Method::POST, workspace, connector, &["mapping", "preview"]);
        self.json(request.json(draft)).await
    }

    pub(crate) async fn start_match(
        &self,
        workspace: &str,
        connector: &str,
        how: StartMatch,
    ) -> Result<MatchReport> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["match"]).json(&how)).await
    }

    pub(crate) async fn matches(
        &self,
        workspace: &str,
        connector: &str,
        query: &MatchQuery,
    ) -> Result<MatchReport> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["match"]).query(query)).await
    }

    pub(crate) async fn approve_match(
        &self,
        workspace: &str,
        connector: &str,
        what: &ApproveMatch,
    ) -> Result<MatchReport> {
        let request = self.of_connection(Method::POST, workspace, connector, &["match", "approve"]);
        self.json(request.json(what)).await
    }
}
