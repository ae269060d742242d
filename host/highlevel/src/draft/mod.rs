//! What may be sent. Every request body is built from the allow-list of its operation.
//!
//! The vendor rejects a body with a property that the operation does not know (`422 property gender should not exist`),
//! and silently drops others. So a draft (for a create) or a patch (for an update) is checked when it is built: each
//! field that cannot be sent is named with the reason, before any request. What differs between create, update and
//! upsert is in the tables, not in the callers.
//!
//! No draft has a member for tags: an update that carries tags replaces the whole set. Tags change by add and remove;
//! a new contact's first tags are an argument of the create.

mod appointment;
mod contact;
mod note;
mod rules;
mod task;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use appointment::{AppointmentDraft, AppointmentPatch};
pub use contact::{ContactDraft, ContactPatch};
pub use note::{NoteDraft, NotePatch};
pub use task::{TaskDraft, TaskPatch};

/// One field that was refused, by us before sending or by the vendor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// The field's name; empty when the vendor did not say which.
    pub field: String,
    /// What is wrong with it, in words.
    pub problem: String,
}

impl FieldProblem {
    /// A problem with a field.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "`{}`: {}", self.field, self.problem)
        }
    }
}

/// Gives a checked set of fields its public face. The doc comment says which operation it is for.
macro_rules! checked_fields {
    ($(#[$doc:meta])* $name:ident, $rules:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name(pub(in crate::draft) crate::draft::rules::Checked);

        impl $name {
            /// Checks named values against the operation's allow-list. Names are the vendor's.
            ///
            /// # Errors
            /// Every field that cannot be sent, each with the reason.
            pub fn from_fields<N: Into<String>>(
                fields: impl IntoIterator<Item = (N, serde_json::Value)>,
            ) -> Result<Self, Vec<crate::draft::FieldProblem>> {
                $rules.check(fields).map(Self)
            }

            /// Whether the operation takes a field of this name.
            pub fn accepts(field: &str) -> bool {
                $rules.accepts(field)
            }

            /// Names of all fields that the operation takes, custom fields aside.
            pub fn writable() -> impl Iterator<Item = &'static str> {
                $rules.fields.iter().map(|rule| rule.name)
            }

            /// A JSON Schema of the fields that the operation takes, for people and programs that write them.
            pub fn schema() -> serde_json::Value {
                $rules.schema()
            }

            /// Whether there is nothing to send.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// What will be sent, under the vendor's names, custom fields as `customFields.<id>`.
            pub fn fields(&self) -> std::collections::BTreeMap<String, serde_json::Value> {
                self.0.flat()
            }
        }
    };
}
use checked_fields;

#[cfg(test)]
mod tests;
