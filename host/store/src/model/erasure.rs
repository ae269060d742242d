//! Forgetting one person.

use serde::{Deserialize, Serialize};

use super::RecordId;

/// Who is forgotten: whatever is known of the person. Links lead from one to the others, by ids and by the addresses and numbers that
/// a contact is known by; one contact's records at several partners are one person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Ids at HighLevel or at a partner.
    pub ids: Vec<RecordId>,
    /// Email addresses and phone numbers, as they are written.
    pub words: Vec<String>,
    /// When several contacts are found: all of them. Without it nobody is forgotten, unless one was given by its id; then what it
    /// shares with another contact stays.
    pub everybody: bool,
}

/// What was found of a person and, unless it was only looked for, is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The contacts in HighLevel that were found. Several are forgotten only if everybody was asked for.
    #[serde(default)]
    pub contacts: Vec<RecordId>,
    /// The person's ids at HighLevel and at partners.
    pub ids: Vec<RecordId>,
    /// The person's addresses and numbers.
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
    /// Rows of others in which the person was blanked: they stay, and what is to be done about them goes on.
    #[serde(default)]
    pub blanked: u64,
    /// What walks had seen, what a match report listed, counts of writes, and alerts that mentioned the person.
    pub traces: u64,
    /// Recordings of runs. They are sealed and cannot be searched, so all of the workspace go, even if nothing else is known of
    /// the person.
    #[serde(default)]
    pub recordings: u64,
}

impl Erasure {
    /// Whether nothing was found. Recordings, which go whoever they speak of, tell nothing.
    pub fn is_empty(&self) -> bool {
        let Self {
            links,
            events,
            deletions,
            runs,
            conflicts,
            parked,
            waiting,
            deliveries,
            messages,
            states,
            blanked,
            traces,
            ..
        } = self;
        [
            links, events, deletions, runs, conflicts, parked, waiting, deliveries, messages, states,
            blanked, traces,
        ]
        .iter()
        .all(|count| **count == 0)
    }
}
