//! The connection's settings, and the paths that follow from them.

use std::collections::BTreeMap;

use contactor_sdk::automation::Rule;
use contactor_sdk::partner::segment;
use contactor_sdk::{Error, Result, json, settings};
use serde::Deserialize;

/// See `[[setting]]` in the manifest, where each is explained.
#[derive(Deserialize)]
pub(crate) struct Settings {
    pub(crate) form_ids: Vec<String>,
    pub(crate) field_map: BTreeMap<String, String>,
    pub(crate) auto_map: bool,
    pub(crate) import_history: bool,
    pub(crate) page_size: u32,
    pub(crate) utc_offset: String,
    pub(crate) form_id_keys: Vec<String>,
    pub(crate) submission_id_keys: Vec<String>,
    pub(crate) completion_sets: String,
    pub(crate) soft_delete_tag: String,
    pub(crate) tag_workflows: BTreeMap<String, String>,
    pub(crate) tag_tags: BTreeMap<String, String>,
    pub(crate) allow_mails: bool,
    pub(crate) rules: Vec<Rule>,
}

impl Settings {
    pub(crate) fn get() -> Result<Self> {
        settings::get()
    }
}

/// The parts of a submission's id here, `{form}/{submission}`: the API names no submission without its form.
pub(crate) fn split(id: &str) -> Result<(&str, &str)> {
    let parts = json::split_id(id, '/');
    parts.ok_or_else(|| Error::NotFound(format!("`{id}` is no submission, expected `form/submission`")))
}

pub(crate) fn form(form: &str) -> String {
    format!("/forms/{}", segment(form))
}

pub(crate) fn submissions(form: &str) -> String {
    format!("/forms/{}/submissions", segment(form))
}

pub(crate) fn submission(form: &str, id: &str) -> String {
    format!("{}/{}", submissions(form), segment(id))
}
