//! What was heard: events, and the marks that they and others leave.

use async_trait::async_trait;

use crate::automation::Found;
use crate::model::{Accepted, ConnectionId, Cursor, Event, EventFilter, EventSeq, NewEvent, Priority};
use crate::sqlite::{Result, SqliteStore, events, ingest};
use crate::store::EventStore;

#[async_trait]
impl EventStore for SqliteStore {
    async fn append_event(&self, event: NewEvent) -> Result<Accepted> {
        self.write(move |db| ingest::append(db, &event)).await
    }

    async fn mark_found(
        &self,
        connection: &ConnectionId,
        found: Found,
        priority: Priority,
        cursor: Option<Cursor>,
    ) -> Result<()> {
        let (connection, now) = (connection.clone(), self.now());
        self.write(move |db| ingest::mark(db, &connection, &found, priority, cursor.as_ref(), now)).await
    }

    async fn event(&self, seq: EventSeq) -> Result<Option<Event>> {
        self.read(move |db| events::event(db, seq)).await
    }

    async fn events(&self, filter: EventFilter) -> Result<Vec<Event>> {
        self.read(move |db| events::list(db, &filter)).await
    }
}
