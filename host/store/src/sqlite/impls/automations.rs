//! Deliveries to handlers, the journal of the handlers' calls, and the messages that they send.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::automation::{
    ClaimedDelivery, ClaimedMessage, DeliveryCompletion, DeliveryId, Destination, JournalSlot, LocalWrite,
    MessageLimits, NewDelivery, OwnWrite,
};
use crate::model::{ConnectionId, Counted, Disposition, Lease, RecordId, WorkspaceId};
use crate::sqlite::claim::Demand;
use crate::sqlite::{Result, SqliteStore, claim, complete, configuration, ingest, journal, messages};
use crate::store::AutomationStore;
use crate::torture;

#[async_trait]
impl AutomationStore for SqliteStore {
    async fn deliver(&self, deliveries: Vec<NewDelivery>) -> Result<u64> {
        let now = self.now();
        self.write(move |db| ingest::deliver(db, &deliveries, None, None, now)).await
    }

    async fn claim_deliveries(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        per_workspace: u32,
    ) -> Result<Vec<ClaimedDelivery>> {
        let (lease, turns) = (lease.clone(), self.turns.clone());
        let demand = Demand { now, limit, per_workspace };
        self.write(move |db| claim::deliveries(db, &lease, &turns, &demand)).await
    }

    async fn complete_delivery(&self, lease: &Lease, completion: DeliveryCompletion) -> Result<()> {
        let (lease, now) = (lease.clone(), self.now());
        self.write(move |db| complete::delivery(db, &lease, &completion, now)).await
    }

    async fn journal_intent(&self, slot: JournalSlot) -> Result<()> {
        if torture::breaks(torture::NO_JOURNAL) {
            return Ok(());
        }
        let now = self.now();
        self.write(move |db| complete::intent(db, &slot, now)).await
    }

    async fn journal_result(
        &self,
        lease: &Lease,
        delivery: DeliveryId,
        position: u32,
        result: String,
        record: Option<RecordId>,
        changed: Vec<Counted>,
    ) -> Result<()> {
        if torture::breaks(torture::NO_JOURNAL) {
            return Ok(());
        }
        torture::point("before-result");
        let (lease, now) = (lease.clone(), self.now());
        let answer = complete::Answer { delivery, position, result, record, changed };
        self.write(move |db| complete::answer(db, &lease, &answer, now)).await
    }

    async fn journalled(
        &self,
        connection: &ConnectionId,
        operation: &str,
        record: &RecordId,
    ) -> Result<bool> {
        let (connection, operation, record) = (connection.clone(), operation.to_owned(), record.clone());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            journal::created(db, owner.connection, &operation, &record)
        })
        .await
    }

    async fn own_write(
        &self,
        connection: &ConnectionId,
        operations: &[&str],
        record: &RecordId,
        kind: &str,
        since: Timestamp,
        once: bool,
    ) -> Result<OwnWrite> {
        let operations: Vec<String> = operations.iter().map(ToString::to_string).collect();
        let (connection, record, kind) = (connection.clone(), record.clone(), kind.to_owned());
        let look = move |db: &rusqlite::Connection| {
            let owner = configuration::owner(db, &connection)?;
            journal::own_write(db, owner.connection, &operations, &record, &kind, since, once)
        };
        // To look costs no commit.
        if once { self.write(look).await } else { self.read(look).await }
    }

    async fn write_locally(
        &self,
        connection: &ConnectionId,
        write: LocalWrite,
        slot: Option<JournalSlot>,
    ) -> Result<u64> {
        let (connection, now) = (connection.clone(), self.now());
        self.write(move |db| complete::local(db, &connection, &write, slot.as_ref(), now)).await
    }

    async fn put_destination(&self, destination: Destination) -> Result<()> {
        self.write(move |db| messages::put_destination(db, &destination)).await
    }

    async fn destinations(&self, workspace: &WorkspaceId) -> Result<Vec<Destination>> {
        let workspace = workspace.clone();
        self.read(move |db| messages::destinations(db, &workspace)).await
    }

    async fn destination(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<Destination>> {
        let (workspace, name) = (workspace.clone(), name.to_owned());
        self.read(move |db| messages::destination(db, &workspace, &name)).await
    }

    async fn remove_destination(&self, workspace: &WorkspaceId, name: &str) -> Result<bool> {
        let (workspace, name) = (workspace.clone(), name.to_owned());
        self.write(move |db| messages::remove_destination(db, &workspace, &name)).await
    }

    async fn claim_messages(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        limits: MessageLimits,
    ) -> Result<Vec<ClaimedMessage>> {
        let (lease, turns) = (lease.clone(), self.turns.clone());
        self.write(move |db| claim::messages(db, &lease, &turns, now, limit, limits)).await
    }

    async fn complete_message(
        &self,
        lease: &Lease,
        id: &str,
        disposition: Disposition,
        stop: Option<String>,
    ) -> Result<()> {
        let (lease, id, now) = (lease.clone(), id.to_owned(), self.now());
        self.write(move |db| complete::message(db, &lease, &id, &disposition, stop.as_deref(), now)).await
    }
}
