//! Marks: the hints of a dirty record while it waits, and afterwards how each event ended there.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::Result;
use super::codec::{At, Json, code_columns};
use crate::model::{EventSeq, EventState, Hint, Mark, Priority, RunId, Side};

// The least finished state has the smallest code, so that `min` over an event's marks is the state of the event.
code_columns!(EventState { Accepted = 0, Parked = 1, Applied = 2, Superseded = 3, Ignored = 4, Held = 5 });

/// Hints that are kept for one waiting record. Beyond it a run has to read the record anyway, and is not slowed down by a
/// list of thousands.
pub(super) const HINTS: i64 = 16;

/// Where a mark belongs.
pub(super) struct Place {
    pub(super) connection: i64,
    pub(super) dirty: i64,
    pub(super) generation: i64,
    pub(super) priority: Priority,
    pub(super) at: Timestamp,
}

/// Keeps a mark. `full` leaves the snapshot out.
pub(super) fn insert(
    db: &Connection,
    place: &Place,
    event: Option<EventSeq>,
    mark: &Mark,
    full: bool,
) -> Result<()> {
    let sql = "INSERT INTO marks (event, connection, dirty, generation, priority, side, deleted, marked_at, snapshot) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let snapshot = mark.snapshot.as_ref().filter(|_| !full).map(Json);
    db.prepare_cached(sql)?.execute(params![
        event,
        place.connection,
        place.dirty,
        place.generation,
        place.priority,
        mark.side,
        mark.deleted,
        At(place.at),
        snapshot,
    ])?;
    Ok(())
}

/// Notes that a person asked for the marks of a waiting record that no event made.
pub(super) fn note_asked(db: &Connection, dirty: i64) -> Result<()> {
    db.prepare_cached("UPDATE marks SET asked = 1 WHERE dirty = ?1 AND event IS NULL")?.execute([dirty])?;
    Ok(())
}

/// The hints of a waiting record, oldest first. Too many of them, or marks of which no row was kept, are one hint without a
/// snapshot.
pub(super) fn hints(db: &Connection, dirty: i64, counted: i64, side: Side) -> Result<Vec<Hint>> {
    if counted <= HINTS {
        let sql = "SELECT event, side, deleted, snapshot, asked FROM marks WHERE dirty = ?1 ORDER BY generation, id";
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map([dirty], |row| {
            Ok(Hint {
                event: row.get(0)?,
                side: row.get(1)?,
                deleted: row.get(2)?,
                snapshot: row.get::<_, Option<Json<_>>>(3)?.map(|json| json.0),
                asked: row.get(4)?,
            })
        })?;
        let hints: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        if !hints.is_empty() {
            return Ok(hints);
        }
    }
    let sql = "SELECT max(event) FROM marks WHERE dirty = ?1";
    let event = db.prepare_cached(sql)?.query_row([dirty], |row| row.get(0))?;
    Ok(vec![Hint { event, side, snapshot: None, deleted: false, asked: false }])
}

/// What still waits behind a record.
pub(super) struct Waiting {
    pub(super) hints: i64,
    /// Of the most urgent and of the oldest mark; `None` when no row was kept.
    pub(super) most_urgent: Option<Priority>,
    pub(super) oldest: Option<Timestamp>,
}

pub(super) fn waiting(db: &Connection, dirty: i64) -> Result<Waiting> {
    let sql = "SELECT count(*), min(priority), min(marked_at) FROM marks WHERE dirty = ?1";
    Ok(db.prepare_cached(sql)?.query_row([dirty], |row| {
        Ok(Waiting {
            hints: row.get(0)?,
            most_urgent: row.get(1)?,
            oldest: row.get::<_, Option<At>>(2)?.map(|at| at.0),
        })
    })?)
}

/// Ends the marks that a run covered: the newest event gets `state`, the older ones were superseded by it. Marks without an
/// event leave nothing behind.
pub(super) fn finish(
    db: &Connection,
    dirty: i64,
    generation: i64,
    state: EventState,
    run: Option<&RunId>,
) -> Result<()> {
    let sql = "DELETE FROM marks WHERE dirty = ?1 AND generation <= ?2 AND event IS NULL";
    db.prepare_cached(sql)?.execute(params![dirty, generation])?;
    let sql =
        "SELECT id FROM marks WHERE dirty = ?1 AND generation <= ?2 ORDER BY event DESC, id DESC LIMIT 1";
    let newest: Option<i64> =
        db.prepare_cached(sql)?.query_row(params![dirty, generation], |row| row.get(0)).optional()?;
    if newest.is_some() {
        let sql = "UPDATE marks SET dirty = NULL, snapshot = NULL, run = ?4, \
                       state = CASE WHEN id = ?3 THEN ?5 ELSE ?6 END \
                   WHERE dirty = ?1 AND generation <= ?2";
        db.prepare_cached(sql)?.execute(params![
            dirty,
            generation,
            newest,
            run,
            state,
            EventState::Superseded
        ])?;
    }
    Ok(())
}

/// Hands the marks of one waiting record to another, as its newest.
pub(super) fn move_to(db: &Connection, from: i64, to: i64, generation: i64) -> Result<()> {
    let sql = "UPDATE marks SET dirty = ?2, generation = ?3 WHERE dirty = ?1";
    db.prepare_cached(sql)?.execute(params![from, to, generation])?;
    Ok(())
}
