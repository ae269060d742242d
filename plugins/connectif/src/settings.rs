//! The connection's settings. See `[[setting]]` in the manifest, where each is explained.

use contactor_sdk::automation::Rule;
use contactor_sdk::field_map::FieldMap;
use contactor_sdk::{Result, settings};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Settings {
    pub(crate) custom_fields: FieldMap,
    contact_route: String,
    pub(crate) clear_with: Clearing,
    pub(crate) allow_subscriptions: bool,
    pub(crate) pause_old_address: bool,
    pub(crate) skip_do_not_disturb: bool,
    pub(crate) blocked_domains: Vec<String>,
    pub(crate) reread_attempts: u32,
    pub(crate) webhook_email: Vec<String>,
    pub(crate) webhook_event: Vec<String>,
    pub(crate) webhook_key: Vec<String>,
    pub(crate) task_event_path: Option<String>,
    pub(crate) task_event_destination: Option<String>,
    pub(crate) export_segment_id: Option<String>,
    pub(crate) export_attempts: u32,
    pub(crate) rules: Vec<Rule>,
}

/// What is sent to clear a field.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Clearing {
    /// Nothing: the field keeps its value at Connectif.
    Nothing,
    Null,
    /// An empty text.
    Empty,
}

impl Settings {
    pub(crate) fn get() -> Result<Self> {
        settings::get()
    }

    /// Whether contacts are written by `/contacts/email/{email}`, which takes an external id, and no custom fields as far as is known.
    pub(crate) fn writes_by_email_route(&self) -> bool {
        self.contact_route == "/contacts/email"
    }

    /// The path by which a contact is written.
    pub(crate) fn write_path(&self, email: &str) -> String {
        format!("{}/{}", self.contact_route, contactor_sdk::partner::segment(email))
    }
}
