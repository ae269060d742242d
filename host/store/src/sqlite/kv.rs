//! Cursors of streams, and the small state that a connector keeps.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Result;
use super::codec::{At, count, integer};
use crate::error::StoreError;
use crate::model::{ConnectionId, Cursor, Trouble};

pub(super) fn cursor(db: &Connection, connection: &ConnectionId, stream: &str) -> Result<Option<Cursor>> {
    let sql = "SELECT s.cursor, s.done, s.seen, s.total, s.updated_at, s.failures, s.retry_at, s.problem \
               FROM cursors s JOIN connections c ON c.pk = s.connection WHERE c.id = ?1 AND s.stream = ?2";
    let cursor = db.prepare_cached(sql)?.query_row(params![connection, stream], |row| {
        Ok(Cursor {
            connection: connection.clone(),
            stream: stream.to_owned(),
            cursor: row.get(0)?,
            done: row.get(1)?,
            seen: count(row.get(2)?),
            total: row.get::<_, Option<i64>>(3)?.map(count),
            updated_at: row.get::<_, At>(4)?.0,
            trouble: match row.get::<_, Option<At>>(6)? {
                Some(retry_at) => {
                    Some(Trouble { failures: row.get(5)?, retry_at: retry_at.0, problem: row.get(7)? })
                }
                None => None,
            },
        })
    });
    Ok(cursor.optional()?)
}

pub(super) fn put_cursor(db: &Connection, connection: i64, cursor: &Cursor) -> Result<()> {
    let sql = "INSERT INTO cursors (connection, stream, cursor, done, seen, total, updated_at, failures, retry_at, \
                   problem) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (connection, stream) DO UPDATE SET \
                   cursor = ?3, done = ?4, seen = ?5, total = ?6, updated_at = ?7, failures = ?8, retry_at = ?9, \
                   problem = ?10";
    let trouble = cursor.trouble.as_ref();
    db.prepare_cached(sql)?.execute(params![
        connection,
        cursor.stream,
        cursor.cursor,
        cursor.done,
        integer(cursor.seen),
        cursor.total.map(integer),
        At(cursor.updated_at),
        trouble.map_or(0, |trouble| trouble.failures),
        trouble.map(|trouble| At(trouble.retry_at)),
        trouble.map(|trouble| &trouble.problem),
    ])?;
    Ok(())
}

pub(super) fn get(db: &Connection, connection: &ConnectionId, key: &str) -> Result<Option<(Vec<u8>, u64)>> {
    let sql = "SELECT s.value, s.version FROM state s JOIN connections c ON c.pk = s.connection \
               WHERE c.id = ?1 AND s.key = ?2";
    let found = db
        .prepare_cached(sql)?
        .query_row(params![connection, key], |row| Ok((row.get(0)?, count(row.get(1)?))));
    Ok(found.optional()?)
}

/// Compare-and-set. Versions come from one counter and are never given twice, so a key that was removed and made again
/// cannot be mistaken for what it was before.
pub(super) fn set(db: &Connection, connection: i64, key: &str, expected: u64, value: &[u8]) -> Result<u64> {
    let sql = "SELECT version FROM state WHERE connection = ?1 AND key = ?2";
    let stored: Option<i64> =
        db.prepare_cached(sql)?.query_row(params![connection, key], |row| row.get(0)).optional()?;
    let stored = stored.map_or(0, count);
    if stored != expected {
        let version = |version: u64| match version {
            0 => "no value".to_owned(),
            other => format!("version {other}"),
        };
        return Err(StoreError::conflict(
            format!("setting state `{key}` in the place of {}", version(expected)),
            format!("the stored {}", version(stored)),
        ));
    }
    let sql = "UPDATE meta SET value = value + 1 WHERE key = 'state_version' RETURNING value";
    let version: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    let sql = "INSERT INTO state (connection, key, version, value) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (connection, key) DO UPDATE SET version = ?3, value = ?4";
    db.prepare_cached(sql)?.execute(params![connection, key, version, value])?;
    Ok(count(version))
}

pub(super) fn delete(db: &Connection, connection: i64, key: &str) -> Result<()> {
    let sql = "DELETE FROM state WHERE connection = ?1 AND key = ?2";
    db.prepare_cached(sql)?.execute(params![connection, key])?;
    Ok(())
}

pub(super) fn keys(db: &Connection, connection: &ConnectionId, prefix: &str) -> Result<Vec<String>> {
    // Not LIKE: a prefix may hold its wildcards. Keys from the prefix on are read until one does not begin with it.
    let sql = "SELECT s.key FROM state s JOIN connections c ON c.pk = s.connection \
               WHERE c.id = ?1 AND s.key >= ?2 ORDER BY s.key";
    let mut keys = Vec::new();
    for key in
        db.prepare_cached(sql)?.query_map(params![connection, prefix], |row| row.get::<_, String>(0))?
    {
        let key = key?;
        if !key.starts_with(prefix) {
            break;
        }
        keys.push(key);
    }
    Ok(keys)
}
