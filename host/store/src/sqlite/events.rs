//! Accepted events, and the memory of their de-duplication keys.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, named_params, params};
use sha2::{Digest as _, Sha256};

use super::Result;
use super::codec::{At, Json, code_columns, count};
use super::expire::Whose;
use crate::model::{Event, EventFilter, EventSeq, EventState, LocationId, NewEvent, Side};
use crate::store::{HELD, HELD_OF_LOCATION};

/// What an event waits for, or how it ended without a record. How it ended at its records is told by its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its marks tell.
    Marked,
    /// A partner's webhook that its connector has not read yet.
    Unread,
    /// No workspace is bound to its location yet.
    Held,
    /// It needs no work.
    Ignored,
    /// A partner's webhook that its connector could not read.
    Parked,
}

code_columns!(Stage { Marked = 0, Unread = 1, Held = 2, Ignored = 3, Parked = 4 });

/// The digest under which an event is known: its source, its connection or location, and its key. Half of SHA-256 keeps the
/// index small; a forger who could find a collision would need the sender's signature on both events.
fn digest(event: &NewEvent) -> [u8; 16] {
    let (scope, kind) = match (&event.connection, &event.location, &event.workspace) {
        (Some(connection), _, _) => (connection.as_str(), 0),
        (None, Some(location), _) => (location.as_str(), 1),
        (None, None, Some(workspace)) => (workspace.as_str(), 2),
        (None, None, None) => ("", 3),
    };
    let source = match event.source {
        Side::Highlevel => 0,
        Side::Partner => 1,
    };
    let hash = Sha256::new()
        .chain_update([source, kind])
        .chain_update((scope.len() as u64).to_be_bytes())
        .chain_update(scope)
        .chain_update(&event.key)
        .finalize();
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash[..16]);
    digest
}

/// Stores an event; `None` when it is known already.
pub(super) fn insert(
    db: &Connection,
    event: &NewEvent,
    workspace: Option<i64>,
    connection: Option<i64>,
    stage: Stage,
) -> Result<Option<EventSeq>> {
    let sql = "INSERT INTO events (digest, source, workspace, connection, location, key, kind, received_at, state, \
                   headers, body) \
               VALUES (:digest, :source, :workspace, :connection, :location, :key, :kind, :received_at, :state, \
                   :headers, :body) \
               ON CONFLICT (digest) DO NOTHING RETURNING seq";
    let seq = db.prepare_cached(sql)?.query_row(
        named_params! {
            ":digest": digest(event),
            ":source": event.source,
            ":workspace": workspace,
            ":connection": connection,
            ":location": event.location,
            ":key": event.key,
            ":kind": event.kind,
            ":received_at": At(event.received_at),
            ":state": stage,
            ":headers": Json(&event.headers),
            ":body": event.body,
        },
        |row| row.get(0),
    );
    Ok(seq.optional()?)
}

pub(super) fn set_stage(db: &Connection, seq: EventSeq, stage: Stage) -> Result<()> {
    db.prepare_cached("UPDATE events SET state = ?2 WHERE seq = ?1")?.execute(params![seq, stage])?;
    Ok(())
}

/// Gives the events that were held for a location to its workspace. They only stay to be looked at.
pub(super) fn release_held(db: &Connection, location: &LocationId, workspace: i64) -> Result<()> {
    let sql = "UPDATE events SET workspace = ?2, state = ?3 WHERE workspace IS NULL AND location = ?1";
    db.prepare_cached(sql)?.execute(params![location, workspace, Stage::Ignored])?;
    Ok(())
}

/// Held events that go with one that comes, at most: what an earlier version let grow makes no commit long.
const GOING: u32 = 64;

/// Removes the oldest events that are held beyond what is kept of this location, and of all.
pub(super) fn drop_oldest_held(db: &Connection, location: Option<&LocationId>) -> Result<()> {
    drop_held_beyond(
        db,
        HELD_OF_LOCATION,
        "AND location IS :location",
        &[(":location", &location as &dyn ToSql)],
    )?;
    drop_held_beyond(db, HELD, "", &[])
}

fn drop_held_beyond(db: &Connection, most: u32, of: &str, whose: &[(&str, &dyn ToSql)]) -> Result<()> {
    // By its index: held events may lie far apart among those of workspaces.
    let held = format!("FROM events INDEXED BY events_held WHERE workspace IS NULL {of}");
    let sql = format!("SELECT count(*) FROM (SELECT 1 {held} LIMIT {})", most + GOING);
    let found: u32 = db.prepare_cached(&sql)?.query_row(whose, |row| row.get(0))?;
    let going = found.saturating_sub(most);
    if going > 0 {
        let sql = format!("DELETE FROM events WHERE seq IN (SELECT seq {held} ORDER BY seq LIMIT {going})");
        db.prepare_cached(&sql)?.execute(whose)?;
    }
    Ok(())
}

/// The least finished state of an event's marks and deliveries; 9 when it has neither.
const LEAST: &str = "min(coalesce((SELECT min(state) FROM marks m WHERE m.event = e.seq), 9), \
                     coalesce((SELECT min(state) FROM deliveries d WHERE d.event = e.seq), 9))";
/// The code of [`EventState::Ignored`].
const IGNORED: i64 = 4;

fn event_sql() -> String {
    format!(
        "SELECT e.seq, e.source, w.id, c.id, e.key, e.kind, e.received_at, e.state, e.headers, e.body, {LEAST} \
         FROM events e LEFT JOIN workspaces w ON w.pk = e.workspace LEFT JOIN connections c ON c.pk = e.connection"
    )
}

fn event_row(row: &Row<'_>) -> rusqlite::Result<Event> {
    // 9: neither a record nor a delivery.
    let of_its_work = row.get::<_, EventState>(10).ok();
    let state = match row.get(7)? {
        Stage::Marked => of_its_work.unwrap_or(EventState::Ignored),
        Stage::Unread => EventState::Accepted,
        Stage::Held => EventState::Held,
        Stage::Ignored => EventState::Ignored,
        Stage::Parked => EventState::Parked,
    };
    Ok(Event {
        seq: row.get(0)?,
        source: row.get(1)?,
        workspace: row.get(2)?,
        connection: row.get(3)?,
        key: row.get(4)?,
        kind: row.get(5)?,
        received_at: row.get::<_, At>(6)?.0,
        state,
        headers: row.get::<_, Json<_>>(8)?.0,
        body: row.get(9)?,
    })
}

pub(super) fn event(db: &Connection, seq: EventSeq) -> Result<Option<Event>> {
    let sql = format!("{} WHERE e.seq = ?1", event_sql());
    Ok(db.prepare_cached(&sql)?.query_row([seq], event_row).optional()?)
}

/// How an event stands, as [`event_row`] reads it.
fn state_sql() -> String {
    let (marked, unread, held) = (Stage::Marked as u8, Stage::Unread as u8, Stage::Held as u8);
    let parked = Stage::Parked as u8;
    format!(
        "CASE e.state \
             WHEN {marked} THEN coalesce(nullif({LEAST}, 9), {IGNORED}) \
             WHEN {unread} THEN 0 WHEN {held} THEN 5 WHEN {parked} THEN 1 ELSE {IGNORED} END"
    )
}

/// Events of a workspace, newest first.
pub(super) fn list(db: &Connection, filter: &EventFilter) -> Result<Vec<Event>> {
    let mut conditions = vec!["e.workspace = (SELECT pk FROM workspaces WHERE id = :workspace)".to_owned()];
    if filter.record.is_some() {
        // What an event marked is forgotten with its run, but an event that names a record has the id in its body.
        conditions.push(
            "(instr(e.body, CAST(:record AS BLOB)) > 0 OR e.seq IN (SELECT event FROM runs WHERE highlevel_id = :record \
                 UNION SELECT event FROM runs WHERE partner_id = :record))"
                .to_owned(),
        );
    }
    if filter.kind.is_some() {
        conditions.push("e.kind = :kind".to_owned());
    }
    if filter.state.is_some() {
        conditions.push(format!("{} = :state", state_sql()));
    }
    if filter.since.is_some() {
        conditions.push("e.received_at >= :since".to_owned());
    }
    if filter.before.is_some() {
        conditions.push("e.seq < :before".to_owned());
    }
    let since = filter.since.map(At);
    let given: [(&str, Option<&dyn ToSql>); 7] = [
        (":workspace", Some(&filter.workspace)),
        (":record", filter.record.as_ref().map(|value| value as _)),
        (":kind", filter.kind.as_ref().map(|value| value as _)),
        (":state", filter.state.as_ref().map(|value| value as _)),
        (":since", since.as_ref().map(|value| value as _)),
        (":before", filter.before.as_ref().map(|value| value as _)),
        (":limit", Some(&filter.limit)),
    ];
    let params: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let sql = format!("{} WHERE {} ORDER BY e.seq DESC LIMIT :limit", event_sql(), conditions.join(" AND "));
    let mut statement = db.prepare_cached(&sql)?;
    let events = statement.query_map(params.as_slice(), event_row)?;
    Ok(events.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn held(db: &Connection) -> Result<u64> {
    let sql = "SELECT count(*) FROM events WHERE workspace IS NULL";
    Ok(count(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?))
}

/// Events up to the first that is not older than `before`, without those that still wait for a run or for a person.
/// Numbers follow the time of acceptance, so the walk from the oldest needs no index on time.
fn expired(whose: Whose) -> String {
    let of = whose.by_workspace();
    format!(
        "{of} AND seq < coalesce((SELECT seq FROM events WHERE {of} AND received_at >= ?1 ORDER BY seq LIMIT 1), \
             9223372036854775807) \
         AND state NOT IN (?2, ?3) \
         AND NOT EXISTS (SELECT 1 FROM marks m WHERE m.event = seq AND m.dirty IS NOT NULL) \
         AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event = seq AND d.state < 2)"
    )
}

/// Removes old events, their marks and their de-duplication keys; at most `limit`.
pub(super) fn remove_older(db: &Connection, whose: Whose, before: Timestamp, limit: u32) -> Result<u64> {
    let sql = format!(
        "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE {} ORDER BY seq LIMIT ?4)",
        expired(whose)
    );
    let removed =
        db.prepare_cached(&sql)?.execute(params![At(before), Stage::Unread, Stage::Parked, limit])?;
    Ok(removed as u64)
}

/// Empties old events, whose keys are still remembered; at most `limit`.
pub(super) fn empty_older(db: &Connection, whose: Whose, before: Timestamp, limit: u32) -> Result<u64> {
    let sql = format!(
        "UPDATE events SET body = x'', headers = 'null' WHERE seq IN (\
             SELECT seq FROM events WHERE {} AND (body <> x'' OR headers <> 'null') ORDER BY seq LIMIT ?4)",
        expired(whose)
    );
    let emptied =
        db.prepare_cached(&sql)?.execute(params![At(before), Stage::Unread, Stage::Parked, limit])?;
    Ok(emptied as u64)
}

/// The body of an event as a JSON document: as it came, or, if it is none, as one text.
pub(super) fn payload(db: &Connection, seq: EventSeq) -> Result<String> {
    let sql = "SELECT body FROM events WHERE seq = ?1";
    let body: Vec<u8> = db.prepare_cached(sql)?.query_row([seq], |row| row.get(0))?;
    Ok(match String::from_utf8(body) {
        Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() => text,
        Ok(text) => serde_json::Value::String(text).to_string(),
        Err(bytes) => {
            serde_json::Value::String(String::from_utf8_lossy(bytes.as_bytes()).into_owned()).to_string()
        }
    })
}

/// When an event was received, which a foreign key vouches for.
pub(super) fn received_at(db: &Connection, seq: EventSeq) -> Result<Timestamp> {
    let sql = "SELECT received_at FROM events WHERE seq = ?1";
    Ok(db.prepare_cached(sql)?.query_row([seq], |row| row.get::<_, At>(0))?.0)
}
