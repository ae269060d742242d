//! The journal of a delivery's handler.

use rusqlite::{Connection, params};

use super::Result;
use crate::automation::{DeliveryId, JournalEntry};
use crate::model::RecordId;

pub(super) fn entries(db: &Connection, delivery: DeliveryId) -> Result<Vec<JournalEntry>> {
    let sql = "SELECT position, operation, request, writes, result FROM journal WHERE delivery = ?1 ORDER BY position";
    let mut statement = db.prepare_cached(sql)?;
    let entries = statement.query_map([delivery.0], |row| {
        Ok(JournalEntry {
            position: row.get(0)?,
            operation: row.get(1)?,
            request: row.get(2)?,
            writes: row.get(3)?,
            result: row.get(4)?,
        })
    })?;
    Ok(entries.collect::<rusqlite::Result<_>>()?)
}

/// Notes a call. One that is made again takes the place of its failed attempt.
pub(super) fn put(db: &Connection, delivery: DeliveryId, entry: &JournalEntry) -> Result<()> {
    let sql = "INSERT INTO journal (delivery, position, operation, request, writes, result) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
               ON CONFLICT (delivery, position) DO UPDATE SET operation = ?3, request = ?4, writes = ?5, result = ?6";
    let JournalEntry { position, operation, request, writes, result } = entry;
    db.prepare_cached(sql)?.execute(params![delivery.0, position, operation, request, writes, result])?;
    Ok(())
}

pub(super) fn answer(
    db: &Connection,
    delivery: DeliveryId,
    position: u32,
    result: &str,
    record: Option<&RecordId>,
) -> Result<()> {
    let sql = "UPDATE journal SET result = ?3, record = ?4 WHERE delivery = ?1 AND position = ?2";
    db.prepare_cached(sql)?.execute(params![delivery.0, position, result, record])?;
    Ok(())
}

/// A handler that is done needs no journal. What it created stays known, so that no other handler takes it for its own.
pub(super) fn forget(db: &Connection, delivery: DeliveryId) -> Result<()> {
    db.prepare_cached("DELETE FROM journal WHERE delivery = ?1 AND record IS NULL")?.execute([delivery.0])?;
    db.prepare_cached("UPDATE journal SET result = NULL WHERE delivery = ?1")?.execute([delivery.0])?;
    Ok(())
}

pub(super) fn created(db: &Connection, connection: i64, operation: &str, record: &RecordId) -> Result<bool> {
    let sql = "SELECT 1 FROM journal j JOIN deliveries d ON d.id = j.delivery \
               WHERE j.record IS NOT NULL AND j.record = ?3 AND j.operation = ?2 AND d.connection = ?1";
    Ok(db.prepare_cached(sql)?.exists(params![connection, operation, record])?)
}
