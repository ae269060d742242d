//! Conflicts that merges met, and what people decided about them.

use contactor_sync::{ConflictRecord, Decision};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConnectionId, RecordId, RecordKey, RunId, WorkspaceId};

/// How a conflict stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

/// What a person decided about a conflict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// What the next merge is to carry out.
    pub decision: Decision,
    /// Who decided, as the admin API was told.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What became of it; absent while it waits for its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<ConflictEnded>,
}

/// The end of a conflict, or of one decision about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConflictEnded {
    /// When the run was that ended it.
    pub at: Timestamp,
    /// That run.
    pub run: RunId,
    /// Why it counts for nothing; absent when it was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
}

/// Conflicts that a run met and whose losing values it is about to overwrite.
#[derive(Clone, Debug, PartialEq)]
pub struct NotedConflicts {
    /// The record under which the run was claimed.
    pub claim: RecordKey,
    /// HighLevel's id of the record that they are listed under.
    pub record: RecordId,
    /// The run.
    pub run: RunId,
    /// When it began.
    pub at: Timestamp,
    /// The conflicts.
    pub conflicts: Vec<ConflictRecord>,
}

/// A conflict as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredConflict {
    /// Its number.
    pub id: i64,
    /// The run that met it.
    pub run: RunId,
    /// The record.
    pub key: RecordKey,
    /// Both values and the decision of the policy.
    pub conflict: ConflictRecord,
    /// When it was met.
    pub at: Timestamp,
    /// How it stands.
    pub state: ConflictState,
    /// What people decided about it, oldest first. The last one waits for its run while the state is `Pending`.
    pub resolutions: Vec<Resolution>,
    /// How an open conflict ended that nobody decided.
    pub ended: Option<ConflictEnded>,
}

impl StoredConflict {
    /// The decision that waits for a run.
    pub fn pending(&self) -> Option<&Resolution> {
        self.resolutions.last().filter(|last| self.state == ConflictState::Pending && last.ended.is_none())
    }

    /// The side whose value was last put in place by a person, or else by the policy.
    pub fn in_place(&self) -> Option<contactor_sync::Side> {
        let carried_out = |one: &&Resolution| one.ended.as_ref().is_some_and(|ended| ended.void.is_none());
        let by_person = self.resolutions.iter().rev().find(carried_out).map(|one| one.decision.take);
        by_person.or(self.conflict.winner)
    }
}

/// Which conflicts to list: those that wait first (`Open`, then `Pending`), then the newest.
#[derive(Clone, Debug)]
pub struct ConflictFilter {
    /// Of this workspace.
    pub workspace: WorkspaceId,
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// Of the record with this id.
    pub record: Option<RecordId>,
    /// Only those that nobody decided.
    pub open: bool,
    /// At most this many.
    pub limit: u32,
}

/// What a run made of a conflict that waited.
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictEnd {
    /// The conflict.
    pub id: i64,
    /// When the decision was made that the run saw; absent when there was none. Another decision by now is left alone.
    pub decided_at: Option<Timestamp>,
    /// Why it counts for nothing; absent when the decision was carried out.
    pub void: Option<String>,
}
