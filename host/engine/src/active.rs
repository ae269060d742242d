//! A connection ready to work: its component, compiled mapping, settings and partner credential.
//!
//! Loaded on first use and kept until the stored connection changes. Nothing in here is the truth; the store is.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use contactor_manifest::Manifest;
use contactor_runtime::{CallError, Connector, Invocation, Reply};
use contactor_store::{Connection, FailureClass, Workspace};
use contactor_sync::{Context, FieldType, Mapping, RowSpec, Value, canonical};

use crate::capabilities::Capabilities;
use crate::error::EngineError;
use crate::failure::Failure;
use crate::partner::PartnerApi;
use crate::permissions::Events;
use crate::reconcile::children::{self, ChildList, Kind};
use crate::rollout::Standing;

/// A connector that can be asked: a component, or (for measuring what isolation costs) the same code linked in.
#[async_trait]
pub trait Guest: Send + Sync {
    /// One isolated call.
    async fn call(&self, host: Capabilities, call: Invocation) -> Result<Reply, CallError>;
}

#[async_trait]
impl Guest for Connector<Capabilities> {
    async fn call(&self, host: Capabilities, call: Invocation) -> Result<Reply, CallError> {
        Self::call(self, host, call).await.result
    }
}

/// A connection with everything that its runs need.
pub(crate) struct Active {
    pub(crate) connection: Connection,
    pub(crate) workspace: Workspace,
    /// What is left of the component's manifest when what was not granted, or is forbidden by policy, is taken out.
    pub(crate) manifest: Arc<Manifest>,
    /// The scopes among what it asks for, was granted and is not forbidden.
    pub(crate) scopes: Vec<String>,
    /// Which events it is told of.
    pub(crate) events: Events,
    /// Which version of the connector this is, when another one is on trial.
    pub(crate) standing: Standing,
    pub(crate) guest: Arc<dyn Guest>,
    pub(crate) partner: Arc<PartnerApi>,
    /// Settings with the defaults filled in, as the connector reads them.
    pub(crate) settings: String,
    /// How values are made canonical in this workspace.
    pub(crate) context: Context,
    /// The mapping names custom fields, so their definitions are needed.
    pub(crate) uses_custom_fields: bool,
    /// Lists of child records, by their names.
    pub(crate) lists: BTreeMap<String, ChildList>,
    /// How the review of the connection stands when it was loaded.
    pub(crate) review: Reviewed,
    mappings: BTreeMap<String, Mapping>,
}

/// Whether a connection has a match report, and whether records wait for its approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reviewed {
    /// It never had one.
    #[default]
    No,
    /// Records that are not linked wait until their bucket is approved.
    Open,
    /// Everything was approved; some of it may not be marked yet.
    Over,
}

impl Active {
    pub(crate) fn new(
        connection: Connection,
        workspace: Workspace,
        manifest: Arc<Manifest>,
        guest: Arc<dyn Guest>,
        partner: PartnerApi,
        scopes: Vec<String>,
        events: Events,
    ) -> Result<Self, EngineError> {
        let settings = manifest.validate_settings(&connection.settings).map_err(|problems| {
            let list: Vec<_> = problems.iter().map(ToString::to_string).collect();
            EngineError::Invalid(format!("settings of {}: {}", connection.id, list.join("; ")))
        })?;
        let mappings = compile_mappings(&manifest, &connection.mapping)?;
        let lists = children::compile(&manifest, &mappings)?;
        let context = Context { country: workspace.country.clone() };
        Ok(Self {
            settings: settings.to_string(),
            connection,
            workspace,
            manifest,
            scopes,
            events,
            standing: Standing::Alone,
            guest,
            partner: Arc::new(partner),
            context,
            uses_custom_fields: uses_custom_fields(&mappings),
            lists,
            review: Reviewed::No,
            mappings,
        })
    }

    /// The same connection with other rows of the admin's.
    pub(crate) fn with_mapping(&self, admin: serde_json::Value) -> Result<Self, EngineError> {
        let mappings = compile_mappings(&self.manifest, &admin)?;
        Ok(Self {
            connection: Connection { mapping: admin, ..self.connection.clone() },
            workspace: self.workspace.clone(),
            manifest: Arc::clone(&self.manifest),
            scopes: self.scopes.clone(),
            events: self.events.clone(),
            standing: Standing::Alone,
            guest: Arc::clone(&self.guest),
            partner: Arc::clone(&self.partner),
            settings: self.settings.clone(),
            context: self.context.clone(),
            uses_custom_fields: uses_custom_fields(&mappings),
            lists: children::compile(&self.manifest, &mappings)?,
            review: self.review,
            mappings,
        })
    }

    /// Records that are not linked wait for a person's approval.
    pub(crate) fn under_review(&self) -> bool {
        self.review == Reviewed::Open
    }

    /// The same connection as it was when a run was recorded, with a component to replay it. It maps nothing: a replay asks the
    /// connector and nobody else.
    pub(crate) fn replaying(
        &self,
        manifest: Arc<Manifest>,
        guest: Arc<dyn Guest>,
        settings: String,
        country: Option<String>,
    ) -> Self {
        Self {
            connection: self.connection.clone(),
            workspace: self.workspace.clone(),
            partner: Arc::clone(&self.partner),
            context: Context { country },
            manifest,
            scopes: self.scopes.clone(),
            events: self.events.clone(),
            standing: Standing::Alone,
            guest,
            settings,
            uses_custom_fields: false,
            lists: BTreeMap::new(),
            review: Reviewed::No,
            mappings: BTreeMap::new(),
        }
    }

    /// Whether records of this entity are kept in step at all.
    pub(crate) fn maps(&self, entity: &str) -> bool {
        self.mappings.contains_key(entity)
    }

    /// The compiled mapping of an entity.
    pub(crate) fn mapping(&self, entity: &str) -> Result<&Mapping, Failure> {
        self.mappings.get(entity).ok_or_else(|| {
            Failure::new(
                FailureClass::Config,
                format!("{} maps no field of `{entity}`", self.connection.connector),
            )
        })
    }

    /// Pairs of fields by which both systems know the same record.
    pub(crate) fn is_consent(&self, side: contactor_store::Side, field: &str) -> bool {
        let side = crate::convert::own_side(side);
        self.mapping("contact").is_ok_and(|mapping| mapping.is_consent(side, field))
    }

    pub(crate) fn natural_keys(&self, entity: &str) -> &[contactor_manifest::NaturalKey] {
        self.manifest.entity(entity).map_or(&[], |entity| &entity.natural_keys)
    }

    /// An update may give the partner's record another id.
    pub(crate) fn rekeys(&self, entity: &str) -> bool {
        self.manifest.entity(entity).is_some_and(|entity| entity.rekeys)
    }

    /// Several of the partner's records may be one person.
    pub(crate) fn many_to_one(&self, entity: &str) -> bool {
        self.manifest.entity(entity).is_some_and(|entity| entity.many_to_one)
    }

    /// A natural key's value in the one spelling that both systems share; `None` when it is absent or unusable.
    pub(crate) fn canonical_key(&self, highlevel_field: &str, value: Option<&Value>) -> Option<String> {
        let kind = match highlevel_field {
            "email" => FieldType::Email,
            "phone" => FieldType::Phone,
            _ => FieldType::Text,
        };
        match canonical(kind, value?, &self.context) {
            Ok(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// Whether a row reads or writes a custom field of HighLevel's.
pub(crate) fn names_custom_fields(mappings: &BTreeMap<String, Mapping>) -> bool {
    let mut rows = mappings.values().flat_map(Mapping::rows);
    uses_custom_fields(mappings) || rows.any(|row| row.highlevel.starts_with("customFields."))
}

fn uses_custom_fields(mappings: &BTreeMap<String, Mapping>) -> bool {
    mappings.values().any(|mapping| {
        mapping.inputs(contactor_sync::Side::Highlevel).iter().any(|name| name.starts_with("customFields"))
    })
}

/// Compiles the connector's rows with the admin's rows over them, per entity.
pub(crate) fn compile_mappings(
    manifest: &Manifest,
    admin: &serde_json::Value,
) -> Result<BTreeMap<String, Mapping>, EngineError> {
    let overrides: BTreeMap<String, Vec<RowSpec>> = if admin.is_null() {
        BTreeMap::new()
    } else {
        serde_json::from_value(admin.clone()).map_err(|error| {
            EngineError::Invalid(format!("mapping: {error}; expected {{\"<entity>\": [rows]}}"))
        })?
    };
    let is_list =
        |name: &str| Kind::of_list(name).is_some_and(|kind| manifest.entity(kind.entity()).is_some());
    if let Some(unknown) = overrides.keys().find(|name| manifest.entity(name).is_none() && !is_list(name)) {
        return Err(EngineError::Invalid(format!("mapping: the connector has no entity `{unknown}`")));
    }
    let mut mappings = BTreeMap::new();
    // Records that the connector may not carry have no rows, whatever an admin wrote when it could.
    let supported =
        |entity: &&contactor_manifest::Entity| entity.support != contactor_manifest::Support::Unsupported;
    let mut names: Vec<&str> =
        manifest.entities.iter().filter(supported).map(|entity| entity.name.as_str()).collect();
    for list in Kind::ALL.into_iter().map(Kind::list).filter(|name| is_list(name)) {
        names.push(list);
    }
    for name in names {
        let defaults = default_rows(manifest, name);
        let rows = match overrides.get(name) {
            Some(admin) => contactor_sync::overlay(defaults, admin.clone()),
            None => defaults,
        };
        if !rows.is_empty() {
            let mapping = Mapping::compile(rows)
                .map_err(|error| EngineError::Invalid(format!("mapping of `{name}`: {error}")))?;
            mappings.insert(name.to_owned(), mapping);
        }
    }
    Ok(mappings)
}

/// The connector's own rows of an entity or of a list.
pub(crate) fn default_rows(manifest: &Manifest, entity: &str) -> Vec<RowSpec> {
    manifest.mappings_of(entity).map(|row| row_spec(manifest, row)).collect()
}

/// Whose fields the rows of a list write: a list as a whole is shown in fields of the partner's contact. None when this is no list
/// of the connector's.
pub(crate) fn owner_of(manifest: &Manifest, list: &str) -> Option<&'static str> {
    Kind::of_list(list).filter(|kind| manifest.entity(kind.entity()).is_some()).map(|_| "contact")
}

fn row_spec(manifest: &Manifest, row: &contactor_manifest::Mapping) -> RowSpec {
    // The manifest was checked: every mapped field is declared. A whole list is shown in fields of the partner's contact.
    let is_list = Kind::of_list(&row.entity).is_some();
    let owner = if is_list { "contact" } else { &row.entity };
    let partner_type = manifest.field(owner, &row.partner).map_or(FieldType::Text, |f| field_type(f.kind));
    let own_type = if is_list { FieldType::Json } else { partner_type };
    RowSpec {
        partner: row.partner.clone(),
        highlevel: row.highlevel.clone(),
        partner_type,
        highlevel_type: row.highlevel_type.map_or(own_type, field_type),
        direction: match row.direction {
            contactor_manifest::Direction::Both => contactor_sync::Direction::Both,
            contactor_manifest::Direction::ToPartner => contactor_sync::Direction::ToPartner,
            contactor_manifest::Direction::ToHighlevel => contactor_sync::Direction::ToHighlevel,
        },
        to_partner: row.to_partner.clone(),
        to_highlevel: row.to_highlevel.clone(),
        values: contactor_sync::Values::default(),
        off: false,
        policy: match row.policy {
            contactor_manifest::Policy::LatestUpdate => contactor_sync::Policy::LatestUpdate,
            contactor_manifest::Policy::Highlevel => contactor_sync::Policy::Highlevel,
            contactor_manifest::Policy::Partner => contactor_sync::Policy::Partner,
            contactor_manifest::Policy::Ask => contactor_sync::Policy::Ask,
            contactor_manifest::Policy::Stricter => contactor_sync::Policy::Stricter,
        },
    }
}

pub(crate) fn field_type(kind: contactor_manifest::FieldType) -> FieldType {
    use contactor_manifest::FieldType as M;
    match kind {
        M::Text => FieldType::Text,
        M::Email => FieldType::Email,
        M::Phone => FieldType::Phone,
        M::Tags => FieldType::Tags,
        M::Set => FieldType::Set,
        M::Instant => FieldType::Instant,
        M::Date => FieldType::Date,
        M::Boolean => FieldType::Boolean,
        M::Integer => FieldType::Integer,
        M::Number => FieldType::Number,
        M::Json => FieldType::Json,
    }
}
