//! Partner webhooks that wait until their connector has turned them into changes.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::Result;
use super::codec::{At, count};
use super::counts::Scope;
use crate::model::EventSeq;

pub(super) fn insert(db: &Connection, event: EventSeq, connection: i64, due_at: Timestamp) -> Result<()> {
    let sql = "INSERT INTO unread (event, connection, due_at) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![event, connection, At(due_at)])?;
    Ok(())
}

/// The next connection after `after` with unclaimed webhooks, and when the first of them is due.
pub(super) fn next_group(db: &Connection, after: i64) -> Result<Option<(i64, Timestamp)>> {
    let group =
        db.prepare_cached(NEXT_GROUP)?.query_row([after], |row| Ok((row.get(0)?, row.get::<_, At>(1)?.0)));
    Ok(group.optional()?)
}

pub(super) const NEXT_GROUP: &str = "SELECT connection, due_at FROM unread WHERE claim = 0 AND connection > ?1 \
                                     ORDER BY connection, due_at LIMIT 1";

/// Unclaimed webhooks of a connection that are due, oldest first, with the number of failed readings.
pub(super) fn due(
    db: &Connection,
    connection: i64,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(EventSeq, u32)>> {
    let mut statement = db.prepare_cached(DUE)?;
    let rows =
        statement.query_map(params![connection, At(now), limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) const DUE: &str = "SELECT event, attempts FROM unread WHERE claim = 0 AND connection = ?1 AND due_at <= ?2 \
                              ORDER BY due_at, event LIMIT ?3";

pub(super) const IN_FLIGHT: &str =
    "SELECT connection, count(*) FROM unread WHERE claim = ?1 GROUP BY connection";

/// Webhooks in flight under a lease, by connection.
pub(super) fn in_flight(db: &Connection, token: i64) -> Result<HashMap<i64, u32>> {
    let mut statement = db.prepare_cached(IN_FLIGHT)?;
    let rows = statement.query_map([token], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn claim(db: &Connection, event: EventSeq, token: i64) -> Result<()> {
    db.prepare_cached("UPDATE unread SET claim = ?2 WHERE event = ?1")?.execute(params![event, token])?;
    Ok(())
}

/// Frees what was claimed under other leases, in the shards of this one.
pub(super) fn free_claims(db: &Connection, token: i64) -> Result<()> {
    let sql = "UPDATE unread SET claim = 0 WHERE claim > 0 AND claim <> ?1 AND connection IN (\
                   SELECT c.pk FROM connections c JOIN workspaces w ON w.pk = c.workspace \
                   JOIN leases l ON l.shard = w.shard WHERE l.token = ?1)";
    db.prepare_cached(sql)?.execute([token])?;
    Ok(())
}

/// The connection of a webhook that is claimed under this token.
pub(super) fn claimed(db: &Connection, event: EventSeq, token: i64) -> Result<Option<i64>> {
    let sql = "SELECT connection FROM unread WHERE event = ?1 AND claim = ?2";
    Ok(db.prepare_cached(sql)?.query_row(params![event, token], |row| row.get(0)).optional()?)
}

pub(super) fn retry(db: &Connection, event: EventSeq, at: Timestamp, counts: bool) -> Result<()> {
    let sql = "UPDATE unread SET claim = 0, due_at = ?2, attempts = attempts + ?3 WHERE event = ?1";
    db.prepare_cached(sql)?.execute(params![event, At(at), counts])?;
    Ok(())
}

pub(super) fn remove(db: &Connection, event: EventSeq) -> Result<()> {
    db.prepare_cached("DELETE FROM unread WHERE event = ?1")?.execute([event])?;
    Ok(())
}

pub(super) fn waiting(db: &Connection, scope: Scope) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM unread WHERE {}", scope.filter());
    Ok(count(db.prepare_cached(&sql)?.query_row([scope.pk()], |row| row.get(0))?))
}
