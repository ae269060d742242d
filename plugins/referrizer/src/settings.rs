//! The connection's settings, and the paths that follow from them.

use contactor_sdk::automation::Rule;
use contactor_sdk::field_map::FieldMap;
use contactor_sdk::partner::{Method, Request, segment};
use contactor_sdk::{Result, settings};
use serde::Deserialize;

/// See `[[setting]]` in the manifest, where each is explained. An empty text switches off what it names.
#[derive(Deserialize)]
pub(crate) struct Settings {
    path_prefix: String,
    contact_create_method: String,
    contact_create_path: String,
    contact_update_method: String,
    contact_update_path: String,
    pub(crate) contact_update_replaces: bool,
    contact_read_path: String,
    contact_invite_path: String,
    pub(crate) contact_search_parameter: String,
    pub(crate) phone_key: String,
    pub(crate) status_key: String,
    pub(crate) custom_fields_key: String,
    pub(crate) custom_fields_shape: String,
    pub(crate) custom_fields: FieldMap,
    pub(crate) require_email: bool,
    pub(crate) blocked_domains: Vec<String>,
    pub(crate) record_visits: bool,
    pub(crate) visit_calendars: Vec<String>,
    pub(crate) visit_points: Option<i64>,
    pub(crate) allow_messages: bool,
    pub(crate) rules: Vec<Rule>,
}

impl Settings {
    pub(crate) fn get() -> Result<Self> {
        settings::get()
    }

    /// A path below the version that the setting names.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.path_prefix)
    }

    pub(crate) fn create_request(&self) -> Request {
        Request::new(method(&self.contact_create_method), self.path(&self.contact_create_path))
    }

    pub(crate) fn update_request(&self, id: &str) -> Request {
        Request::new(method(&self.contact_update_method), self.with_id(&self.contact_update_path, id))
    }

    /// `None` when the account has no operation that reads one contact.
    pub(crate) fn read_path(&self, id: &str) -> Option<String> {
        (!self.contact_read_path.is_empty()).then(|| self.with_id(&self.contact_read_path, id))
    }

    pub(crate) fn invite_path(&self, id: &str) -> String {
        self.with_id(&self.contact_invite_path, id)
    }

    fn with_id(&self, template: &str, id: &str) -> String {
        self.path(&template.replace("{id}", &segment(id)))
    }
}

fn method(name: &str) -> Method {
    match name {
        "PATCH" => Method::Patch,
        "PUT" => Method::Put,
        // The manifest offers no other.
        _ => Method::Post,
    }
}
