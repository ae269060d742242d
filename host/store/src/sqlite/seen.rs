//! What the last walk over a list saw.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Result;
use crate::model::{RecordId, Seen};

/// Everything that was seen of a stream, by record.
pub(super) fn all(db: &Connection, workspace: i64, stream: &str) -> Result<Vec<Seen>> {
    let sql =
        "SELECT record, parent, fingerprint FROM seen WHERE workspace = ?1 AND stream = ?2 ORDER BY record";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![workspace, stream], |row| {
        Ok(Seen { record: row.get(0)?, parent: row.get(1)?, fingerprint: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What was seen of one record.
pub(super) fn one(db: &Connection, workspace: i64, stream: &str, record: &RecordId) -> Result<Option<Seen>> {
    let sql =
        "SELECT record, parent, fingerprint FROM seen WHERE workspace = ?1 AND stream = ?2 AND record = ?3";
    let seen = db.prepare_cached(sql)?.query_row(params![workspace, stream, record], |row| {
        Ok(Seen { record: row.get(0)?, parent: row.get(1)?, fingerprint: row.get(2)? })
    });
    Ok(seen.optional()?)
}

/// Replaces what was seen of some records and forgets others.
pub(super) fn put(
    db: &Connection,
    workspace: i64,
    stream: &str,
    seen: &[Seen],
    gone: &[RecordId],
) -> Result<()> {
    let sql = "INSERT INTO seen (workspace, stream, record, parent, fingerprint) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (workspace, stream, record) DO UPDATE SET parent = ?4, fingerprint = ?5";
    let mut statement = db.prepare_cached(sql)?;
    for one in seen {
        statement.execute(params![workspace, stream, one.record, one.parent, one.fingerprint])?;
    }
    let sql = "DELETE FROM seen WHERE workspace = ?1 AND stream = ?2 AND record = ?3";
    let mut statement = db.prepare_cached(sql)?;
    for record in gone {
        statement.execute(params![workspace, stream, record])?;
    }
    Ok(())
}
