//! What is wrong in a workspace, and who is told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConnectionId, WorkspaceId};
use crate::automation::NewMessage;

/// Where a workspace's alerts go, and from which threshold on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertRules {
    /// Names of destinations; none: alerts are only listed.
    pub to: Vec<String>,
    /// Entries of one cause that are parked before it is an alert; it is told again at ten times as many, and so on.
    pub parked: u32,
    /// Minutes that a change may wait.
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
        Self {
            to: Vec::new(),
            parked: 1,
            stale_minutes: 30,
            silence_hours: 48,
            missed: 10,
            digest_minutes: 5,
            suppress_minutes: 60,
        }
    }
}

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

/// Something that is or was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What it is about; the same as long as it is the same thing.
    pub key: String,
    /// Its kind.
    pub kind: AlertKind,
    /// The connection, if it is about one.
    pub connection: Option<ConnectionId>,
    /// How bad it is: it is told again when this rises.
    pub level: u32,
    /// What is wrong, and what to do.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// Since when it is not so any more, while it is not sure to stay away.
    pub clear_since: Option<Timestamp>,
    /// At which level somebody was told that it is so.
    pub told: Option<u32>,
    /// When something was last said of it, also that it was over.
    pub said_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

/// What comes of looking once at a workspace, to be stored as one.
#[derive(Clone, Debug, Default)]
pub struct AlertRound {
    /// Alerts as they are now; those of the same key are replaced.
    pub alerts: Vec<Alert>,
    /// Keys of alerts that nobody needs to know of.
    pub dropped: Vec<String>,
    /// Messages, and the connection that each counts for.
    pub messages: Vec<(ConnectionId, NewMessage)>,
    /// When sources were last heard: `highlevel`, or a connection's id.
    pub heard: Vec<(String, Timestamp)>,
}

/// The workspace whose alerts are looked at, with everything that is remembered of it.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertMemory {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its rules.
    pub rules: AlertRules,
    /// Alerts that are open, and those that ended not long ago.
    pub alerts: Vec<Alert>,
    /// When sources were last heard.
    pub heard: Vec<(String, Timestamp)>,
}
