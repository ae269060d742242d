//! What was heard: events, and the marks that they and others leave.

use async_trait::async_trait;

use super::Result;
use crate::automation::Found;
use crate::model::{Accepted, ConnectionId, Cursor, Event, EventFilter, EventSeq, Mark, NewEvent, Priority};

/// The part of a [`Store`](crate::Store) about events and marks.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Appends an event, its marks and its de-duplication key, all or nothing. The answer comes after the commit.
    ///
    /// Without a connection the marks go to every connection of the workspace that is not `Disabled`: one that is paused, or
    /// waits for a reconnect, finds them later. Without a workspace the one that is bound to the location is taken, if one is
    /// bound by now. An event that then marks nothing, and that no connector has to read, is `Ignored` at once.
    ///
    /// An event that finds no workspace is held, and the oldest held ones make room for it: those of its location beyond
    /// [`HELD_OF_LOCATION`], and of all beyond [`HELD`]. What goes is forgotten with its key. No event of a workspace ever goes for another.
    ///
    /// All marks of a record are one row; those of both sides meet in it once the record is linked. A mark does not shorten
    /// the back-off of a record that failed, unless it is `Interactive`.
    async fn append_event(&self, event: NewEvent) -> Result<Accepted>;
    /// Marks records dirty without an event (sweep, backfill, operator), and moves a cursor of the same connection in the
    /// same transaction. Works for a connection in any state; what is marked waits until it is enabled.
    async fn mark(
        &self,
        connection: &ConnectionId,
        marks: Vec<Mark>,
        priority: Priority,
        cursor: Option<Cursor>,
    ) -> Result<()> {
        self.mark_found(connection, Found { marks, ..Found::default() }, priority, cursor).await
    }
    /// As [`mark`](Self::mark), with whatever else a connector told besides.
    async fn mark_found(
        &self,
        connection: &ConnectionId,
        found: Found,
        priority: Priority,
        cursor: Option<Cursor>,
    ) -> Result<()>;
    /// One event with its body.
    async fn event(&self, seq: EventSeq) -> Result<Option<Event>>;
    /// Events of a workspace, newest first.
    async fn events(&self, filter: EventFilter) -> Result<Vec<Event>>;
}
