//! Conflicts that merges met, and what people decided about them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::codec::{At, Json, Word};
use super::configuration::{self, Owner};
use super::expire::Whose;
use super::{Result, dirty};
use crate::error::StoreError;
use crate::model::{
    ConflictEnd, ConflictEnded, ConflictFilter, ConflictState, Mark, Priority, RecordKey, Resolution, Run,
    RunId, RunOutcome, StoredConflict,
};

/// Keeps a conflict. One that waits for a person is kept once, however many runs meet it; one that was decided is kept once by
/// the runs that did not end what it is about: a run that failed, or died, has noted it before its writes.
pub(super) fn insert(
    db: &Connection,
    owner: &Owner,
    (run, at): (&RunId, Timestamp),
    key: &RecordKey,
    conflict: &contactor_sync::ConflictRecord,
) -> Result<()> {
    if conflict.winner.is_some() && is_kept(db, owner, run, key, conflict)? {
        return Ok(());
    }
    let sql = "INSERT INTO conflicts (workspace, connection, run, entity, side, record, at, waiting, conflict, state) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
               ON CONFLICT (connection, entity, side, record, waiting) WHERE waiting IS NOT NULL DO NOTHING";
    let waiting = conflict.winner.is_none().then(|| conflict.id());
    let state = if waiting.is_some() { ConflictState::Open } else { ConflictState::Decided };
    db.prepare_cached(sql)?.execute(params![
        owner.workspace,
        owner.connection,
        run,
        key.entity,
        key.side,
        key.record,
        At(at),
        waiting.as_ref().map(contactor_sync::Fingerprint::as_str),
        Json(conflict),
        Word(state),
    ])?;
    Ok(())
}

/// Whether this conflict was kept by this run, or by one that came to no end; then it is this run's from now on.
fn is_kept(
    db: &Connection,
    owner: &Owner,
    run: &RunId,
    key: &RecordKey,
    conflict: &contactor_sync::ConflictRecord,
) -> Result<bool> {
    let sql = "UPDATE conflicts SET run = ?1 WHERE connection = ?2 AND record = ?3 AND entity = ?4 AND side = ?5 \
               AND conflict = ?6 AND state = 'decided' AND resolutions = '[]' AND (run = ?1 OR NOT EXISTS \
                   (SELECT 1 FROM runs WHERE runs.id = conflicts.run AND runs.outcome = ?7))";
    let kept = db.prepare_cached(sql)?.execute(params![
        run,
        owner.connection,
        key.record,
        key.entity,
        key.side,
        Json(conflict),
        Word(RunOutcome::Applied),
    ])?;
    Ok(kept > 0)
}

const CONFLICT: &str = "SELECT f.id, f.run, c.id, f.entity, f.side, f.record, f.conflict, f.at, f.state, f.resolutions, \
                        f.ended FROM conflicts f JOIN connections c ON c.pk = f.connection";

fn row(row: &Row<'_>) -> rusqlite::Result<StoredConflict> {
    Ok(StoredConflict {
        id: row.get(0)?,
        run: row.get(1)?,
        key: RecordKey {
            connection: row.get(2)?,
            entity: row.get(3)?,
            side: row.get(4)?,
            record: row.get(5)?,
        },
        conflict: row.get::<_, Json<_>>(6)?.0,
        at: row.get::<_, At>(7)?.0,
        state: row.get::<_, Word<_>>(8)?.0,
        resolutions: row.get::<_, Json<_>>(9)?.0,
        ended: row.get::<_, Option<Json<_>>>(10)?.map(|ended| ended.0),
    })
}

/// One conflict.
pub(super) fn find(db: &Connection, id: i64) -> Result<Option<StoredConflict>> {
    let sql = format!("{CONFLICT} WHERE f.id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id], row).optional()?)
}

/// Those of a record that wait for a person or for a run, the oldest first.
pub(super) fn unsettled(db: &Connection, connection: i64, key: &RecordKey) -> Result<Vec<StoredConflict>> {
    let sql = format!(
        "{CONFLICT} WHERE f.connection = ?1 AND f.record = ?2 AND f.entity = ?3 AND f.side = ?4 \
         AND f.state IN ('open', 'pending') ORDER BY f.id"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![connection, key.record, key.entity, key.side], row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Those that wait first, then the others, each newest first.
pub(super) fn list(db: &Connection, filter: &ConflictFilter) -> Result<Vec<StoredConflict>> {
    let mut found: Vec<StoredConflict> = Vec::new();
    let all = ["f.state = 'open'", "f.state = 'pending'", "f.state NOT IN ('open', 'pending')"];
    for state in &all[..if filter.open { 1 } else { all.len() }] {
        let mut conditions = vec![*state, "f.workspace = (SELECT pk FROM workspaces WHERE id = :workspace)"];
        if filter.connection.is_some() {
            conditions.push("f.connection = (SELECT pk FROM connections WHERE id = :connection)");
        }
        if filter.record.is_some() {
            conditions.push("f.record = :record");
        }
        let sql = format!("{CONFLICT} WHERE {} ORDER BY f.id DESC LIMIT :limit", conditions.join(" AND "));
        let left = filter.limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        let given: [(&str, Option<&dyn rusqlite::ToSql>); 4] = [
            (":workspace", Some(&filter.workspace)),
            (":connection", filter.connection.as_ref().map(|value| value as _)),
            (":record", filter.record.as_ref().map(|value| value as _)),
            (":limit", Some(&left)),
        ];
        let params: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map(params.as_slice(), row)?;
        found.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(found)
}

/// Writes what a person decided, in the place of what was read, and has the record done again.
pub(super) fn decide(
    db: &Connection,
    seen: &StoredConflict,
    resolution: Option<Resolution>,
    now: Timestamp,
) -> Result<StoredConflict> {
    let current = find(db, seen.id)?.ok_or_else(|| StoreError::not_found("conflict", &seen.id))?;
    if current != *seen {
        return Err(StoreError::conflict(
            format!("a decision about conflict {}", seen.id),
            format!("its state {}, which it reached meanwhile", word(current.state)),
        ));
    }
    let mut next = current;
    if next.pending().is_some() {
        next.resolutions.pop();
    }
    let withdrawn = resolution.is_none();
    next.resolutions.extend(resolution);
    next.state = match (withdrawn, next.resolutions.is_empty(), next.conflict.winner) {
        (false, ..) => ConflictState::Pending,
        (true, false, _) => ConflictState::Resolved,
        (true, true, Some(_)) => ConflictState::Decided,
        (true, true, None) => ConflictState::Open,
    };
    let decided_at = next.pending().map(|pending| At(pending.at));
    let sql = "UPDATE conflicts SET state = ?2, resolutions = ?3, decided_at = ?4 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![
        next.id,
        Word(next.state),
        Json(&next.resolutions),
        decided_at
    ])?;
    if !withdrawn {
        let owner = configuration::owner(db, &next.key.connection)?;
        let RecordKey { entity, side, record, .. } = next.key.clone();
        let mark = Mark { entity, side, record, snapshot: None, deleted: false };
        dirty::mark(db, owner.connection, &mark, Priority::Interactive, None, now)?;
    }
    Ok(next)
}

/// Writes down what a run made of conflicts that waited. What was decided meanwhile is for the next run.
pub(super) fn end(db: &Connection, connection: i64, run: &Run, ends: &[ConflictEnd]) -> Result<()> {
    for end in ends {
        let Some(mut conflict) = find(db, end.id)? else { continue };
        let decided_at = conflict.pending().map(|pending| pending.at);
        let waits = matches!(conflict.state, ConflictState::Open | ConflictState::Pending);
        // Instants are kept to the microsecond.
        let micros = |at: Option<Timestamp>| at.map(Timestamp::as_microsecond);
        if !waits || micros(decided_at) != micros(end.decided_at) {
            continue;
        }
        let ended = ConflictEnded { at: run.started_at, run: run.id.clone(), void: end.void.clone() };
        match conflict.resolutions.last_mut().filter(|_| decided_at.is_some()) {
            Some(last) => last.ended = Some(ended),
            None => conflict.ended = Some(ended),
        }
        let state = if end.void.is_some() { ConflictState::Void } else { ConflictState::Resolved };
        let sql = "UPDATE conflicts SET state = :state, resolutions = :resolutions, ended = :ended, waiting = NULL \
                   WHERE id = :id AND connection = :connection";
        db.prepare_cached(sql)?.execute(named_params! {
            ":id": end.id,
            ":connection": connection,
            ":state": Word(state),
            ":resolutions": Json(&conflict.resolutions),
            ":ended": conflict.ended.as_ref().map(Json),
        })?;
    }
    Ok(())
}

/// Removes old conflicts, at most `limit`, but not what waits for a person or a run.
pub(super) fn remove_older(db: &Connection, whose: Whose, before: Timestamp, limit: u32) -> Result<u64> {
    let of = whose.by_workspace();
    let sql = format!(
        "DELETE FROM conflicts WHERE id IN (SELECT id FROM conflicts WHERE {of} AND id < coalesce(\
             (SELECT id FROM conflicts WHERE {of} AND at >= ?1 ORDER BY id LIMIT 1), 9223372036854775807) \
         AND state NOT IN ('open', 'pending') ORDER BY id LIMIT ?2)"
    );
    Ok(db.prepare_cached(&sql)?.execute(params![At(before), limit])? as u64)
}

fn word(state: ConflictState) -> &'static str {
    match state {
        ConflictState::Open => "open",
        ConflictState::Pending => "pending",
        ConflictState::Decided => "decided",
        ConflictState::Resolved => "resolved",
        ConflictState::Void => "void",
    }
}
