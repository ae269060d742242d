//! The trait: what any engine must do, and what it must do in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::model::*;
use crate::vault::Sealed;

type Result<T> = std::result::Result<T, StoreError>;

/// A transactional store. Every method is one transaction that is durable when it answers; none relies on the memory of
/// this process.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // ------------------------------------------------------------------------------------------------------ configuration

    /// Creates a workspace and releases the events held for its location as marks of nothing: they are only kept.
    /// `Conflict` when its id or location is taken.
    async fn create_workspace(&self, workspace: Workspace) -> Result<()>;
    /// Changes name, country and time zone.
    async fn update_workspace(&self, workspace: Workspace) -> Result<()>;
    /// One workspace.
    async fn workspace(&self, id: &WorkspaceId) -> Result<Option<Workspace>>;
    /// The workspace bound to a location.
    async fn workspace_of(&self, location: &LocationId) -> Result<Option<Workspace>>;
    /// All workspaces, by id.
    async fn workspaces(&self) -> Result<Vec<Workspace>>;

    /// Records an installed component; installing the same digest again changes nothing.
    async fn install_connector(&self, connector: InstalledConnector) -> Result<()>;
    /// All installed components, newest first.
    async fn connectors(&self) -> Result<Vec<InstalledConnector>>;

    /// Writes a connection (by id).
    async fn put_connection(&self, connection: Connection) -> Result<()>;
    /// Changes only the state, with the reason for the admin.
    async fn set_connection_state(
        &self,
        id: &ConnectionId,
        state: ConnectionState,
        reason: Option<String>,
    ) -> Result<()>;
    /// One connection.
    async fn connection(&self, id: &ConnectionId) -> Result<Option<Connection>>;
    /// The connection whose webhook path has this token.
    async fn connection_by_token(&self, token: &str) -> Result<Option<Connection>>;
    /// The connections of a workspace, or all.
    async fn connections(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Connection>>;

    /// Writes a sealed credential under its name (`<workspace>` for HighLevel, `<connection>/<field>` for a partner).
    async fn put_credential(&self, name: &str, sealed: Sealed) -> Result<()>;
    /// Reads a sealed credential.
    async fn credential(&self, name: &str) -> Result<Option<Sealed>>;
    /// Whether any credential is stored: then a host without its key must not start.
    async fn has_credentials(&self) -> Result<bool>;

    // ------------------------------------------------------------------------------------------------------------- events

    /// Appends an event, its marks and its de-duplication key, all or nothing. The answer comes after the commit.
    async fn append_event(&self, event: NewEvent) -> Result<Accepted>;
    /// Marks records dirty without an event (sweep, backfill, operator), and moves a cursor in the same transaction.
    async fn mark(
        &self,
        connection: &ConnectionId,
        marks: Vec<Mark>,
        priority: Priority,
        cursor: Option<Cursor>,
    ) -> Result<()>;
    /// One event with its body.
    async fn event(&self, seq: EventSeq) -> Result<Option<Event>>;
    /// The newest events of a workspace.
    async fn events(&self, workspace: &WorkspaceId, limit: u32) -> Result<Vec<Event>>;

    // --------------------------------------------------------------------------------------------------------------- work

    /// Takes or renews the lease on every free or expired shard for `ttl`. A renewal by the same owner keeps its token.
    async fn acquire_lease(&self, owner: &str, ttl: Duration) -> Result<Lease>;
    /// Gives the lease up, so that another host need not wait for its end.
    async fn release_lease(&self, lease: &Lease) -> Result<()>;

    /// Claims dirty records that are due, by priority and then by age, of workspaces whose connection is enabled and that
    /// are not in `busy`; at most `limit` in all and `per_workspace` for one workspace. A claimed record is not given out
    /// again under the same lease, and is given out again under the next.
    async fn claim_records(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        per_workspace: u32,
        busy: &[WorkspaceId],
    ) -> Result<Vec<ClaimedRecord>>;
    /// Claims partner webhooks that their connector has to read, oldest first.
    async fn claim_events(&self, lease: &Lease, now: Timestamp, limit: u32) -> Result<Vec<ClaimedEvent>>;
    /// Ends a run: disposition, link, conflicts, run and the states of the events behind it, all or nothing.
    /// `Fenced` when the lease is no longer ours: nothing was written.
    async fn complete_record(&self, lease: &Lease, completion: Completion) -> Result<()>;
    /// Ends the reading of a partner's webhook: its marks, its run and its state, all or nothing.
    async fn complete_event(
        &self,
        lease: &Lease,
        event: EventSeq,
        marks: Vec<Mark>,
        disposition: Disposition,
        run: Option<Run>,
    ) -> Result<()>;
    /// When the next dirty record or unread event is due, if any waits.
    async fn next_due(&self) -> Result<Option<Timestamp>>;

    /// Parked records of a workspace.
    async fn parked(&self, workspace: &WorkspaceId) -> Result<Vec<Parked>>;
    /// Makes a parked record dirty again.
    async fn retry_parked(&self, key: &RecordKey) -> Result<bool>;

    // -------------------------------------------------------------------------------------------------------------- links

    /// The link of a record, by either side's id.
    async fn link(
        &self,
        connection: &ConnectionId,
        entity: &str,
        side: Side,
        record: &RecordId,
    ) -> Result<Option<Link>>;
    /// The links of a connection, by HighLevel's id, after the given one.
    async fn links(
        &self,
        connection: &ConnectionId,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<Vec<Link>>;

    // --------------------------------------------------------------------------------------------------------------- runs

    /// Writes a run that belongs to no dirty record (a poll, a sweep, a check).
    async fn put_run(&self, run: Run) -> Result<()>;
    /// One run with its calls.
    async fn run(&self, id: &RunId) -> Result<Option<Run>>;
    /// Runs without their calls, newest first.
    async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>>;
    /// Conflicts of a workspace, newest first.
    async fn conflicts(&self, workspace: &WorkspaceId, limit: u32) -> Result<Vec<StoredConflict>>;

    // -------------------------------------------------------------------------------------------------------- cursors, kv

    /// A cursor.
    async fn cursor(&self, connection: &ConnectionId, stream: &str) -> Result<Option<Cursor>>;
    /// Moves a cursor without marking anything.
    async fn put_cursor(&self, cursor: Cursor) -> Result<()>;

    /// A connector's state: value and version.
    async fn state_get(
        &self,
        connection: &ConnectionId,
        key: &str,
    ) -> Result<Option<(Vec<u8>, u64)>>;
    /// Compare-and-set; `expected` 0 means that the key must not exist. `Conflict` when the version differs.
    async fn state_set(
        &self,
        connection: &ConnectionId,
        key: &str,
        expected: u64,
        value: Vec<u8>,
    ) -> Result<u64>;
    /// Removes a key.
    async fn state_delete(&self, connection: &ConnectionId, key: &str) -> Result<()>;
    /// Keys with a prefix, in order.
    async fn state_keys(&self, connection: &ConnectionId, prefix: &str) -> Result<Vec<String>>;

    // ---------------------------------------------------------------------------------------------------------- operation

    /// Counts for a workspace, or for all.
    async fn counts(&self, workspace: Option<&WorkspaceId>) -> Result<Counts>;
    /// Counts for one connection.
    async fn counts_of(&self, connection: &ConnectionId) -> Result<Counts>;
    /// Forgets what is past its time: de-duplication keys after four days, event bodies, runs and held events as given.
    /// Answers the number of rows removed.
    async fn expire(&self, now: Timestamp, retention: Duration) -> Result<u64>;
    /// A write that proves that the store can commit, for health.
    async fn probe(&self) -> Result<()>;
}
