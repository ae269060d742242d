//! Work: leases, what is claimed and completed under them, what rests, and what is parked.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::automation::Found;
use crate::model::{
    ClaimedEvent, ClaimedRecord, Completion, ConnectionId, Disposition, EventSeq, Lease, NotedConflicts,
    Parked, ParkedCause, ParkedGroup, Priority, RecordKey, Rest, Run, WorkspaceId,
};

/// The part of a [`Store`](crate::Store) about work and who does it.
#[async_trait]
pub trait WorkStore: Send + Sync + 'static {
    /// Takes or renews the lease on every free or expired shard for `ttl`. A renewal by the same owner keeps its token. What
    /// was claimed in a shard under another token can be claimed again at once.
    ///
    /// A process names itself by something that no other process uses (host, process id and a random part): whoever holds
    /// the name of an owner holds its lease.
    async fn acquire_lease(&self, owner: &str, ttl: Duration) -> Result<Lease>;
    /// Gives the lease up, so that another host need not wait for its end. Does nothing when it is not held any more.
    async fn release_lease(&self, lease: &Lease) -> Result<()>;
    /// How much is claimed under this lease.
    async fn claims(&self, lease: &Lease) -> Result<u64>;
    /// Gives back whatever is claimed under this lease, and answers how much that was: for a caller that has nothing in flight, so
    /// that no claim outlives the task that it was given to.
    async fn free_claims(&self, lease: &Lease) -> Result<u64>;

    /// Claims dirty records that are due, by priority and then by age, of enabled connections; at most `limit`
    /// in all, and never so many that a workspace has more than `per_workspace` in flight under this lease. Background work
    /// (sweep, backfill) leaves a quarter of that to live work. A claimed record is not given out again under the same lease, and is
    /// given out again under the next.
    ///
    /// Within a priority, connections take turns: however many records of one wait, the next call serves another first. The
    /// cost does not grow with the number of records that wait. A linked record is never given out twice at the same time,
    /// whichever side's id it was marked by. `Fenced` when the lease covers no shard any more.
    async fn claim_records(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        per_workspace: u32,
    ) -> Result<Vec<ClaimedRecord>>;
    /// Claims partner webhooks that their connector has to read, oldest first within a connection; enabled connections take
    /// turns, and a workspace has at most `per_workspace` in flight under this lease. `Fenced` when the lease covers no shard any
    /// more.
    async fn claim_events(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        per_workspace: u32,
    ) -> Result<Vec<ClaimedEvent>>;
    /// Ends a run: disposition, link, conflicts, run and the states of the events behind it, all or nothing.
    ///
    /// - `Done` and `Parked` end the events behind the claim: the newest becomes `Applied` or `Parked`, older ones
    ///   `Superseded`. Marks that arrived during the run keep the record dirty. `Retry` ends nothing.
    /// - A link takes the place of `claim.link`. What waits under the partner's id of a linked record waits under HighLevel's
    ///   from then on.
    /// - Links of `children` are written and those of `unlinked` go; a child that was linked under another parent moves. A
    ///   child's partner id is unique within its parent.
    /// - The records of `marks` are dirty afterwards, as urgent as the claim was.
    /// - A parked entry of the record is taken off the list by `Done`.
    /// - A conflict that waits for a person (without a winner) is listed once, however many runs meet it.
    /// - What became of conflicts that waited is noted with the run; a decision that was made during the run waits for the next.
    /// - A deletion is stored; one about which a person decided during the run stays as it is. A link that is in use again ends the
    ///   deletions of its records. [`claim_records`](Self::claim_records) marks a record whose second look is due.
    ///
    /// # Errors
    ///
    /// Nothing was written in any of these cases. `Fenced` when the lease, or the claim, is no longer ours. `Conflict` when
    /// one of the two records is linked to another one; it names both. `Invalid` when conflicts come, or end, without a run.
    async fn complete_record(&self, lease: &Lease, completion: Completion) -> Result<()>;
    /// Keeps conflicts whose losing value is about to be overwritten, so that it can be found even if the run comes to no end. The
    /// run that completes with them, or the next one that meets them, does not list them again. `Fenced` as above.
    async fn note_conflicts(&self, lease: &Lease, noted: NotedConflicts) -> Result<()>;
    /// Ends the reading of a partner's webhook: what it told, its run and its state, all or nothing. `Done` without marks and
    /// deliveries makes it `Ignored`. `Parked` lists it under [`WEBHOOK_ENTITY`](crate::WEBHOOK_ENTITY), from where it can be retried.
    /// Only `Done` uses what was found. `Fenced` when the lease, or the claim, is no longer ours: nothing was written.
    async fn complete_event(
        &self,
        lease: &Lease,
        event: EventSeq,
        found: Found,
        disposition: Disposition,
        run: Option<Run>,
    ) -> Result<()>;
    /// When the next dirty record, unread event, delivery or message is due, if any waits unclaimed for an enabled connection.
    async fn next_due(&self) -> Result<Option<Timestamp>>;

    /// Leaves work of a connection alone, in the place of the rest of the same subject. Claims keep to it: see [`Rest`].
    async fn put_rest(&self, rest: Rest) -> Result<()>;
    /// Ends a rest, and what was put off because of it is due at once; answers whether there was one.
    async fn end_rest(&self, connection: &ConnectionId, subject: Option<&str>) -> Result<bool>;
    /// What was tried of a resting subject told nothing about it: another may be tried at once.
    async fn next_trial(&self, connection: &ConnectionId, subject: &str) -> Result<()>;
    /// The rests of a workspace, or all, also those whose time has come.
    async fn rests(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Rest>>;

    /// Parked records and webhooks of a workspace, newest first.
    async fn parked(&self, workspace: &WorkspaceId) -> Result<Vec<Parked>>;
    /// What is parked in a workspace by its cause, the largest group first.
    async fn parked_groups(&self, workspace: &WorkspaceId) -> Result<Vec<ParkedGroup>>;
    /// The entries of one cause, oldest first.
    async fn parked_of(&self, cause: &ParkedCause, limit: u32) -> Result<Vec<Parked>>;
    /// Takes an entry off the list for good; answers whether it was there. A webhook, an automation or a message is `Ignored` from
    /// then on; a record is done again when it is marked the next time.
    async fn discard_parked(&self, key: &RecordKey) -> Result<bool>;
    /// Takes an entry off the list and has it done again, a record with this priority; answers whether it was there. A parked
    /// record that is marked again is also done again, and stays listed until a run of it is `Done`.
    async fn retry_parked(&self, key: &RecordKey, priority: Priority) -> Result<bool>;
}
