//! Conflicts and deletions, about which a person may decide.

use async_trait::async_trait;
use contactor_sync::DeletePolicies;

use crate::model::{
    ConflictFilter, ConnectionId, Deletion, DeletionFilter, DeletionState, Priority, RecordId, RecordKey,
    Resolution, StoredConflict,
};
use crate::sqlite::{Result, SqliteStore, configuration, conflicts, deletions};
use crate::store::DecisionStore;
use crate::vault::Sealed;

#[async_trait]
impl DecisionStore for SqliteStore {
    async fn conflicts(&self, filter: ConflictFilter) -> Result<Vec<StoredConflict>> {
        self.read(move |db| conflicts::list(db, &filter)).await
    }

    async fn conflict(&self, id: i64) -> Result<Option<StoredConflict>> {
        self.read(move |db| conflicts::find(db, id)).await
    }

    async fn unsettled_conflicts(&self, key: &RecordKey) -> Result<Vec<StoredConflict>> {
        let key = key.clone();
        self.read(move |db| {
            let owner = configuration::owner(db, &key.connection)?;
            conflicts::unsettled(db, owner.connection, &key)
        })
        .await
    }

    async fn decide_conflict(
        &self,
        seen: &StoredConflict,
        resolution: Option<Resolution>,
    ) -> Result<StoredConflict> {
        let (seen, now) = (seen.clone(), self.now());
        self.write(move |db| conflicts::decide(db, &seen, resolution, now)).await
    }

    async fn deletion(&self, id: i64) -> Result<Option<Deletion>> {
        self.read(move |db| deletions::find(db, id)).await
    }

    async fn deletion_of(
        &self,
        connection: &ConnectionId,
        entity: &str,
        highlevel: &RecordId,
    ) -> Result<Option<Deletion>> {
        let (connection, entity, highlevel) = (connection.clone(), entity.to_owned(), highlevel.clone());
        self.read(move |db| deletions::of_pair(db, &connection, &entity, &highlevel)).await
    }

    async fn deletions(&self, filter: DeletionFilter) -> Result<Vec<Deletion>> {
        self.read(move |db| deletions::list(db, &filter)).await
    }

    async fn decide_deletion(
        &self,
        id: i64,
        from: &[DeletionState],
        to: DeletionState,
        by: &str,
        priority: Priority,
    ) -> Result<Deletion> {
        let (from, by, now) = (from.to_vec(), by.to_owned(), self.now());
        self.write(move |db| deletions::decide(db, id, &from, to, (&by, priority), now)).await
    }

    async fn begin_deletion(&self, seen: &Deletion, kept: Sealed) -> Result<Deletion> {
        let (seen, now) = (seen.clone(), self.now());
        self.write(move |db| deletions::begin(db, &seen, kept.clone(), now)).await
    }

    async fn put_delete_policies(
        &self,
        connection: &ConnectionId,
        entity: &str,
        policies: DeletePolicies,
    ) -> Result<()> {
        let (connection, entity) = (connection.clone(), entity.to_owned());
        self.write(move |db| deletions::put_policies(db, &connection, &entity, &policies)).await
    }

    async fn delete_policies(&self, connection: &ConnectionId, entity: &str) -> Result<DeletePolicies> {
        let (connection, entity) = (connection.clone(), entity.to_owned());
        self.read(move |db| deletions::policies(db, &connection, &entity)).await
    }
}
