//! What a person must look at.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::codec::{At, Word, count};
use super::counts::Scope;
use super::events::{self, Stage};
use super::{Result, configuration, deliveries, dirty, journal, marks, messages, unread, writes};
use crate::automation::{AUTOMATION_ENTITY, DeliveryId, MESSAGE_ENTITY};
use crate::cause::cause;
use crate::model::{
    EventSeq, EventState, FailureClass, Mark, Parked, ParkedCause, ParkedGroup, Priority, RecordId,
    RecordKey, RunId, Side, WEBHOOK_ENTITY, WorkspaceId,
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
    (class, reason): (FailureClass, &str),
    run: Option<&RunId>,
    since: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO parked (connection, entity, side, record, reason, run, since, class, cause) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (connection, entity, side, record) DO UPDATE SET \
                   reason = ?5, run = ?6, since = ?7, class = ?8, cause = ?9";
    let Subject { connection, entity, side, record } = subject;
    db.prepare_cached(sql)?.execute(params![
        connection,
        entity,
        side,
        record,
        reason,
        run,
        At(since),
        Word(class),
        cause(reason)
    ])?;
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

/// Takes an entry off the list and has it done again, because a person wants it: what may have happened may happen once more.
pub(super) fn retry(db: &Connection, key: &RecordKey, priority: Priority, now: Timestamp) -> Result<bool> {
    if key.entity == AUTOMATION_ENTITY
        && let Ok(id) = key.record.as_str().parse().map(DeliveryId)
    {
        journal::release(db, id)?;
    }
    mend(db, key, priority, now)
}

/// The same without a person: what may have happened is not done once more.
pub(super) fn mend(db: &Connection, key: &RecordKey, priority: Priority, now: Timestamp) -> Result<bool> {
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
        let dirty = dirty::mark(db, connection, &mark, priority, None, now)?;
        marks::note_asked(db, dirty)?;
    }
    Ok(true)
}

/// Takes an entry off the list for good: nothing is done about it. A record is done again when it is marked the next time.
pub(super) fn discard(db: &Connection, key: &RecordKey, now: Timestamp) -> Result<bool> {
    let connection = configuration::owner(db, &key.connection)?.connection;
    let subject = Subject { connection, entity: &key.entity, side: key.side, record: &key.record };
    if !clear(db, subject)? {
        return Ok(false);
    }
    let number = || key.record.as_str().parse::<i64>().ok();
    match (key.entity.as_str(), number()) {
        (WEBHOOK_ENTITY, Some(seq)) => events::set_stage(db, EventSeq(seq), Stage::Ignored)?,
        (AUTOMATION_ENTITY, Some(id)) => {
            let id = DeliveryId(id);
            journal::forget(db, id)?;
            deliveries::discard(db, id, now)?;
        }
        (MESSAGE_ENTITY, _) => messages::finish(db, key.record.as_str(), EventState::Ignored, now)?,
        _ => {}
    }
    Ok(true)
}

const LIST: &str = "SELECT c.id, p.entity, p.side, p.record, p.reason, p.run, p.since, p.class, p.cause, w.id \
                    FROM workspaces w JOIN connections c ON c.workspace = w.pk JOIN parked p ON p.connection = c.pk";

fn parked_row(row: &Row<'_>) -> rusqlite::Result<Parked> {
    Ok(Parked {
        key: RecordKey {
            connection: row.get(0)?,
            entity: row.get(1)?,
            side: row.get(2)?,
            record: row.get(3)?,
        },
        workspace: row.get(9)?,
        class: row.get::<_, Word<_>>(7)?.0,
        reason: row.get(4)?,
        cause: row.get(8)?,
        run: row.get(5)?,
        since: row.get::<_, At>(6)?.0,
    })
}

pub(super) fn list(db: &Connection, workspace: &WorkspaceId) -> Result<Vec<Parked>> {
    let sql = format!("{LIST} WHERE w.id = ?1 ORDER BY p.since DESC, c.id, p.entity, p.record");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([workspace], parked_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The entries of one cause, oldest first.
pub(super) fn of(db: &Connection, cause: &ParkedCause, limit: u32) -> Result<Vec<Parked>> {
    let sql = format!(
        "{LIST} WHERE c.id = ?1 AND p.entity = ?2 AND p.class = ?3 AND p.cause = ?4 ORDER BY p.since, p.record LIMIT ?5"
    );
    let ParkedCause { connection, entity, class, cause } = cause;
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![connection, entity, Word(*class), cause, limit], parked_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What is parked, by its cause; the largest group first.
pub(super) fn groups(db: &Connection, workspace: &WorkspaceId) -> Result<Vec<ParkedGroup>> {
    // SQLite takes the bare column from the row with the maximum.
    let sql = "SELECT c.id, p.entity, p.class, p.cause, count(*), min(p.since), max(p.since), p.reason \
               FROM workspaces w JOIN connections c ON c.workspace = w.pk JOIN parked p ON p.connection = c.pk \
               WHERE w.id = ?1 GROUP BY c.pk, p.entity, p.class, p.cause ORDER BY count(*) DESC, max(p.since) DESC, c.id, p.cause";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([workspace], |row| {
        Ok(ParkedGroup {
            of: ParkedCause {
                connection: row.get(0)?,
                entity: row.get(1)?,
                class: row.get::<_, Word<_>>(2)?.0,
                cause: row.get(3)?,
            },
            count: count(row.get(4)?),
            oldest: row.get::<_, At>(5)?.0,
            newest: row.get::<_, At>(6)?.0,
            example: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn total(db: &Connection, scope: Scope) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM parked WHERE {}", scope.filter());
    Ok(count(db.prepare_cached(&sql)?.query_row([scope.pk()], |row| row.get(0))?))
}
