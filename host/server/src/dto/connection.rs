//! Connections: connectors enabled in workspaces.

use std::collections::BTreeMap;

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Secret, mirror};

/// A connector enabled in a workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    /// `<workspace>/<connector>`.
    #[schema(example = "acme/prefinery")]
    pub id: String,
    /// The workspace.
    pub workspace: String,
    /// The connector.
    pub connector: String,
    /// Version of the pinned component.
    pub version: String,
    /// SHA-256 of the pinned component.
    pub digest: String,
    /// Whether it works.
    pub state: ConnectionState,
    /// Why it does not.
    pub state_reason: Option<String>,
    /// What it is allowed.
    pub grants: Vec<String>,
    /// Base URL of the partner's API.
    pub base_url: String,
    /// Which of the connector's ways to authenticate is used.
    pub auth_scheme: String,
    /// Its settings, defaults filled in.
    #[schema(value_type = Object)]
    pub settings: serde_json::Value,
    /// Where the partner has to send its webhooks, below the host's public address.
    pub webhook_path: String,
    /// Records that are linked.
    pub links: u64,
    /// Records that wait for their run.
    pub waiting: u64,
    /// Records that a person must look at.
    pub parked: u64,
    /// When the last run began.
    pub last_run_at: Option<Timestamp>,
}

/// Whether a connection works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    /// Events are processed.
    Enabled,
    /// Switched off by an admin; links stay.
    Disabled,
    /// Stopped by the host; events are kept.
    Paused,
    /// The credential was refused: a person has to reconnect.
    NeedsReconnect,
}

mirror!(ConnectionState, own::ConnectionState, [Enabled, Disabled, Paused, NeedsReconnect]);

impl From<engine::ConnectionView> for Connection {
    fn from(own: engine::ConnectionView) -> Self {
        Self {
            id: own.id.to_string(),
            workspace: own.workspace.to_string(),
            connector: own.connector,
            version: own.version,
            digest: own.digest.to_string(),
            state: own.state.into(),
            state_reason: own.state_reason,
            grants: own.grants,
            base_url: own.base_url,
            auth_scheme: own.auth_scheme,
            settings: own.settings,
            webhook_path: own.webhook_path,
            links: own.links,
            waiting: own.waiting,
            parked: own.parked,
            last_run_at: own.last_run_at,
        }
    }
}

/// How to enable a connector in a workspace, or change how it is enabled.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnableConnection {
    /// The component to pin; the newest installed version if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Base URL of the partner's API; the manifest's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Which of the manifest's ways to authenticate; the first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_scheme: Option<String>,
    /// The partner's credentials under the names that the manifest gives them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub credentials: BTreeMap<String, Secret>,
    /// The secret that the partner signs its webhooks with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<Secret>,
    /// Settings; what is absent takes the manifest's default.
    #[serde(default = "empty_object")]
    #[schema(value_type = Object)]
    pub settings: serde_json::Value,
    /// Mapping rows that override the connector's.
    #[serde(default = "empty_array")]
    #[schema(value_type = Vec<Object>)]
    pub mapping: serde_json::Value,
    /// What to allow; everything that the manifest asks for if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<String>>,
}

fn empty_object() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

fn empty_array() -> serde_json::Value {
    serde_json::Value::Array(Vec::new())
}

impl EnableConnection {
    /// The same for the engine, which also wants to know for whom.
    pub(crate) fn at(self, workspace: String, connector: String) -> engine::EnableConnection {
        engine::EnableConnection {
            workspace,
            connector,
            digest: self.digest,
            base_url: self.base_url,
            auth_scheme: self.auth_scheme,
            credentials: self.credentials.into_iter().map(|(name, secret)| (name, secret.into_inner())).collect(),
            webhook_secret: self.webhook_secret.map(Secret::into_inner),
            settings: self.settings,
            mapping: self.mapping,
            grants: self.grants,
        }
    }
}

/// Whether a connection's credential is good, and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckReport {
    /// Everything that was tried worked.
    pub ok: bool,
    /// The partner account that the credential belongs to.
    pub account: Option<String>,
    /// What the partner says about itself.
    pub details: Vec<CheckDetail>,
    /// What does not work.
    pub problems: Vec<String>,
}

/// Something that a partner says about the account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckDetail {
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl From<engine::CheckReport> for CheckReport {
    fn from(own: engine::CheckReport) -> Self {
        let details = own.details.into_iter().map(|(name, value)| CheckDetail { name, value }).collect();
        Self { ok: own.ok, account: own.account, details, problems: own.problems }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_to_enable_needs_nothing_and_knows_no_other_keys() {
        let request: EnableConnection = serde_json::from_str("{}").unwrap();
        assert_eq!(request.settings, serde_json::json!({}));
        assert_eq!(request.mapping, serde_json::json!([]));
        assert!(request.grants.is_none());
        assert!(serde_json::from_str::<EnableConnection>(r#"{"grant": []}"#).is_err());
    }
}
