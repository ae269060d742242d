//! Operation: alerts, counts, what is to be forgotten, and the disk.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::model::{AlertMemory, AlertRound, AlertRules, ConnectionId, Counts, Erasure, Person, WorkspaceId};

/// The part of a [`Store`](crate::Store) about a host's operation.
#[async_trait]
pub trait OperationStore: Send + Sync + 'static {
    /// Sets where a workspace's alerts go.
    async fn put_alert_rules(&self, workspace: &WorkspaceId, rules: AlertRules) -> Result<()>;
    /// The rules, the alerts that are open or ended within the retention, and when sources were last heard.
    async fn alerts(&self, workspace: &WorkspaceId) -> Result<AlertMemory>;
    /// Keeps what came of looking at a workspace, and hands its messages over, all or nothing. Fails as
    /// [`LocalWrite::Send`](crate::LocalWrite::Send) does.
    async fn put_alerts(&self, workspace: &WorkspaceId, round: AlertRound) -> Result<()>;

    /// How many dirty records of a connection wait or run: [`Counts::dirty`] alone, which is asked for every page of a walk.
    async fn waiting(&self, connection: &ConnectionId) -> Result<u64>;
    /// Counts for a workspace, or for all.
    async fn counts(&self, workspace: Option<&WorkspaceId>) -> Result<Counts>;
    /// Counts for one connection.
    async fn counts_of(&self, connection: &ConnectionId) -> Result<Counts>;

    /// Forgets a person in a workspace: every row about one of the person's records, and every id, address or number of the person
    /// that others mention; all or nothing. With `only_look` nothing is changed. What was freed is overwritten. Work on what was
    /// changed that is under way is fenced.
    ///
    /// `Several` when what is given leads to more than one contact, nothing says that all are meant, and it is not only looked.
    async fn erase(&self, workspace: &WorkspaceId, person: Person, only_look: bool) -> Result<Erasure>;
    /// Forgets what is past its time: events, runs, conflicts that ended and messages as the workspace says, or else as given, held
    /// events as given, de-duplication keys not before [`DEDUPLICATION`](crate::DEDUPLICATION); until then an event stays without its
    /// body. What was kept to undo a deletion goes with its window, and what two records agreed on after 60 days, if one of them is
    /// gone; that it is gone stays known. What waits for a run or for a person is kept, but a decision about a deletion that no run
    /// carried out within [`DECISIONS`](crate::DECISIONS) counts no more: a person is asked again, or the pair is given up if the
    /// record was to be kept. A data key that nothing is sealed with goes an hour after it was retired. Works in several transactions,
    /// so that webhooks need not wait. Answers the number of rows removed or emptied.
    async fn expire(&self, now: Timestamp, retention: Duration) -> Result<u64>;

    /// A write that proves that the store can commit, for health. After `Failed` it is the one call that tries the disk again,
    /// and its success ends that state.
    async fn probe(&self) -> Result<()>;
}
