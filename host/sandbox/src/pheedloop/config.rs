//! What can be chosen about the PheedLoop double. The vendor's reference could not be read in full, so most choices answer
//! what its sources leave open; the default is the reading that is harder on a client.

use serde::{Deserialize, Serialize};

/// How the PheedLoop double behaves.
#[derive(Clone, Debug)]
pub struct PheedLoopConfig {
    /// The organisation's code, part of every path.
    pub organization: String,
    /// Sent as `X-API-KEY`.
    pub api_key: String,
    /// Sent as `X-API-SECRET`.
    pub api_secret: String,
    /// Events that exist from the start: the API cannot create any.
    pub events: Vec<EventConfig>,
    /// Behaviour that is not known.
    pub guesses: Guesses,
}

impl Default for PheedLoopConfig {
    fn default() -> Self {
        Self {
            organization: "ORGSANDBOX".into(),
            api_key: "pheedloop-sandbox-not-a-real-key".into(),
            api_secret: "pheedloop-sandbox-not-a-real-secret".into(),
            events: vec![
                EventConfig::new("EVESANDBOX", "Sandbox Summit"),
                EventConfig::new("EVESECOND", "Second Summit"),
            ],
            guesses: Guesses::default(),
        }
    }
}

/// One event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventConfig {
    /// Its code, part of the path.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The secret of its webhooks; how the vendor uses it is unknown, see [`Signing`].
    pub webhook_secret: String,
}

impl EventConfig {
    /// An event with a secret that is nobody's.
    pub fn new(code: &str, name: &str) -> Self {
        Self {
            code: code.into(),
            name: name.into(),
            webhook_secret: format!("{code}-webhook-not-a-real-secret"),
        }
    }
}

/// Answers to what the available sources leave open.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guesses {
    /// Status without the two headers.
    pub no_key_status: u16,
    /// Status for a wrong pair.
    pub bad_key_status: u16,
    /// Fields without which no attendee and no member is created.
    pub required: Vec<String>,
    /// A second attendee of an event with the same email is refused.
    pub unique_email: bool,
    /// A create or update answers `{"code"}` alone instead of the record.
    pub answers_code_only: bool,
    /// A welcome mail goes out unless its switch is sent as `false`.
    pub welcomes_unless_told: bool,
    /// Null is taken for a text, which otherwise is refused and has to be cleared with an empty text.
    pub takes_null: bool,
    /// A text that may not be empty is refused when it is.
    pub refuses_blank_names: bool,
    /// An attendee can be read alone; the vendor documents the list only.
    pub single_attendee: bool,
    /// The newest record comes first in a list, so that pages shift while they are read.
    pub newest_first: bool,
    /// Most rows of a page.
    pub page_size_max: usize,
    /// How an attendee's tags are shown.
    pub tags: TagShape,
    /// What a failed check-in is listed as.
    pub errored: Errored,
    /// Below an event, where its tags are listed.
    pub event_tags_path: String,
    /// Shape of a webhook's body.
    pub envelope: Envelope,
    /// What is done with the webhook secret.
    pub signing: Signing,
    /// Our own API writes come back as webhooks.
    pub echoes_api_writes: bool,
    /// Requests that are allowed in a minute; `None`: no limit.
    pub requests_per_minute: Option<usize>,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            no_key_status: 401,
            bad_key_status: 403,
            required: ["first_name", "last_name", "email"].map(str::to_owned).to_vec(),
            unique_email: false,
            answers_code_only: true,
            welcomes_unless_told: true,
            takes_null: false,
            refuses_blank_names: true,
            single_attendee: false,
            newest_first: true,
            page_size_max: 500,
            tags: TagShape::Names,
            errored: Errored::Objects,
            event_tags_path: "tags".into(),
            envelope: Envelope::Bare,
            signing: Signing::None,
            echoes_api_writes: true,
            requests_per_minute: None,
        }
    }
}

/// How an attendee's tags are shown; they are written as names or as objects with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagShape {
    /// `["vip"]`
    Names,
    /// `[{"id": 3, "name": "vip"}]`
    Objects,
}

/// What a failed check-in is listed as in `errored_attendees`; both were handled in public code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errored {
    /// `"ATT…"`
    Codes,
    /// `{"code": "ATT…", "error": "…"}`
    Objects,
}

/// The shape of a webhook's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// The record alone: neither the action nor the event is named.
    Bare,
    /// `{"action", "organization_code", "event_code", "data": {…}}`
    Named,
    /// `{"hook": {"id", "action", "event", "endpoint"}, "data": {…}}`, as Django's REST hooks send it.
    RestHook,
    /// `{"action", "event_code", "code"}`: who changed, and no more.
    Mention,
}

/// What is done with an event's webhook secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// Nothing.
    None,
    /// It is sent as `X-PheedLoop-Secret`.
    Header,
    /// `X-PheedLoop-Signature` carries the HMAC-SHA256 of the body in hexadecimal digits.
    Hmac,
}
