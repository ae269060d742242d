//! Consents and grants of HighLevel's marketplace.

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A consent to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsent {
    /// Show the page that does not name HighLevel.
    #[serde(default)]
    pub white_label: bool,
}

/// Where to send the person who consents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Consent {
    /// The page, for one person and one time.
    pub url: String,
    /// Until when the answer is taken.
    pub expires_at: Timestamp,
}

/// How a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GrantState {
    /// It works.
    Active,
    /// It is being renewed at this moment.
    Refreshing,
    /// It could not be renewed for a reason that passes; the access token works until it expires.
    Degraded,
    /// HighLevel suspended the location; it is tried again once a day.
    Paused,
    /// HighLevel refuses it: a person has to consent again.
    NeedsReconnect,
}

/// A grant, without its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HighLevelGrant {
    /// `location/ID` or `company/ID`.
    pub id: String,
    /// How it stands.
    pub state: GrantState,
    /// Why it is not active.
    pub reason: Option<String>,
    /// The agency, when it is known.
    pub company: Option<String>,
    /// The workspaces that depend on it.
    pub workspaces: Vec<String>,
    /// What it allows.
    pub scopes: Vec<String>,
    /// What this host asks for and was not granted: a scope that was added later needs a new consent.
    pub lacking: Vec<String>,
    /// How many pairs it has had.
    pub generation: u64,
    /// When the access token expires.
    pub expires_at: Timestamp,
    /// When the present pair came.
    pub renewed_at: Timestamp,
    /// When it is to be renewed, or tried again.
    pub next_attempt_at: Timestamp,
    /// Failed attempts since the present pair came.
    pub attempts: u32,
    /// When somebody first consented.
    pub created_at: Timestamp,
}

impl From<engine::GrantView> for HighLevelGrant {
    fn from(view: engine::GrantView) -> Self {
        let engine::GrantView { grant, refreshing, workspaces, lacking } = view;
        Self {
            id: grant.id.to_string(),
            state: match grant.state {
                own::GrantState::NeedsReconnect => GrantState::NeedsReconnect,
                _ if refreshing => GrantState::Refreshing,
                own::GrantState::Active => GrantState::Active,
                own::GrantState::Degraded => GrantState::Degraded,
                own::GrantState::Paused => GrantState::Paused,
            },
            reason: grant.reason,
            company: grant.company,
            workspaces: workspaces.iter().map(ToString::to_string).collect(),
            scopes: grant.scopes,
            lacking,
            generation: grant.generation,
            expires_at: grant.expires_at,
            renewed_at: grant.renewed_at,
            next_attempt_at: grant.next_attempt_at,
            attempts: grant.attempts,
            created_at: grant.created_at,
        }
    }
}

/// Which grant to renew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewGrant {
    /// `location/ID` or `company/ID`.
    pub grant: String,
}

/// What HighLevel told of a location's installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Installation {
    /// The location.
    pub location: String,
    /// Its name, when it was listed.
    pub name: Option<String>,
    /// The agency.
    pub company: Option<String>,
    /// Whether the app is installed.
    pub installed: bool,
    /// When HighLevel told so.
    pub told_at: Timestamp,
    /// The workspace that is bound to it.
    pub workspace: Option<String>,
}

impl From<engine::LocationInstalled> for Installation {
    fn from(one: engine::LocationInstalled) -> Self {
        let own::Installation { location, company, name, installed, told_at } = one.installation;
        let workspace = one.workspace.map(|workspace| workspace.to_string());
        Self { location: location.to_string(), name, company, installed, told_at, workspace }
    }
}
