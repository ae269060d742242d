//! What can be chosen about the HighLevel double.

use serde::{Deserialize, Serialize};
use url::Url;

/// Every scope that a location token of the double can carry.
pub const LOCATION_SCOPES: &[&str] = &[
    "contacts.readonly",
    "contacts.write",
    "locations.readonly",
    "locations/tags.readonly",
    "locations/tags.write",
    "locations/tasks.readonly",
    "locations/customFields.readonly",
    "locations/customFields.write",
    "calendars.readonly",
    "calendars/events.readonly",
    "calendars/events.write",
    "users.readonly",
];

/// What an app of an agency needs besides, to list its locations and to open them; no token of a location carries it.
pub const AGENCY_SCOPES: &[&str] = &["oauth.readonly", "oauth.write"];

/// The one company (agency) that owns every location of the double.
pub const COMPANY_ID: &str = "SandboxCompany000001";

/// How the HighLevel double behaves.
#[derive(Clone, Debug)]
pub struct HighLevelConfig {
    /// Locations that exist from the start.
    pub locations: Vec<LocationConfig>,
    /// Marketplace apps that exist from the start; each is installed in every location.
    pub apps: Vec<AppConfig>,
    /// Request limits; `None` switches limits and their headers off.
    pub limits: Option<Limits>,
    /// How far the search index is behind.
    pub search_lag: SearchLag,
    /// Habits on which sources disagree, or which a benchmark may want to be without.
    pub habits: Habits,
}

impl Default for HighLevelConfig {
    fn default() -> Self {
        Self {
            locations: vec![LocationConfig::default()],
            apps: vec![AppConfig::default()],
            limits: Some(Limits::default()),
            search_lag: SearchLag::Millis(300),
            habits: Habits::default(),
        }
    }
}

impl HighLevelConfig {
    /// No limits and no lag.
    pub fn free_of_cost() -> Self {
        Self { limits: None, search_lag: SearchLag::Millis(0), ..Self::default() }
    }
}

/// One location (sub-account).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocationConfig {
    /// Opaque id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// ISO-2 country; national phone numbers are read as numbers of this country.
    pub country: String,
    /// IANA time zone; appointment times on a contact are given in it, without an offset.
    pub timezone: String,
    /// The setting "Allow Duplicate Contact".
    pub allow_duplicate_contact: bool,
    /// The setting "Find existing contacts based on", in order; the second is used when the first finds nothing.
    pub match_by: Vec<MatchBy>,
    /// A private integration token with every location scope.
    pub private_token: String,
}

impl Default for LocationConfig {
    fn default() -> Self {
        Self {
            id: "SandboxLocation00001".into(),
            name: "Sandbox Location".into(),
            country: "US".into(),
            timezone: "America/New_York".into(),
            allow_duplicate_contact: false,
            match_by: vec![MatchBy::Email, MatchBy::Phone],
            private_token: "pit-sandbox-not-a-real-token-00001".into(),
        }
    }
}

impl LocationConfig {
    /// The default location under another number: id, name and private token end in it.
    pub fn numbered(number: u32) -> Self {
        Self {
            id: format!("SandboxLocation{number:05}"),
            name: format!("Sandbox Location {number}"),
            private_token: format!("pit-sandbox-not-a-real-token-{number:05}"),
            ..Self::default()
        }
    }
}

/// A field by which HighLevel recognises a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchBy {
    /// The email address, ignoring case.
    Email,
    /// The phone number in E.164.
    Phone,
}

/// One Marketplace app.
#[derive(Clone, Debug)]
pub struct AppConfig {
    /// The part of the client id before the dash; sent as `appId` in webhooks.
    pub id: String,
    /// OAuth client id.
    pub client_id: String,
    /// OAuth client secret.
    pub client_secret: String,
    /// Sent as `versionId` in webhooks.
    pub version_id: String,
    /// Where its webhooks go.
    pub webhook_url: Option<Url>,
    /// Scopes that the app has at the marketplace: a consent grants what is asked for of these.
    pub scopes: Vec<String>,
}

impl Default for AppConfig {
    fn default() -> Self {
        Self {
            id: "sandboxapp0000000000001".into(),
            client_id: "sandboxapp0000000000001-contactor".into(),
            client_secret: "sandbox-not-a-real-secret".into(),
            version_id: "sandboxapp0000000000001".into(),
            webhook_url: None,
            scopes: LOCATION_SCOPES.iter().chain(AGENCY_SCOPES).map(ToString::to_string).collect(),
        }
    }
}

/// Request limits per (app, location) (the vendor's Authorization page).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests per interval.
    pub burst: u32,
    /// The interval in milliseconds.
    pub interval_millis: i64,
    /// Requests per day.
    pub daily: u32,
    /// How the burst interval is counted.
    pub window: Window,
}

impl Default for Limits {
    fn default() -> Self {
        Self { burst: 100, interval_millis: 10_000, daily: 200_000, window: Window::Sliding }
    }
}

/// How a burst interval is counted; the vendor does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Never more than the limit in any interval: the stricter reading.
    Sliding,
    /// The count starts again when the interval is over.
    Fixed,
}

/// How far search is behind the records ("a few seconds", says the vendor).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchLag {
    /// A change is searchable after this many milliseconds of sandbox time.
    Millis(u32),
    /// A change is searchable once the index is refreshed by hand.
    UntilReleased,
}

/// Habits of the vendor that are documented two ways, or only reported.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Habits {
    /// TaskCreate carries neither `contactId` nor `body` (vendor issue 332 against the documented shape).
    pub task_create_lacks_contact: bool,
    /// A change of tags or of DND fires ContactUpdate beside its own event (not settled).
    pub special_change_also_updates: bool,
    /// Our own API writes come back as webhooks (not settled, assumed yes).
    pub echoes_api_writes: bool,
    /// Webhooks carry `X-GHL-Signature` (Ed25519).
    pub signs: bool,
    /// Webhooks carry `X-WH-Signature` (RSA-SHA256) as well. The key takes a moment to make on first use.
    pub signs_legacy: bool,
    /// Milliseconds by which `dateUpdated` in search is off from the record's.
    pub search_date_skew_millis: i64,
    /// The search for a duplicate leaves out `dndSettings` and `inboundDndSettings`: its answer has no schema, so nobody may count on them.
    pub duplicate_lacks_consent: bool,
    /// The search for a duplicate looks by email first, whatever the location's setting says that an upsert goes by.
    pub duplicate_by_email_first: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            task_create_lacks_contact: true,
            special_change_also_updates: true,
            echoes_api_writes: true,
            signs: true,
            signs_legacy: false,
            search_date_skew_millis: 3,
            duplicate_lacks_consent: true,
            duplicate_by_email_first: false,
        }
    }
}
