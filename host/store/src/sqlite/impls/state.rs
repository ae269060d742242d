//! What is remembered from run to run: cursors, what walks saw, and what connectors keep.

use async_trait::async_trait;

use crate::automation::Found;
use crate::model::{ConnectionId, Cursor, Priority, RecordId, Seen, SeenPage, WorkspaceId};
use crate::sqlite::{Result, SqliteStore, configuration, ingest, kv, seen};
use crate::store::StateStore;

#[async_trait]
impl StateStore for SqliteStore {
    async fn cursor(&self, connection: &ConnectionId, stream: &str) -> Result<Option<Cursor>> {
        let (connection, stream) = (connection.clone(), stream.to_owned());
        self.read(move |db| kv::cursor(db, &connection, &stream)).await
    }

    async fn put_cursor(&self, cursor: Cursor) -> Result<()> {
        self.write(move |db| {
            let owner = configuration::owner(db, &cursor.connection)?;
            kv::put_cursor(db, owner.connection, &cursor)
        })
        .await
    }

    async fn seen(&self, workspace: &WorkspaceId, stream: &str) -> Result<Vec<Seen>> {
        let (workspace, stream) = (workspace.clone(), stream.to_owned());
        self.read(move |db| seen::all(db, configuration::workspace_pk(db, &workspace)?, &stream)).await
    }

    async fn seen_of(
        &self,
        workspace: &WorkspaceId,
        stream: &str,
        record: &RecordId,
    ) -> Result<Option<Seen>> {
        let (workspace, stream, record) = (workspace.clone(), stream.to_owned(), record.clone());
        self.read(move |db| seen::one(db, configuration::workspace_pk(db, &workspace)?, &stream, &record))
            .await
    }

    async fn put_seen(&self, workspace: &WorkspaceId, stream: &str, page: SeenPage) -> Result<u64> {
        let (workspace, stream, now) = (workspace.clone(), stream.to_owned(), self.now());
        self.write(move |db| {
            let workspace = configuration::workspace_pk(db, &workspace)?;
            seen::put(db, workspace, &stream, &page.seen, &page.gone)?;
            for (connection, mark) in &page.marks {
                let found = Found { marks: vec![mark.clone()], ..Found::default() };
                ingest::mark(db, connection, &found, Priority::Sweep, None, now)?;
            }
            ingest::deliver(db, &page.deliveries, Some(workspace), None, now)
        })
        .await
    }

    async fn state_get(&self, connection: &ConnectionId, key: &str) -> Result<Option<(Vec<u8>, u64)>> {
        let (connection, key) = (connection.clone(), key.to_owned());
        self.read(move |db| kv::get(db, &connection, &key)).await
    }

    async fn state_set(
        &self,
        connection: &ConnectionId,
        key: &str,
        expected: u64,
        value: Vec<u8>,
    ) -> Result<u64> {
        let (connection, key) = (connection.clone(), key.to_owned());
        self.write(move |db| {
            let owner = configuration::owner(db, &connection)?;
            kv::set(db, owner.connection, &key, expected, &value)
        })
        .await
    }

    async fn state_delete(&self, connection: &ConnectionId, key: &str) -> Result<()> {
        let (connection, key) = (connection.clone(), key.to_owned());
        self.write(move |db| {
            let owner = configuration::owner(db, &connection)?;
            kv::delete(db, owner.connection, &key)
        })
        .await
    }

    async fn state_keys(&self, connection: &ConnectionId, prefix: &str) -> Result<Vec<String>> {
        let (connection, prefix) = (connection.clone(), prefix.to_owned());
        self.read(move |db| kv::keys(db, &connection, &prefix)).await
    }
}
