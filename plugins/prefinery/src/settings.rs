//! The connection's settings, and the paths that follow from them.

use contactor_sdk::automation::Rule;
use contactor_sdk::partner::segment;
use contactor_sdk::{Result, settings};
use serde::Deserialize;
use serde_json::Value as Json;

/// See `[[setting]]` in the manifest, where each is explained.
#[derive(Deserialize)]
pub(crate) struct Settings {
    pub(crate) beta_id: String,
    path_suffix: String,
    pub(crate) email_search_param: String,
    pub(crate) default_status: String,
    pub(crate) allow_email_side_effects: bool,
    pub(crate) blocked_domains: Vec<String>,
    phone_field: String,
    profile_updates: String,
    clear_with: String,
    pub(crate) update_events: Vec<String>,
    pub(crate) rules: Vec<Rule>,
}

impl Settings {
    pub(crate) fn get() -> Result<Self> {
        settings::get()
    }

    /// `/betas/{id}`.
    pub(crate) fn project_path(&self) -> String {
        self.path("")
    }

    /// A path below the project.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("/betas/{}{below}{}", segment(&self.beta_id), self.path_suffix)
    }

    /// The list of projects.
    pub(crate) fn projects_path(&self) -> String {
        format!("/betas{}", self.path_suffix)
    }

    pub(crate) fn tester_path(&self, id: &str) -> String {
        self.path(&format!("/testers/{}", segment(id)))
    }

    /// Whether an update carries every field of the profile, and not just those that changed.
    pub(crate) fn sends_whole_profile(&self) -> bool {
        self.profile_updates == "whole"
    }

    /// What clears a field of the profile.
    pub(crate) fn cleared(&self) -> Json {
        if self.clear_with == "empty" { Json::from("") } else { Json::Null }
    }

    /// The field of the profile that holds the phone.
    pub(crate) fn phone_field(&self) -> Option<&str> {
        (self.phone_field != "none").then_some(self.phone_field.as_str())
    }
}
