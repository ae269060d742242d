//! Forgetting one person.

use contactor_store as own;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseRequest {
    /// An id at HighLevel or a partner, an email address, or a phone number in E.164.
    pub who: String,
    /// When several contacts share what is given: all of them.
    #[serde(default)]
    pub all: bool,
    /// Only tell what would be forgotten.
    #[serde(default)]
    pub preview: bool,
}

/// What was found of a person and, unless it was a preview, is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    /// HighLevel's ids of the contacts that were found; several are forgotten only with `all`.
    #[serde(default)]
    pub contacts: Vec<String>,
    /// The person's ids at HighLevel and at partners, with those of tasks, notes and appointments.
    pub ids: Vec<String>,
    /// The person's addresses and numbers, as they were looked for.
    pub words: Vec<String>,
    /// Links of the contact and of its tasks, notes and appointments.
    pub links: u64,
    /// Webhooks whose content mentioned the person; that they came is still known, so that a repetition is no news.
    pub events: u64,
    /// Deletions, with what was kept to undo them.
    #[serde(default)]
    pub deletions: u64,
    /// Runs with their calls.
    pub runs: u64,
    /// Conflicts.
    pub conflicts: u64,
    /// Parked entries.
    pub parked: u64,
    /// Records that waited for their run.
    pub waiting: u64,
    /// Events of automations that were the person's, with what their handlers had noted.
    pub deliveries: u64,
    /// Messages.
    pub messages: u64,
    /// Keys of connectors' states in which the person was blanked.
    pub states: u64,
    /// Entries of others in which the person was blanked: they stay, and what is to be done about them goes on.
    #[serde(default)]
    pub blanked: u64,
    /// What walks had seen, counts of writes, and alerts that mentioned the person.
    pub traces: u64,
    /// Recordings of runs: all of the workspace, because they are sealed and cannot be searched.
    #[serde(default)]
    pub recordings: u64,
}

impl From<own::Erasure> for Erasure {
    fn from(own: own::Erasure) -> Self {
        Self {
            contacts: own.contacts.into_iter().map(|id| id.to_string()).collect(),
            ids: own.ids.into_iter().map(|id| id.to_string()).collect(),
            words: own.words,
            links: own.links,
            events: own.events,
            deletions: own.deletions,
            runs: own.runs,
            conflicts: own.conflicts,
            parked: own.parked,
            waiting: own.waiting,
            deliveries: own.deliveries,
            messages: own.messages,
            states: own.states,
            blanked: own.blanked,
            traces: own.traces,
            recordings: own.recordings,
        }
    }
}
