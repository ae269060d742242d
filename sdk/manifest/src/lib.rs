//! The connector manifest: what a component says about itself before any of its code runs.
//!
//! A connector's `connector.toml` lies beside its crate. The build embeds it into the component as a custom section, so that a
//! host can show, check and refuse a connector without compiling a byte of it. Everything static lives here: who the connector
//! is, which records and fields its partner has, how the partner authenticates, which settings an admin fills in, what it may
//! use and why.
//!
//! ```
//! use contactor_manifest::Manifest;
//!
//! let manifest = Manifest::parse(
//!     r#"
//!     [connector]
//!     id = "acme"
//!     name = "Acme"
//!     version = "1.0.0"
//!     minimum_host = "0.1.0"
//!     summary = "Keeps Acme people and HighLevel contacts in step."
//!
//!     [partner]
//!     name = "Acme"
//!     base_url = "https://api.acme.example/v1"
//!
//!     [[auth]]
//!     id = "token"
//!     title = "Access token"
//!     kind = "bearer"
//!     token = "{token}"
//!     credential = [{ name = "token", title = "Access token" }]
//!     "#,
//! )?;
//! assert_eq!(manifest.connector.id.as_str(), "acme");
//! # Ok::<(), contactor_manifest::ManifestError>(())
//! ```
//!
//! Parsing is strict: an unknown key, a mapping of a field that is not declared or a limit beyond the host's is an error that
//! names the place and what belongs there. What [`Manifest::parse`] answers needs no further checks.

mod auth;
mod connector;
mod error;
mod host;
mod limits;
mod operations;
mod records;
mod request;
mod section;
mod settings;
mod template;
mod validate;
mod webhook;

pub use auth::{Auth, ClientAuthentication, Credential, Login, LoginBody, OAuth2, Placement, Scheme};
pub use connector::{Connector, ConnectorId, Partner, Unverified};
pub use error::{ManifestError, Problem, UnsupportedHost};
pub use host::HostPattern;
pub use limits::{Limits, Quota, Repeatable};
pub use operations::{Action, ConnectionTemplate, Scope, Stream, Trigger, TriggerSource};
pub use records::{Direction, Entity, Field, FieldType, Mapping, NaturalKey, Policy, Support};
pub use request::{check_path, is_host_header};
pub use section::{
    MAX_MANIFEST_BYTES, SECTION, SIGNATURE_SECTION, Section, SectionError, custom_section, embed, extract,
    sections,
};
pub use semver::Version;
pub use settings::{Setting, SettingKind, SettingProblem};
pub use template::{Template, TemplateError};
pub use webhook::{Encoding, EventId, Signature, SignatureParts, Webhook};

use serde::{Deserialize, Serialize};

/// A parsed and checked `connector.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Who the connector is.
    pub connector: Connector,
    /// The application at the other end.
    pub partner: Partner,
    /// Ways to authenticate at the partner; the first is the default.
    #[serde(default)]
    pub auth: Vec<Auth>,
    /// How webhooks of the partner are recognised; none when it sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Kinds of record, each with what the partner offers for it.
    #[serde(default, rename = "entity")]
    pub entities: Vec<Entity>,
    /// The partner's fields.
    #[serde(default, rename = "field")]
    pub fields: Vec<Field>,
    /// The default mapping, which an admin's rows override field by field.
    #[serde(default, rename = "mapping")]
    pub mappings: Vec<Mapping>,
    /// Streams that the host polls.
    #[serde(default, rename = "stream")]
    pub streams: Vec<Stream>,
    /// Events that the connector announces.
    #[serde(default, rename = "trigger")]
    pub triggers: Vec<Trigger>,
    /// The partner's own operations.
    #[serde(default, rename = "action")]
    pub actions: Vec<Action>,
    /// What an admin can set for a connection.
    #[serde(default, rename = "setting")]
    pub settings: Vec<Setting>,
    /// Ready-made ways to enable the connector.
    #[serde(default, rename = "template")]
    pub templates: Vec<ConnectionTemplate>,
    /// HighLevel scopes that the connection needs.
    #[serde(default, rename = "scope")]
    pub scopes: Vec<Scope>,
    /// What one call may use.
    #[serde(default)]
    pub limits: Limits,
    /// Rate limits of the partner that the host keeps.
    #[serde(default, rename = "quota")]
    pub quotas: Vec<Quota>,
    /// `POST`s to the partner that may be sent twice.
    #[serde(default, rename = "repeatable", skip_serializing_if = "Vec::is_empty")]
    pub repeatables: Vec<Repeatable>,
    /// What could not be checked against the real partner.
    #[serde(default)]
    pub unverified: Vec<Unverified>,
}

impl Manifest {
    /// Parses and checks a `connector.toml`.
    ///
    /// # Errors
    /// [`ManifestError::Syntax`] for the first thing that does not fit the format, [`ManifestError::Invalid`] with everything
    /// that fits the format and still makes no sense.
    pub fn parse(toml: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(toml).map_err(|error| ManifestError::syntax(toml, &error))?;
        let problems = validate::problems(&manifest);
        if problems.is_empty() { Ok(manifest) } else { Err(ManifestError::Invalid(problems)) }
    }

    /// Whether a `POST` to this path (below the base URL) may be sent twice.
    pub fn is_repeatable(&self, path: &str) -> bool {
        self.repeatables.iter().any(|repeatable| repeatable.covers(path))
    }

    /// Whether a host of this version may run the connector.
    ///
    /// # Errors
    /// [`UnsupportedHost`], which names the range that the connector needs and the one that the host supports.
    pub fn supports(&self, host: &Version) -> Result<(), UnsupportedHost> {
        if *host >= self.connector.minimum_host {
            return Ok(());
        }
        Err(UnsupportedHost {
            connector: format!("{} {}", self.connector.id, self.connector.version),
            needs: self.connector.minimum_host.clone(),
            host: host.clone(),
        })
    }

    /// The entity of this name.
    pub fn entity(&self, name: &str) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.name == name)
    }

    /// The partner's fields of an entity, in the order of the manifest.
    pub fn fields_of<'a>(&'a self, entity: &'a str) -> impl Iterator<Item = &'a Field> {
        self.fields.iter().filter(move |field| field.entity == entity)
    }

    /// One field of an entity.
    pub fn field(&self, entity: &str, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.entity == entity && field.name == name)
    }

    /// The default mapping of an entity.
    pub fn mappings_of<'a>(&'a self, entity: &'a str) -> impl Iterator<Item = &'a Mapping> {
        self.mappings.iter().filter(move |row| row.entity == entity)
    }

    /// The way to authenticate of this id.
    pub fn auth(&self, id: &str) -> Option<&Auth> {
        self.auth.iter().find(|auth| auth.id == id)
    }

    /// The polled stream of this name.
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    /// The action of this name.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }

    /// The template of this name.
    pub fn template(&self, name: &str) -> Option<&ConnectionTemplate> {
        self.templates.iter().find(|template| template.name == name)
    }

    /// Checks an admin's settings and fills in the defaults.
    ///
    /// # Errors
    /// Every setting that is unknown, missing, of the wrong type or outside its bounds.
    pub fn validate_settings(
        &self,
        given: &serde_json::Value,
    ) -> Result<serde_json::Value, Vec<SettingProblem>> {
        settings::validate(&self.settings, given)
    }
}
