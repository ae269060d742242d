//! The audit log. The one writer appends to it, so its order is that of the commits.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use super::Result;
use super::codec::At;
use crate::model::{
    Actor, AuditCheck, AuditFilter, AuditHash, AuditPhase, AuditRow, AuditVerdict, AuditedChange, NewAudit,
    WorkspaceId,
};

const ROW: &str = "a.seq, a.at, a.phase, a.began, a.actor, a.token, a.workspace, a.action, a.target, a.status, a.detail, \
                   a.previous, a.hash";

fn row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow {
        seq: row.get(0)?,
        at: row.get::<_, At>(1)?.0,
        entry: NewAudit {
            phase: row.get(2)?,
            began: row.get(3)?,
            actor: Actor::from(row.get::<_, String>(4)?),
            token: row.get(5)?,
            workspace: row.get(6)?,
            action: row.get(7)?,
            target: row.get(8)?,
            status: row.get(9)?,
            detail: row.get(10)?,
        },
        previous: AuditHash(row.get(11)?),
        hash: AuditHash(row.get(12)?),
    })
}

/// Appends an entry; answers its place.
pub(super) fn append(db: &Connection, entry: &NewAudit, now: Timestamp) -> Result<i64> {
    let sql = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let last =
        db.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, AuditHash(row.get(1)?)))).optional()?;
    // What is hashed has to be what is read again: instants are kept to the microsecond.
    let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
    let AuditRow { seq, at, entry, previous, hash } = AuditRow::after(last, now, entry.clone());
    let sql = "INSERT INTO audit (seq, at, phase, began, actor, token, workspace, action, target, status, detail, previous, hash) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    db.prepare_cached(sql)?.execute(params![
        seq,
        At(at),
        entry.phase,
        entry.began,
        entry.actor.as_str(),
        entry.token,
        entry.workspace,
        entry.action,
        entry.target,
        entry.status,
        entry.detail,
        previous.0,
        hash.0
    ])?;
    Ok(seq)
}

/// The status that a request for the same would have been answered with.
const DONE: u16 = 200;

/// A change that nobody asked the admin API for.
pub(super) struct Done {
    /// Who made it.
    pub(super) actor: Actor,
    /// In which workspace; absent for the platform.
    pub(super) workspace: Option<WorkspaceId>,
    /// The operation by which somebody could have asked for it, or one like it.
    pub(super) action: &'static str,
    /// What it is done to.
    pub(super) target: String,
    /// What came of it.
    pub(super) detail: String,
}

/// Puts a change on record in the transaction that makes it, with its beginning and its end like one that somebody asked for.
pub(super) fn note(db: &Connection, done: Done, now: Timestamp) -> Result<()> {
    let Done { actor, workspace, action, target, detail } = done;
    let begun = NewAudit {
        phase: AuditPhase::Begun,
        began: None,
        actor,
        token: None,
        workspace,
        action: action.to_owned(),
        target,
        status: None,
        detail: String::new(),
    };
    let began = append(db, &begun, now)?;
    let ended =
        NewAudit { phase: AuditPhase::Ended, began: Some(began), status: Some(DONE), detail, ..begun };
    append(db, &ended, now)?;
    Ok(())
}

/// Changes that were asked for, newest first.
pub(super) fn list(db: &Connection, filter: &AuditFilter) -> Result<Vec<AuditedChange>> {
    let mut conditions = vec!["a.phase <> 1".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    let mut given = |value: Value| {
        values.push(value);
        format!("?{}", values.len())
    };
    if let Some(workspaces) = &filter.workspaces {
        let places: Vec<_> = workspaces.iter().map(|id| given(id.as_str().to_owned().into())).collect();
        conditions.push(format!("a.workspace IN ({})", places.join(", ")));
    }
    if let Some(actor) = &filter.actor {
        conditions.push(format!("a.actor = {}", given(actor.clone().into())));
    }
    if let Some(since) = filter.since {
        conditions.push(format!("a.at >= {}", given(since.as_microsecond().into())));
    }
    if let Some(before) = filter.before {
        conditions.push(format!("a.seq < {}", given(before.into())));
    }
    let limit = given(i64::from(filter.limit).into());
    let sql = format!(
        "SELECT {ROW}, e.at, e.status, coalesce(e.detail, '') FROM audit a LEFT JOIN audit e ON e.began = a.seq WHERE {} ORDER BY a.seq DESC LIMIT {limit}",
        conditions.join(" AND ")
    );
    let mut statement = db.prepare(&sql)?;
    let changes = statement.query_map(params_from_iter(values), |columns| {
        let row = row(columns)?;
        let ended: Option<u16> = columns.get(14)?;
        Ok(AuditedChange {
            ended_at: columns.get::<_, Option<At>>(13)?.map(|at| at.0),
            status: ended.or(row.entry.status),
            told: columns.get(15)?,
            row,
        })
    })?;
    Ok(changes.collect::<rusqlite::Result<_>>()?)
}

/// Follows the whole chain.
pub(super) fn verify(db: &Connection, wanted: Option<AuditHash>) -> Result<AuditVerdict> {
    let mut check = AuditCheck::new(wanted);
    let mut statement = db.prepare(&format!("SELECT {ROW} FROM audit a ORDER BY a.seq"))?;
    for found in statement.query_map([], row)? {
        match found {
            Ok(row) if check.take(&row) => {}
            Ok(_) => break,
            // A value that no version of this program wrote: somebody else did.
            Err(
                error @ (rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)),
            ) => {
                check.unreadable(&error.to_string());
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(check.verdict())
}
