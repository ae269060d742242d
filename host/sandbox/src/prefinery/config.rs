//! What can be chosen about the Prefinery double. Most choices are there because the vendor's behaviour is unknown or
//! its sources disagree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

/// How the Prefinery double behaves.
#[derive(Clone, Debug)]
pub struct PrefineryConfig {
    /// The company's API key.
    pub api_key: String,
    /// Projects ("betas") that exist from the start.
    pub projects: Vec<ProjectConfig>,
    /// Request limits on or off.
    pub limited: bool,
    /// After how long a new tester shows up in lists and searches.
    pub visibility: Visibility,
    /// Behaviour that is not known.
    pub guesses: Guesses,
}

impl Default for PrefineryConfig {
    fn default() -> Self {
        Self {
            api_key: "prefinery-sandbox-not-a-real-key".into(),
            projects: vec![ProjectConfig::default()],
            limited: true,
            visibility: Visibility::Millis(0),
            guesses: Guesses::default(),
        }
    }
}

impl PrefineryConfig {
    /// No limits and no lag.
    pub fn free_of_cost() -> Self {
        Self { limited: false, ..Self::default() }
    }
}

/// One project.
#[derive(Clone, Debug)]
pub struct ProjectConfig {
    /// Number in the path.
    pub id: u64,
    /// Display name.
    pub name: String,
    /// Where its webhooks go.
    pub webhook_url: Option<Url>,
    /// Signs its webhooks.
    pub signing_secret: String,
}

impl Default for ProjectConfig {
    fn default() -> Self {
        Self {
            id: 1,
            name: "Sandbox Waitlist".into(),
            webhook_url: None,
            signing_secret: "prefinery-sandbox-not-a-real-secret".into(),
        }
    }
}

/// When a new tester can be found; one integrator saw about five minutes in public code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// After this many milliseconds of sandbox time.
    Millis(u32),
    /// Once released by hand.
    UntilReleased,
}

/// Answers to what the available sources leave open.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guesses {
    /// Status for a missing or wrong key.
    pub bad_key_status: u16,
    /// Status of error 2310 and of other faults in the data.
    pub invalid_status: u16,
    /// Status beyond a request limit.
    pub limited_status: u16,
    /// Shape of a webhook's body.
    pub envelope: Envelope,
    /// Other names for events, by the double's own (`tester_created`, `reward_delivered`, …).
    pub event_names: BTreeMap<String, String>,
    /// Our own API writes come back as webhooks.
    pub echoes_api_writes: bool,
    /// What an update of a tester does with the fields of the profile that it does not name.
    pub profile_updates: ProfileUpdates,
    /// What clears a field of the profile; the other spelling is passed over.
    pub profile_clears: ProfileClears,
}

/// What an update does with the fields of a profile that it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileUpdates {
    /// They stay.
    Merges,
    /// They are gone: the profile that was sent takes the place of the former one.
    Replaces,
}

/// How a field of a profile is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileClears {
    /// By null or by an empty text.
    Either,
    /// By null.
    Null,
    /// By an empty text.
    Empty,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            bad_key_status: 401,
            invalid_status: 422,
            limited_status: 429,
            envelope: Envelope::Named,
            event_names: BTreeMap::new(),
            echoes_api_writes: true,
            profile_updates: ProfileUpdates::Merges,
            profile_clears: ProfileClears::Either,
        }
    }
}

/// The shape of a webhook's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// `{"id", "event", "created_at", "beta_id", "tester": {…}}`
    Named,
    /// `{"id", "type", "created_at", "data": {…}}`
    TypeAndData,
    /// The object alone, with `event` beside its own members.
    Flat,
}
