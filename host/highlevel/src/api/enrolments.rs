//! Campaigns and workflows of a contact.

use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Map, Value};

use crate::client::Location;
use crate::error::Error;
use crate::ids::{CampaignId, ContactId, WorkflowId};
use crate::operation as op;
use crate::transport::Call;

impl Location {
    /// `POST /contacts/{contactId}/campaigns/{campaignId}`.
    pub async fn add_to_campaign(&self, contact: &ContactId, campaign: &CampaignId) -> Result<(), Error> {
        let call = Call::new(&op::CAMPAIGNS_ADD, &[contact.as_str(), campaign.as_str()]).body(Map::new());
        self.call(call).await?.succeeded()
    }

    /// `DELETE /contacts/{contactId}/campaigns/{campaignId}`.
    pub async fn remove_from_campaign(
        &self,
        contact: &ContactId,
        campaign: &CampaignId,
    ) -> Result<(), Error> {
        self.call(Call::new(&op::CAMPAIGNS_REMOVE, &[contact.as_str(), campaign.as_str()])).await?.succeeded()
    }

    /// `DELETE /contacts/{contactId}/campaigns/removeAll`.
    pub async fn remove_from_all_campaigns(&self, contact: &ContactId) -> Result<(), Error> {
        self.call(Call::new(&op::CAMPAIGNS_REMOVE_ALL, &[contact.as_str()])).await?.succeeded()
    }

    /// `POST /contacts/{contactId}/workflow/{workflowId}`, starting at this time or at once.
    pub async fn add_to_workflow(
        &self,
        contact: &ContactId,
        workflow: &WorkflowId,
        event_start: Option<Timestamp>,
    ) -> Result<(), Error> {
        let call = Call::new(&op::WORKFLOWS_ADD, &[contact.as_str(), workflow.as_str()])
            .body(start_time(event_start));
        self.call(call).await?.succeeded()
    }

    /// `DELETE /contacts/{contactId}/workflow/{workflowId}`.
    pub async fn remove_from_workflow(
        &self,
        contact: &ContactId,
        workflow: &WorkflowId,
        event_start: Option<Timestamp>,
    ) -> Result<(), Error> {
        let call = Call::new(&op::WORKFLOWS_REMOVE, &[contact.as_str(), workflow.as_str()])
            .body(start_time(event_start));
        self.call(call).await?.succeeded()
    }
}

/// The vendor's example has a numeric offset (`2021-06-23T03:30:00+01:00`), not `Z`.
fn start_time(event_start: Option<Timestamp>) -> Map<String, Value> {
    let text = |at: Timestamp| format!("{:.0}", at.display_with_offset(Offset::UTC));
    event_start.map(|at| ("eventStartTime".to_owned(), Value::String(text(at)))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_starts_at_a_time_with_a_numeric_offset() {
        let body = start_time("2026-11-21T09:00:00.5Z".parse().ok());
        assert_eq!(body["eventStartTime"], "2026-11-21T09:00:00+00:00");
        assert!(start_time(None).is_empty());
    }
}
