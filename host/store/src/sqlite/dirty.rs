//! Dirty records: one row per record that has to be reconciled, however many marks it got.
//!
//! A record with a link is addressed by HighLevel's id, so that marks of both sides meet in one row.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, params};

use super::codec::{At, count};
use super::counts::Scope;
use super::marks::{self, HINTS, Place};
use super::{Result, links};
use crate::model::{EventSeq, Mark, Priority, RecordId, Side};

/// A row, as far as work needs it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) entity: String,
    pub(super) side: Side,
    pub(super) record: RecordId,
    pub(super) claim: i64,
    pub(super) priority: Priority,
    pub(super) due_at: Timestamp,
    pub(super) attempts: u32,
    pub(super) generation: i64,
    pub(super) hints: i64,
    pub(super) first_marked_at: Timestamp,
}

const COLUMNS: &str =
    "id, entity, side, record, claim, priority, due_at, attempts, generation, hints, first_marked_at";

fn row(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        id: row.get(0)?,
        entity: row.get(1)?,
        side: row.get(2)?,
        record: row.get(3)?,
        claim: row.get(4)?,
        priority: row.get(5)?,
        due_at: row.get::<_, At>(6)?.0,
        attempts: row.get(7)?,
        generation: row.get(8)?,
        hints: row.get(9)?,
        first_marked_at: row.get::<_, At>(10)?.0,
    })
}

/// Marks a record dirty, and answers its row.
///
/// A mark does not shorten a back-off, or a record that changes often would hammer a partner that is down. An interactive
/// mark does, and so does one that is more urgent than a record which only waits (for a quota, say).
pub(super) fn mark(
    db: &Connection,
    connection: i64,
    mark: &Mark,
    priority: Priority,
    event: Option<EventSeq>,
    at: Timestamp,
) -> Result<i64> {
    let linked = match mark.side {
        Side::Highlevel => None,
        Side::Partner => links::highlevel_id(db, connection, &mark.entity, &mark.record)?,
    };
    let (side, record) = linked.as_ref().map_or((mark.side, &mark.record), |id| (Side::Highlevel, id));
    let sql = "INSERT INTO dirty (connection, entity, side, record, priority, due_at, first_marked_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) \
               ON CONFLICT (connection, entity, side, record) DO UPDATE SET \
                   generation = generation + 1, hints = hints + 1, priority = min(priority, excluded.priority), \
                   due_at = CASE WHEN excluded.priority = 0 OR (attempts = 0 AND excluded.priority < priority) \
                       THEN min(due_at, excluded.due_at) ELSE due_at END \
               RETURNING id, generation, hints";
    let (dirty, generation, hints): (i64, i64, i64) = db
        .prepare_cached(sql)?
        .query_row(params![connection, mark.entity, side, record, priority, At(at)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let full = hints > HINTS;
    // Every event gets its row, because it has to end; a mark without one only has to force a read, and sweeps of a
    // connection that is paused for months must not pile up.
    if event.is_some() || !full {
        marks::insert(db, &Place { connection, dirty, generation, priority, at }, event, mark, full)?;
    }
    Ok(dirty)
}

/// The next connection after `after` with unclaimed records of a priority, and when the first of them is due.
pub(super) fn next_group(
    db: &Connection,
    priority: Priority,
    after: i64,
) -> Result<Option<(i64, Timestamp)>> {
    let group = db
        .prepare_cached(NEXT_GROUP)?
        .query_row(params![priority, after], |row| Ok((row.get(0)?, row.get::<_, At>(1)?.0)));
    Ok(group.optional()?)
}

pub(super) const NEXT_GROUP: &str = "SELECT connection, due_at FROM dirty \
                                     WHERE claim = 0 AND priority = ?1 AND connection > ?2 \
                                     ORDER BY connection, due_at LIMIT 1";

/// Unclaimed records of one connection and priority that are due, oldest first.
pub(super) fn due(
    db: &Connection,
    priority: Priority,
    connection: i64,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM dirty {DUE}");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![priority, connection, At(now), limit], row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) const DUE: &str = "WHERE claim = 0 AND priority = ?1 AND connection = ?2 AND due_at <= ?3 \
                              ORDER BY due_at, id LIMIT ?4";

/// Records in flight under a lease, by connection.
pub(super) fn in_flight(db: &Connection, token: i64) -> Result<HashMap<i64, u32>> {
    let mut statement = db.prepare_cached(IN_FLIGHT)?;
    let rows = statement.query_map([token], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) const IN_FLIGHT: &str =
    "SELECT connection, count(*) FROM dirty WHERE claim = ?1 GROUP BY connection";

/// The row of a record.
pub(super) fn find(
    db: &Connection,
    connection: i64,
    entity: &str,
    side: Side,
    record: &RecordId,
) -> Result<Option<Row>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM dirty WHERE connection = ?1 AND entity = ?2 AND side = ?3 AND record = ?4"
    );
    Ok(db.prepare_cached(&sql)?.query_row(params![connection, entity, side, record], row).optional()?)
}

/// Claims a row, and answers it as it is now: another row may have joined it since it was looked up.
pub(super) fn claim(db: &Connection, id: i64, token: i64) -> Result<Row> {
    let sql = format!("UPDATE dirty SET claim = ?2 WHERE id = ?1 RETURNING {COLUMNS}");
    Ok(db.prepare_cached(&sql)?.query_row([id, token], row)?)
}

/// Frees what was claimed under other leases, in the shards of this one.
pub(super) fn free_claims(db: &Connection, token: i64) -> Result<()> {
    let sql = "UPDATE dirty SET claim = 0 WHERE claim > 0 AND claim <> ?1 AND connection IN (\
                   SELECT c.pk FROM connections c JOIN workspaces w ON w.pk = c.workspace \
                   JOIN leases l ON l.shard = w.shard WHERE l.token = ?1)";
    db.prepare_cached(sql)?.execute([token])?;
    Ok(())
}

/// Gives a claimed row back, to be tried again.
pub(super) fn retry(db: &Connection, id: i64, at: Timestamp, counts: bool) -> Result<()> {
    let sql = "UPDATE dirty SET claim = 0, due_at = ?2, attempts = attempts + ?3 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id, At(at), counts])?;
    Ok(())
}

/// Puts off a row that is not claimed: its entity rests until then.
pub(super) fn put_off(db: &Connection, id: i64, until: Timestamp) -> Result<()> {
    db.prepare_cached("UPDATE dirty SET due_at = ?2 WHERE id = ?1")?.execute(params![id, At(until)])?;
    Ok(())
}

/// Makes rows due that were put off until `until`, at most so many; all when `most` is negative.
pub(super) fn put_forward(
    db: &Connection,
    connection: i64,
    entity: &str,
    until: Timestamp,
    now: Timestamp,
    most: i64,
) -> Result<()> {
    // The priorities are named for the index of what is due.
    let sql = "UPDATE dirty SET due_at = ?4 WHERE id IN (SELECT id FROM dirty WHERE claim = 0 AND priority IN (0, 1, 2, 3) \
               AND connection = ?1 AND due_at = ?3 AND entity = ?2 LIMIT ?5)";
    db.prepare_cached(sql)?.execute(params![connection, entity, At(until), At(now), most])?;
    Ok(())
}

/// Ends a claimed row whose marks up to `generation` are dealt with: it goes, unless it was marked again meanwhile.
pub(super) fn settle(db: &Connection, id: i64, generation: i64) -> Result<()> {
    let sql = "DELETE FROM dirty WHERE id = ?1 AND generation = ?2";
    if db.prepare_cached(sql)?.execute(params![id, generation])? == 1 {
        return Ok(());
    }
    let waiting = marks::waiting(db, id)?;
    let sql = "UPDATE dirty SET claim = 0, attempts = 0, hints = ?2, priority = coalesce(?3, priority), \
                   due_at = coalesce(?4, due_at), first_marked_at = coalesce(?4, first_marked_at) WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![
        id,
        waiting.hints,
        waiting.most_urgent,
        waiting.oldest.map(At)
    ])?;
    Ok(())
}

/// Brings a row that is addressed by the partner's id, and not claimed, to the address of its linked record: its marks go
/// to the row that is there already, or the row moves.
pub(super) fn readdress(db: &Connection, connection: i64, id: i64, highlevel: &RecordId) -> Result<()> {
    let sql = "SELECT entity FROM dirty WHERE id = ?1";
    let entity: String = db.prepare_cached(sql)?.query_row([id], |row| row.get(0))?;
    let Some(existing) = find(db, connection, &entity, Side::Highlevel, highlevel)? else {
        let sql = "UPDATE dirty SET side = ?2, record = ?3 WHERE id = ?1";
        db.prepare_cached(sql)?.execute(params![id, Side::Highlevel, highlevel])?;
        return Ok(());
    };
    marks::move_to(db, id, existing.id, existing.generation + 1)?;
    let sql = "UPDATE dirty SET generation = dirty.generation + 1, hints = dirty.hints + other.hints, \
                   priority = min(dirty.priority, other.priority), \
                   first_marked_at = min(dirty.first_marked_at, other.first_marked_at), \
                   due_at = CASE WHEN dirty.attempts = 0 THEN min(dirty.due_at, other.due_at) ELSE dirty.due_at END \
               FROM dirty AS other WHERE dirty.id = ?1 AND other.id = ?2";
    db.prepare_cached(sql)?.execute([existing.id, id])?;
    db.prepare_cached("DELETE FROM dirty WHERE id = ?1")?.execute([id])?;
    Ok(())
}

pub(super) fn waiting_sql(scope: Scope) -> String {
    // A priority of 3 is a first sync's.
    format!(
        "SELECT count(*), min(first_marked_at), min(first_marked_at) FILTER (WHERE priority < 3) FROM dirty WHERE {}",
        scope.filter()
    )
}

/// What waits or runs.
pub(super) struct Waiting {
    pub(super) count: u64,
    /// Since when the oldest does.
    pub(super) oldest: Option<Timestamp>,
    /// The same of those that no first sync marked.
    pub(super) oldest_live: Option<Timestamp>,
}

pub(super) fn waiting(db: &Connection, scope: Scope) -> Result<Waiting> {
    Ok(db.prepare_cached(&waiting_sql(scope))?.query_row([scope.pk()], |row| {
        let at = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<At>>(column)?.map(|at| at.0));
        Ok(Waiting { count: count(row.get(0)?), oldest: at(1)?, oldest_live: at(2)? })
    })?)
}
