//! A note of a contact.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::wire::record;
use crate::ids::{ContactId, NoteId, UserId};

record! {
    /// A note. It carries no date of change: compare contents.
    Note("note", NoteId, outside ["contactId"]) {
        /// The contact that it belongs to.
        contact_id: ContactId = "contactId",
        /// The text; may hold HTML.
        body: String = "body",
        /// The text without HTML.
        body_text: String = "bodyText",
        /// Its author; none when an app wrote it.
        user_id: UserId = "userId",
        /// Title.
        title: String = "title",
        /// Colour, for example `#FFAA00`.
        color: String = "color",
        /// Shown at the top.
        pinned: bool = "pinned",
        /// When it was created.
        date_added: Timestamp = "dateAdded",
    }
    also {}
}

impl Note {
    /// Every field with a value, under the vendor's names, without `id` and `contactId`.
    pub fn fields(&self) -> BTreeMap<String, Value> {
        self.flat()
    }
}
