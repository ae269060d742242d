//! What happened: events, runs with their recordings, and the timeline of a contact.

use contactor_server::dto::{
    Event, EventDetail, EventQuery, FieldStory, RecordingSummary, ReplayReport, Run, RunQuery, StoryQuery,
    Timeline, TimelineQuery,
};
use reqwest::Method;

use super::{Client, Result};

impl Client {
    pub(crate) async fn events(&self, workspace: &str, query: &EventQuery) -> Result<Vec<Event>> {
        let request = self.request(Method::GET, &["workspaces", workspace, "events"]);
        self.json(request.query(query)).await
    }

    pub(crate) async fn event(&self, workspace: &str, event: i64) -> Result<EventDetail> {
        self.get(&["workspaces", workspace, "events", &event.to_string()]).await
    }

    pub(crate) async fn runs(&self, query: &RunQuery) -> Result<Vec<Run>> {
        self.json(self.request(Method::GET, &["runs"]).query(query)).await
    }

    pub(crate) async fn run(&self, id: &str) -> Result<Run> {
        self.get(&["runs", id]).await
    }

    pub(crate) async fn recording(&self, run: &str) -> Result<RecordingSummary> {
        self.get(&["runs", run, "recording"]).await
    }

    /// An empty component stands for the one that ran.
    pub(crate) async fn replay(&self, run: &str, component: Vec<u8>) -> Result<ReplayReport> {
        let request = self.request(Method::POST, &["runs", run, "replay"]);
        self.json(request.header("content-type", "application/wasm").body(component)).await
    }

    pub(crate) async fn timeline(
        &self,
        workspace: &str,
        contact: &str,
        query: &TimelineQuery,
    ) -> Result<Timeline> {
        let path = ["workspaces", workspace, "contacts", contact, "timeline"];
        self.json(self.request(Method::GET, &path).query(query)).await
    }

    pub(crate) async fn why(
        &self,
        workspace: &str,
        contact: &str,
        field: &str,
        query: &StoryQuery,
    ) -> Result<FieldStory> {
        let path = ["workspaces", workspace, "contacts", contact, "fields", field];
        self.json(self.request(Method::GET, &path).query(query)).await
    }
}
