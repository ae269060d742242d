//! What is wrong in a workspace, and who is told.

use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::mirror;

/// Where a workspace's alerts go, and from which threshold on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AlertRules {
    /// Names of destinations; none: alerts are only listed.
    pub to: Vec<String>,
    /// Entries of one cause that are parked before it is an alert, at least 1; told again at ten times as many, and so on.
    pub parked: u32,
    /// Minutes that a change may wait, at least 1.
    pub stale_minutes: u32,
    /// Hours without a webhook of a source that sent some before. 0 switches this off.
    pub silence_hours: u32,
    /// Changes in an hour that the sweep found although HighLevel should have sent a webhook. 0 switches this off.
    pub missed: u32,
    /// Minutes between two messages: what happens meanwhile comes in one.
    pub digest_minutes: u32,
    /// Minutes before the same thing is told again.
    pub suppress_minutes: u32,
}

impl Default for AlertRules {
    fn default() -> Self {
        own::AlertRules::default().into()
    }
}

impl From<own::AlertRules> for AlertRules {
    fn from(own: own::AlertRules) -> Self {
        Self {
            to: own.to,
            parked: own.parked,
            stale_minutes: own.stale_minutes,
            silence_hours: own.silence_hours,
            missed: own.missed,
            digest_minutes: own.digest_minutes,
            suppress_minutes: own.suppress_minutes,
        }
    }
}

impl From<AlertRules> for own::AlertRules {
    fn from(api: AlertRules) -> Self {
        Self {
            to: api.to,
            parked: api.parked,
            stale_minutes: api.stale_minutes,
            silence_hours: api.silence_hours,
            missed: api.missed,
            digest_minutes: api.digest_minutes,
            suppress_minutes: api.suppress_minutes,
        }
    }
}

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// A credential was refused.
    NeedsReconnect,
    /// The host stopped a connection.
    Paused,
    /// The guard stopped a connection that was about to change too many records.
    MassChange,
    /// Another version of a connector was on trial, and the host took it back.
    Reverted,
    /// Something keeps failing and is left alone.
    Degraded,
    /// Records wait for a person.
    Parked,
    /// Deletions wait for a person's word.
    Deletes,
    /// A quota is used up, or nearly.
    Quota,
    /// Changes wait for too long.
    Stale,
    /// A source that sent webhooks sends none any more.
    Silence,
    /// The sweep found what a webhook should have told.
    MissedWebhooks,
}

mirror!(
    AlertKind,
    own::AlertKind,
    [
        NeedsReconnect,
        Paused,
        MassChange,
        Reverted,
        Degraded,
        Parked,
        Deletes,
        Quota,
        Stale,
        Silence,
        MissedWebhooks
    ]
);

/// Something that is or was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// What it is about; the same as long as it is the same thing.
    pub key: String,
    /// Its kind.
    pub kind: AlertKind,
    /// `<workspace>/<connector>`, if it is about one connection.
    pub connection: Option<String>,
    /// How bad it is: it is told again when this rises.
    pub level: u32,
    /// What is wrong, and what to do.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// When something was last said of it.
    pub said_at: Option<Timestamp>,
    /// When it was over; none while it is so.
    pub ended_at: Option<Timestamp>,
}

impl From<own::Alert> for Alert {
    fn from(own: own::Alert) -> Self {
        Self {
            key: own.key,
            kind: own.kind.into(),
            connection: own.connection.map(|id| id.to_string()),
            level: own.level,
            text: own.text,
            since: own.since,
            said_at: own.said_at,
            ended_at: own.ended_at,
        }
    }
}

/// The alerts of a workspace, and where they go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alerts {
    /// Where they go.
    pub rules: AlertRules,
    /// Those that are open, and those that ended within the retention.
    pub alerts: Vec<Alert>,
}

impl From<own::AlertMemory> for Alerts {
    fn from(own: own::AlertMemory) -> Self {
        Self { rules: own.rules.into(), alerts: own.alerts.into_iter().map(Into::into).collect() }
    }
}
