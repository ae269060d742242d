//! The connection's settings, and the paths that follow from them.

use std::collections::BTreeMap;

use contactor_sdk::automation::Rule;
use contactor_sdk::partner::segment;
use contactor_sdk::{Error, Result, settings};
use serde::Deserialize;

/// See `[[setting]]` in the manifest, where each is explained.
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the admin's")]
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

/// A submission: the connector's id for it is `{form}/{submission}`, because the API names none without its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Id {
    pub(crate) form: String,
    pub(crate) submission: String,
}

impl Id {
    pub(crate) fn new(form: &str, submission: &str) -> Self {
        Self { form: form.to_owned(), submission: submission.to_owned() }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text.split_once('/') {
            Some((form, submission)) if !form.is_empty() && !submission.is_empty() => {
                Ok(Self::new(form, submission))
            }
            _ => Err(Error::invalid("id", format!("`{text}` is no submission, expected `form/submission`"))),
        }
    }

    pub(crate) fn path(&self) -> String {
        format!("{}/{}", submissions(&self.form), segment(&self.submission))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.form, self.submission)
    }
}

pub(crate) fn form(form: &str) -> String {
    format!("/forms/{}", segment(form))
}

pub(crate) fn submissions(form: &str) -> String {
    format!("/forms/{}/submissions", segment(form))
}
