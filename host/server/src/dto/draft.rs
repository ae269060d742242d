//! A draft of a mapping, tried on what happened already.

use contactor_engine as engine;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{PreviewItem, Side};

/// A draft to try.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MappingDraft {
    /// Rows of the admin's in place of the stored ones, `{"<entity>": [rows]}`; the stored ones if absent.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<Value>,
    /// Records of the last events to plan, 1 to 200; 20 if absent. Each costs reads at both vendors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u32>,
}

/// What a draft would do, beside what the mapping in force would do. Nothing was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DraftReport {
    /// The records, those of the newest events first, as they are now.
    pub records: Vec<DraftRecord>,
    /// How many of them an event told of; the others come from runs and links.
    pub from_events: u64,
    /// Records with which the draft does something else.
    pub different: u64,
    /// What the mapping in force would do.
    pub live: DraftTotals,
    /// What the draft would do.
    pub draft: DraftTotals,
    /// Fields that one of the two would write in more records than the other.
    pub fields: Vec<DraftField>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DraftRecord {
    /// With the mapping in force.
    pub live: PreviewItem,
    /// With the draft.
    pub draft: PreviewItem,
    /// They are not the same.
    pub differs: bool,
}

/// Everything that would be done, added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DraftTotals {
    /// Records that would be created.
    pub creates: u64,
    /// Records that would be changed.
    pub updates: u64,
    /// Records that are in step.
    pub unchanged: u64,
    /// Records that a rule leaves alone.
    pub skipped: u64,
    /// Records that a person would have to look at.
    pub parked: u64,
    /// Fields on which both sides differ.
    pub conflicts: u64,
    /// Fields that would be written.
    pub changes: u64,
    /// Requests to HighLevel, reads included.
    pub highlevel_calls: u64,
    /// Requests to the partner.
    pub partner_calls: u64,
}

/// In how many records a field would be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DraftField {
    /// The side that would be written.
    pub side: Side,
    /// The field.
    pub field: String,
    /// With the mapping in force.
    pub live: u64,
    /// With the draft.
    pub draft: u64,
}

impl From<engine::DraftReport> for DraftReport {
    fn from(own: engine::DraftReport) -> Self {
        Self {
            records: own.records.into_iter().map(Into::into).collect(),
            from_events: own.from_events,
            different: own.different,
            live: own.live.into(),
            draft: own.draft.into(),
            fields: own.fields.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<engine::DraftRecord> for DraftRecord {
    fn from(own: engine::DraftRecord) -> Self {
        Self { live: own.live.into(), draft: own.draft.into(), differs: own.differs }
    }
}

impl From<engine::DraftTotals> for DraftTotals {
    fn from(own: engine::DraftTotals) -> Self {
        Self {
            creates: own.creates,
            updates: own.updates,
            unchanged: own.unchanged,
            skipped: own.skipped,
            parked: own.parked,
            conflicts: own.conflicts,
            changes: own.changes,
            highlevel_calls: own.highlevel_calls,
            partner_calls: own.partner_calls,
        }
    }
}

impl From<engine::DraftField> for DraftField {
    fn from(own: engine::DraftField) -> Self {
        Self { side: own.side.into(), field: own.field, live: own.live, draft: own.draft }
    }
}
