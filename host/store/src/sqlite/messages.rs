//! Destinations, and the messages on their way there.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Result;
use super::codec::{At, Json, Word, count};
use super::configuration;
use super::counts::Scope;
use super::expire::Whose;
use crate::automation::{ClaimedMessage, Destination, MESSAGES, NewMessage};
use crate::error::StoreError;
use crate::model::{EventState, WorkspaceId};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

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
    let sql =
        "UPDATE destinations SET stopped = ?2 WHERE pk = (SELECT destination FROM outgoing WHERE id = ?1)";
    db.prepare_cached(sql)?.execute(params![message, reason])?;
    Ok(())
}

// ------------------------------------------------------------------------------------------------------------- messages

/// Hands a message over.
pub(super) fn send(
    db: &Connection,
    owner: &configuration::Owner,
    new: &NewMessage,
    now: Timestamp,
) -> Result<()> {
    let pk = destination_pk(db, owner.workspace, &new.destination)?
        .ok_or_else(|| StoreError::not_found("destination", &new.destination))?;
    if let Some(reason) = seat(db, pk)?.stopped {
        return Err(StoreError::conflict(
            format!("a message to the destination {}", new.destination),
            format!("its end: it {reason}, and nothing is sent there until an admin makes it anew"),
        ));
    }
    let sql = "SELECT count(*) FROM outgoing WHERE state = 0 AND connection = ?1";
    let waiting: u32 = db.prepare_cached(sql)?.query_row([owner.connection], |row| row.get(0))?;
    if waiting >= MESSAGES {
        return Err(StoreError::Limited(format!(
            "{waiting} messages of {} wait already, and {MESSAGES} is the most: `contactor destination list` shows which \
             destinations are slow or gone",
            owner.id
        )));
    }
    let sql = "INSERT INTO outgoing (id, connection, destination, message, created_at, due_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    db.prepare_cached(sql)?.execute(params![new.id, owner.connection, pk, Json(&new.message), At(now)])?;
    Ok(())
}

/// A destination, as far as handing out needs it.
pub(super) struct Seat {
    pub(super) workspace: i64,
    pub(super) shard: u16,
    pub(super) stopped: Option<String>,
    minute_from: Timestamp,
    sent: u32,
    full_until: Timestamp,
}

impl Seat {
    /// How many more may be tried in this minute.
    pub(super) fn left(&self, now: Timestamp, per_minute: u32) -> u32 {
        if self.is_in_minute(now) { per_minute.saturating_sub(self.sent) } else { per_minute }
    }

    /// A clock that was set back begins a new minute, or nothing would be sent for long.
    fn is_in_minute(&self, now: Timestamp) -> bool {
        (SignedDuration::ZERO..MINUTE).contains(&now.duration_since(self.minute_from))
    }
}

pub(super) fn seat(db: &Connection, destination: i64) -> Result<Seat> {
    let sql = "SELECT t.workspace, w.shard, t.stopped, t.minute_from, t.sent, t.full_until \
               FROM destinations t JOIN workspaces w ON w.pk = t.workspace WHERE t.pk = ?1";
    Ok(db.prepare_cached(sql)?.query_row([destination], |row| {
        Ok(Seat {
            workspace: row.get(0)?,
            shard: row.get(1)?,
            stopped: row.get(2)?,
            minute_from: row.get::<_, At>(3)?.0,
            sent: row.get(4)?,
            full_until: row.get::<_, At>(5)?.0,
        })
    })?)
}

/// The next destination after `after` with unclaimed messages, and when the first of them is due.
pub(super) fn next_group(db: &Connection, after: i64) -> Result<Option<(i64, Timestamp)>> {
    let group =
        db.prepare_cached(NEXT_GROUP)?.query_row([after], |row| Ok((row.get(0)?, row.get::<_, At>(1)?.0)));
    Ok(group.optional()?)
}

pub(super) const NEXT_GROUP: &str = "SELECT destination, due_at FROM outgoing \
                                     WHERE state = 0 AND claim = 0 AND destination > ?1 \
                                     ORDER BY destination, due_at LIMIT 1";

/// Messages in flight under a lease, by destination.
pub(super) fn in_flight(db: &Connection, token: i64) -> Result<HashMap<i64, u32>> {
    let mut statement = db.prepare_cached(IN_FLIGHT)?;
    let rows = statement.query_map([token], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) const IN_FLIGHT: &str =
    "SELECT destination, count(*) FROM outgoing WHERE state = 0 AND claim = ?1 GROUP BY destination";

pub(super) const DUE: &str = "SELECT pk FROM outgoing \
                              WHERE state = 0 AND claim = 0 AND destination = ?1 AND due_at <= ?2 \
                              ORDER BY due_at, pk LIMIT ?3";

/// Claims up to `limit` messages to a destination that are due, oldest first, and counts them into its minute.
pub(super) fn claim_due(
    db: &Connection,
    destination: i64,
    now: Timestamp,
    limit: u32,
    per_minute: u32,
    token: i64,
) -> Result<Vec<ClaimedMessage>> {
    let mut statement = db.prepare_cached(DUE)?;
    let due = statement.query_map(params![destination, At(now), limit], |row| row.get::<_, i64>(0))?;
    let due: Vec<_> = due.collect::<rusqlite::Result<_>>()?;
    let mut claimed = Vec::new();
    for pk in due {
        db.prepare_cached("UPDATE outgoing SET claim = ?2 WHERE pk = ?1")?.execute([pk, token])?;
        claimed.push(message(db, pk)?);
    }
    count_sent(db, destination, now, u32::try_from(claimed.len()).unwrap_or(limit), per_minute)?;
    Ok(claimed)
}

fn message(db: &Connection, pk: i64) -> Result<ClaimedMessage> {
    let sql = "SELECT o.id, c.id, o.message, o.created_at, o.attempts, w.id, t.name, t.kind, t.target, t.stopped, \
                   t.created_at \
               FROM outgoing o JOIN destinations t ON t.pk = o.destination JOIN workspaces w ON w.pk = t.workspace \
                   JOIN connections c ON c.pk = o.connection WHERE o.pk = ?1";
    Ok(db.prepare_cached(sql)?.query_row([pk], |row| {
        Ok(ClaimedMessage {
            id: row.get(0)?,
            connection: row.get(1)?,
            message: row.get::<_, Json<_>>(2)?.0,
            created_at: row.get::<_, At>(3)?.0,
            attempts: row.get(4)?,
            destination: destination_row(row, 5)?,
        })
    })?)
}

fn count_sent(db: &Connection, destination: i64, now: Timestamp, count: u32, per_minute: u32) -> Result<()> {
    let seat = seat(db, destination)?;
    let (from, sent) =
        if seat.is_in_minute(now) { (seat.minute_from, seat.sent + count) } else { (now, count) };
    let full_until = if sent >= per_minute { from + MINUTE } else { Timestamp::UNIX_EPOCH };
    let sql = "UPDATE destinations SET minute_from = ?2, sent = ?3, full_until = ?4 WHERE pk = ?1";
    db.prepare_cached(sql)?.execute(params![destination, At(from), sent, At(full_until)])?;
    Ok(())
}

/// When the next message may be sent.
pub(super) fn next_due(db: &Connection) -> Result<Option<Timestamp>> {
    let (mut after, mut earliest) = (0, None);
    while let Some((destination, due_at)) = next_group(db, after)? {
        after = destination;
        let seat = seat(db, destination)?;
        if seat.stopped.is_none() {
            let at = due_at.max(seat.full_until);
            earliest = Some(earliest.map_or(at, |earliest: Timestamp| earliest.min(at)));
        }
    }
    Ok(earliest)
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

/// Forgets what ended before this instant, and what has waited since before it for a destination that was stopped.
pub(super) fn remove_older(db: &Connection, whose: Whose, before: Timestamp, limit: u32) -> Result<u64> {
    let ended = format!(
        "DELETE FROM outgoing WHERE pk IN (SELECT pk FROM outgoing WHERE {} AND ended_at IS NOT NULL AND ended_at < ?1 \
             LIMIT ?2)",
        whose.by_connection()
    );
    let stopped = format!(
        "DELETE FROM outgoing WHERE pk IN (SELECT o.pk FROM destinations t JOIN outgoing o ON o.destination = t.pk \
             WHERE {} AND t.stopped IS NOT NULL AND o.state = 0 AND o.claim = 0 AND o.created_at < ?1 LIMIT ?2)",
        whose.by_workspace()
    );
    let mut removed = 0;
    for sql in [ended, stopped] {
        removed += db.prepare_cached(&sql)?.execute(params![At(before), limit])? as u64;
    }
    Ok(removed)
}
