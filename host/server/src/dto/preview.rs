//! What a synchronisation would do.

use contactor_engine as engine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DeletionPreview, RecordRef, Side, mirror};

/// What to preview: the first contacts, or one record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PreviewRequest {
    /// Records to look at, 1 to 500; 25 if absent. Each costs a read at both vendors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only this record, on whichever side it is; `limit` means nothing then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordRef>,
}

/// What a synchronisation would do. Nothing was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviewReport {
    /// The records that were looked at: HighLevel's in the order of its list, then those that only the partner has.
    pub items: Vec<PreviewItem>,
    /// Contacts in all; the preview looked at no more than was asked for.
    pub total: Option<u64>,
    /// Records that would be created.
    pub creates: u64,
    /// Records that would be changed.
    pub updates: u64,
    /// Records that are in step.
    pub unchanged: u64,
    /// Records that a rule leaves alone.
    pub skipped: u64,
    /// Conflicts that a policy would decide.
    pub conflicts: u64,
    /// Records that a person would have to look at.
    pub parked: u64,
    /// Requests to HighLevel that the preview itself made.
    pub highlevel_calls: u64,
    /// Requests to HighLevel that synchronising these records would make, reads included.
    pub estimated_highlevel_calls: u64,
    /// Requests to the partner that the preview itself made.
    pub partner_calls: u64,
    /// Requests to the partner that synchronising these records would make, reads included.
    pub estimated_partner_calls: u64,
    /// What a reader has to know of it, such as records that could not be listed.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// What follows because one side's record is gone; only for a preview of one record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<DeletionPreview>,
}

/// What would happen to one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviewItem {
    /// HighLevel's id.
    pub highlevel_id: Option<String>,
    /// The partner's id.
    pub partner_id: Option<String>,
    /// Who it is, for people.
    pub label: Option<String>,
    /// What would happen.
    pub verdict: Verdict,
    /// Why it would be skipped or parked.
    pub reason: Option<String>,
    /// Fields that would be written.
    pub changes: Vec<PlannedChange>,
    /// Fields on which both sides differ and a policy decides.
    pub conflicts: Vec<PlannedConflict>,
}

/// What would happen to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It would be created at the partner.
    CreatePartner,
    /// It would be created in HighLevel.
    CreateHighlevel,
    /// It would be changed on at least one side.
    Update,
    /// It would only be linked.
    Link,
    /// Both sides agree.
    Unchanged,
    /// A rule leaves it alone.
    Skip,
    /// A person would have to look at it.
    Park,
}

mirror!(Verdict, engine::Verdict, [CreatePartner, CreateHighlevel, Update, Link, Unchanged, Skip, Park]);

/// Both sides hold different values of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedConflict {
    /// HighLevel's field.
    pub highlevel_field: String,
    /// The partner's field.
    pub partner_field: String,
    /// What HighLevel holds.
    #[schema(value_type = Value)]
    pub highlevel: serde_json::Value,
    /// What the partner holds.
    #[schema(value_type = Value)]
    pub partner: serde_json::Value,
    /// The rule that decides: `latest-update`, `highlevel`, `partner`, `ask`, `stricter`.
    #[schema(value_type = String)]
    pub policy: serde_json::Value,
    /// Whose value would be in place on both sides; absent while a person has to decide.
    pub winner: Option<Side>,
}

/// One field that would be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedChange {
    /// The side that would be written.
    pub side: Side,
    /// The field.
    pub field: String,
    /// What it holds.
    #[schema(value_type = Value)]
    pub before: serde_json::Value,
    /// What it would hold.
    #[schema(value_type = Value)]
    pub after: serde_json::Value,
}

impl From<engine::PreviewReport> for PreviewReport {
    fn from(own: engine::PreviewReport) -> Self {
        Self {
            items: own.items.into_iter().map(Into::into).collect(),
            total: own.total,
            creates: own.creates,
            updates: own.updates,
            unchanged: own.unchanged,
            skipped: own.skipped,
            conflicts: own.conflicts,
            parked: own.parked,
            highlevel_calls: own.highlevel_calls,
            estimated_highlevel_calls: own.estimated_highlevel_calls,
            partner_calls: own.partner_calls,
            estimated_partner_calls: own.estimated_partner_calls,
            remarks: own.remarks,
            deletion: None,
        }
    }
}

impl From<engine::RecordPreview> for PreviewReport {
    fn from(own: engine::RecordPreview) -> Self {
        Self { deletion: own.deletion.map(Into::into), ..own.report.into() }
    }
}

impl From<engine::PreviewItem> for PreviewItem {
    fn from(own: engine::PreviewItem) -> Self {
        Self {
            highlevel_id: own.highlevel_id.map(|id| id.to_string()),
            partner_id: own.partner_id.map(|id| id.to_string()),
            label: own.label,
            verdict: own.verdict.into(),
            reason: own.reason,
            changes: own.changes.into_iter().map(Into::into).collect(),
            conflicts: own.conflicts.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<engine::PlannedConflict> for PlannedConflict {
    fn from(own: engine::PlannedConflict) -> Self {
        Self {
            highlevel_field: own.highlevel_field,
            partner_field: own.partner_field,
            highlevel: own.highlevel,
            partner: own.partner,
            policy: serde_json::to_value(own.policy).unwrap_or_default(),
            winner: own.winner.map(Into::into),
        }
    }
}

impl From<engine::PlannedChange> for PlannedChange {
    fn from(own: engine::PlannedChange) -> Self {
        Self { side: own.side.into(), field: own.field, before: own.before, after: own.after }
    }
}
