//! The connection's settings, and the paths that follow from them.

use std::collections::BTreeMap;

use contactor_sdk::automation::Rule;
use contactor_sdk::partner::segment;
use contactor_sdk::{Result, settings};
use serde::Deserialize;

/// See `[[setting]]` in the manifest, where each is explained.
#[derive(Deserialize)]
pub(crate) struct Settings {
    pub(crate) organization_code: String,
    pub(crate) event_codes: Vec<String>,
    pub(crate) only_tagged: bool,
    pub(crate) blocked_domains: Vec<String>,
    pub(crate) missing_name: String,
    pub(crate) welcome_emails: Vec<String>,
    pub(crate) event_names: BTreeMap<String, String>,
    pub(crate) page_size: usize,
    pub(crate) attendee_reads: String,
    pub(crate) event_tags_path: String,
    pub(crate) reminder_destination: String,
    pub(crate) rules: Vec<Rule>,
}

impl Settings {
    pub(crate) fn get() -> Result<Self> {
        settings::get()
    }

    /// A path below the organisation. PheedLoop knows none that does not end in `/`.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("/{}/{below}/", segment(&self.organization_code))
    }

    /// What is wrong with the setting when an event is not there.
    pub(crate) fn no_event(&self, event: &str) -> String {
        format!("the organisation {} has no event {event} that this key may read", self.organization_code)
    }

    /// A path below an event.
    pub(crate) fn event_path(&self, event: &str, below: &str) -> String {
        self.path(&format!("events/{}/{below}", segment(event)))
    }

    pub(crate) fn attendee_path(&self, event: &str, code: &str) -> String {
        self.event_path(event, &format!("attendees/{}", segment(code)))
    }
}
