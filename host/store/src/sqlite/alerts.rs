//! What is wrong in a workspace, and who was told.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::codec::{At, Json};
use super::expire::Whose;
use super::{Result, configuration, messages};
use crate::model::{Alert, AlertMemory, AlertRound, AlertRules, WorkspaceId};

pub(super) fn put_rules(db: &Connection, workspace: &WorkspaceId, rules: &AlertRules) -> Result<()> {
    let workspace = configuration::workspace_pk(db, workspace)?;
    let sql = "INSERT INTO alert_rules (workspace, rules) VALUES (?1, ?2) ON CONFLICT (workspace) DO UPDATE SET rules = ?2";
    db.prepare_cached(sql)?.execute(params![workspace, Json(rules)])?;
    Ok(())
}

pub(super) fn memory(db: &Connection, id: &WorkspaceId) -> Result<AlertMemory> {
    let workspace = configuration::workspace_pk(db, id)?;
    let sql = "SELECT rules FROM alert_rules WHERE workspace = ?1";
    let rules = db.prepare_cached(sql)?.query_row([workspace], |row| Ok(row.get::<_, Json<_>>(0)?.0));
    let mut statement = db.prepare_cached("SELECT alert FROM alerts WHERE workspace = ?1 ORDER BY key")?;
    let alerts = statement.query_map([workspace], |row| Ok(row.get::<_, Json<Alert>>(0)?.0))?;
    let alerts = alerts.collect::<rusqlite::Result<_>>()?;
    let mut statement =
        db.prepare_cached("SELECT source, at FROM heard WHERE workspace = ?1 ORDER BY source")?;
    let heard = statement.query_map([workspace], |row| Ok((row.get(0)?, row.get::<_, At>(1)?.0)))?;
    Ok(AlertMemory {
        workspace: id.clone(),
        rules: rules.optional()?.unwrap_or_default(),
        alerts,
        heard: heard.collect::<rusqlite::Result<_>>()?,
    })
}

pub(super) fn put_round(
    db: &Connection,
    workspace: &WorkspaceId,
    round: &AlertRound,
    now: Timestamp,
) -> Result<()> {
    let workspace = configuration::workspace_pk(db, workspace)?;
    for alert in &round.alerts {
        let sql = "INSERT INTO alerts (workspace, key, alert, ended_at) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (workspace, key) DO UPDATE SET alert = ?3, ended_at = ?4";
        db.prepare_cached(sql)?.execute(params![
            workspace,
            alert.key,
            Json(alert),
            alert.ended_at.map(At)
        ])?;
    }
    for key in &round.dropped {
        let sql = "DELETE FROM alerts WHERE workspace = ?1 AND key = ?2";
        db.prepare_cached(sql)?.execute(params![workspace, key])?;
    }
    for (connection, message) in &round.messages {
        let owner = configuration::owner(db, connection)?;
        messages::send(db, &owner, message, now)?;
    }
    for (source, at) in &round.heard {
        let sql = "INSERT INTO heard (workspace, source, at) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (workspace, source) DO UPDATE SET at = max(at, ?3)";
        db.prepare_cached(sql)?.execute(params![workspace, source, At(*at)])?;
    }
    Ok(())
}

pub(super) fn remove_older(db: &Connection, whose: Whose, before: Timestamp, limit: u32) -> Result<u64> {
    let sql = format!(
        "DELETE FROM alerts WHERE (workspace, key) IN \
             (SELECT workspace, key FROM alerts WHERE {} AND ended_at < ?1 LIMIT ?2)",
        whose.by_workspace()
    );
    Ok(db.prepare_cached(&sql)?.execute(params![At(before), limit])? as u64)
}
