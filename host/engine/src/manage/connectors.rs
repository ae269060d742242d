//! Connectors: components that were looked at, refused or installed.

use contactor_manifest::Manifest;
use contactor_runtime::Origin;
use contactor_store::{Connection, Digest, InstalledConnector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::people::Caller;
use crate::permissions::{Permission, asked};

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
    /// Who vouched for it when it was installed; none where the operator allows that.
    pub publisher: Option<String>,
    /// Why this host does not load it any more: whom the operator trusts has changed, or the file has.
    pub refused: Option<String>,
    /// A platform admin installed it; another one is taken by its digest only.
    pub approved: bool,
    /// Its name.
    pub name: String,
    /// What it does.
    pub summary: String,
    /// The partner's default address.
    pub base_url: String,
    /// Hosts that its API may be at, by the manifest and by the operator.
    pub hosts: Vec<String>,
    /// Kinds of record, each with how well the partner supports it.
    pub entities: Vec<String>,
    /// HighLevel scopes that it asks for, and why.
    pub scopes: Vec<ScopeRequest>,
    /// Everything that it asks for, in plain words.
    pub asks: Vec<Permission>,
    /// `POST`s to the partner that its author says may be sent twice: the host repeats them by itself after a lost answer.
    pub repeatable: Vec<RepeatableView>,
}

/// `POST`s that may be sent twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepeatableView {
    /// Paths below the partner's address.
    pub paths: Vec<String>,
    /// Why the second one changes nothing.
    pub why: String,
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
    /// Everything that it asks for, in plain words.
    pub asks: Vec<Permission>,
    /// Public keys of those who signed it; whether one of them is trusted is for the host's configuration to say.
    pub signed_by: Vec<String>,
    /// The publisher who vouches for it, by the host's configuration; none where no host was asked.
    pub publisher: Option<String>,
    /// Why this host cannot run it; `None` when it can.
    pub refused: Option<String>,
}

/// Looks at a component without running or compiling it.
pub fn inspect(bytes: &[u8]) -> Result<InspectReport, EngineError> {
    let inspection = contactor_runtime::inspect(bytes).map_err(contactor_runtime::LoadError::from)?;
    let signed = contactor_signature::read(bytes);
    Ok(InspectReport {
        digest: Digest::new(inspection.digest.to_string()),
        size: inspection.size as u64,
        manifest: serde_json::to_value(&inspection.manifest)
            .map_err(|error| EngineError::Invalid(format!("manifest: {error}")))?,
        refused: signed.as_ref().err().map(ToString::to_string).or_else(|| refusal(&inspection)),
        signed_by: signed.map_or_else(|_| Vec::new(), |signed| keys(&signed.signers)),
        publisher: None,
        asks: asked(&inspection.manifest),
        imports: inspection.imports,
        exports: inspection.exports,
    })
}

fn keys(signers: &[contactor_signature::PublicKey]) -> Vec<String> {
    signers.iter().map(ToString::to_string).collect()
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
    /// Looks at a component without running or compiling it, and says whether this host would take it.
    ///
    /// # Errors
    /// The bytes are no connector.
    pub async fn inspect(&self, bytes: Vec<u8>) -> Result<InspectReport, EngineError> {
        self.aside(move |engine| {
            let report = inspect(&bytes)?;
            let id = report.manifest.pointer("/connector/id").and_then(serde_json::Value::as_str);
            let (publisher, refused) = match engine.publishers().vouch(id.unwrap_or_default(), &bytes) {
                Ok(publisher) => (publisher, None),
                Err(why) => (None, Some(why.to_string())),
            };
            Ok(InspectReport { publisher, refused: report.refused.clone().or(refused), ..report })
        })
        .await?
    }

    /// Installs a component: everything about it is checked, and it is compiled once, before it counts as installed.
    pub async fn install_connector(&self, bytes: Vec<u8>) -> Result<ConnectorView, EngineError> {
        self.install(bytes, true).await
    }

    /// Installs a component on behalf of whoever asks. One that no platform admin installed is taken by its digest only: nobody
    /// else is given it for the one that they know by its id.
    ///
    /// # Errors
    /// The component is refused.
    pub async fn install_connector_for(
        &self,
        caller: &Caller,
        bytes: Vec<u8>,
    ) -> Result<ConnectorView, EngineError> {
        self.install(bytes, caller.rights.is_platform_admin()).await
    }

    async fn install(&self, bytes: Vec<u8>, approved: bool) -> Result<ConnectorView, EngineError> {
        let (expected, to_load, bytes) =
            self.aside(move |_| (contactor_runtime::Digest::of(&bytes), bytes.clone(), bytes)).await?;
        let grants = contactor_runtime::Grants::all();
        let (connector, publisher) = self.load_component(to_load, &expected, &grants, Origin::New).await?;
        let manifest = connector.manifest();
        if manifest.connector.id.to_string() == crate::operations::PREFIX {
            return Err(EngineError::Invalid(format!(
                "a connector cannot be called `{}`: HighLevel's own operations have that name",
                crate::operations::PREFIX
            )));
        }
        crate::active::compile_mappings(manifest, &serde_json::Value::Null)?;
        let (id, version) = (manifest.connector.id.to_string(), manifest.connector.version.to_string());
        let (size, digest) = (bytes.len() as u64, Digest::new(expected.to_string()));
        let of_file = digest.clone();
        let kept = self.aside(move |engine| {
            // What it was compiled to is some tens of megabytes, which the kernel takes back here.
            drop(connector);
            let text = contactor_manifest::extract(&bytes)
                .map_err(|error| EngineError::Invalid(format!("manifest: {error}")))?
                .unwrap_or_default();
            engine.artefacts().put(&of_file, &bytes)?;
            Ok::<_, EngineError>(text)
        });
        let text = kept.await??;
        let installed = InstalledConnector {
            digest,
            id,
            version,
            manifest: text,
            size,
            installed_at: self.now(),
            publisher,
            approved,
        };
        self.store().install_connector(installed.clone()).await?;
        self.publishers().remember(&installed.digest, Ok(installed.publisher.clone()));
        self.view_connector(&installed)
    }

    /// All installed connectors, newest first.
    pub async fn connectors(&self) -> Result<Vec<ConnectorView>, EngineError> {
        self.store().connectors().await?.iter().map(|one| self.view_connector(one)).collect()
    }

    /// The installed component of a connector: that of the digest, or the newest.
    pub(crate) async fn installed(
        &self,
        id: &str,
        digest: Option<&str>,
    ) -> Result<InstalledConnector, EngineError> {
        let mut all = self.store().connectors().await?;
        all.retain(|one| one.id == id);
        let wanted =
            |one: &InstalledConnector| digest.map_or(one.approved, |digest| one.digest.as_str() == digest);
        let hint = if digest.is_none() && !all.is_empty() {
            "; no platform admin installed one, so name yours by its --digest"
        } else {
            "; install it with `contactor connector install FILE`"
        };
        all.into_iter().find(wanted).ok_or_else(|| EngineError::NotFound {
            what: "connector",
            id: id.to_owned(),
            hint: hint.to_owned(),
        })
    }
}

/// What a manifest lets be sent twice, for whoever approves it.
pub(super) fn repeatable(manifest: &Manifest) -> Vec<RepeatableView> {
    let view = |one: &contactor_manifest::Repeatable| RepeatableView {
        paths: one.paths.clone(),
        why: one.why.clone(),
    };
    manifest.repeatables.iter().map(view).collect()
}

/// The manifest of an installed component.
pub(super) fn parsed(installed: &InstalledConnector) -> Result<Manifest, EngineError> {
    Manifest::parse(&installed.manifest).map_err(|error| EngineError::Invalid(format!("manifest: {error}")))
}

impl Engine {
    /// The manifest of the component that a connection runs, with all that it asks for.
    pub(crate) async fn manifest_of(&self, connection: &Connection) -> Result<Manifest, EngineError> {
        parsed(&self.installed(&connection.connector, Some(connection.digest.as_str())).await?)
    }

    fn view_connector(&self, installed: &InstalledConnector) -> Result<ConnectorView, EngineError> {
        let manifest = parsed(installed)?;
        Ok(ConnectorView {
            id: installed.id.clone(),
            version: installed.version.clone(),
            digest: installed.digest.clone(),
            size: installed.size,
            installed_at: installed.installed_at,
            publisher: installed.publisher.clone(),
            refused: self.refused_now(&installed.id, &installed.digest),
            approved: installed.approved,
            name: manifest.connector.name.clone(),
            summary: manifest.connector.summary.clone(),
            base_url: manifest.partner.base_url.clone(),
            hosts: self.outbound().hosts_of(&installed.id, &manifest.partner.allowed_hosts()),
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
            asks: asked(&manifest),
            repeatable: repeatable(&manifest),
        })
    }
}
