//! How often connections wrote a record: what stops two of them that feed each other, or one that feeds itself.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::Result;
use super::codec::count;
use super::configuration::Owner;
use crate::automation::WriteLimit;
use crate::error::StoreError;
use crate::model::{ConnectionId, RecordId};

/// Connections that a message names.
const NAMED: usize = 5;

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

/// Counts one write.
pub(super) fn note(db: &Connection, owner: &Owner, record: &RecordId, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO writes (workspace, record, connection, minute, writes) VALUES (?1, ?2, ?3, ?4, 1) \
               ON CONFLICT (workspace, record, connection, minute) DO UPDATE SET writes = writes + 1";
    db.prepare_cached(sql)?.execute(params![owner.workspace, record, owner.connection, minute(now)])?;
    Ok(())
}

/// Refuses a further write when there were too many.
pub(super) fn check(db: &Connection, owner: &Owner, limit: &WriteLimit, now: Timestamp) -> Result<()> {
    let sql = "SELECT c.id, sum(n.writes) FROM writes n JOIN connections c ON c.pk = n.connection \
               WHERE n.workspace = ?1 AND n.record = ?2 AND n.minute > ?3 GROUP BY n.connection ORDER BY 2 DESC";
    let after = minute(now) - i64::from(limit.minutes);
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![owner.workspace, limit.record, after], |row| {
        Ok((row.get::<_, ConnectionId>(0)?, count(row.get(1)?)))
    })?;
    let writers: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    let own = writers.iter().find(|(id, _)| *id == owner.id).map_or(0, |(_, writes)| *writes);
    let total: u64 = writers.iter().map(|(_, writes)| writes).sum();
    let most = u64::from(limit.writes);
    if own < most && total < 2 * most {
        return Ok(());
    }
    Err(StoreError::Limited(too_many(limit, &writers, total)))
}

fn too_many(limit: &WriteLimit, writers: &[(ConnectionId, u64)], total: u64) -> String {
    let mut who: Vec<_> =
        writers.iter().take(NAMED).map(|(id, writes)| format!("{id} {writes} times")).collect();
    if writers.len() > NAMED {
        who.push(format!("{} others", writers.len() - NAMED));
    }
    let circle = if writers.len() > 1 { "they seem to feed each other" } else { "it seems to feed itself" };
    format!(
        "{} was written {total} times within {} minutes, by {}: {circle}, so nothing more is written. Change the rules or \
         mappings that answer each write with another one, then `contactor parked retry`",
        limit.record,
        limit.minutes,
        who.join(", "),
    )
}

/// Begins the count anew: of a record by all connections, or of all records by one connection.
pub(super) fn forget(db: &Connection, owner: &Owner, record: Option<&RecordId>) -> Result<()> {
    match record {
        Some(record) => {
            let sql = "DELETE FROM writes WHERE workspace = ?1 AND record = ?2";
            db.prepare_cached(sql)?.execute(params![owner.workspace, record])?;
        }
        None => {
            let sql = "DELETE FROM writes WHERE workspace = ?1 AND connection = ?2";
            db.prepare_cached(sql)?.execute([owner.workspace, owner.connection])?;
        }
    }
    Ok(())
}

/// Forgets what was written before this instant; at most `limit` rows.
pub(super) fn remove_older(db: &Connection, before: Timestamp, limit: u32) -> Result<u64> {
    let sql = "DELETE FROM writes WHERE (workspace, record, connection, minute) IN (\
                   SELECT workspace, record, connection, minute FROM writes WHERE minute < ?1 LIMIT ?2)";
    Ok(db.prepare_cached(sql)?.execute(params![minute(before), limit])? as u64)
}
