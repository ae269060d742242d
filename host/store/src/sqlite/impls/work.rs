//! Work: leases, what is claimed and completed under them, what rests, and what is parked.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::automation::Found;
use crate::model::{
    ClaimedEvent, ClaimedRecord, Completion, ConnectionId, Disposition, EventSeq, Lease, NotedConflicts,
    Parked, ParkedCause, ParkedGroup, Priority, RecordKey, Rest, Run, WorkspaceId,
};
use crate::sqlite::claim::Demand;
use crate::sqlite::complete::Reading;
use crate::sqlite::{Result, SqliteStore, claim, complete, leases, parked, rests};
use crate::store::WorkStore;

#[async_trait]
impl WorkStore for SqliteStore {
    async fn acquire_lease(&self, owner: &str, ttl: Duration) -> Result<Lease> {
        let (owner, now) = (owner.to_owned(), self.now());
        self.write(move |db| leases::acquire(db, &owner, now, ttl)).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let lease = lease.clone();
        self.write(move |db| leases::release(db, &lease)).await
    }

    async fn claims(&self, lease: &Lease) -> Result<u64> {
        let token = lease.token;
        self.read(move |db| leases::claims(db, token)).await
    }

    async fn free_claims(&self, lease: &Lease) -> Result<u64> {
        let lease = lease.clone();
        self.write(move |db| leases::free_claims(db, &lease)).await
    }

    async fn claim_records(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        per_workspace: u32,
    ) -> Result<Vec<ClaimedRecord>> {
        let (lease, turns) = (lease.clone(), self.turns.clone());
        let demand = Demand { now, limit, per_workspace };
        self.write(move |db| claim::records(db, &lease, &turns, &demand)).await
    }

    async fn claim_events(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        per_workspace: u32,
    ) -> Result<Vec<ClaimedEvent>> {
        let (lease, turns) = (lease.clone(), self.turns.clone());
        let demand = Demand { now, limit, per_workspace };
        self.write(move |db| claim::events(db, &lease, &turns, &demand)).await
    }

    async fn complete_record(&self, lease: &Lease, completion: Completion) -> Result<()> {
        let (lease, now) = (lease.clone(), self.now());
        self.write(move |db| complete::record(db, &lease, &completion, now)).await
    }

    async fn note_conflicts(&self, lease: &Lease, noted: NotedConflicts) -> Result<()> {
        let lease = lease.clone();
        self.write(move |db| complete::note(db, &lease, &noted)).await
    }

    async fn complete_event(
        &self,
        lease: &Lease,
        event: EventSeq,
        found: Found,
        disposition: Disposition,
        run: Option<Run>,
    ) -> Result<()> {
        let (lease, now) = (lease.clone(), self.now());
        let reading = Reading { event, found, disposition, run };
        self.write(move |db| complete::event(db, &lease, &reading, now)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        self.read(claim::next_due).await
    }

    async fn put_rest(&self, rest: Rest) -> Result<()> {
        self.write(move |db| rests::put(db, &rest)).await
    }

    async fn end_rest(&self, connection: &ConnectionId, subject: Option<&str>) -> Result<bool> {
        let (connection, subject, now) = (connection.clone(), subject.map(str::to_owned), self.now());
        self.write(move |db| rests::end(db, &connection, subject.as_deref(), now)).await
    }

    async fn next_trial(&self, connection: &ConnectionId, subject: &str) -> Result<()> {
        let (connection, subject, now) = (connection.clone(), subject.to_owned(), self.now());
        self.write(move |db| rests::next_trial(db, &connection, &subject, now)).await
    }

    async fn rests(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Rest>> {
        let workspace = workspace.cloned();
        self.read(move |db| rests::list(db, workspace.as_ref())).await
    }

    async fn parked(&self, workspace: &WorkspaceId) -> Result<Vec<Parked>> {
        let workspace = workspace.clone();
        self.read(move |db| parked::list(db, &workspace)).await
    }

    async fn parked_groups(&self, workspace: &WorkspaceId) -> Result<Vec<ParkedGroup>> {
        let workspace = workspace.clone();
        self.read(move |db| parked::groups(db, &workspace)).await
    }

    async fn parked_of(&self, cause: &ParkedCause, limit: u32) -> Result<Vec<Parked>> {
        let cause = cause.clone();
        self.read(move |db| parked::of(db, &cause, limit)).await
    }

    async fn discard_parked(&self, key: &RecordKey) -> Result<bool> {
        let (key, now) = (key.clone(), self.now());
        self.write(move |db| parked::discard(db, &key, now)).await
    }

    async fn retry_parked(&self, key: &RecordKey, priority: Priority) -> Result<bool> {
        let (key, now) = (key.clone(), self.now());
        self.write(move |db| parked::retry(db, &key, priority, now)).await
    }
}
