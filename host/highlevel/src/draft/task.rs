//! Tasks of a contact.

use serde_json::{Map, Value};

use super::checked_fields;
use super::rules::{Kind, Rules, field};
use crate::version::ApiVersion;

const CREATE_RULES: Rules = Rules {
    subject: "a task's create",
    fields: &[
        field("title", Kind::Text),
        field("body", Kind::Text),
        field("dueDate", Kind::Instant),
        field("completed", Kind::Flag),
        field("assignedTo", Kind::Text),
    ],
    required: &["title", "dueDate"],
    custom_fields: false,
    skip_null: true,
    refused: &[("contactId", "the contact is part of the address"), ("id", "HighLevel sets it")],
};

const UPDATE_RULES: Rules =
    Rules { subject: "a task's update", required: &[], skip_null: false, ..CREATE_RULES };

checked_fields!(
    /// A new task: `title` and `dueDate` (RFC 3339 with a zone) are required; `completed` is false unless given.
    TaskDraft,
    CREATE_RULES
);

checked_fields!(
    /// Changed fields of a task. None can be cleared.
    TaskPatch,
    UPDATE_RULES
);

impl TaskDraft {
    pub(crate) fn body(&self, version: ApiVersion) -> Map<String, Value> {
        let mut body = self.0.body(version);
        // The vendor requires it; a new task is open unless said otherwise.
        body.entry("completed").or_insert(Value::Bool(false));
        body
    }
}

impl TaskPatch {
    pub(crate) fn body(&self, version: ApiVersion) -> Map<String, Value> {
        self.0.body(version)
    }
}
