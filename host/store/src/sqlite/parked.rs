//! What a person must look at.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::codec::{At, count};
use super::counts::Scope;
use super::events::{self, Stage};
use super::{Result, configuration, deliveries, dirty, messages, unread, writes};
use crate::automation::{AUTOMATION_ENTITY, DeliveryId, MESSAGE_ENTITY};
use crate::model::{
    EventSeq, Mark, Parked, Priority, RecordId, RecordKey, RunId, Side, WEBHOOK_ENTITY, WorkspaceId,
};

/// The record of a parked entry within its connection.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) connection: i64,
    pub(super) entity: &'a str,
    pub(super) side: Side,
    pub(super) record: &'a RecordId,
}

pub(super) fn put(
    db: &Connection,
    subject: Subject<'_>,
    reason: &str,
    run: Option<&RunId>,
    since: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO parked (connection, entity, side, record, reason, run, since) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (connection, entity, side, record) DO UPDATE SET \
                   reason = ?5, run = ?6, since = ?7";
    let Subject { connection, entity, side, record } = subject;
    db.prepare_cached(sql)?.execute(params![connection, entity, side, record, reason, run, At(since)])?;
    Ok(())
}

/// Why a record is listed, if it is.
pub(super) fn reason(db: &Connection, subject: Subject<'_>) -> Result<Option<String>> {
    let sql = "SELECT reason FROM parked WHERE connection = ?1 AND entity = ?2 AND side = ?3 AND record = ?4";
    let Subject { connection, entity, side, record } = subject;
    let mut statement = db.prepare_cached(sql)?;
    Ok(statement.query_row(params![connection, entity, side, record], |row| row.get(0)).optional()?)
}

/// Takes an entry off the list; answers whether it was there.
pub(super) fn clear(db: &Connection, subject: Subject<'_>) -> Result<bool> {
    let sql = "DELETE FROM parked WHERE connection = ?1 AND entity = ?2 AND side = ?3 AND record = ?4";
    let Subject { connection, entity, side, record } = subject;
    Ok(db.prepare_cached(sql)?.execute(params![connection, entity, side, record])? > 0)
}

/// Takes an entry off the list and has it done again, as something that a person waits for.
pub(super) fn retry(db: &Connection, key: &RecordKey, now: Timestamp) -> Result<bool> {
    let owner = configuration::owner(db, &key.connection)?;
    let connection = owner.connection;
    let subject = Subject { connection, entity: &key.entity, side: key.side, record: &key.record };
    if !clear(db, subject)? {
        return Ok(false);
    }
    if key.entity == WEBHOOK_ENTITY {
        let Ok(seq) = key.record.as_str().parse().map(EventSeq) else { return Ok(false) };
        events::set_stage(db, seq, Stage::Unread)?;
        unread::insert(db, seq, connection, now)?;
    } else if key.entity == AUTOMATION_ENTITY {
        let Ok(id) = key.record.as_str().parse().map(DeliveryId) else { return Ok(false) };
        writes::forget(db, &owner, deliveries::contact(db, id)?.as_ref())?;
        return deliveries::retry_parked(db, connection, id, now);
    } else if key.entity == MESSAGE_ENTITY {
        return messages::retry_parked(db, connection, key.record.as_str(), now);
    } else {
        writes::forget(db, &owner, Some(&key.record))?;
        let mark = Mark {
            entity: key.entity.clone(),
            side: key.side,
            record: key.record.clone(),
            snapshot: None,
            deleted: false,
        };
        dirty::mark(db, connection, &mark, Priority::Interactive, None, now)?;
    }
    Ok(true)
}

pub(super) fn list(db: &Connection, workspace: &WorkspaceId) -> Result<Vec<Parked>> {
    let sql = "SELECT c.id, p.entity, p.side, p.record, p.reason, p.run, p.since \
               FROM workspaces w JOIN connections c ON c.workspace = w.pk JOIN parked p ON p.connection = c.pk \
               WHERE w.id = ?1 ORDER BY p.since DESC, c.id, p.entity, p.record";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([workspace], |row| {
        Ok(Parked {
            key: RecordKey {
                connection: row.get(0)?,
                entity: row.get(1)?,
                side: row.get(2)?,
                record: row.get(3)?,
            },
            workspace: workspace.clone(),
            reason: row.get(4)?,
            run: row.get(5)?,
            since: row.get::<_, At>(6)?.0,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn total(db: &Connection, scope: Scope) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM parked WHERE {}", scope.filter());
    Ok(count(db.prepare_cached(&sql)?.query_row([scope.pk()], |row| row.get(0))?))
}
