//! Destinations, and the messages on their way there.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Result;
use super::codec::{At, Json, Word, count};
use super::configuration;
use super::counts::Scope;
use crate::automation::{ClaimedMessage, Destination, NewMessage};
use crate::error::StoreError;
use crate::model::{EventState, WorkspaceId};

const DESTINATION: &str = "SELECT w.id, t.name, t.kind, t.target, t.stopped, t.created_at \
                           FROM destinations t JOIN workspaces w ON w.pk = t.workspace";

fn destination_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Destination> {
    Ok(Destination {
        workspace: row.get(first)?,
        name: row.get(first + 1)?,
        kind: row.get::<_, Word<_>>(first + 2)?.0,
        target: row.get::<_, Json<_>>(first + 3)?.0,
        stopped: row.get(first + 4)?,
        created_at: row.get::<_, At>(first + 5)?.0,
    })
}

pub(super) fn put_destination(db: &Connection, new: &Destination) -> Result<()> {
    let workspace = configuration::workspace_pk(db, &new.workspace)?;
    let sql = "INSERT INTO destinations (workspace, name, kind, target, stopped, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
               ON CONFLICT (workspace, name) DO UPDATE SET kind = ?3, target = ?4, stopped = ?5";
    db.prepare_cached(sql)?.execute(params![
        workspace,
        new.name,
        Word(new.kind),
        Json(&new.target),
        new.stopped,
        At(new.created_at)
    ])?;
    if let Some(pk) = destination_pk(db, workspace, &new.name)? {
        hold(db, pk, new.stopped.is_some())?;
    }
    Ok(())
}

/// Messages of a destination wait aside while it is stopped, so that no claim has to step over them.
fn hold(db: &Connection, destination: i64, held: bool) -> Result<()> {
    let sql = "UPDATE outgoing SET held = ?2 WHERE destination = ?1 AND held <> ?2";
    db.prepare_cached(sql)?.execute(params![destination, held])?;
    Ok(())
}

pub(super) fn destinations(db: &Connection, workspace: &WorkspaceId) -> Result<Vec<Destination>> {
    let sql = format!("{DESTINATION} WHERE w.id = ?1 ORDER BY t.name");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([workspace], |row| destination_row(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn destination(
    db: &Connection,
    workspace: &WorkspaceId,
    name: &str,
) -> Result<Option<Destination>> {
    let sql = format!("{DESTINATION} WHERE w.id = ?1 AND t.name = ?2");
    Ok(db
        .prepare_cached(&sql)?
        .query_row(params![workspace, name], |row| destination_row(row, 0))
        .optional()?)
}

fn destination_pk(db: &Connection, workspace: i64, name: &str) -> Result<Option<i64>> {
    let sql = "SELECT pk FROM destinations WHERE workspace = ?1 AND name = ?2";
    Ok(db.prepare_cached(sql)?.query_row(params![workspace, name], |row| row.get(0)).optional()?)
}

pub(super) fn remove_destination(db: &Connection, workspace: &WorkspaceId, name: &str) -> Result<bool> {
    let workspace = configuration::workspace_pk(db, workspace)?;
    let Some(pk) = destination_pk(db, workspace, name)? else { return Ok(false) };
    let sql =
        "DELETE FROM parked WHERE entity = ?2 AND record IN (SELECT id FROM outgoing WHERE destination = ?1)";
    db.prepare_cached(sql)?.execute(params![pk, crate::automation::MESSAGE_ENTITY])?;
    db.prepare_cached("DELETE FROM outgoing WHERE destination = ?1")?.execute([pk])?;
    db.prepare_cached("DELETE FROM destinations WHERE pk = ?1")?.execute([pk])?;
    Ok(true)
}

/// Stops sending to the destination of a message.
pub(super) fn stop_destination(db: &Connection, message: &str, reason: &str) -> Result<()> {
    let sql = "UPDATE destinations SET stopped = ?2 WHERE pk = (SELECT destination FROM outgoing WHERE id = ?1) RETURNING pk";
    let stopped = db.prepare_cached(sql)?.query_row(params![message, reason], |row| row.get(0)).optional()?;
    match stopped {
        Some(destination) => hold(db, destination, true),
        None => Ok(()),
    }
}

// ------------------------------------------------------------------------------------------------------------- messages

pub(super) fn send(
    db: &Connection,
    owner: &configuration::Owner,
    new: &NewMessage,
    now: Timestamp,
) -> Result<()> {
    let destination = destination_pk(db, owner.workspace, &new.destination)?
        .ok_or_else(|| StoreError::not_found("destination", &new.destination))?;
    let sql = "INSERT INTO outgoing (id, connection, destination, message, created_at, due_at, held) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?5, (SELECT stopped IS NOT NULL FROM destinations WHERE pk = ?3))";
    db.prepare_cached(sql)?.execute(params![
        new.id,
        owner.connection,
        destination,
        Json(&new.message),
        At(now)
    ])?;
    Ok(())
}

pub(super) const DUE: &str = "SELECT o.id, c.id, o.message, o.created_at, o.attempts, w.id, t.name, t.kind, t.target, \
                                  t.stopped, t.created_at \
                              FROM outgoing o CROSS JOIN destinations t ON t.pk = o.destination \
                                  JOIN workspaces w ON w.pk = t.workspace JOIN connections c ON c.pk = o.connection \
                                  JOIN leases l ON l.shard = w.shard \
                              WHERE o.state = 0 AND o.claim = 0 AND o.held = 0 AND o.due_at <= ?1 AND l.token = ?2 \
                              ORDER BY o.due_at, o.pk LIMIT ?3";

pub(super) const NEXT_DUE: &str =
    "SELECT due_at FROM outgoing WHERE state = 0 AND claim = 0 AND held = 0 ORDER BY due_at LIMIT 1";

/// Claims messages that are due.
pub(super) fn claim(db: &Connection, token: i64, now: Timestamp, limit: u32) -> Result<Vec<ClaimedMessage>> {
    let mut statement = db.prepare_cached(DUE)?;
    let rows = statement.query_map(params![At(now), token, limit], |row| {
        Ok(ClaimedMessage {
            id: row.get(0)?,
            connection: row.get(1)?,
            message: row.get::<_, Json<_>>(2)?.0,
            created_at: row.get::<_, At>(3)?.0,
            attempts: row.get(4)?,
            destination: destination_row(row, 5)?,
        })
    })?;
    let claimed: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    for message in &claimed {
        let sql = "UPDATE outgoing SET claim = ?2 WHERE id = ?1";
        db.prepare_cached(sql)?.execute(params![message.id, token])?;
    }
    Ok(claimed)
}

/// When the next message is due.
pub(super) fn next_due(db: &Connection) -> Result<Option<Timestamp>> {
    Ok(db.prepare_cached(NEXT_DUE)?.query_row([], |row| row.get::<_, At>(0)).optional()?.map(|at| at.0))
}

/// Frees what was claimed under other leases, in the shards of this one.
pub(super) fn free_claims(db: &Connection, token: i64) -> Result<()> {
    let sql = "UPDATE outgoing SET claim = 0 WHERE state = 0 AND claim > 0 AND claim <> ?1 \
               AND connection IN (SELECT c.pk FROM connections c JOIN workspaces w ON w.pk = c.workspace \
                   JOIN leases l ON l.shard = w.shard WHERE l.token = ?1)";
    db.prepare_cached(sql)?.execute([token])?;
    Ok(())
}

/// The connection of a message that is claimed under this token.
pub(super) fn claimed(db: &Connection, id: &str, token: i64) -> Result<Option<i64>> {
    let sql = "SELECT connection FROM outgoing WHERE id = ?1 AND claim = ?2 AND state = 0";
    Ok(db.prepare_cached(sql)?.query_row(params![id, token], |row| row.get(0)).optional()?)
}

pub(super) fn retry(db: &Connection, id: &str, at: Timestamp, counts: bool) -> Result<()> {
    let sql = "UPDATE outgoing SET claim = 0, due_at = ?2, attempts = attempts + ?3 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id, At(at), counts])?;
    Ok(())
}

/// Ends a message. One that is parked keeps its text, to be sent again.
pub(super) fn finish(db: &Connection, id: &str, state: EventState, now: Timestamp) -> Result<()> {
    let sql = "UPDATE outgoing SET state = ?2, claim = 0, ended_at = CASE WHEN ?3 THEN NULL ELSE ?4 END, \
                   message = CASE WHEN ?3 THEN message ELSE 'null' END WHERE id = ?1";
    let is_parked = state == EventState::Parked;
    db.prepare_cached(sql)?.execute(params![id, state, is_parked, At(now)])?;
    Ok(())
}

/// Has a parked message sent again; answers whether it was parked.
pub(super) fn retry_parked(db: &Connection, connection: i64, id: &str, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE outgoing SET state = 0, due_at = ?3, attempts = 0 WHERE id = ?1 AND connection = ?2 AND state = ?4";
    let changed = db.prepare_cached(sql)?.execute(params![id, connection, At(now), EventState::Parked])?;
    Ok(changed > 0)
}

pub(super) fn waiting(db: &Connection, scope: Scope) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM outgoing WHERE state = 0 AND {}", scope.filter());
    Ok(count(db.prepare_cached(&sql)?.query_row([scope.pk()], |row| row.get(0))?))
}

pub(super) fn remove_older(db: &Connection, before: Timestamp, limit: u32) -> Result<u64> {
    let sql = "DELETE FROM outgoing WHERE pk IN (SELECT pk FROM outgoing WHERE ended_at IS NOT NULL AND ended_at < ?1 \
                   LIMIT ?2)";
    Ok(db.prepare_cached(sql)?.execute(params![At(before), limit])? as u64)
}
