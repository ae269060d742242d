//! Conflicts and deletions, about which a person may decide.

use async_trait::async_trait;
use contactor_sync::DeletePolicies;

use super::Result;
use crate::model::{
    ConflictFilter, ConnectionId, Deletion, DeletionFilter, DeletionState, Priority, RecordId, RecordKey,
    Resolution, StoredConflict,
};
use crate::vault::Sealed;

/// The part of a [`Store`](crate::Store) about conflicts and deletions.
#[async_trait]
pub trait DecisionStore: Send + Sync + 'static {
    /// Conflicts of a workspace: those that nobody decided first, then those that wait for a run, then the others; each newest first.
    async fn conflicts(&self, filter: ConflictFilter) -> Result<Vec<StoredConflict>>;
    /// One conflict.
    async fn conflict(&self, id: i64) -> Result<Option<StoredConflict>>;
    /// The conflicts of a record that wait for a person or for a run, the oldest first.
    async fn unsettled_conflicts(&self, key: &RecordKey) -> Result<Vec<StoredConflict>>;
    /// Keeps what a person decided about a conflict, in the place of a decision that still waits, and has the record done again with
    /// priority `Interactive`, all or nothing. Without a resolution a decision that waits is withdrawn. `Conflict` when the conflict
    /// is not as it was seen any more; nothing was written then.
    async fn decide_conflict(
        &self,
        seen: &StoredConflict,
        resolution: Option<Resolution>,
    ) -> Result<StoredConflict>;

    /// One deletion.
    async fn deletion(&self, id: i64) -> Result<Option<Deletion>>;
    /// The newest deletion of a pair, by HighLevel's id, unless it ended.
    async fn deletion_of(
        &self,
        connection: &ConnectionId,
        entity: &str,
        highlevel: &RecordId,
    ) -> Result<Option<Deletion>>;
    /// Deletions of a workspace, newest first.
    async fn deletions(&self, filter: DeletionFilter) -> Result<Vec<Deletion>>;
    /// A person decides about a deletion that is in one of the states `from`: its record is done again with this priority,
    /// all or nothing. `Conflict` when it is in another state; nothing was written then.
    async fn decide_deletion(
        &self,
        id: i64,
        from: &[DeletionState],
        to: DeletionState,
        by: &str,
        priority: Priority,
    ) -> Result<Deletion>;
    /// Notes that a run is about to act by the deletion's policy, and keeps what is needed to undo it. `Conflict` when a person
    /// decided since it was read: then the run must not act. `KeyRetired` when its key is not in use any more.
    async fn begin_deletion(&self, seen: &Deletion, kept: Sealed) -> Result<Deletion>;
    /// Sets what is done to one record of an entity when the other one is gone.
    async fn put_delete_policies(
        &self,
        connection: &ConnectionId,
        entity: &str,
        policies: DeletePolicies,
    ) -> Result<()>;
    /// What is done; nothing unless it was set.
    async fn delete_policies(&self, connection: &ConnectionId, entity: &str) -> Result<DeletePolicies>;
}
