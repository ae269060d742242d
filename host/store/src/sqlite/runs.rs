//! What runs did: runs with their calls, and totals.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::Result;
use super::codec::{At, Json, Word, count, integer, is_taken};
use super::configuration::{Owner, workspace_pk};
use super::counts::Scope;
use super::expire::Whose;
use crate::error::StoreError;
use crate::model::{ConnectionId, EventSeq, Run, RunFilter, RunId, WorkspaceId};

/// Writes a run of a connection.
pub(super) fn insert(db: &Connection, owner: &Owner, run: &Run) -> Result<()> {
    if run.connection != owner.id || run.workspace != owner.workspace_id {
        return Err(StoreError::Invalid(format!(
            "run {} says {} of {}, but its work belongs to {} of {}",
            run.id, run.connection, run.workspace, owner.id, owner.workspace_id
        )));
    }
    insert_row(db, owner.workspace, Some(owner.connection), run)?;
    let sql = "INSERT INTO run_totals (connection, outcome, total) VALUES (?1, ?2, 1) \
               ON CONFLICT (connection, outcome) DO UPDATE SET total = total + 1";
    db.prepare_cached(sql)?.execute(params![owner.connection, Word(run.outcome)])?;
    Ok(())
}

/// Writes a run of the host's own at HighLevel. Totals are counted by connection, so it is in none.
pub(super) fn insert_of_highlevel(db: &Connection, workspace: &WorkspaceId, run: &Run) -> Result<()> {
    if run.workspace != *workspace {
        let text = format!("run {} says {} of {}", run.id, run.connection, run.workspace);
        return Err(StoreError::Invalid(text));
    }
    insert_row(db, workspace_pk(db, workspace)?, None, run)
}

fn insert_row(db: &Connection, workspace: i64, connection: Option<i64>, run: &Run) -> Result<()> {
    let sql = "INSERT INTO runs (id, workspace, connection, kind, entity, highlevel_id, partner_id, event, started_at, \
                   duration_us, outcome, class, summary, changes, log, calls, cause, remarks, component) \
               VALUES (:id, :workspace, :connection, :kind, :entity, :highlevel_id, :partner_id, :event, :started_at, \
                   :duration_us, :outcome, :class, :summary, :changes, :log, :calls, :cause, :remarks, \
                   (SELECT pk FROM connectors WHERE digest = :component))";
    let written = db.prepare_cached(sql)?.execute(named_params! {
        ":id": run.id,
        ":workspace": workspace,
        ":connection": connection,
        ":kind": Word(run.kind),
        ":entity": run.entity,
        ":highlevel_id": run.highlevel_id,
        ":partner_id": run.partner_id,
        ":event": run.event,
        ":started_at": At(run.started_at),
        ":duration_us": integer(run.duration_us),
        ":outcome": Word(run.outcome),
        ":class": run.class.map(Word),
        ":summary": run.summary,
        ":changes": Json(&run.changes),
        ":log": Json(&run.log),
        ":calls": Json(&run.calls),
        ":cause": run.cause.map(Word),
        ":remarks": Json(&run.remarks),
        ":component": run.component,
    });
    match written {
        Err(error) if is_taken(&error) => {
            return Err(StoreError::conflict(format!("run {}", run.id), "a stored run of the same id"));
        }
        written => written?,
    };
    Ok(())
}

const RUN: &str = "SELECT r.id, w.id, c.id, r.kind, r.entity, r.highlevel_id, r.partner_id, r.event, r.started_at, \
                   r.duration_us, r.outcome, r.class, r.summary, r.changes, r.log, r.cause, r.remarks, \
                   (SELECT digest FROM connectors WHERE pk = r.component)";
const FROM: &str =
    "FROM runs r JOIN workspaces w ON w.pk = r.workspace LEFT JOIN connections c ON c.pk = r.connection";

fn run_row(row: &Row<'_>) -> rusqlite::Result<Run> {
    let workspace: WorkspaceId = row.get(1)?;
    let connection: Option<ConnectionId> = row.get(2)?;
    Ok(Run {
        id: row.get(0)?,
        connection: connection.unwrap_or_else(|| ConnectionId::of_highlevel(&workspace)),
        workspace,
        kind: row.get::<_, Word<_>>(3)?.0,
        entity: row.get(4)?,
        highlevel_id: row.get(5)?,
        partner_id: row.get(6)?,
        event: row.get::<_, Option<EventSeq>>(7)?,
        started_at: row.get::<_, At>(8)?.0,
        duration_us: count(row.get(9)?),
        outcome: row.get::<_, Word<_>>(10)?.0,
        class: row.get::<_, Option<Word<_>>>(11)?.map(|word| word.0),
        summary: row.get(12)?,
        changes: row.get::<_, Json<_>>(13)?.0,
        log: row.get::<_, Json<_>>(14)?.0,
        calls: Vec::new(),
        cause: row.get::<_, Option<Word<_>>>(15)?.map(|word| word.0),
        remarks: row.get::<_, Json<_>>(16)?.0,
        component: row.get(17)?,
    })
}

/// One run with its calls.
pub(super) fn run(db: &Connection, id: &RunId) -> Result<Option<Run>> {
    let sql = format!("{RUN}, r.calls {FROM} WHERE r.id = ?1");
    let run = db
        .prepare_cached(&sql)?
        .query_row([id], |row| Ok(Run { calls: row.get::<_, Json<_>>(18)?.0, ..run_row(row)? }));
    Ok(run.optional()?)
}

/// The workspace of a run.
pub(super) fn workspace_of(db: &Connection, id: &RunId) -> Result<Option<WorkspaceId>> {
    let sql = "SELECT w.id FROM runs r JOIN workspaces w ON w.pk = r.workspace WHERE r.id = ?1";
    Ok(db.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?)
}

/// The statement that lists runs, newest first: the ids sort by time.
pub(super) fn listing(filter: &RunFilter) -> String {
    let mut conditions = vec!["1"];
    if filter.workspace.is_some() {
        conditions.push("r.workspace = (SELECT pk FROM workspaces WHERE id = :workspace)");
    }
    match filter.connection.as_ref().map(ConnectionId::workspace_of_highlevel) {
        Some(Some(_)) => {
            conditions.push("r.workspace = (SELECT pk FROM workspaces WHERE id = :of_highlevel)");
            conditions.push("r.connection IS NULL");
        }
        Some(None) => conditions.push("r.connection = (SELECT pk FROM connections WHERE id = :connection)"),
        None => {}
    }
    if filter.record.is_some() {
        conditions.push(
            "r.pk IN (SELECT pk FROM runs WHERE highlevel_id = :record \
             UNION SELECT pk FROM runs WHERE partner_id = :record)",
        );
    }
    if filter.outcome.is_some() {
        conditions.push("r.outcome = :outcome");
    }
    if filter.before.is_some() {
        conditions.push("r.id < :before");
    }
    format!("{RUN} {FROM} WHERE {} ORDER BY r.id DESC LIMIT :limit", conditions.join(" AND "))
}

/// Runs without their calls.
pub(super) fn list(db: &Connection, filter: &RunFilter) -> Result<Vec<Run>> {
    let of_highlevel = filter.connection.as_ref().and_then(ConnectionId::workspace_of_highlevel);
    let connection = filter.connection.as_ref().filter(|_| of_highlevel.is_none());
    let outcome = filter.outcome.map(Word);
    let given: [(&str, Option<&dyn rusqlite::ToSql>); 7] = [
        (":limit", Some(&filter.limit)),
        (":workspace", filter.workspace.as_ref().map(|value| value as _)),
        (":of_highlevel", of_highlevel.as_ref().map(|value| value as _)),
        (":connection", connection.map(|value| value as _)),
        (":record", filter.record.as_ref().map(|value| value as _)),
        (":outcome", outcome.as_ref().map(|value| value as _)),
        (":before", filter.before.as_ref().map(|value| value as _)),
    ];
    let params: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let mut statement = db.prepare_cached(&listing(filter))?;
    let runs = statement.query_map(params.as_slice(), run_row)?;
    Ok(runs.collect::<rusqlite::Result<_>>()?)
}

/// Contacts of which a partner was told since this time only because a walk over HighLevel found that they had changed.
pub(super) fn found_by_walk(db: &Connection, workspace: &WorkspaceId, since: Timestamp) -> Result<u64> {
    // The words are those of the index.
    let sql = "SELECT count(DISTINCT highlevel_id) FROM runs \
               WHERE workspace = ?1 AND started_at > ?2 AND cause = 'highlevel-walk' AND outcome = 'applied' \
                   AND entity = 'contact' AND EXISTS (SELECT 1 FROM json_each(changes) WHERE value ->> 'side' = 'partner')";
    let workspace = workspace_pk(db, workspace)?;
    Ok(count(db.prepare_cached(sql)?.query_row(params![workspace, At(since)], |row| row.get(0))?))
}

/// How many runs ended how, ever.
pub(super) fn totals(db: &Connection, scope: Scope) -> Result<BTreeMap<String, u64>> {
    let sql = format!("SELECT outcome, sum(total) FROM run_totals WHERE {} GROUP BY outcome", scope.filter());
    let mut statement = db.prepare_cached(&sql)?;
    let totals = statement.query_map([scope.pk()], |row| Ok((row.get(0)?, count(row.get(1)?))))?;
    Ok(totals.collect::<rusqlite::Result<_>>()?)
}

/// Removes old runs, at most `limit`. Ids follow time, so the walk from the oldest stops at the first that is to stay.
pub(super) fn remove_older(db: &Connection, whose: Whose, before: Timestamp, limit: u32) -> Result<u64> {
    let of = whose.by_workspace();
    // Beyond every id.
    let sql = format!(
        "DELETE FROM runs WHERE pk IN (SELECT pk FROM runs WHERE {of} AND id < coalesce(\
             (SELECT id FROM runs WHERE {of} AND started_at >= ?1 ORDER BY id LIMIT 1), '~') \
         ORDER BY id LIMIT ?2)"
    );
    Ok(db.prepare_cached(&sql)?.execute(params![At(before), limit])? as u64)
}
