//! Deleted records: policies, what is waited for, and what can be undone.

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{PlannedChange, Side, mirror};

/// Which deletions to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeletionQuery {
    /// Of this connector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
    /// Those that ended, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// At most this many, 1 to 500; 50 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// How a deletion stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeletionState {
    /// The record was not found; it is looked for again.
    Quarantined,
    /// It is gone, and a person has to confirm that the other one is deleted.
    Waiting,
    /// A person confirmed; the next run deletes the other one.
    Confirmed,
    /// A person wants the other one to be kept; the next run unlinks it.
    Kept,
    /// A run is carrying the policy out.
    Acting,
    /// The policy was carried out.
    Done,
    /// A person wants it undone; the next run does so.
    Undoing,
    /// Nothing is left to do or to undo.
    Ended,
}

mirror!(
    DeletionState,
    own::DeletionState,
    [Quarantined, Waiting, Confirmed, Kept, Acting, Done, Undoing, Ended]
);

/// What is done to the record of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteThen {
    /// Nothing: both are no longer kept in step.
    Unlink,
    /// It gets a tag.
    Tag,
    /// One of its fields is set.
    Archive,
    /// It is deleted as well, once a person has confirmed it.
    Delete,
}

/// A policy for deleted records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeletePolicy {
    /// What is done.
    pub then: DeleteThen,
    /// The tag; one that says where the record was deleted if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// For `archive`: the field, by its name on the side of the record that is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// For `archive`: what the field is set to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl DeletePolicy {
    /// One that needs nothing beside its name.
    pub fn plain(then: DeleteThen) -> Self {
        Self { then, tag: None, field: None, value: None }
    }
}

impl From<contactor_sync::DeletePolicy> for DeletePolicy {
    fn from(own: contactor_sync::DeletePolicy) -> Self {
        use contactor_sync::DeletePolicy as Own;
        match own {
            Own::Unlink => Self::plain(DeleteThen::Unlink),
            Own::Tag { tag } => Self { tag: Some(tag), ..Self::plain(DeleteThen::Tag) },
            Own::Archive { field, value } => Self {
                field: Some(field),
                value: Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
                ..Self::plain(DeleteThen::Archive)
            },
            Own::Delete => Self::plain(DeleteThen::Delete),
        }
    }
}

impl From<DeletePolicy> for engine::WantedPolicy {
    fn from(api: DeletePolicy) -> Self {
        match api.then {
            DeleteThen::Unlink => Self::Unlink,
            DeleteThen::Tag => Self::Tag(api.tag),
            DeleteThen::Archive => {
                Self::Archive { field: api.field.unwrap_or_default(), value: api.value.unwrap_or_default() }
            }
            DeleteThen::Delete => Self::Delete,
        }
    }
}

/// The policies of one entity of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletePolicies {
    /// The kind of record.
    pub entity: String,
    /// What is done at the partner when the record is gone in HighLevel.
    pub highlevel_gone: DeletePolicy,
    /// What is done in HighLevel when the record is gone at the partner.
    pub partner_gone: DeletePolicy,
}

impl DeletePolicies {
    pub(crate) fn of(entity: String, own: contactor_sync::DeletePolicies) -> Self {
        Self { entity, highlevel_gone: own.highlevel_gone.into(), partner_gone: own.partner_gone.into() }
    }
}

/// Which entity's policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeletePolicyQuery {
    /// The kind of record; `contact` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
}

/// Policies to be set. What is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SetDeletePolicies {
    /// The kind of record; `contact` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// For records that are gone in HighLevel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highlevel_gone: Option<DeletePolicy>,
    /// For records that are gone at the partner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner_gone: Option<DeletePolicy>,
}

impl From<SetDeletePolicies> for engine::PolicyChange {
    fn from(api: SetDeletePolicies) -> Self {
        Self {
            highlevel_gone: api.highlevel_gone.map(Into::into),
            partner_gone: api.partner_gone.map(Into::into),
        }
    }
}

/// A pair of records of which one is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deletion {
    /// Its number.
    pub id: i64,
    /// How it stands.
    pub state: DeletionState,
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// The kind of record.
    pub entity: String,
    /// HighLevel's id.
    pub highlevel_id: String,
    /// The partner's id.
    pub partner_id: String,
    /// Who that is, if both sides ever agreed on an email, a name or a phone.
    pub label: Option<String>,
    /// The side whose record is gone.
    pub gone: Side,
    /// What is done, or was, to the record of the other side.
    pub policy: DeletePolicy,
    /// When it was first not found.
    pub since: Timestamp,
    /// When it is looked for again, or was.
    pub look_at: Timestamp,
    /// Who decided last, as the admin API was told.
    pub decided_by: Option<String>,
    /// When the policy was carried out.
    pub done_at: Option<Timestamp>,
    /// Until when that can be undone.
    pub undo_until: Option<Timestamp>,
    /// What happens next, or what became of it, in a sentence.
    pub next: String,
}

impl From<engine::DeletionView> for Deletion {
    fn from(own: engine::DeletionView) -> Self {
        let engine::DeletionView { stored, label, next } = own;
        Self {
            id: stored.id,
            state: stored.state.into(),
            connection: stored.connection.to_string(),
            entity: stored.entity,
            highlevel_id: stored.highlevel_id.to_string(),
            partner_id: stored.partner_id.to_string(),
            label,
            gone: stored.side.into(),
            policy: stored.policy.into(),
            since: stored.since,
            look_at: stored.due,
            decided_by: stored.decided_by,
            done_at: stored.acted_at,
            undo_until: stored.undo_until,
            next,
        }
    }
}

/// A decision of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DecideDeletion {
    /// Who decides; shown with the deletion and its run. It counts with the host's own admin token only: a user is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A decision of a person about several. What came since the person looked must not be decided with them, so either `expect` or
/// `ids` has to say which were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DecideDeletions {
    /// Who decides; shown with the deletions and their runs. It counts with the host's own admin token only: a user is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// All that wait for a person, if they are exactly so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<u64>,
    /// These, if each of them waits for a person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<i64>,
}

impl DecideDeletions {
    /// Which are meant; none unless exactly one member says so.
    pub(crate) fn meant(&self) -> Option<engine::WaitingDeletions> {
        match (self.expect, self.ids.is_empty()) {
            (Some(count), true) => Some(engine::WaitingDeletions::All { expected: count }),
            (None, false) => Some(engine::WaitingDeletions::These(self.ids.clone())),
            _ => None,
        }
    }
}

/// Which record is thought to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewDeletion {
    /// HighLevel's or the partner's id of a linked contact.
    pub record: String,
    /// The side on which it would be deleted.
    pub gone: Side,
}

/// A call that would be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedCall {
    /// The side.
    pub side: Side,
    /// The operation, as runs name it.
    pub operation: String,
    /// It writes.
    pub write: bool,
}

/// What would follow if a record were deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeletionPreview {
    /// HighLevel's id.
    pub highlevel_id: String,
    /// The partner's id.
    pub partner_id: String,
    /// The side on which it would be deleted.
    pub gone: Side,
    /// Who it is.
    pub label: Option<String>,
    /// The policy that would count.
    pub policy: DeletePolicy,
    /// Another record that its link would move to in place of the policy.
    pub survivor: Option<String>,
    /// Minutes until the second look.
    pub look_minutes: u32,
    /// Hours in which it could be undone.
    pub undo_hours: u32,
    /// What would be written to the other record. A deletion has no fields.
    pub changes: Vec<PlannedChange>,
    /// The calls from the second look on.
    pub calls: Vec<PlannedCall>,
    /// What would happen, in sentences, in order.
    pub steps: Vec<String>,
}

impl From<engine::DeletionPreview> for DeletionPreview {
    fn from(own: engine::DeletionPreview) -> Self {
        let call = |call: engine::PlannedCall| PlannedCall {
            side: call.side.into(),
            operation: call.operation,
            write: call.write,
        };
        Self {
            highlevel_id: own.highlevel_id.to_string(),
            partner_id: own.partner_id.to_string(),
            gone: own.gone.into(),
            label: own.label,
            policy: own.policy.into(),
            survivor: own.survivor.map(|id| id.to_string()),
            look_minutes: own.look_minutes,
            undo_hours: own.undo_hours,
            changes: own.changes.into_iter().map(Into::into).collect(),
            calls: own.calls.into_iter().map(call).collect(),
            steps: own.steps,
        }
    }
}
