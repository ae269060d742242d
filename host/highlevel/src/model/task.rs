//! A task of a contact.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::wire::record;
use crate::ids::{ContactId, TaskId, UserId};

record! {
    /// A task. It carries no date of creation or change: compare contents.
    Task("task", TaskId, outside ["contactId"]) {
        /// The contact that it belongs to. A merge of contacts can change it under the same task id.
        contact_id: ContactId = "contactId",
        /// What is to be done.
        title: String = "title",
        /// Details; absent when never set.
        body: String = "body",
        /// The user in charge.
        assigned_to: UserId = "assignedTo",
        /// When it is due.
        due_date: Timestamp = "dueDate",
        /// Done or not.
        completed: bool = "completed",
    }
    also {}
}

impl Task {
    /// Every field with a value, under the vendor's names, without `id` and `contactId`.
    pub fn fields(&self) -> BTreeMap<String, Value> {
        self.flat()
    }

    /// Whether it is done; a task that does not say is open.
    pub fn is_completed(&self) -> bool {
        self.completed.unwrap_or(false)
    }
}
