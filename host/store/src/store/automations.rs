//! Deliveries to handlers, the journal of the handlers' calls, and the messages that they send.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::automation::{
    ClaimedDelivery, ClaimedMessage, DeliveryCompletion, DeliveryId, Destination, JournalSlot, LocalWrite,
    MessageLimits, NewDelivery, OwnWrite,
};
use crate::model::{ConnectionId, Counted, Disposition, Lease, RecordId, WorkspaceId};

/// The part of a [`Store`](crate::Store) about deliveries to handlers and what comes of them.
#[async_trait]
pub trait AutomationStore: Send + Sync + 'static {
    /// Stores events that no webhook and no poll carries; answers how many of them were new.
    async fn deliver(&self, deliveries: Vec<NewDelivery>) -> Result<u64>;
    /// Claims deliveries and timers that are due, of enabled connections, which take turns; a workspace has at most
    /// `per_workspace` in flight. Those of one contact, or of one partner's record that is not linked, are given out one after
    /// the other, in the order in which they came; one that was retried or parked does not change that order, but a parked
    /// one keeps nobody waiting. `Fenced` when the lease covers no shard any more.
    async fn claim_deliveries(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        per_workspace: u32,
    ) -> Result<Vec<ClaimedDelivery>>;
    /// Ends an attempt at a delivery: its state and its run, all or nothing. `Done` forgets the journal, but for what was
    /// created. `Parked` lists it under [`AUTOMATION_ENTITY`](crate::AUTOMATION_ENTITY), from where it can be retried; its journal stays.
    /// `Fenced` when the lease, or the claim, is no longer ours: nothing was written.
    async fn complete_delivery(&self, lease: &Lease, completion: DeliveryCompletion) -> Result<()>;
    /// Notes a writing call before it is made, and the reads before it. `Fenced` when the claim is no longer ours, `Limited` when
    /// it is one too many of its [`WriteLimit`](crate::WriteLimit): then the call must not be made.
    async fn journal_intent(&self, slot: JournalSlot) -> Result<()>;
    /// Notes the answer of a writing call, the id of the record that it created, and the linked records that it changed, which are
    /// counted with it. `Fenced` as above.
    async fn journal_result(
        &self,
        lease: &Lease,
        delivery: DeliveryId,
        position: u32,
        result: String,
        record: Option<RecordId>,
        changed: Vec<Counted>,
    ) -> Result<()>;
    /// Whether a handler of this connection's workspace is known to have created this record.
    async fn journalled(&self, connection: &ConnectionId, operation: &str, record: &RecordId)
    -> Result<bool>;
    /// Whether a handler of this connection wrote a record by one of these calls, in a delivery of this kind that was begun at
    /// `since` or later. With `once`, a handler's write is answered with `Yes` one time only.
    async fn own_write(
        &self,
        connection: &ConnectionId,
        operations: &[&str],
        record: &RecordId,
        kind: &str,
        since: Timestamp,
        once: bool,
    ) -> Result<OwnWrite>;
    /// Makes a change of the store itself, and notes call and answer in the same transaction, if there is a journal. The
    /// answer is noted as `{"Ok": null}`, or with the new version of a state. Nothing is noted when it fails.
    async fn write_locally(
        &self,
        connection: &ConnectionId,
        write: LocalWrite,
        slot: Option<JournalSlot>,
    ) -> Result<u64>;

    /// Makes or replaces a destination.
    async fn put_destination(&self, destination: Destination) -> Result<()>;
    /// The destinations of a workspace, by name.
    async fn destinations(&self, workspace: &WorkspaceId) -> Result<Vec<Destination>>;
    /// One destination.
    async fn destination(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<Destination>>;
    /// Removes a destination and its messages; answers whether it was there.
    async fn remove_destination(&self, workspace: &WorkspaceId, name: &str) -> Result<bool>;
    /// Claims messages that are due: equal parts to all destinations, which take turns, and of each the oldest first. Those of a
    /// destination that was stopped wait. `Fenced` as above.
    async fn claim_messages(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        limits: MessageLimits,
    ) -> Result<Vec<ClaimedMessage>>;
    /// Ends an attempt at a message; with a reason its destination is stopped. `Parked` lists it under
    /// [`MESSAGE_ENTITY`](crate::MESSAGE_ENTITY). `Fenced` as above.
    async fn complete_message(
        &self,
        lease: &Lease,
        id: &str,
        disposition: Disposition,
        stop: Option<String>,
    ) -> Result<()>;
}
