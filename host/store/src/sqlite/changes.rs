//! What connections changed of late, for the guard against mass changes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::codec::{At, count, integer};
use super::configuration::{self, Owner};
use super::{Result, links};
use crate::model::{Allowance, Changed, ConnectionId, ConnectionState, Counted, Guarded, RecordId, Side};

/// Counts the records that were changed, unless a person allowed them.
pub(super) fn note(db: &Connection, owner: &Owner, changed: &[Counted], now: Timestamp) -> Result<()> {
    let allowed = "UPDATE allowances SET records = records - 1 WHERE connection = ?1 AND records > 0";
    let sql = "INSERT INTO changes (connection, side, record, at) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (connection, side, record) DO UPDATE SET at = ?4";
    let records: BTreeSet<&RecordId> = changed.iter().map(|one| &one.record).collect();
    for record in records {
        // A record uses up one of those that are allowed, on however many sides it was changed.
        if db.prepare_cached(allowed)?.execute([owner.connection])? > 0 {
            continue;
        }
        for one in changed.iter().filter(|one| one.record == *record) {
            db.prepare_cached(sql)?.execute(params![owner.connection, one.side, record, At(now)])?;
        }
    }
    Ok(())
}

/// What was changed since, and what a person allowed.
pub(super) fn guarded(db: &Connection, id: &ConnectionId, since: Timestamp) -> Result<Guarded> {
    let connection = configuration::owner(db, id)?.connection;
    let changed = |side: Side| -> Result<u64> {
        let sql = "SELECT count(*) FROM changes WHERE connection = ?1 AND side = ?2 AND at >= ?3";
        Ok(count(db.prepare_cached(sql)?.query_row(params![connection, side, At(since)], |row| row.get(0))?))
    };
    let allowed = "SELECT records FROM allowances WHERE connection = ?1";
    let allowed: Option<i64> =
        db.prepare_cached(allowed)?.query_row([connection], |row| row.get(0)).optional()?;
    let scope = super::counts::Scope::Connection(connection);
    Ok(Guarded {
        in_highlevel: changed(Side::Highlevel)?,
        at_partner: changed(Side::Partner)?,
        links: links::active(db, scope)? + links::quarantined(db, scope)?,
        allowed: allowed.map_or(0, count),
    })
}

/// The records that were changed last.
pub(super) fn latest(db: &Connection, id: &ConnectionId, limit: u32) -> Result<Vec<Changed>> {
    let connection = configuration::owner(db, id)?.connection;
    let sql =
        "SELECT side, record, at FROM changes WHERE connection = ?1 ORDER BY at DESC, record, side LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![connection, limit], |row| {
        Ok(Changed { side: row.get(0)?, record: row.get(1)?, at: row.get::<_, At>(2)?.0 })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether a record was counted since.
pub(super) fn is_counted(
    db: &Connection,
    id: &ConnectionId,
    side: Side,
    record: &RecordId,
    since: Timestamp,
) -> Result<bool> {
    let connection = configuration::owner(db, id)?.connection;
    let sql = "SELECT 1 FROM changes WHERE connection = ?1 AND side = ?2 AND record = ?3 AND at >= ?4";
    Ok(db.prepare_cached(sql)?.exists(params![connection, side, record, At(since)])?)
}

/// Lets so many more records pass and has a paused connection go on.
pub(super) fn allow(db: &Connection, id: &ConnectionId, allowance: Allowance) -> Result<()> {
    let Allowance { records, anew } = allowance;
    let owner = configuration::owner(db, id)?;
    if anew {
        db.prepare_cached("DELETE FROM changes WHERE connection = ?1")?.execute([owner.connection])?;
    }
    let sql = "INSERT INTO allowances (connection, records) VALUES (?1, ?2) \
               ON CONFLICT (connection) DO UPDATE SET records = ?2";
    db.prepare_cached(sql)?.execute(params![owner.connection, integer(records)])?;
    let paused = configuration::connection(db, id)?.filter(|found| found.state == ConnectionState::Paused);
    if paused.is_some() {
        configuration::set_connection_state(db, id, ConnectionState::Enabled, None)?;
    }
    Ok(())
}

/// Forgets what was changed before this instant; at most `limit` rows.
pub(super) fn remove_older(db: &Connection, before: Timestamp, limit: u32) -> Result<u64> {
    let sql = "DELETE FROM changes WHERE (connection, side, record) IN \
               (SELECT connection, side, record FROM changes WHERE at < ?1 LIMIT ?2)";
    Ok(db.prepare_cached(sql)?.execute(params![At(before), limit])? as u64)
}
