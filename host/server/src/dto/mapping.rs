//! Mapping rows, and trials of them.

use contactor_engine as engine;
use contactor_store::EventSeq;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{Side, mirror};

/// Who wrote a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowOrigin {
    /// The connector's author, in the manifest.
    Connector,
    /// The admin.
    Admin,
}

mirror!(RowOrigin, engine::RowOrigin, [Connector, Admin]);

/// A row that counts, or one that the admin has switched off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MappingRow {
    /// The entity.
    #[schema(example = "contact")]
    pub entity: String,
    /// Who wrote it.
    pub origin: RowOrigin,
    /// `highlevel` and `partner` (the two fields), `direction`, `to_partner` and `to_highlevel` (expressions), `values` (tables),
    /// `policy`, the types; `off` when it does not count.
    #[schema(value_type = Object)]
    pub row: Value,
}

impl From<engine::MappingRow> for MappingRow {
    fn from(own: engine::MappingRow) -> Self {
        let row = serde_json::to_value(&own.row).unwrap_or_default();
        Self { entity: own.entity, origin: own.origin.into(), row }
    }
}

/// A row to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMappingRow {
    /// The entity.
    #[schema(example = "contact")]
    pub entity: String,
    /// The row, as in [`MappingRow`]; types that are left out are those of the fields.
    #[schema(value_type = Object)]
    pub row: Value,
}

/// Who wins when both sides changed a field to different values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The record that was updated last; HighLevel, when a time is missing or both are equal.
    LatestUpdate,
    /// HighLevel.
    Highlevel,
    /// The partner.
    Partner,
    /// Nobody, until a person decides.
    Ask,
    /// For consent: the stricter value.
    Stricter,
}

mirror!(Policy, contactor_sync::Policy, [LatestUpdate, Highlevel, Partner, Ask, Stricter]);

/// The policy of a row, to be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMappingPolicy {
    /// The entity.
    #[schema(example = "contact")]
    pub entity: String,
    /// Its field in HighLevel.
    pub highlevel: String,
    /// Its field at the partner.
    pub partner: String,
    /// Who wins.
    pub policy: Policy,
}

/// Which row to take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MappingRowQuery {
    /// The entity.
    pub entity: String,
    /// Its field in HighLevel.
    pub highlevel: String,
    /// Its field at the partner.
    pub partner: String,
}

/// What to try a mapping on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MappingTrial {
    /// The entity; `contact` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// A contact of HighLevel's; its counterpart is read, too. For a task, note or appointment: whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// A record of the partner's; its counterpart is read, too. For a task, note or appointment: HighLevel's, of that contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// A stored event, which shows the record as it was then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<i64>,
    /// Values by field; they go before what was read.
    #[schema(value_type = Object)]
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub highlevel: Map<String, Value>,
    /// As `highlevel`, of the partner.
    #[schema(value_type = Object)]
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub partner: Map<String, Value>,
    /// A draft of the admin's rows in place of the stored ones, `{"<entity>": [rows]}`.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<Value>,
}

impl From<MappingTrial> for engine::MappingTrial {
    fn from(told: MappingTrial) -> Self {
        Self {
            entity: told.entity.unwrap_or_else(|| "contact".to_owned()),
            contact: told.contact,
            record: told.record,
            event: told.event.map(EventSeq),
            highlevel: told.highlevel,
            partner: told.partner,
            mapping: told.mapping,
        }
    }
}

/// What would be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrialReport {
    /// HighLevel's sample values; absent without a sample.
    #[schema(value_type = Option<Object>)]
    pub highlevel: Option<Map<String, Value>>,
    /// The partner's.
    #[schema(value_type = Option<Object>)]
    pub partner: Option<Map<String, Value>>,
    /// Each row in each direction in which there is a sample.
    pub rows: Vec<TrialRow>,
    /// Fields without which the other side would refuse to create the record, and that get no value.
    pub missing: Vec<String>,
}

/// One row in one direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrialRow {
    /// `<HighLevel field>=<partner field>`.
    #[schema(example = "firstName=first_name")]
    pub row: String,
    /// The side that would be written.
    pub to: Side,
    /// The field that the value comes from.
    pub source: String,
    /// The field that it goes to.
    pub target: String,
    /// The value of the source.
    #[schema(value_type = Value)]
    pub before: Value,
    /// What expression and table make of it.
    #[schema(value_type = Value)]
    pub computed: Value,
    /// What would be written.
    #[schema(value_type = Value)]
    pub after: Value,
    /// The target's type changed the computed value: something of it may be lost.
    pub coerced: bool,
    /// What the target holds now.
    #[schema(value_type = Option<Value>)]
    pub current: Option<Value>,
    /// Why nothing would be written.
    pub problem: Option<TrialProblem>,
}

/// Why a row gives nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrialProblem {
    /// The field whose value is at fault.
    pub field: String,
    /// The value, shortened.
    pub value: String,
    /// What is wrong.
    pub reason: String,
}

impl From<engine::TrialReport> for TrialReport {
    fn from(own: engine::TrialReport) -> Self {
        Self {
            highlevel: own.highlevel,
            partner: own.partner,
            rows: own.rows.into_iter().map(Into::into).collect(),
            missing: own.missing,
        }
    }
}

impl From<engine::TrialRow> for TrialRow {
    fn from(own: engine::TrialRow) -> Self {
        Self {
            row: own.row,
            to: own.to.into(),
            source: own.source,
            target: own.target,
            before: own.before,
            computed: own.computed,
            after: own.after,
            coerced: own.coerced,
            current: own.current,
            problem: own.problem.map(|problem| TrialProblem {
                field: problem.field,
                value: problem.value,
                reason: problem.reason,
            }),
        }
    }
}
