//! The journal of a delivery's handler.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use super::Result;
use super::codec::{At, Json};
use crate::automation::{DeliveryId, JournalEntry, OwnWrite};
use crate::model::RecordId;

pub(super) fn entries(db: &Connection, delivery: DeliveryId) -> Result<Vec<JournalEntry>> {
    let sql = "SELECT position, operation, request, writes, result, arguments, begun_at, standing, released FROM journal \
               WHERE delivery = ?1 ORDER BY position";
    let mut statement = db.prepare_cached(sql)?;
    let entries = statement.query_map([delivery.0], |row| {
        Ok(JournalEntry {
            position: row.get(0)?,
            operation: row.get(1)?,
            request: row.get(2)?,
            writes: row.get(3)?,
            result: row.get(4)?,
            arguments: row.get(5)?,
            begun_at: row.get::<_, Option<At>>(6)?.map(|at| at.0),
            standing: row.get::<_, Option<Json<_>>>(7)?.map(|json| json.0).unwrap_or_default(),
            released: row.get(8)?,
        })
    })?;
    Ok(entries.collect::<rusqlite::Result<_>>()?)
}

/// Whether a call is noted at this place.
pub(super) fn is_noted(db: &Connection, delivery: DeliveryId, position: u32) -> Result<bool> {
    let sql = "SELECT 1 FROM journal WHERE delivery = ?1 AND position = ?2";
    Ok(db.prepare_cached(sql)?.exists(params![delivery.0, position])?)
}

/// Notes a call. One that is made again takes the place of its failed attempt.
pub(super) fn put(db: &Connection, delivery: DeliveryId, entry: &JournalEntry) -> Result<()> {
    let sql = "INSERT INTO journal (delivery, position, operation, request, writes, result, arguments, begun_at, standing, released) \
               VALUES (:delivery, :position, :operation, :request, :writes, :result, :arguments, :begun_at, :standing, :released) \
               ON CONFLICT (delivery, position) DO UPDATE SET operation = :operation, request = :request, writes = :writes, \
                   result = :result, arguments = :arguments, begun_at = :begun_at, standing = :standing, released = :released";
    let standing = (!entry.standing.is_empty()).then_some(Json(&entry.standing));
    db.prepare_cached(sql)?.execute(named_params! {
        ":delivery": delivery.0,
        ":position": entry.position,
        ":operation": entry.operation,
        ":request": entry.request,
        ":writes": entry.writes,
        ":result": entry.result,
        ":arguments": entry.arguments,
        ":begun_at": entry.begun_at.map(At),
        ":standing": standing,
        ":released": entry.released,
    })?;
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
    let sql = "UPDATE journal SET result = NULL, standing = NULL, arguments = '' WHERE delivery = ?1";
    db.prepare_cached(sql)?.execute([delivery.0])?;
    Ok(())
}

/// A person has the delivery done again: what may have happened so far may be done once more.
pub(super) fn release(db: &Connection, delivery: DeliveryId) -> Result<()> {
    db.prepare_cached("UPDATE journal SET released = 1 WHERE delivery = ?1")?.execute([delivery.0])?;
    Ok(())
}

/// Whether a handler of this connection's workspace created a record.
pub(super) fn created(db: &Connection, connection: i64, operation: &str, record: &RecordId) -> Result<bool> {
    let sql = "SELECT 1 FROM journal j JOIN deliveries d ON d.id = j.delivery JOIN connections c ON c.pk = d.connection \
               WHERE j.record IS NOT NULL AND j.record = ?3 AND j.operation = ?2 \
                   AND c.workspace = (SELECT workspace FROM connections WHERE pk = ?1)";
    Ok(db.prepare_cached(sql)?.exists(params![connection, operation, record])?)
}

/// Whether a handler of this connection wrote a record by one of these calls, for an event of this kind; with `once` it is forgotten that it did.
pub(super) fn own_write(
    db: &Connection,
    connection: i64,
    operations: &[String],
    record: &RecordId,
    kind: &str,
    since: Timestamp,
    once: bool,
) -> Result<OwnWrite> {
    let found = "SELECT j.delivery, j.position FROM journal j JOIN deliveries d ON d.id = j.delivery \
                 WHERE j.record IS NOT NULL AND j.record = ?3 AND j.operation = ?2 AND d.connection = ?1 \
                     AND d.begun_at >= ?4 AND d.kind = ?5 LIMIT 1";
    // Few are in flight, however many wait.
    let under_way = "SELECT 1 FROM deliveries d INDEXED BY deliveries_work JOIN journal j ON j.delivery = d.id \
                     WHERE d.state = 0 AND d.place < 2 AND d.claim > 0 AND d.connection = ?1 AND j.operation = ?2 \
                         AND j.writes = 1 AND j.result IS NULL AND d.kind = ?3";
    let mut answer = OwnWrite::No;
    for operation in operations {
        let place: Option<(i64, u32)> = db
            .prepare_cached(found)?
            .query_row(params![connection, operation, record, At(since), kind], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some((delivery, position)) = place {
            if once {
                let sql = "UPDATE journal SET record = NULL WHERE delivery = ?1 AND position = ?2";
                db.prepare_cached(sql)?.execute(params![delivery, position])?;
            }
            return Ok(OwnWrite::Yes);
        }
        if db.prepare_cached(under_way)?.exists(params![connection, operation, kind])? {
            answer = OwnWrite::Unknown;
        }
    }
    Ok(answer)
}
