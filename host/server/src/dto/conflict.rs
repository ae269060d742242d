//! Conflicts, and what people decide about them.

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{PlannedChange, PreviewItem, RecordRef, Side, mirror};

/// Which conflicts to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConflictQuery {
    /// Only those that nobody decided.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Of this connector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
    /// Of the record with this id of HighLevel's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// At most this many, 1 to 500; 50 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// How a conflict stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictState {
    /// Both sides keep their value until a person decides.
    Open,
    /// A person decided; the next run of the record carries it out.
    Pending,
    /// The policy of the field decided.
    Decided,
    /// What a person decided is in place.
    Resolved,
    /// The field was changed since: there is nothing left to decide.
    Void,
}

mirror!(ConflictState, own::ConflictState, [Open, Pending, Decided, Resolved, Void]);

/// What a person decided about a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConflictDecision {
    /// The side whose value is to be in place on both.
    pub take: Side,
    /// Who decided, as the admin API was told.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The run that ended it; absent while it waits.
    pub run: Option<String>,
    /// Why it counts for nothing, if it does.
    pub void: Option<String>,
}

/// Both sides changed a field to different values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    /// Its number.
    pub id: i64,
    /// How it stands.
    pub state: ConflictState,
    /// The run that met it.
    pub run: String,
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// The record.
    pub record: RecordRef,
    /// Who that is, if both sides ever agreed on an email, a name or a phone.
    pub label: Option<String>,
    /// HighLevel's field.
    pub highlevel_field: String,
    /// The partner's field.
    pub partner_field: String,
    /// What HighLevel and the partner offered when they last agreed; absent when they never did.
    #[schema(value_type = Option<Vec<Value>>)]
    pub base: Option<[Value; 2]>,
    /// What HighLevel offered, in the partner's terms.
    #[schema(value_type = Value)]
    pub highlevel: Value,
    /// What the partner offered, in HighLevel's terms.
    #[schema(value_type = Value)]
    pub partner: Value,
    /// The rule that decided: `latest-update`, `highlevel`, `partner`, `ask`, `stricter`.
    #[schema(value_type = String)]
    pub policy: Value,
    /// Who won by the policy; absent when a person has, or had, to decide.
    pub winner: Option<Side>,
    /// The side whose value was last put in place, by the policy or by a person.
    pub in_place: Option<Side>,
    /// The value that the policy's winner replaced.
    #[schema(value_type = Value)]
    pub overwritten: Option<Value>,
    /// What people decided about it, oldest first.
    pub decisions: Vec<ConflictDecision>,
    /// Why it is over without a decision, if it is.
    pub over: Option<String>,
    /// When it was met.
    pub at: Timestamp,
}

impl From<engine::ConflictView> for Conflict {
    fn from(own: engine::ConflictView) -> Self {
        let engine::ConflictView { stored, label } = own;
        let in_place = stored.in_place().map(Into::into);
        let conflict = stored.conflict;
        Self {
            id: stored.id,
            state: stored.state.into(),
            run: stored.run.to_string(),
            connection: stored.key.connection.to_string(),
            record: (&stored.key).into(),
            label,
            highlevel_field: conflict.highlevel_field,
            partner_field: conflict.partner_field,
            base: conflict.base.map(|(highlevel, partner)| [highlevel.to_json(), partner.to_json()]),
            highlevel: conflict.highlevel.to_json(),
            partner: conflict.partner.to_json(),
            policy: serde_json::to_value(conflict.policy).unwrap_or_default(),
            winner: conflict.winner.map(Into::into),
            in_place,
            overwritten: conflict.overwritten.map(|value| value.to_json()),
            decisions: stored.resolutions.into_iter().map(Into::into).collect(),
            over: stored.ended.and_then(|ended| ended.void),
            at: stored.at,
        }
    }
}

impl From<own::Resolution> for ConflictDecision {
    fn from(own: own::Resolution) -> Self {
        let (run, void) = own.ended.map_or((None, None), |ended| (Some(ended.run.to_string()), ended.void));
        Self { take: own.decision.take.into(), by: own.by, at: own.at, run, void }
    }
}

/// A conflict, explained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConflictReport {
    /// The conflict.
    pub conflict: Conflict,
    /// What happened, in sentences, in order.
    pub explanation: Vec<String>,
    /// What can be done, in sentences.
    pub options: Vec<String>,
}

impl From<engine::ConflictReport> for ConflictReport {
    fn from(own: engine::ConflictReport) -> Self {
        Self { conflict: own.view.into(), explanation: own.explanation, options: own.options }
    }
}

/// A decision about a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveConflict {
    /// The side whose value is to be in place on both. The side whose value is in place withdraws a decision that waits.
    pub take: Side,
    /// Who decides; shown with the conflict and its run. It counts with the host's own admin token only: a user is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Say what would be written, and write and store nothing.
    #[serde(default)]
    pub preview: bool,
}

/// What became of a decision, or would.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResolveAnswer {
    /// The conflict as it stands, or would until the run.
    pub conflict: Conflict,
    /// The preview; absent when the decision was stored.
    pub preview: Option<ResolvePreview>,
}

/// What the next run would write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResolvePreview {
    /// The fields that would be written on both sides, whatever else changed included.
    pub changes: Vec<PlannedChange>,
    /// Why the record would be left alone or parked, if it would.
    pub reason: Option<String>,
    /// Why the decision would count for nothing, if it would.
    pub void: Option<String>,
}

impl From<engine::ConflictView> for ResolveAnswer {
    fn from(own: engine::ConflictView) -> Self {
        Self { conflict: own.into(), preview: None }
    }
}

impl From<engine::ConflictPreview> for ResolveAnswer {
    fn from(own: engine::ConflictPreview) -> Self {
        let PreviewItem { changes, reason, .. } = own.item.into();
        let preview = ResolvePreview { changes, reason, void: own.void };
        Self { conflict: own.view.into(), preview: Some(preview) }
    }
}
