//! The catalogue: every trigger and action.

use contactor_engine as engine;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::mirror;

/// Whether something happens or is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CatalogueKind {
    /// Something happens, and rules and records follow.
    Trigger,
    /// Something is done on request.
    Action,
}

mirror!(CatalogueKind, engine::CatalogueKind, [Trigger, Action]);

/// How a trigger becomes known, or an action is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CatalogueWay {
    /// A request to HighLevel.
    HighlevelRequest,
    /// A webhook of HighLevel.
    HighlevelWebhook,
    /// The host finds it by comparing what it reads.
    Found,
    /// A timer goes off.
    Timer,
    /// A webhook of the partner.
    PartnerWebhook,
    /// A polled stream of the partner's.
    PartnerPoll,
    /// The connector does it.
    Connector,
}

mirror!(
    CatalogueWay,
    engine::CatalogueWay,
    [HighlevelRequest, HighlevelWebhook, Found, Timer, PartnerWebhook, PartnerPoll, Connector]
);

/// One trigger or action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CatalogueEntry {
    /// Its id.
    #[schema(example = "highlevel.contacts.create")]
    pub id: String,
    /// Trigger or action.
    pub kind: CatalogueKind,
    /// `highlevel`, `host`, or the connector's id.
    pub owner: String,
    /// Its name for a person.
    pub title: String,
    /// What somebody should know about it; may be empty.
    pub help: String,
    /// How it becomes known or is done.
    pub way: CatalogueWay,
    /// The request behind it, or for a trigger: the name that a rule's `on` gives.
    #[schema(example = "POST /contacts/")]
    pub name: String,
    /// JSON Schema of an action's input; of a trigger's payload as far as its sample shows it.
    #[schema(value_type = Object)]
    pub parameters: serde_json::Value,
    /// What has to be granted, or asked of HighLevel.
    pub scopes: Vec<String>,
    /// It changes something at HighLevel or the partner.
    pub writes: bool,
    /// An input, or a payload.
    #[schema(value_type = Object)]
    pub example: serde_json::Value,
    /// It could not be checked against the real system; says what is uncertain.
    pub unverified: Option<String>,
}

impl From<engine::CatalogueEntry> for CatalogueEntry {
    fn from(own: engine::CatalogueEntry) -> Self {
        Self {
            id: own.id,
            kind: own.kind.into(),
            owner: own.owner,
            title: own.title,
            help: own.help,
            way: own.way.into(),
            name: own.name,
            parameters: own.parameters,
            scopes: own.scopes,
            writes: own.writes,
            example: own.example,
            unverified: own.unverified,
        }
    }
}

/// For a client that makes a page of it.
impl From<CatalogueEntry> for engine::CatalogueEntry {
    fn from(told: CatalogueEntry) -> Self {
        Self {
            id: told.id,
            kind: told.kind.into(),
            owner: told.owner,
            title: told.title,
            help: told.help,
            way: told.way.into(),
            name: told.name,
            parameters: told.parameters,
            scopes: told.scopes,
            writes: told.writes,
            example: told.example,
            unverified: told.unverified,
        }
    }
}

/// Which catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CatalogueQuery {
    /// With the connectors that are enabled in this workspace; with all that are installed if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}
