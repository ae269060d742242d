//! What is remembered from run to run: cursors, what walks saw, and what connectors keep.

use async_trait::async_trait;

use super::Result;
use crate::model::{ConnectionId, Cursor, RecordId, Seen, SeenPage, WorkspaceId};

/// The part of a [`Store`](crate::Store) about cursors, walks and the state of connectors.
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// A cursor.
    async fn cursor(&self, connection: &ConnectionId, stream: &str) -> Result<Option<Cursor>>;
    /// Moves a cursor without marking anything.
    async fn put_cursor(&self, cursor: Cursor) -> Result<()>;

    /// What the last walk over a stream of a workspace saw, by record.
    async fn seen(&self, workspace: &WorkspaceId, stream: &str) -> Result<Vec<Seen>>;
    /// What was last seen of one record of a stream.
    async fn seen_of(&self, workspace: &WorkspaceId, stream: &str, record: &RecordId)
    -> Result<Option<Seen>>;
    /// Stores what a page of a walk showed, all or nothing; answers how many of the deliveries were new.
    async fn put_seen(&self, workspace: &WorkspaceId, stream: &str, page: SeenPage) -> Result<u64>;

    /// A connector's state: value and version.
    async fn state_get(&self, connection: &ConnectionId, key: &str) -> Result<Option<(Vec<u8>, u64)>>;
    /// Compare-and-set; `expected` 0 means that the key must not exist. `Conflict` when the version differs. Answers the new
    /// version; a version is never given twice, so a key that was removed and made again is not mistaken for the old one.
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
}
