//! Workspaces.

use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Secret, WorkspacePolicy};

/// A tenant, bound to one HighLevel location.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Workspace {
    /// Its short name in paths and commands.
    #[schema(example = "acme")]
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The HighLevel location.
    pub location: String,
    /// ISO 3166 country for national phone numbers.
    pub country: Option<String>,
    /// IANA time zone of the location.
    pub timezone: Option<String>,
    /// How many days its history is kept, by its own word; absent for as long as the host says.
    pub retention_days: Option<u32>,
    /// How many days that are.
    pub kept_days: u32,
    /// What none of its connectors may do.
    #[serde(default)]
    pub policy: WorkspacePolicy,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Workspace {
    /// A workspace, with how long the host keeps its history.
    pub(crate) fn of_engine(engine: &contactor_engine::Engine, own: own::Workspace) -> Self {
        let kept_days = engine.kept_days(&own);
        Self {
            id: own.id.to_string(),
            name: own.name,
            location: own.location.to_string(),
            country: own.country,
            timezone: own.timezone,
            retention_days: own.retention_days,
            kept_days,
            policy: own.policy.into(),
            created_at: own.created_at,
        }
    }
}

/// What is to be changed of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceSettings {
    /// How many days its history is kept, 1 to 3650; null for as long as the host says.
    pub retention_days: Option<u32>,
}

/// Another token for a workspace.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceToken {
    /// A private integration token of the workspace's location.
    pub token: Secret,
}

/// A workspace to create. HighLevel is asked for the location with the given token before anything is stored.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkspace {
    /// Its short name: lower-case letters, digits and hyphens, at most 63.
    #[schema(example = "acme")]
    pub id: String,
    /// Its name for people; the location's name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The HighLevel location to bind it to.
    pub location: String,
    /// A private integration token of that location. Without, the location is opened by its own consent or its agency's: see
    /// `oauth.consent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// ISO 3166 country for national phone numbers; the location's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// IANA time zone; the location's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

impl From<NewWorkspace> for contactor_engine::NewWorkspace {
    fn from(new: NewWorkspace) -> Self {
        Self {
            id: new.id,
            name: new.name,
            location: new.location,
            token: new.token.map(Secret::into_inner),
            country: new.country,
            timezone: new.timezone,
        }
    }
}
