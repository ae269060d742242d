//! Connectors: components that were looked at, refused or installed.

use contactor_manifest::Manifest;
use contactor_store::{Digest, InstalledConnector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::artefacts::Artefacts;
use crate::engine::Engine;
use crate::error::EngineError;

/// An installed connector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectorView {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// When it was installed.
    pub installed_at: Timestamp,
    /// Its name.
    pub name: String,
    /// What it does.
    pub summary: String,
    /// The partner's default address.
    pub base_url: String,
    /// Kinds of record, each with how well the partner supports it.
    pub entities: Vec<String>,
    /// HighLevel scopes that it asks for, and why.
    pub scopes: Vec<ScopeRequest>,
}

/// A scope with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScopeRequest {
    /// The scope, for example `contacts.write`.
    pub name: String,
    /// Why the connector needs it.
    pub why: String,
}

/// What a component says about itself, without running or compiling it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InspectReport {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// The manifest.
    pub manifest: serde_json::Value,
    /// Interfaces that it imports: what it can do.
    pub imports: Vec<String>,
    /// Interfaces that it exports.
    pub exports: Vec<String>,
    /// Why this host cannot run it; `None` when it can.
    pub refused: Option<String>,
}

/// Looks at a component without running or compiling it.
pub fn inspect(bytes: &[u8]) -> Result<InspectReport, EngineError> {
    let inspection = contactor_runtime::inspect(bytes).map_err(contactor_runtime::LoadError::from)?;
    Ok(InspectReport {
        digest: Digest::new(inspection.digest.to_string()),
        size: inspection.size as u64,
        manifest: serde_json::to_value(&inspection.manifest)
            .map_err(|error| EngineError::Invalid(format!("manifest: {error}")))?,
        refused: refusal(&inspection),
        imports: inspection.imports,
        exports: inspection.exports,
    })
}

/// Why this host cannot run a component, as far as that can be told without compiling it.
fn refusal(inspection: &contactor_runtime::Inspection) -> Option<String> {
    let host = contactor_runtime::RuntimeConfig::default().host_version;
    if let Err(error) = inspection.manifest.supports(&host) {
        return Some(error.to_string());
    }
    inspection.check(&contactor_runtime::Grants::all()).err().map(|error| error.to_string())
}

impl Engine {
    /// Installs a component: everything about it is checked, and it is compiled once, before it counts as installed.
    pub async fn install_connector(&self, bytes: Vec<u8>) -> Result<ConnectorView, EngineError> {
        let digest = Artefacts::digest(&bytes);
        let expected = contactor_runtime::Digest::of(&bytes);
        let grants = contactor_runtime::Grants::all();
        let connector = self.runtime().load(bytes.clone(), &expected, &grants).await?;
        let manifest = connector.manifest();
        if manifest.connector.id.to_string() == crate::operations::PREFIX {
            return Err(EngineError::Invalid(format!(
                "a connector cannot be called `{}`: HighLevel's own operations have that name",
                crate::operations::PREFIX
            )));
        }
        crate::active::compile_mappings(manifest, &serde_json::Value::Null)?;
        let text = contactor_manifest::extract(&bytes)
            .map_err(|error| EngineError::Invalid(format!("manifest: {error}")))?
            .unwrap_or_default();
        self.artefacts().put(&digest, &bytes)?;
        let installed = InstalledConnector {
            digest,
            id: manifest.connector.id.to_string(),
            version: manifest.connector.version.to_string(),
            manifest: text,
            size: bytes.len() as u64,
            installed_at: self.now(),
        };
        self.store().install_connector(installed.clone()).await?;
        view(&installed)
    }

    /// All installed connectors, newest first.
    pub async fn connectors(&self) -> Result<Vec<ConnectorView>, EngineError> {
        self.store().connectors().await?.iter().map(view).collect()
    }

    /// The installed component of a connector: that of the digest, or the newest.
    pub(crate) async fn installed(
        &self,
        id: &str,
        digest: Option<&str>,
    ) -> Result<InstalledConnector, EngineError> {
        let found = self
            .store()
            .connectors()
            .await?
            .into_iter()
            .find(|c| c.id == id && digest.is_none_or(|digest| c.digest.as_str() == digest));
        found.ok_or_else(|| EngineError::NotFound {
            what: "connector",
            id: id.to_owned(),
            hint: "; install it with `contactor connector install FILE`".to_owned(),
        })
    }
}

fn view(installed: &InstalledConnector) -> Result<ConnectorView, EngineError> {
    let manifest = Manifest::parse(&installed.manifest)
        .map_err(|error| EngineError::Invalid(format!("manifest: {error}")))?;
    Ok(ConnectorView {
        id: installed.id.clone(),
        version: installed.version.clone(),
        digest: installed.digest.clone(),
        size: installed.size,
        installed_at: installed.installed_at,
        name: manifest.connector.name.clone(),
        summary: manifest.connector.summary.clone(),
        base_url: manifest.partner.base_url.clone(),
        entities: manifest
            .entities
            .iter()
            .map(|entity| format!("{} ({:?})", entity.name, entity.support).to_lowercase())
            .collect(),
        scopes: manifest
            .scopes
            .iter()
            .map(|scope| ScopeRequest { name: scope.name.clone(), why: scope.why.clone() })
            .collect(),
    })
}
