//! Deliveries: what a connector's own code has to handle, in the order of its contact, and timers, which are deliveries to come.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, named_params, params};
use sha2::{Digest as _, Sha256};

use super::codec::{At, Json, code_columns, count};
use super::counts::Scope;
use super::expire::Whose;
use super::{Result, dirty, links};
use crate::automation::{CONTACT_PATIENCE, DeliveryId, LASTING, NewDelivery, NewTimer, Origin, TIMERS};
use crate::error::StoreError;
use crate::model::{Digest, EventSeq, EventState, LinkState, Mark, Priority, RecordId, RunId, Side};

code_columns!(Origin { Highlevel = 0, Partner = 1, Host = 2 });

/// Has not gone off: no part of its lane yet.
const APART: i64 = 0;
/// First of its lane.
const FIRST: i64 = 1;
/// Waits for the first of its lane.
const BEHIND: i64 = 2;

/// The entity whose records are HighLevel's contacts.
const CONTACT: &str = "contact";

/// What is handled one after the other: a contact's events, or those of a partner's record until it is linked.
fn lane(contact: Option<&RecordId>, entity: Option<&str>, partner: Option<&RecordId>) -> Option<String> {
    match (contact, partner) {
        (Some(contact), _) => Some(format!("h:{contact}")),
        (None, Some(partner)) => Some(format!("p:{}:{partner}", entity.unwrap_or_default())),
        (None, None) => None,
    }
}

/// Stores a delivery; `false` when its key is known.
pub(super) fn insert(
    db: &Connection,
    connection: i64,
    new: &NewDelivery,
    event: Option<EventSeq>,
    now: Timestamp,
) -> Result<bool> {
    let known = "SELECT 1 FROM deliveries WHERE connection = ?1 AND key IN (?2, ?3)";
    if db.prepare_cached(known)?.exists(params![connection, new.key, forgotten_key(&new.key)])? {
        return Ok(false);
    }
    let sought = match (&new.contact_id, &new.entity, &new.partner_id) {
        (None, Some(entity), Some(partner)) => Some((entity, partner)),
        _ => None,
    };
    let linked = match sought {
        Some((entity, partner)) => contact_of(db, connection, entity, partner)?,
        None => None,
    };
    let awaits = sought.is_some() && linked.is_none();
    if let Some((entity, partner)) = sought.filter(|_| awaits)
        && dirty::find(db, connection, entity, Side::Partner, partner)?.is_none()
    {
        // Nobody else would bring the record to its contact.
        let mark = Mark {
            entity: entity.clone(),
            side: Side::Partner,
            record: partner.clone(),
            snapshot: None,
            deleted: false,
        };
        dirty::mark(db, connection, &mark, Priority::Webhook, event, now)?;
    }
    let contact = new.contact_id.as_ref().or(linked.as_ref());
    let lane = lane(contact, new.entity.as_deref(), new.partner_id.as_ref());
    let sql = "INSERT INTO deliveries (connection, key, lasting, event, source, kind, entity, contact, partner, at, fields, \
                   payload, lane, place, begins_at, due_at, awaits) \
               VALUES (:connection, :key, :lasting, :event, :source, :kind, :entity, :contact, :partner, :at, :fields, \
                   :payload, :lane, :place, :begins_at, :due_at, :awaits)";
    db.prepare_cached(sql)?.execute(named_params! {
        ":connection": connection,
        ":key": new.key,
        ":lasting": new.lasting,
        ":event": event,
        ":source": new.source,
        ":kind": new.kind,
        ":entity": new.entity,
        ":contact": contact,
        ":partner": new.partner_id,
        ":at": At(new.at),
        ":fields": Json(&new.fields),
        ":payload": new.payload,
        ":lane": lane,
        ":place": place(db, connection, lane.as_deref())?,
        ":begins_at": At(now),
        ":due_at": At(if awaits { now.saturating_add(CONTACT_PATIENCE).unwrap_or(Timestamp::MAX) } else { now }),
        ":awaits": awaits,
    })?;
    Ok(true)
}

/// What is remembered of a key that named a person who was forgotten: enough to know it again.
pub(super) fn forgotten_key(key: &str) -> String {
    format!("erased:{}", hex::encode(Sha256::digest(key)))
}

/// Where something new stands in a lane.
fn place(db: &Connection, connection: i64, lane: Option<&str>) -> Result<i64> {
    Ok(match lane {
        Some(lane) if has_first(db, connection, lane)? => BEHIND,
        _ => FIRST,
    })
}

fn has_first(db: &Connection, connection: i64, lane: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM deliveries WHERE state = 0 AND lane IS NOT NULL AND connection = ?1 AND lane = ?2 \
               AND place = ?3";
    Ok(db.prepare_cached(sql)?.exists(params![connection, lane, FIRST])?)
}

/// The contact that a record of the partner's is linked with. A record that is gone was that contact's all the same: whether it is
/// found to be gone before or after its last webhooks are read must not decide what they set off.
fn contact_of(db: &Connection, connection: i64, entity: &str, record: &RecordId) -> Result<Option<RecordId>> {
    let link = links::find(db, connection, entity, Side::Partner, record)?;
    Ok(link.filter(|link| link.state.lost() != Some(Side::Highlevel)).map(|link| link.highlevel_id))
}

/// The record that the partner has of a contact.
fn partner_of(db: &Connection, connection: i64, contact: &RecordId) -> Result<Option<RecordId>> {
    let link = links::find(db, connection, CONTACT, Side::Highlevel, contact)?;
    Ok(link.filter(|link| link.state == LinkState::Active).map(|link| link.partner_id))
}

/// Lets the next of a lane take its turn, if nobody has it.
fn promote(db: &Connection, connection: i64, lane: &str) -> Result<()> {
    if has_first(db, connection, lane)? {
        return Ok(());
    }
    let sql = "UPDATE deliveries SET place = ?3 WHERE id = (SELECT id FROM deliveries WHERE state = 0 AND lane IS NOT NULL \
                   AND connection = ?1 AND lane = ?2 AND place = ?4 ORDER BY begins_at, id LIMIT 1)";
    db.prepare_cached(sql)?.execute(params![connection, lane, FIRST, BEHIND])?;
    Ok(())
}

/// The lanes in which deliveries that fulfil a condition come first; its parameter 1 is `workspace`.
pub(super) fn lanes_led_by(db: &Connection, condition: &str, workspace: i64) -> Result<Vec<(i64, String)>> {
    let sql = format!(
        "SELECT DISTINCT connection, lane FROM deliveries WHERE state = 0 AND lane IS NOT NULL AND place = {FIRST} AND ({condition})"
    );
    let mut statement = db.prepare(&sql)?;
    let lanes = statement.query_map([workspace], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(lanes.collect::<rusqlite::Result<_>>()?)
}

/// Whoever led these lanes is gone: the next of each goes on.
pub(super) fn go_on(db: &Connection, lanes: &[(i64, String)]) -> Result<()> {
    lanes.iter().try_for_each(|(connection, lane)| promote(db, *connection, lane))
}

/// The run of a partner's record ended: what waited for its contact goes on, with it if there is one now.
pub(super) fn settle_contact(
    db: &Connection,
    connection: i64,
    entity: &str,
    partner: &RecordId,
    contact: Option<&RecordId>,
    now: Timestamp,
) -> Result<()> {
    let Some(old) = lane(None, Some(entity), Some(partner)) else { return Ok(()) };
    let Some(contact) = contact else {
        let sql = "UPDATE deliveries SET awaits = 0, due_at = min(due_at, ?3) WHERE state = 0 AND lane IS NOT NULL \
                   AND connection = ?1 AND lane = ?2 AND awaits = 1";
        db.prepare_cached(sql)?.execute(params![connection, old, At(now)])?;
        return Ok(());
    };
    let new = format!("h:{contact}");
    let sql = "UPDATE deliveries SET contact = ?4, lane = ?3, place = ?5, \
                   due_at = CASE WHEN awaits = 1 THEN min(due_at, ?6) ELSE due_at END, awaits = 0 \
               WHERE state = 0 AND lane IS NOT NULL AND connection = ?1 AND lane = ?2 AND claim = 0 AND begun_at IS NULL";
    let moved = db.prepare_cached(sql)?.execute(params![connection, old, new, contact, BEHIND, At(now)])?;
    if moved > 0 {
        promote(db, connection, &new)?;
        promote(db, connection, &old)?;
    }
    Ok(())
}

/// The next connection after `after` with unclaimed deliveries, and when the first of them is due.
pub(super) fn next_group(db: &Connection, after: i64) -> Result<Option<(i64, Timestamp)>> {
    let group =
        db.prepare_cached(NEXT_GROUP)?.query_row([after], |row| Ok((row.get(0)?, row.get::<_, At>(1)?.0)));
    Ok(group.optional()?)
}

pub(super) const NEXT_GROUP: &str = "SELECT connection, due_at FROM deliveries \
                                     WHERE state = 0 AND place < 2 AND claim = 0 AND connection > ?1 \
                                     ORDER BY connection, due_at LIMIT 1";

pub(super) const DUE: &str = "SELECT id, place, lane, kind FROM deliveries \
                              WHERE state = 0 AND place < 2 AND claim = 0 AND connection = ?1 AND due_at <= ?2 \
                              ORDER BY due_at LIMIT ?3";

pub(super) const IN_FLIGHT: &str = "SELECT connection, count(*) FROM deliveries \
                                    WHERE state = 0 AND place < 2 AND claim = ?1 GROUP BY connection";

/// Deliveries in flight under a lease, by connection.
pub(super) fn in_flight(db: &Connection, token: i64) -> Result<HashMap<i64, u32>> {
    let mut statement = db.prepare_cached(IN_FLIGHT)?;
    let rows = statement.query_map([token], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A claimed row.
pub(super) struct Row {
    pub(super) id: DeliveryId,
    pub(super) event: Option<EventSeq>,
    pub(super) source: Origin,
    pub(super) kind: String,
    pub(super) contact: Option<RecordId>,
    pub(super) partner: Option<RecordId>,
    pub(super) at: Timestamp,
    pub(super) begun_at: Timestamp,
    pub(super) fields: contactor_sync::Fields,
    pub(super) payload: Option<String>,
    pub(super) attempts: u32,
    pub(super) retried: bool,
    pub(super) component: Option<Digest>,
}

/// A delivery that is due.
pub(super) struct Due {
    pub(super) id: i64,
    place: i64,
    lane: Option<String>,
    pub(super) kind: String,
}

/// Up to `limit` unclaimed deliveries of a connection that are due, oldest first.
pub(super) fn due(db: &Connection, connection: i64, now: Timestamp, limit: u32) -> Result<Vec<Due>> {
    let mut statement = db.prepare_cached(DUE)?;
    let due = statement.query_map(params![connection, At(now), limit], |row| {
        Ok(Due { id: row.get(0)?, place: row.get(1)?, lane: row.get(2)?, kind: row.get(3)? })
    })?;
    Ok(due.collect::<rusqlite::Result<_>>()?)
}

/// A timer that goes off takes its place in its lane; answers whether it has to wait there.
pub(super) fn queues(db: &Connection, connection: i64, due: &Due) -> Result<bool> {
    let Some(lane) = due.lane.as_ref().filter(|_| due.place == APART) else { return Ok(false) };
    if !has_first(db, connection, lane)? {
        return Ok(false);
    }
    let sql = "UPDATE deliveries SET place = ?2 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![due.id, BEHIND])?;
    Ok(true)
}

/// Puts off a delivery that is not claimed: those of its kind rest until then.
pub(super) fn put_off(db: &Connection, id: i64, until: Timestamp) -> Result<()> {
    db.prepare_cached("UPDATE deliveries SET due_at = ?2 WHERE id = ?1")?.execute(params![id, At(until)])?;
    Ok(())
}

/// Makes deliveries due that were put off until `until`, at most so many; all when `most` is negative.
pub(super) fn put_forward(
    db: &Connection,
    connection: i64,
    kind: &str,
    until: Timestamp,
    now: Timestamp,
    most: i64,
) -> Result<()> {
    let sql = "UPDATE deliveries SET due_at = ?4 WHERE id IN (SELECT id FROM deliveries WHERE state = 0 AND place < 2 \
               AND claim = 0 AND connection = ?1 AND due_at = ?3 AND kind = ?2 LIMIT ?5)";
    db.prepare_cached(sql)?.execute(params![connection, kind, At(until), At(now), most])?;
    Ok(())
}

/// Claims a delivery. Its ids of both sides, and its own time, are settled by the first claim and stay.
pub(super) fn claim(db: &Connection, connection: i64, id: i64, now: Timestamp, token: i64) -> Result<Row> {
    let sql = "SELECT contact, partner, begun_at FROM deliveries WHERE id = ?1";
    let (mut contact, mut partner, begun): (Option<RecordId>, Option<RecordId>, Option<At>) =
        db.prepare_cached(sql)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if begun.is_none() {
        match (&contact, &partner) {
            (Some(known), None) => {
                partner = partner_of(db, connection, known)?;
            }
            (None, Some(known)) => {
                contact = contact_of(db, connection, CONTACT, known)?;
            }
            _ => {}
        }
    }
    let sql = "UPDATE deliveries SET claim = ?2, place = ?3, awaits = 0, begun_at = coalesce(begun_at, ?4), contact = ?5, \
                   partner = ?6 WHERE id = ?1 \
               RETURNING event, source, kind, contact, partner, at, begun_at, fields, payload, attempts, retried, \
                   (SELECT digest FROM connectors WHERE pk = component)";
    Ok(db.prepare_cached(sql)?.query_row(params![id, token, FIRST, At(now), contact, partner], |row| {
        Ok(Row {
            id: DeliveryId(id),
            event: row.get(0)?,
            source: row.get(1)?,
            kind: row.get(2)?,
            contact: row.get(3)?,
            partner: row.get(4)?,
            at: row.get::<_, At>(5)?.0,
            begun_at: row.get::<_, At>(6)?.0,
            fields: row.get::<_, Json<_>>(7)?.0,
            payload: row.get(8)?,
            attempts: row.get(9)?,
            retried: row.get(10)?,
            component: row.get(11)?,
        })
    })?)
}

/// Notes which component handles a delivery, if that is not known yet: another one may not take the same way.
pub(super) fn handled_by(db: &Connection, id: DeliveryId, component: Option<&Digest>) -> Result<()> {
    let sql = "UPDATE deliveries SET component = (SELECT pk FROM connectors WHERE digest = ?2) WHERE id = ?1 AND component IS NULL";
    db.prepare_cached(sql)?.execute(params![id.0, component])?;
    Ok(())
}

/// Frees what was claimed under other leases, in the shards of this one.
pub(super) fn free_claims(db: &Connection, token: i64) -> Result<()> {
    let sql = "UPDATE deliveries SET claim = 0 WHERE state = 0 AND place < 2 AND claim > 0 AND claim <> ?1 \
               AND connection IN (SELECT c.pk FROM connections c JOIN workspaces w ON w.pk = c.workspace \
                   JOIN leases l ON l.shard = w.shard WHERE l.token = ?1)";
    db.prepare_cached(sql)?.execute([token])?;
    Ok(())
}

/// The connection of a delivery that is claimed under this token.
pub(super) fn claimed(db: &Connection, id: DeliveryId, token: i64) -> Result<Option<i64>> {
    let sql = "SELECT connection FROM deliveries WHERE id = ?1 AND claim = ?2 AND state = 0";
    Ok(db.prepare_cached(sql)?.query_row(params![id.0, token], |row| row.get(0)).optional()?)
}

/// The contact of a delivery, as far as its row knows it.
pub(super) fn contact(db: &Connection, id: DeliveryId) -> Result<Option<RecordId>> {
    let sql = "SELECT contact FROM deliveries WHERE id = ?1";
    Ok(db.prepare_cached(sql)?.query_row([id.0], |row| row.get(0)).optional()?.flatten())
}

/// Gives a claimed delivery back, to be tried again.
pub(super) fn retry(db: &Connection, id: DeliveryId, at: Timestamp, counts: bool) -> Result<()> {
    let sql = "UPDATE deliveries SET claim = 0, due_at = ?2, attempts = attempts + ?3 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id.0, At(at), counts])?;
    Ok(())
}

/// Ends a delivery; the next of its lane gets its turn. What was parked keeps its values, to be done again.
pub(super) fn finish(
    db: &Connection,
    connection: i64,
    id: DeliveryId,
    state: EventState,
    run: Option<&RunId>,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE deliveries SET state = ?2, claim = 0, run = ?3, ended_at = CASE WHEN ?4 THEN NULL ELSE ?5 END, \
                   fields = CASE WHEN ?4 THEN fields ELSE '{}' END, payload = CASE WHEN ?4 THEN payload END \
               WHERE id = ?1 RETURNING lane";
    let is_parked = state == EventState::Parked;
    let lane: Option<String> =
        db.prepare_cached(sql)?.query_row(params![id.0, state, run, is_parked, At(now)], |row| row.get(0))?;
    match lane {
        Some(lane) => promote(db, connection, &lane),
        None => Ok(()),
    }
}

/// Has a parked delivery done again; answers whether it was parked.
pub(super) fn retry_parked(db: &Connection, connection: i64, id: DeliveryId, now: Timestamp) -> Result<bool> {
    let sql = "SELECT lane FROM deliveries WHERE id = ?1 AND connection = ?2 AND state = ?3";
    let lane: Option<Option<String>> = db
        .prepare_cached(sql)?
        .query_row(params![id.0, connection, EventState::Parked], |row| row.get(0))
        .optional()?;
    let Some(lane) = lane else { return Ok(false) };
    let place = place(db, connection, lane.as_deref())?;
    let sql =
        "UPDATE deliveries SET state = 0, place = ?2, due_at = ?3, attempts = 0, retried = 1 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id.0, place, At(now)])?;
    Ok(true)
}

/// Forgets what a parked delivery was about: nobody will handle it.
pub(super) fn discard(db: &Connection, id: DeliveryId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE deliveries SET state = ?2, ended_at = ?3, fields = '{}', payload = NULL \
               WHERE id = ?1 AND state = ?4";
    db.prepare_cached(sql)?.execute(params![id.0, EventState::Ignored, At(now), EventState::Parked])?;
    Ok(())
}

// --------------------------------------------------------------------------------------------------------------- timers

/// Sets a timer, in the place of one of the same name that has not begun.
pub(super) fn set_timer(db: &Connection, connection: i64, timer: &NewTimer) -> Result<()> {
    cancel_timer(db, connection, &timer.name)?;
    let sql = "SELECT count(*) FROM deliveries WHERE state = 0 AND timer IS NOT NULL AND connection = ?1";
    let waiting: u32 = db.prepare_cached(sql)?.query_row([connection], |row| row.get(0))?;
    if waiting >= TIMERS {
        return Err(StoreError::Invalid(format!(
            "{waiting} timers wait in this connection already, and {TIMERS} is the most"
        )));
    }
    let sql = "INSERT INTO deliveries (connection, key, source, kind, timer, contact, at, fields, payload, lane, place, \
                   begins_at, due_at) \
               VALUES (?1, 'timer:' || lower(hex(randomblob(16))), ?2, ?3, ?4, ?5, ?6, '{}', ?7, ?8, ?9, ?6, ?6)";
    db.prepare_cached(sql)?.execute(params![
        connection,
        Origin::Host,
        timer.kind,
        timer.name,
        timer.contact_id,
        At(timer.at),
        timer.payload,
        lane(timer.contact_id.as_ref(), None, None),
        APART,
    ])?;
    Ok(())
}

/// Takes a timer back that has not begun. It may have gone off already and be the first of its lane.
pub(super) fn cancel_timer(db: &Connection, connection: i64, name: &str) -> Result<()> {
    let sql = "DELETE FROM deliveries WHERE state = 0 AND timer IS NOT NULL AND connection = ?1 AND timer = ?2 \
               AND begun_at IS NULL RETURNING lane";
    let mut statement = db.prepare_cached(sql)?;
    let lanes = statement.query_map(params![connection, name], |row| row.get::<_, Option<String>>(0))?;
    let lanes: Vec<_> = lanes.collect::<rusqlite::Result<_>>()?;
    lanes.iter().flatten().try_for_each(|lane| promote(db, connection, lane))
}

// ---------------------------------------------------------------------------------------------------- counts, forgetting

/// Counts what waits or runs, of a scope.
pub(super) fn waiting_sql(scope: Scope) -> String {
    // The index is named: without statistics SQLite would take one that begins with the connection and has ended rows as well.
    format!(
        "SELECT count(*), min(begins_at) FROM deliveries INDEXED BY deliveries_waiting \
         WHERE state = 0 AND (timer IS NULL OR begins_at <= ?2) AND {}",
        scope.filter()
    )
}

/// How many wait or run, and since when the oldest does; timers that have not gone off are not counted.
pub(super) fn waiting(db: &Connection, scope: Scope, now: Timestamp) -> Result<(u64, Option<Timestamp>)> {
    let sql = waiting_sql(scope);
    Ok(db.prepare_cached(&sql)?.query_row(params![scope.pk(), At(now)], |row| {
        Ok((count(row.get(0)?), row.get::<_, Option<At>>(1)?.map(|at| at.0)))
    })?)
}

/// Forgets what ended before this instant, and lasting keys much later; at most `limit` of each.
pub(super) fn remove_older(
    db: &Connection,
    whose: Whose,
    now: Timestamp,
    before: Timestamp,
    limit: u32,
) -> Result<u64> {
    let lasting = now.saturating_sub(LASTING.max(SignedDuration::ZERO)).unwrap_or(Timestamp::MIN).min(before);
    let sql = format!(
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE {} AND ended_at IS NOT NULL AND lasting = ?1 \
             AND ended_at < ?2 LIMIT ?3)",
        whose.by_connection()
    );
    let mut removed = 0;
    for (kept_long, before) in [(false, before), (true, lasting)] {
        removed += db.prepare_cached(&sql)?.execute(params![kept_long, At(before), limit])? as u64;
    }
    Ok(removed)
}
