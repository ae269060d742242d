//! Tags of a contact, by add and remove only. The vendor trims and lower-cases them, and creates them on first use.

use serde_json::{Map, json};

use crate::client::Location;
use crate::draft::FieldProblem;
use crate::error::Error;
use crate::ids::ContactId;
use crate::operation as op;
use crate::transport::Call;

/// What a change of tags did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagChange {
    /// All tags of the contact afterwards, as the vendor keeps them.
    pub tags: Vec<String>,
    /// The tags that were really added or removed; empty when nothing changed, none when the vendor does not say.
    pub changed: Option<Vec<String>>,
}

impl Location {
    /// `POST /contacts/{contactId}/tags`: other tags stay.
    pub async fn add_tags(&self, contact: &ContactId, tags: &[String]) -> Result<TagChange, Error> {
        self.change_tags(Call::new(&op::TAGS_ADD, &[contact.as_str()]), tags, "tagsAdded").await
    }

    /// `DELETE /contacts/{contactId}/tags`: other tags stay.
    pub async fn remove_tags(&self, contact: &ContactId, tags: &[String]) -> Result<TagChange, Error> {
        self.change_tags(Call::new(&op::TAGS_REMOVE, &[contact.as_str()]), tags, "tagsRemoved").await
    }

    async fn change_tags(&self, call: Call<'_>, tags: &[String], changed: &str) -> Result<TagChange, Error> {
        if tags.is_empty() || tags.iter().any(|tag| tag.trim().is_empty()) {
            return Err(
                call.refuse(vec![FieldProblem::new("tags", "name at least one tag, and none that is empty")])
            );
        }
        let mut answer = self.call(call.body(Map::from_iter([("tags".to_owned(), json!(tags))]))).await?;
        let now = answer.texts("tags").ok_or_else(|| answer.error("`tags` should be a list"))?;
        Ok(TagChange { tags: now, changed: answer.texts(changed) })
    }
}
