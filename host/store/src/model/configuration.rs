//! What an admin sets up: workspaces, components, connections.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{ConnectionId, Digest, LocationId, Policy, SecretHash, WorkspaceId};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Name for people.
    pub name: String,
    /// The HighLevel location that it is bound to.
    pub location: LocationId,
    /// ISO 3166 country for national phone numbers, if known.
    pub country: Option<String>,
    /// IANA time zone of the location, if known.
    pub timezone: Option<String>,
    /// How many days its history is kept; as long as the host says if absent.
    pub retention_days: Option<u32>,
    /// What none of its connectors may do.
    #[serde(default)]
    pub policy: Policy,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A component that was installed. Its bytes lie in the artefact directory under their digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstalledConnector {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// The connector's id, for example `prefinery`.
    pub id: String,
    /// Its semantic version.
    pub version: String,
    /// Its manifest, as the TOML text in the component.
    pub manifest: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was installed.
    pub installed_at: Timestamp,
    /// Who vouched for it when it was installed, by the name that the operator gives. For showing it: what counts is its signature.
    pub publisher: Option<String>,
    /// A platform admin installed it. Another one is taken by its digest only: its author may have given it anybody's id.
    pub approved: bool,
}

/// Whether a connection works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    /// Events are processed.
    Enabled,
    /// Switched off by an admin; links stay.
    Disabled,
    /// Stopped by the host; the reason is beside it. Events are kept.
    Paused,
    /// The credential was refused: a person has to reconnect.
    NeedsReconnect,
}

/// What stopped a connection, where something depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopCause {
    /// The guard against mass changes: a person may let more records pass.
    MassChange,
    /// HighLevel suspended the location: nobody has to do anything, and it goes on when the location is active again.
    Suspended,
    /// No publisher of the host's configuration vouches for its component: it goes on when one does.
    Unvouched,
}

/// A connector enabled in a workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// `<workspace>/<connector>`.
    pub id: ConnectionId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The connector's id.
    pub connector: String,
    /// The component that this connection runs, pinned.
    pub digest: Digest,
    /// Whether it works.
    pub state: ConnectionState,
    /// Why it is not enabled, for the admin.
    pub state_reason: Option<String>,
    /// What stopped it, if that is more than a reason to read.
    #[serde(default)]
    pub stop_cause: Option<StopCause>,
    /// Granted scopes (`contacts.readonly`, …).
    pub grants: Vec<String>,
    /// Base URL of the partner's API.
    pub base_url: String,
    /// Which of the manifest's authentication schemes is used.
    pub auth_scheme: String,
    /// Settings as a JSON object, validated against the manifest.
    pub settings: serde_json::Value,
    /// Mapping rows of the admin as JSON; they override the connector's by field.
    pub mapping: serde_json::Value,
    /// When it is served.
    #[serde(default)]
    pub schedule: Schedule,
    /// What the unguessable segment of the partner's webhook URL is recognised by. The segment itself is a sealed credential
    /// ([`ConnectionId::webhook_address`]).
    pub webhook_hash: SecretHash,
    /// When it was enabled first.
    pub created_at: Timestamp,
}

impl ConnectionId {
    /// Name of the credential that holds the unguessable segment of the webhook URL.
    pub fn webhook_address(&self) -> String {
        format!("{self}/webhook-address")
    }
}

/// The segment of a webhook URL as a host of an earlier version kept it: in the clear.
#[derive(Clone, Debug)]
pub struct UnsealedWebhook {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Whose webhooks come there.
    pub connection: ConnectionId,
    /// The segment.
    pub token: SecretString,
}

/// When a connection is served. Whatever is not given is as the host and the connector have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// HighLevel's webhooks are acted on at once. Otherwise what they mark waits for the next multiple of `sweep_seconds`.
    #[serde(skip_serializing_if = "std::clone::Clone::clone")]
    pub realtime: bool,
    /// Seconds between polls, by the name of the connector's stream.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub poll_seconds: BTreeMap<String, u32>,
    /// Seconds between sweeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep_seconds: Option<u32>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { realtime: true, poll_seconds: BTreeMap::new(), sweep_seconds: None }
    }
}

/// Seconds between sweeps where neither the connection nor the host says otherwise.
pub const CADENCE_SECONDS: u32 = 900;

impl Schedule {
    /// Seconds between polls of a stream, if the connection says: its own, else the cadence of one that does not act at once.
    pub fn poll_interval(&self, stream: &str) -> Option<u32> {
        let cadence = self.sweep_seconds.filter(|_| !self.realtime);
        self.poll_seconds.get(stream).copied().or(cadence)
    }

    /// When what a webhook marks at this time is due.
    pub fn due(&self, at: Timestamp) -> Timestamp {
        if self.realtime {
            return at;
        }
        let cadence = i64::from(self.sweep_seconds.unwrap_or(CADENCE_SECONDS).max(1));
        // Multiples since 1970: all that is marked until then is done together, by whichever host.
        let next = (at.as_second().div_euclid(cadence) + 1).saturating_mul(cadence);
        Timestamp::from_second(next).unwrap_or(at)
    }
}
