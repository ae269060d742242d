//! Connectors: installed components and files that somebody thinks about installing.

use contactor_engine as engine;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Permission;

/// An installed component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Connector {
    /// The connector's id.
    #[schema(example = "prefinery")]
    pub id: String,
    /// Its semantic version.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was installed.
    pub installed_at: Timestamp,
    /// The publisher who vouched for it when it was installed; absent where the host takes what nobody vouches for.
    #[serde(default)]
    pub publisher: Option<String>,
    /// Why the host does not load it any more: whom the operator trusts has changed, or the file has. Absent while it does.
    #[serde(default)]
    pub refused: Option<String>,
    /// A platform admin installed it; another one is taken by its digest only.
    #[serde(default)]
    pub approved: bool,
    /// Its name for people.
    pub name: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// Where the partner's API is, unless a connection says otherwise.
    pub base_url: String,
    /// Hosts that the API may be at: those that its author names, and those that the operator opens for it.
    #[serde(default)]
    #[schema(example = json!(["api.prefinery.com", "*.prefinery.com"]))]
    pub hosts: Vec<String>,
    /// The kinds of record that it handles, each with how well the partner supports it.
    pub entities: Vec<String>,
    /// What it asks to be allowed, and why.
    pub scopes: Vec<ScopeRequest>,
    /// Everything that it asks for, in plain words.
    #[serde(default)]
    pub asks: Vec<Permission>,
    /// `POST`s to the partner that its author says may be sent twice: the host repeats them by itself after a lost answer.
    #[serde(default)]
    pub repeatable: Vec<Repeatable>,
}

/// `POST`s to the partner that may be sent twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Repeatable {
    /// Paths below the partner's address; `*` stands for any characters but `/`.
    pub paths: Vec<String>,
    /// The author's reason why the second one changes nothing.
    pub why: String,
}

impl From<engine::RepeatableView> for Repeatable {
    fn from(own: engine::RepeatableView) -> Self {
        Self { paths: own.paths, why: own.why }
    }
}

/// Something that a connector asks to be allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScopeRequest {
    /// The scope.
    #[schema(example = "contacts.write")]
    pub name: String,
    /// The author's reason.
    pub why: String,
}

impl From<engine::ScopeRequest> for ScopeRequest {
    fn from(own: engine::ScopeRequest) -> Self {
        Self { name: own.name, why: own.why }
    }
}

impl From<engine::ConnectorView> for Connector {
    fn from(own: engine::ConnectorView) -> Self {
        Self {
            id: own.id,
            version: own.version,
            digest: own.digest.to_string(),
            size: own.size,
            installed_at: own.installed_at,
            publisher: own.publisher,
            refused: own.refused,
            approved: own.approved,
            name: own.name,
            summary: own.summary,
            base_url: own.base_url,
            hosts: own.hosts,
            entities: own.entities,
            scopes: own.scopes.into_iter().map(Into::into).collect(),
            asks: own.asks.into_iter().map(Into::into).collect(),
            repeatable: own.repeatable.into_iter().map(Into::into).collect(),
        }
    }
}

/// What a component says about itself. Nothing of it was run or compiled to find out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InspectReport {
    /// SHA-256 of the component.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// Its manifest.
    #[schema(value_type = Object)]
    pub manifest: serde_json::Value,
    /// The interfaces that it imports: everything that it can reach.
    pub imports: Vec<String>,
    /// The interfaces that it offers.
    pub exports: Vec<String>,
    /// Everything that it asks for, in plain words.
    #[serde(default)]
    pub asks: Vec<Permission>,
    /// Public keys of those who signed it; whether one of them is trusted is for the host's configuration to say.
    #[serde(default)]
    pub signed_by: Vec<String>,
    /// The publisher who vouches for it by the host's configuration.
    #[serde(default)]
    pub publisher: Option<String>,
    /// Why this host cannot run it; absent when it can.
    pub refused: Option<String>,
}

impl From<engine::InspectReport> for InspectReport {
    fn from(own: engine::InspectReport) -> Self {
        Self {
            digest: own.digest.to_string(),
            size: own.size,
            manifest: own.manifest,
            imports: own.imports,
            exports: own.exports,
            asks: own.asks.into_iter().map(Into::into).collect(),
            signed_by: own.signed_by,
            publisher: own.publisher,
            refused: own.refused,
        }
    }
}
