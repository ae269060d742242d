//! Why a field has its value.

use contactor_engine as engine;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{Link, MappingRow, Side, mirror};

/// Which part of the story.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StoryQuery {
    /// Only this connector; all connections of the workspace if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
    /// At most this many moments, newest first, 1 to 500; 50 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// The story of a field of one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldStory {
    /// The field, as it was asked for.
    #[schema(example = "firstName")]
    pub field: String,
    /// The answer in one or two sentences.
    pub answer: String,
    /// What the field is joined with, connection by connection, and both values.
    pub joined: Vec<FieldJoin>,
    /// What happened to it, newest first.
    pub history: Vec<FieldMoment>,
    /// Since when the history is kept: what happened before is forgotten.
    pub kept_since: Timestamp,
    /// There are older moments than these.
    pub more: bool,
}

/// A mapping row that joins the field with one of the other side, and what the host knows of both values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldJoin {
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// The partner's name.
    pub partner: String,
    /// The row, and who wrote it.
    pub row: MappingRow,
    /// The link of the record; absent when it has none there.
    pub link: Option<Link>,
    /// The value in HighLevel, as it was last read or written; absent when it is not known, null when it is empty.
    #[schema(value_type = Option<Value>)]
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub highlevel: Option<Value>,
    /// The value at the partner.
    #[schema(value_type = Option<Value>)]
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub partner_value: Option<Value>,
    /// The conflict about it that waits for a person or for its run.
    pub conflict: Option<i64>,
}

/// Null is a value here, and differs from nothing.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// What kind of thing happened to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MomentKind {
    /// The records were linked.
    Linked,
    /// The value was copied from the other side.
    Copied,
    /// Both sides had changed it, and the row's policy decided.
    Decided,
    /// A person had decided about a conflict.
    Resolved,
    /// A connector's own code wrote it, for an event.
    Automation,
    /// Somebody ran an action that wrote it.
    Action,
    /// The system accepted the write and kept another value.
    Dropped,
    /// A run left it alone.
    LeftAlone,
}

mirror!(
    MomentKind,
    engine::MomentKind,
    [Linked, Copied, Decided, Resolved, Automation, Action, Dropped, LeftAlone]
);

/// One thing that happened to a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldMoment {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: MomentKind,
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// The run.
    pub run: Option<String>,
    /// The side whose field was written, or would have been.
    pub side: Side,
    /// That field.
    pub field: String,
    /// Its value before; absent when it is not known, null when it was empty.
    #[schema(value_type = Option<Value>)]
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub before: Option<Value>,
    /// Its value after.
    #[schema(value_type = Option<Value>)]
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<Value>,
    /// The conflict that was decided, or that waits.
    pub conflict: Option<i64>,
    /// One line for people: who or what did it, and why.
    pub summary: String,
}

impl From<engine::FieldStory> for FieldStory {
    fn from(own: engine::FieldStory) -> Self {
        Self {
            field: own.field,
            answer: own.answer,
            joined: own.joined.into_iter().map(Into::into).collect(),
            history: own.history.into_iter().map(Into::into).collect(),
            kept_since: own.kept_since,
            more: own.more,
        }
    }
}

impl From<engine::FieldJoin> for FieldJoin {
    fn from(own: engine::FieldJoin) -> Self {
        Self {
            connection: own.connection.to_string(),
            partner: own.partner,
            row: own.row.into(),
            link: own.link.map(Into::into),
            highlevel: own.highlevel,
            partner_value: own.partner_value,
            conflict: own.conflict,
        }
    }
}

impl From<engine::FieldMoment> for FieldMoment {
    fn from(own: engine::FieldMoment) -> Self {
        Self {
            at: own.at,
            kind: own.kind.into(),
            connection: own.connection.to_string(),
            run: own.run.map(|id| id.to_string()),
            side: own.side.into(),
            field: own.field,
            before: own.before,
            after: own.after,
            conflict: own.conflict,
            summary: own.summary,
        }
    }
}
