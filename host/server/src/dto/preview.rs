//! What a synchronisation would do.

use contactor_engine as engine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Side;

/// How much to preview.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PreviewRequest {
    /// Records to look at, 1 to 500; 25 if absent. Each costs a read at both vendors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What a synchronisation would do. Nothing was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviewReport {
    /// Record by record.
    pub items: Vec<PreviewItem>,
    /// Records that would be created.
    pub creates: u64,
    /// Records that would be changed.
    pub updates: u64,
    /// Records that agree already.
    pub unchanged: u64,
    /// Records that a rule leaves alone.
    pub skipped: u64,
    /// Records with a conflict.
    pub conflicts: u64,
    /// Records that a person would have to look at.
    pub parked: u64,
    /// Requests to HighLevel that it would take.
    pub highlevel_calls: u64,
    /// Requests to the partner that it would take.
    pub partner_calls: u64,
}

impl From<engine::PreviewReport> for PreviewReport {
    fn from(own: engine::PreviewReport) -> Self {
        Self {
            items: own.items.into_iter().map(Into::into).collect(),
            creates: own.creates,
            updates: own.updates,
            unchanged: own.unchanged,
            skipped: own.skipped,
            conflicts: own.conflicts,
            parked: own.parked,
            highlevel_calls: own.highlevel_calls,
            partner_calls: own.partner_calls,
        }
    }
}
