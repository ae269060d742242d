//! `tags`: a contact's tags, by add and remove only. A whole set can never be sent, so tags that others add meanwhile stay.

use contactor_highlevel as highlevel;
use contactor_highlevel::ContactId;
use contactor_runtime::bindings::tags::{Host, TagChange};
use contactor_runtime::bindings::types::Error;

use super::{Direct, errors};
use crate::access::Access;

impl Host for Direct {
    async fn list_all(&mut self, contact_id: String) -> Result<Vec<String>, Error> {
        self.may(Access::Read)?;
        let contact = self.run.location.contact(&ContactId::new(contact_id)).await;
        Ok(contact.map_err(errors::of_highlevel)?.tags)
    }

    async fn add(&mut self, contact_id: String, tags: Vec<String>) -> Result<TagChange, Error> {
        self.may(Access::Write)?;
        let change = self.run.location.add_tags(&ContactId::new(contact_id), &tags).await;
        change.map(tag_change).map_err(errors::of_highlevel)
    }

    async fn remove(&mut self, contact_id: String, tags: Vec<String>) -> Result<TagChange, Error> {
        self.may(Access::Write)?;
        let change = self.run.location.remove_tags(&ContactId::new(contact_id), &tags).await;
        change.map(tag_change).map_err(errors::of_highlevel)
    }
}

/// When the vendor does not say what changed, nothing is claimed to have.
fn tag_change(change: highlevel::TagChange) -> TagChange {
    TagChange { tags: change.tags, changed: change.changed.unwrap_or_default() }
}
