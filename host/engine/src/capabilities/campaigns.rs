//! `campaigns`: putting a contact into campaigns and out of them.

use contactor_highlevel::{CampaignId, ContactId};
use contactor_runtime::bindings::campaigns::Host;
use contactor_runtime::bindings::types::Error;

use super::{Direct, errors};
use crate::access::Access;

impl Host for Direct {
    async fn add(&mut self, contact_id: String, campaign_id: String) -> Result<(), Error> {
        self.may(Access::Write)?;
        let (contact, campaign) = (ContactId::new(contact_id), CampaignId::new(campaign_id));
        self.run.location.add_to_campaign(&contact, &campaign).await.map_err(errors::of_highlevel)
    }

    async fn remove(&mut self, contact_id: String, campaign_id: String) -> Result<(), Error> {
        self.may(Access::Write)?;
        let (contact, campaign) = (ContactId::new(contact_id), CampaignId::new(campaign_id));
        self.run.location.remove_from_campaign(&contact, &campaign).await.map_err(errors::of_highlevel)
    }

    async fn remove_all(&mut self, contact_id: String) -> Result<(), Error> {
        self.may(Access::Write)?;
        let contact = ContactId::new(contact_id);
        self.run.location.remove_from_all_campaigns(&contact).await.map_err(errors::of_highlevel)
    }
}
