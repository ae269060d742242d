//! What the vendors' quotas were used for, and what is left of them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::codec::{At, Json, count};
use super::{Result, configuration};
use crate::error::StoreError;
use crate::model::{ConnectionId, DailyBudget, PartnerWindow, Usage, WorkspaceId};

/// Adds calls to what is counted already.
pub(super) fn add(db: &Connection, usage: &[Usage]) -> Result<()> {
    let sql = "INSERT INTO usage (connection, hour, priority, highlevel, partner) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (connection, hour, priority) DO UPDATE SET \
                   highlevel = highlevel + excluded.highlevel, partner = partner + excluded.partner";
    for Usage { connection, hour, priority, highlevel, partner } in usage {
        let owner = match configuration::owner(db, connection) {
            Ok(owner) => owner,
            // What is counted of a connection that is gone is nobody's.
            Err(StoreError::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        let calls = |number: &u64| i64::try_from(*number).unwrap_or(i64::MAX);
        db.prepare_cached(sql)?.execute(params![
            owner.connection,
            At(*hour),
            priority,
            calls(highlevel),
            calls(partner)
        ])?;
    }
    Ok(())
}

/// What a workspace's connections used since this hour.
pub(super) fn since(db: &Connection, workspace: &WorkspaceId, since: Timestamp) -> Result<Vec<Usage>> {
    let sql = "SELECT c.id, u.hour, u.priority, u.highlevel, u.partner FROM workspaces w \
               JOIN connections c ON c.workspace = w.pk JOIN usage u ON u.connection = c.pk \
               WHERE w.id = ?1 AND u.hour >= ?2 ORDER BY u.hour, c.id, u.priority";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![workspace, At(since)], |row| {
        Ok(Usage {
            connection: row.get(0)?,
            hour: row.get::<_, At>(1)?.0,
            priority: row.get(2)?,
            highlevel: count(row.get(3)?),
            partner: count(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn remove_older(db: &Connection, before: Timestamp, limit: u32) -> Result<u64> {
    let sql = "DELETE FROM usage WHERE (connection, hour, priority) IN \
                   (SELECT connection, hour, priority FROM usage WHERE hour < ?1 LIMIT ?2)";
    Ok(db.prepare_cached(sql)?.execute(params![At(before), limit])? as u64)
}

pub(super) fn put_budget(db: &Connection, budget: &DailyBudget) -> Result<()> {
    let workspace = configuration::workspace_pk(db, &budget.workspace)?;
    let sql = "INSERT INTO budgets (workspace, remaining, resets_at, seen_at) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (workspace) DO UPDATE SET remaining = ?2, resets_at = ?3, seen_at = ?4";
    let resets_at = budget.resets_at.map(At);
    db.prepare_cached(sql)?.execute(params![workspace, budget.remaining, resets_at, At(budget.seen_at)])?;
    Ok(())
}

pub(super) fn budget(db: &Connection, workspace: &WorkspaceId) -> Result<Option<DailyBudget>> {
    let sql = "SELECT b.remaining, b.resets_at, b.seen_at FROM workspaces w JOIN budgets b ON b.workspace = w.pk \
               WHERE w.id = ?1";
    let budget = db.prepare_cached(sql)?.query_row([workspace], |row| {
        Ok(DailyBudget {
            workspace: workspace.clone(),
            remaining: row.get(0)?,
            resets_at: row.get::<_, Option<At>>(1)?.map(|at| at.0),
            seen_at: row.get::<_, At>(2)?.0,
        })
    });
    Ok(budget.optional()?)
}

pub(super) fn put_windows(db: &Connection, windows: &[PartnerWindow]) -> Result<()> {
    let sql = "INSERT INTO partner_windows (connection, scope, per_seconds, taken, blocked_until) \
               SELECT pk, ?2, ?3, ?4, ?5 FROM connections WHERE id = ?1 \
               ON CONFLICT (connection, scope, per_seconds) DO UPDATE SET taken = ?4, blocked_until = ?5";
    for PartnerWindow { connection, scope, per_seconds, taken, blocked_until } in windows {
        let blocked = blocked_until.map(At);
        db.prepare_cached(sql)?.execute(params![connection, scope, per_seconds, Json(taken), blocked])?;
    }
    Ok(())
}

pub(super) fn windows(db: &Connection, connection: &ConnectionId) -> Result<Vec<PartnerWindow>> {
    let sql = "SELECT p.scope, p.per_seconds, p.taken, p.blocked_until FROM connections c \
               JOIN partner_windows p ON p.connection = c.pk WHERE c.id = ?1 ORDER BY p.scope, p.per_seconds";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([connection], |row| {
        Ok(PartnerWindow {
            connection: connection.clone(),
            scope: row.get(0)?,
            per_seconds: row.get(1)?,
            taken: row.get::<_, Json<_>>(2)?.0,
            blocked_until: row.get::<_, Option<At>>(3)?.map(|at| at.0),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
