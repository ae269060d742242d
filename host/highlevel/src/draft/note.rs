//! Notes of a contact.

use serde_json::{Map, Value};

use super::checked_fields;
use super::rules::{Kind, Rules, field};
use crate::version::ApiVersion;

const CREATE_RULES: Rules = Rules {
    subject: "a note's create",
    fields: &[
        field("body", Kind::Text),
        field("userId", Kind::Text),
        field("title", Kind::Text),
        field("color", Kind::Text),
        field("pinned", Kind::Flag),
    ],
    required: &["body"],
    custom_fields: false,
    skip_null: true,
    refused: &[
        ("contactId", "the contact is part of the address"),
        ("id", "HighLevel sets it"),
        ("dateAdded", "HighLevel sets it"),
        ("bodyText", "HighLevel derives it from `body`"),
    ],
};

const UPDATE_RULES: Rules =
    Rules { subject: "a note's update", required: &[], skip_null: false, ..CREATE_RULES };

checked_fields!(
    /// A new note: `body` is required and may hold HTML.
    NoteDraft,
    CREATE_RULES
);

checked_fields!(
    /// Changed fields of a note. None can be cleared.
    NotePatch,
    UPDATE_RULES
);

impl NoteDraft {
    pub(crate) fn body(&self, version: ApiVersion) -> Map<String, Value> {
        self.0.body(version)
    }
}

impl NotePatch {
    pub(crate) fn body(&self, version: ApiVersion) -> Map<String, Value> {
        self.0.body(version)
    }
}
