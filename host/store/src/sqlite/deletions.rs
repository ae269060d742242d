//! Pairs of records of which one is gone, and the policies about them.

use contactor_sync::DeletePolicies;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::codec::{At, Json, Word};
use super::configuration;
use super::{Result, data_keys, dirty, links};
use crate::error::StoreError;
use crate::model::{
    ConnectionId, Deletion, DeletionFilter, DeletionState, Link, LinkState, Mark, Priority, RecordId, Side,
};
use crate::vault::{KeyId, Sealed};

/// Records that one call marks for their second look: the writer does nothing else meanwhile.
const LOOKS: u32 = 500;

const DELETION: &str = "SELECT d.id, c.id, d.entity, d.highlevel_id, d.partner_id, d.side, d.state, d.policy, d.since, d.due, \
                        d.decided_by, d.acted_at, d.undo_until, d.ended_at, d.outcome, d.key, d.sealed, \
                        d.decided_at, d.decisions \
                        FROM deletions d JOIN connections c ON c.pk = d.connection";

fn row(row: &Row<'_>) -> rusqlite::Result<Deletion> {
    let instant = |column| row.get::<_, Option<At>>(column).map(|at| at.map(|at| at.0));
    let sealed: (Option<String>, Option<Vec<u8>>) = (row.get(15)?, row.get(16)?);
    Ok(Deletion {
        id: row.get(0)?,
        connection: row.get(1)?,
        entity: row.get(2)?,
        highlevel_id: row.get(3)?,
        partner_id: row.get(4)?,
        side: row.get(5)?,
        state: row.get::<_, Word<_>>(6)?.0,
        policy: row.get::<_, Json<_>>(7)?.0,
        since: row.get::<_, At>(8)?.0,
        due: row.get::<_, At>(9)?.0,
        decided_by: row.get(10)?,
        decided_at: instant(17)?,
        decisions: row.get(18)?,
        acted_at: instant(11)?,
        undo_until: instant(12)?,
        ended_at: instant(13)?,
        outcome: row.get(14)?,
        kept: sealed.0.zip(sealed.1).map(|(key, bytes)| Sealed { key_id: KeyId::from_stored(key), bytes }),
    })
}

/// One deletion.
pub(super) fn find(db: &Connection, id: i64) -> Result<Option<Deletion>> {
    let sql = format!("{DELETION} WHERE d.id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id], row).optional()?)
}

/// The newest deletion of a pair, by HighLevel's id, unless it ended.
pub(super) fn of_pair(
    db: &Connection,
    connection: &ConnectionId,
    entity: &str,
    highlevel: &RecordId,
) -> Result<Option<Deletion>> {
    let sql = format!(
        "{DELETION} WHERE d.connection = (SELECT pk FROM connections WHERE id = ?1) AND d.highlevel_id = ?2 \
         AND d.entity = ?3 ORDER BY d.id DESC LIMIT 1"
    );
    let newest =
        db.prepare_cached(&sql)?.query_row(params![connection, highlevel, entity], row).optional()?;
    Ok(newest.filter(|newest| newest.state != DeletionState::Ended))
}

/// Deletions of a workspace, newest first.
pub(super) fn list(db: &Connection, filter: &DeletionFilter) -> Result<Vec<Deletion>> {
    let sql = format!(
        "{DELETION} WHERE c.workspace = (SELECT pk FROM workspaces WHERE id = :workspace) \
         AND (:connection IS NULL OR c.id = :connection) AND (:state IS NULL OR d.state = :state) \
         AND (:ended OR d.state <> 'ended') ORDER BY d.id DESC LIMIT :limit"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(
        named_params! {
            ":workspace": filter.workspace,
            ":connection": filter.connection,
            ":state": filter.state.map(Word),
            ":ended": filter.ended,
            ":limit": filter.limit,
        },
        row,
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Stores what a run made of a deletion. What a person decided meanwhile is for the next run. What is kept for an undo is kept as it is
/// stored, which may be under another key by now than the run saw, or is forgotten; [`begin`] alone exchanges it.
pub(super) fn put(db: &Connection, connection: i64, deletion: &Deletion) -> Result<()> {
    let sealed = deletion.kept.as_ref();
    let values = named_params! {
        ":id": (deletion.id != 0).then_some(deletion.id),
        ":connection": connection,
        ":entity": deletion.entity,
        ":highlevel_id": deletion.highlevel_id,
        ":partner_id": deletion.partner_id,
        ":side": deletion.side,
        ":state": Word(deletion.state),
        ":policy": Json(&deletion.policy),
        ":since": At(deletion.since),
        ":due": At(deletion.due),
        ":decided_by": deletion.decided_by,
        ":decided_at": deletion.decided_at.map(At),
        ":decisions": deletion.decisions,
        ":acted_at": deletion.acted_at.map(At),
        ":undo_until": deletion.undo_until.map(At),
        ":ended_at": deletion.ended_at.map(At),
        ":outcome": deletion.outcome,
        ":key": sealed.map(|sealed| sealed.key_id.as_str()),
        ":sealed": sealed.map(|sealed| sealed.bytes.as_slice()),
    };
    let sql = "INSERT INTO deletions (id, connection, entity, highlevel_id, partner_id, side, state, policy, since, due, \
                   decided_by, decided_at, acted_at, undo_until, ended_at, outcome, key, sealed) \
               VALUES (:id, :connection, :entity, :highlevel_id, :partner_id, :side, :state, :policy, :since, :due, \
                   :decided_by, :decided_at, :acted_at, :undo_until, :ended_at, :outcome, :key, :sealed) \
               ON CONFLICT (id) DO UPDATE SET partner_id = :partner_id, side = :side, state = :state, policy = :policy, \
                   since = :since, due = :due, marked = marked AND :state <> 'quarantined', \
                   decided_at = :decided_at, acted_at = :acted_at, undo_until = :undo_until, ended_at = :ended_at, outcome = :outcome, \
                   key = iif(:key IS NULL, NULL, key), sealed = iif(:key IS NULL, NULL, sealed) \
               WHERE connection = :connection AND decisions = :decisions";
    db.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// A person decides about a deletion in one of these states, and its record is done again before everything else.
pub(super) fn decide(
    db: &Connection,
    id: i64,
    from: &[DeletionState],
    to: DeletionState,
    (by, priority): (&str, Priority),
    now: Timestamp,
) -> Result<Deletion> {
    let current = find(db, id)?.ok_or_else(|| StoreError::not_found("deletion", &id))?;
    if !from.contains(&current.state) {
        return Err(refused(id, current.state));
    }
    let owner = configuration::owner(db, &current.connection)?;
    let sql = "UPDATE deletions SET state = ?2, decided_by = ?3, decided_at = ?4, decisions = decisions + 1 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id, Word(to), by, At(now)])?;
    let mark = Mark {
        entity: current.entity.clone(),
        side: Side::Highlevel,
        record: current.highlevel_id.clone(),
        snapshot: None,
        deleted: false,
    };
    dirty::mark(db, owner.connection, &mark, priority, None, now)?;
    find(db, id)?.ok_or_else(|| StoreError::not_found("deletion", &id))
}

/// Notes that a run is about to act, with what is needed to undo it. Refused when a person decided otherwise since it was read.
/// A further attempt does not begin the time anew that they all have.
pub(super) fn begin(db: &Connection, seen: &Deletion, kept: Sealed, now: Timestamp) -> Result<Deletion> {
    let current = find(db, seen.id)?.ok_or_else(|| StoreError::not_found("deletion", &seen.id))?;
    if (current.state, current.decisions) != (seen.state, seen.decisions) {
        return Err(refused(seen.id, current.state));
    }
    data_keys::seals(db, &kept.key_id)?;
    let acting = Deletion {
        state: DeletionState::Acting,
        policy: seen.policy.clone(),
        decided_at: current.decided_at.or(Some(now)),
        kept: Some(kept),
        ..current
    };
    let owner = configuration::owner(db, &acting.connection)?;
    put(db, owner.connection, &acting)?;
    let sealed = acting.kept.as_ref();
    let values = params![
        acting.id,
        sealed.map(|sealed| sealed.key_id.as_str()),
        sealed.map(|sealed| sealed.bytes.as_slice())
    ];
    db.prepare_cached("UPDATE deletions SET key = ?2, sealed = ?3 WHERE id = ?1")?.execute(values)?;
    find(db, seen.id)?.ok_or_else(|| StoreError::not_found("deletion", &seen.id))
}

fn refused(id: i64, state: DeletionState) -> StoreError {
    let state = serde_json::to_value(state).unwrap_or_default();
    let state = state.as_str().unwrap_or_default();
    StoreError::conflict(
        format!("a decision about deletion {id}"),
        format!("its state: it is {state} by now"),
    )
}

/// A link is in use: whatever was waited for about one of its records is over.
pub(super) fn linked(db: &Connection, connection: i64, link: &Link, now: Timestamp) -> Result<()> {
    if link.state != LinkState::Active || link.parent.is_some() {
        return Ok(());
    }
    let sql = "UPDATE deletions SET state = 'ended', ended_at = ?5, key = NULL, sealed = NULL, outcome = CASE \
                   WHEN highlevel_id = ?2 AND partner_id = ?3 THEN 'both are there again' \
                   ELSE 'linked with ' || CASE WHEN partner_id = ?3 THEN ?2 ELSE ?3 END || ' now' END \
               WHERE connection = ?1 AND entity = ?4 AND state <> 'ended' AND id IN (\
                   SELECT id FROM deletions WHERE connection = ?1 AND highlevel_id = ?2 AND entity = ?4 \
                   UNION SELECT id FROM deletions WHERE connection = ?1 AND partner_id = ?3 AND entity = ?4)";
    db.prepare_cached(sql)?.execute(params![
        connection,
        link.highlevel_id,
        link.partner_id,
        link.entity,
        At(now)
    ])?;
    Ok(())
}

/// Marks the records whose second look is due.
pub(super) fn mark_due(db: &Connection, now: Timestamp) -> Result<()> {
    if next_look(db)?.is_none_or(|due| due > now) {
        return Ok(());
    }
    let sql = "SELECT id, connection, entity, highlevel_id FROM deletions \
               WHERE state = 'quarantined' AND marked = 0 AND due <= ?1 ORDER BY due LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![At(now), LOOKS], |row| {
        let mark = Mark {
            entity: row.get(2)?,
            side: Side::Highlevel,
            record: row.get(3)?,
            snapshot: None,
            deleted: false,
        };
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, mark))
    })?;
    for (id, connection, mark) in rows.collect::<rusqlite::Result<Vec<_>>>()? {
        db.prepare_cached("UPDATE deletions SET marked = 1 WHERE id = ?1")?.execute([id])?;
        // No sweep found it: that would count as a webhook that was missed.
        dirty::mark(db, connection, &mark, Priority::Webhook, None, now)?;
    }
    Ok(())
}

/// When the next second look is due that was not marked yet.
pub(super) fn next_look(db: &Connection) -> Result<Option<Timestamp>> {
    let sql = "SELECT due FROM deletions WHERE state = 'quarantined' AND marked = 0 ORDER BY due LIMIT 1";
    let due = db.prepare_cached(sql)?.query_row([], |row| row.get::<_, At>(0)).optional()?;
    Ok(due.map(|due| due.0))
}

/// Ends what was decided, or begun, before this and not carried out; at most `limit` of each kind. A person is asked again, except
/// about a record that is to be kept: nothing has to be done for that. What was kept for an undo goes after the same time again.
pub(super) fn lapse(db: &Connection, now: Timestamp, before: Timestamp, limit: u32) -> Result<u64> {
    let late = "SELECT id FROM deletions WHERE state IN ('confirmed', 'kept', 'acting', 'undoing') AND decided_at < :before \
                AND (state = 'kept') = :kept ORDER BY decided_at LIMIT :limit";
    let until = now.saturating_add(now.duration_since(before)).unwrap_or(Timestamp::MAX);
    let kept = format!(
        "UPDATE deletions SET state = 'done', decisions = decisions + 1, acted_at = :now, undo_until = :until, \
             policy = CASE WHEN sealed IS NULL THEN '{{\"then\":\"unlink\"}}' ELSE policy END, \
             outcome = 'given up as ' || coalesce(decided_by, 'an admin') || ' decided, without a last look' || \
                 CASE WHEN sealed IS NULL THEN '' ELSE ': a run had begun to act before, and nobody knows what became of that' END \
         WHERE id IN ({late}) RETURNING connection, entity, highlevel_id, partner_id"
    );
    let values = named_params! {
        ":now": At(now), ":until": At(until), ":before": At(before), ":kept": true, ":limit": limit,
    };
    let mut statement = db.prepare_cached(&kept)?;
    let pairs = statement
        .query_map(values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<Vec<(i64, String, RecordId, RecordId)>>>()?;
    for (connection, entity, highlevel, partner) in &pairs {
        links::give_up(db, *connection, entity, (highlevel, partner), now)?;
    }
    let others = format!(
        "UPDATE deletions SET state = 'waiting', decisions = decisions + 1, decided_at = NULL, \
             undo_until = iif(sealed IS NULL, NULL, :until), \
             outcome = CASE state \
                 WHEN 'confirmed' THEN 'what ' || coalesce(decided_by, 'an admin') || ' confirmed was not carried out in time' \
                 WHEN 'acting' THEN 'it was begun, and nobody learned in time what became of it' \
                 ELSE 'the undo that ' || coalesce(decided_by, 'an admin') || ' asked for was not carried out in time' END \
         WHERE id IN ({late})"
    );
    let values =
        named_params! { ":until": At(until), ":before": At(before), ":kept": false, ":limit": limit };
    Ok((pairs.len() + db.prepare_cached(&others)?.execute(values)?) as u64)
}

/// Forgets what was kept for an undo that is too late by now, but not while a decision is carried out; at most `limit`.
pub(super) fn forget_kept(db: &Connection, now: Timestamp, limit: u32) -> Result<u64> {
    let sql = "UPDATE deletions SET key = NULL, sealed = NULL WHERE id IN (\
                   SELECT id FROM deletions WHERE sealed IS NOT NULL AND undo_until < ?1 \
                   AND state NOT IN ('confirmed', 'kept', 'acting', 'undoing') ORDER BY undo_until LIMIT ?2)";
    Ok(db.prepare_cached(sql)?.execute(params![At(now), limit])? as u64)
}

/// Removes what ended or was done before, at most `limit`; what waits for a look or for a person is kept.
pub(super) fn remove_older(db: &Connection, before: Timestamp, limit: u32) -> Result<u64> {
    let sql = "DELETE FROM deletions WHERE id IN (SELECT id FROM deletions WHERE since < ?1 AND state IN ('done', 'ended') \
               AND coalesce(ended_at, acted_at, since) < ?1 ORDER BY since LIMIT ?2)";
    Ok(db.prepare_cached(sql)?.execute(params![At(before), limit])? as u64)
}

/// Sets the policies of an entity of a connection.
pub(super) fn put_policies(
    db: &Connection,
    connection: &ConnectionId,
    entity: &str,
    policies: &DeletePolicies,
) -> Result<()> {
    let owner = configuration::owner(db, connection)?;
    let sql = "INSERT OR REPLACE INTO delete_policies (connection, entity, policies) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![owner.connection, entity, Json(policies)])?;
    Ok(())
}

/// The policies of an entity of a connection.
pub(super) fn policies(db: &Connection, connection: &ConnectionId, entity: &str) -> Result<DeletePolicies> {
    let sql = "SELECT p.policies FROM delete_policies p JOIN connections c ON c.pk = p.connection \
               WHERE c.id = ?1 AND p.entity = ?2";
    let found = db
        .prepare_cached(sql)?
        .query_row(params![connection, entity], |row| row.get::<_, Json<DeletePolicies>>(0))
        .optional()?;
    Ok(found.map(|found| found.0).unwrap_or_default())
}
