//! Pairs of records of which one is gone, and what becomes of the other one.

use std::time::Duration;

use contactor_sync::{DeletePolicy, Stage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConnectionId, RecordId, Side, WorkspaceId};
use crate::vault::Sealed;

/// How long a decision may take until it is carried out: a weekend with a credential that nobody renews. Whoever confirmed a delete
/// does not expect it weeks later. What is kept for an undo stays as long again, for the person who is asked then.
pub const DECISIONS: Duration = Duration::from_hours(72);

/// How a deletion stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeletionState {
    /// The record was not found; it is looked for again.
    Quarantined,
    /// It is gone, and a person has to confirm that the other one is deleted.
    Waiting,
    /// A person confirmed; the next run deletes the other one. Waits again when no run did in time.
    Confirmed,
    /// A person wants the other one to be kept; the next run unlinks it, and the store does when none did in time.
    Kept,
    /// A run began to act. What is needed to undo it is kept. Waits again when nobody learned in time what became of it.
    Acting,
    /// The policy was carried out.
    Done,
    /// A person wants it undone; the next run does so. Waits again when none did in time.
    Undoing,
    /// Nothing is left to do or to undo.
    Ended,
}

impl DeletionState {
    /// How far the pair is on its way out; none when it has left.
    pub fn stage(self, due: bool) -> Option<Stage> {
        match self {
            Self::Quarantined => Some(Stage::Quarantined { due }),
            Self::Waiting => Some(Stage::Waiting),
            Self::Confirmed => Some(Stage::Confirmed),
            Self::Kept => Some(Stage::Kept),
            Self::Acting => Some(Stage::Acting),
            Self::Done | Self::Undoing | Self::Ended => None,
        }
    }
}

/// A pair of records of which one is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Deletion {
    /// Its number; 0 for one that is to be stored.
    pub id: i64,
    /// The connection.
    pub connection: ConnectionId,
    /// The entity.
    pub entity: String,
    /// HighLevel's id.
    pub highlevel_id: RecordId,
    /// The partner's id.
    pub partner_id: RecordId,
    /// The side whose record is gone.
    pub side: Side,
    /// How it stands.
    pub state: DeletionState,
    /// What is done to the other one, as far as it is decided.
    pub policy: DeletePolicy,
    /// When it was first not found.
    pub since: Timestamp,
    /// When it is looked for again.
    pub due: Timestamp,
    /// Who decided last, as the admin API was told.
    pub decided_by: Option<String>,
    /// When that was, or when a run began to act if nobody had to decide: it has to be carried out within [`DECISIONS`].
    pub decided_at: Option<Timestamp>,
    /// How often it was decided about: a run that saw fewer decisions does not speak for the last.
    pub decisions: u32,
    /// When the policy was carried out.
    pub acted_at: Option<Timestamp>,
    /// Until when that can be undone.
    pub undo_until: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What became of it, or why it waits again, in words.
    pub outcome: Option<String>,
    /// What is needed to undo it, sealed: it may hold a whole record.
    pub kept: Option<Sealed>,
}

/// Which deletions to list, the newest first; those that ended only when asked for.
#[derive(Clone, Debug)]
pub struct DeletionFilter {
    /// Of this workspace.
    pub workspace: WorkspaceId,
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// Only in this state.
    pub state: Option<DeletionState>,
    /// Those that ended, too.
    pub ended: bool,
    /// At most this many.
    pub limit: u32,
}
