//! Other versions of connectors on trial in a connection, and what they replaced.

use jiff::Timestamp;
use rusqlite::{Connection as Db, OptionalExtension as _, Row, named_params, params};

use super::codec::{At, Json, Word, count as counted, integer};
use super::{Result, configuration, mend};
use crate::error::StoreError;
use crate::model::{
    Actor, Connection, ConnectionId, FailureClass, KEPT_DIFFERENCES, KEPT_ROLLOUTS, NewRollout, Pinned,
    Rollout, RolloutCounts, RolloutEnd, RolloutMode, RolloutNews, RolloutState, ShadowDifference, Tally,
};

/// How many runs of the pinned version before a rollout are looked at.
const RUNS_BEFORE: u32 = 500;

const ROLLOUT: &str = "SELECT r.pk, c.id, r.candidate, r.former, r.mode, r.share, r.state, r.reason, r.begun_by, r.began_at, \
                       r.set_at, r.ended_at, r.counts FROM rollouts r JOIN connections c ON c.pk = r.connection";

fn rollout_row(row: &Row<'_>) -> rusqlite::Result<Rollout> {
    Ok(Rollout {
        id: counted(row.get(0)?),
        connection: row.get(1)?,
        candidate: row.get::<_, Json<_>>(2)?.0,
        former: row.get::<_, Json<_>>(3)?.0,
        mode: row.get::<_, Word<_>>(4)?.0,
        share: row.get(5)?,
        state: row.get::<_, Word<_>>(6)?.0,
        reason: row.get(7)?,
        begun_by: Actor::from(row.get::<_, String>(8)?),
        began_at: row.get::<_, At>(9)?.0,
        set_at: row.get::<_, At>(10)?.0,
        ended_at: row.get::<_, Option<At>>(11)?.map(|at| at.0),
        counts: row.get::<_, Json<_>>(12)?.0,
    })
}

fn pinned(connection: &Connection) -> Pinned {
    Pinned {
        digest: connection.digest.clone(),
        grants: connection.grants.clone(),
        settings: connection.settings.clone(),
    }
}

pub(super) fn begin(db: &Db, new: &NewRollout, now: Timestamp) -> Result<Rollout> {
    let owner = configuration::owner(db, &new.connection)?;
    if let Some(running) = running(db, &new.connection)? {
        return Err(StoreError::conflict(
            format!("a trial of {} in `{}`", new.candidate.digest, new.connection),
            format!("that of {}, which is under way", running.candidate.digest),
        ));
    }
    let connection = configuration::connection(db, &new.connection)?
        .ok_or_else(|| StoreError::not_found("connection", &new.connection))?;
    let rollout = Rollout {
        id: 0,
        connection: new.connection.clone(),
        candidate: new.candidate.clone(),
        former: pinned(&connection),
        mode: new.mode,
        share: new.share,
        state: RolloutState::Running,
        reason: String::new(),
        begun_by: new.by.clone(),
        began_at: now,
        set_at: now,
        ended_at: None,
        counts: RolloutCounts { before: before(db, owner.connection)?, ..RolloutCounts::default() },
    };
    insert(db, owner.connection, &rollout)?;
    // As it is stored: instants are kept to the microsecond.
    running(db, &new.connection)?.ok_or_else(|| StoreError::not_found("rollout of", &new.connection))
}

fn insert(db: &Db, connection: i64, rollout: &Rollout) -> Result<()> {
    let sql = "INSERT INTO rollouts (connection, candidate, former, mode, share, state, reason, begun_by, began_at, set_at, ended_at, \
                   counts) \
               VALUES (:connection, :candidate, :former, :mode, :share, :state, :reason, :begun_by, :began_at, :set_at, :ended_at, \
                   :counts)";
    db.prepare_cached(sql)?.execute(named_params! {
        ":connection": connection,
        ":candidate": Json(&rollout.candidate),
        ":former": Json(&rollout.former),
        ":mode": Word(rollout.mode),
        ":share": rollout.share,
        ":state": Word(rollout.state),
        ":reason": rollout.reason,
        ":begun_by": rollout.begun_by.as_str(),
        ":began_at": At(rollout.began_at),
        ":set_at": At(rollout.set_at),
        ":ended_at": rollout.ended_at.map(At),
        ":counts": Json(&rollout.counts),
    })?;
    // A developer replaces a component with every change.
    let old = "SELECT pk FROM rollouts WHERE connection = ?1 AND state <> 'running' ORDER BY pk DESC LIMIT -1 OFFSET ?2";
    let forget = |sql: String| db.prepare_cached(&sql)?.execute(params![connection, KEPT_ROLLOUTS]);
    forget(format!("DELETE FROM rollout_differences WHERE rollout IN ({old})"))?;
    forget(format!("DELETE FROM rollouts WHERE pk IN ({old})"))?;
    Ok(())
}

/// What the newest attempts came to. Which of them repeated others is not known, so that the version before looks no better than it is.
fn before(db: &Db, connection: i64) -> Result<Tally> {
    let sql = "WITH attempts AS (SELECT class, calls, \
                   EXISTS (SELECT 1 FROM json_each(calls) \
                       WHERE value ->> 'target' <> 'guest' AND value ->> 'error' IS NOT NULL) AS shown \
                   FROM runs WHERE connection = ?1 AND kind IN ('reconcile', 'automation') ORDER BY id DESC LIMIT ?2), \
               blamed AS (SELECT calls, class IS NULL AS done, \
                   iif(shown, class IN (SELECT value FROM json_each(?3)), class IN (SELECT value FROM json_each(?4))) AS failed \
                   FROM attempts) \
               SELECT count(*), coalesce(sum(done), 0), coalesce(sum(failed), 0), \
                   coalesce(sum((SELECT count(*) FROM json_each(calls) \
                       WHERE value ->> 'write' AND value ->> 'target' <> 'guest' AND value ->> 'error' IS NULL)), 0) \
               FROM blamed";
    let blamed = |shown: bool| -> Vec<FailureClass> {
        FailureClass::ALL.into_iter().filter(|class| class.blames_connector(shown)).collect()
    };
    let (shown, unshown) = (Json(blamed(true)), Json(blamed(false)));
    Ok(db.prepare_cached(sql)?.query_row(params![connection, RUNS_BEFORE, shown, unshown], |row| {
        let (all, done, failed) = (counted(row.get(0)?), counted(row.get(1)?), counted(row.get(2)?));
        let runs = done + failed;
        Ok(Tally { runs, failed, others: all.saturating_sub(runs), writes: counted(row.get(3)?) })
    })?)
}

/// A connection was given another component without a trial.
pub(super) fn note_replaced(db: &Db, before: &Connection, after: &Connection, now: Timestamp) -> Result<()> {
    if let Some(running) = running(db, &after.id)? {
        close(db, running.id, RolloutState::Ended, "the connection was given another component", now)?;
        mend::all(db, &running, now)?;
    }
    let owner = configuration::owner(db, &after.id)?;
    let rollout = Rollout {
        id: 0,
        connection: after.id.clone(),
        candidate: pinned(after),
        former: pinned(before),
        mode: RolloutMode::Live,
        share: 100,
        state: RolloutState::Adopted,
        reason: "replaced at once, without a trial".to_owned(),
        begun_by: Actor::Unknown,
        began_at: now,
        set_at: now,
        ended_at: Some(now),
        counts: RolloutCounts::default(),
    };
    insert(db, owner.connection, &rollout)?;
    Ok(())
}

pub(super) fn set(db: &Db, id: u64, mode: RolloutMode, share: u8, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE rollouts SET mode = ?2, share = ?3, set_at = ?4 WHERE pk = ?1 AND state = 'running'";
    Ok(db.prepare_cached(sql)?.execute(params![integer(id), Word(mode), share, At(now)])? > 0)
}

pub(super) fn count(db: &Db, id: u64, news: &RolloutNews) -> Result<()> {
    let sql = format!("{ROLLOUT} WHERE r.pk = ?1 AND r.state = 'running'");
    let Some(rollout) = db.prepare_cached(&sql)?.query_row([integer(id)], rollout_row).optional()? else {
        return Ok(());
    };
    let was = rollout.counts;
    let counts = RolloutCounts {
        before: was.before,
        former: was.former.and(news.former),
        candidate: was.candidate.and(news.candidate),
        same: was.same.saturating_add(news.same),
        differing: was.differing.saturating_add(news.differences.len() as u64),
        unseen: was.unseen.saturating_add(news.unseen),
    };
    let sql = "UPDATE rollouts SET counts = ?2 WHERE pk = ?1";
    db.prepare_cached(sql)?.execute(params![integer(id), Json(&counts)])?;
    for difference in &news.differences {
        let sql = "INSERT INTO rollout_differences (rollout, run, at, what) VALUES (?1, ?2, ?3, ?4)";
        let row = params![integer(id), difference.run, At(difference.at), difference.what];
        db.prepare_cached(sql)?.execute(row)?;
    }
    if !news.differences.is_empty() {
        let sql = "DELETE FROM rollout_differences WHERE rollout = ?1 AND pk <= \
                   (SELECT pk FROM rollout_differences WHERE rollout = ?1 ORDER BY pk DESC LIMIT 1 OFFSET ?2)";
        db.prepare_cached(sql)?.execute(params![integer(id), KEPT_DIFFERENCES])?;
    }
    Ok(())
}

fn close(db: &Db, id: u64, state: RolloutState, reason: &str, now: Timestamp) -> Result<bool> {
    let sql =
        "UPDATE rollouts SET state = ?2, reason = ?3, ended_at = ?4 WHERE pk = ?1 AND state = 'running'";
    Ok(db.prepare_cached(sql)?.execute(params![integer(id), Word(state), reason, At(now)])? > 0)
}

pub(super) fn end(db: &Db, id: u64, end: RolloutEnd, reason: &str, now: Timestamp) -> Result<bool> {
    let state = match end {
        RolloutEnd::Adopt => RolloutState::Adopted,
        RolloutEnd::Revert => RolloutState::Reverted,
        RolloutEnd::End => RolloutState::Ended,
    };
    let sql = format!("{ROLLOUT} WHERE r.pk = ?1 AND r.state = 'running'");
    let Some(rollout) = db.prepare_cached(&sql)?.query_row([integer(id)], rollout_row).optional()? else {
        return Ok(false);
    };
    close(db, id, state, reason, now)?;
    match end {
        RolloutEnd::Adopt => pin(db, &rollout.connection, &rollout.candidate)?,
        RolloutEnd::Revert | RolloutEnd::End => mend::all(db, &rollout, now)?,
    }
    Ok(true)
}

fn pin(db: &Db, connection: &ConnectionId, pinned: &Pinned) -> Result<()> {
    let sql = "UPDATE connections SET digest = ?2, grants = ?3, settings = ?4 WHERE id = ?1";
    let row = params![connection, pinned.digest, Json(&pinned.grants), Json(&pinned.settings)];
    db.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

pub(super) fn roll_back(
    db: &Db,
    id: &ConnectionId,
    grants: Vec<String>,
    reason: &str,
    now: Timestamp,
) -> Result<Option<Rollout>> {
    let owner = configuration::owner(db, id)?;
    let connection = configuration::connection(db, id)?;
    let present = connection.map(|connection| connection.digest);
    let sql = format!(
        "{ROLLOUT} WHERE r.connection = ?1 AND r.state = 'adopted' AND r.candidate ->> 'digest' = ?2 ORDER BY r.pk DESC LIMIT 1"
    );
    let found =
        db.prepare_cached(&sql)?.query_row(params![owner.connection, present], rollout_row).optional()?;
    let Some(rollout) = found else { return Ok(None) };
    if let Some(running) = running(db, id)? {
        close(db, running.id, RolloutState::Ended, reason, now)?;
        mend::all(db, &running, now)?;
    }
    pin(db, id, &Pinned { grants, ..rollout.former.clone() })?;
    let sql = "UPDATE rollouts SET state = 'ended', reason = ?2, ended_at = ?3 WHERE pk = ?1";
    db.prepare_cached(sql)?.execute(params![integer(rollout.id), reason, At(now)])?;
    mend::all(db, &rollout, now)?;
    Ok(Some(Rollout {
        state: RolloutState::Ended,
        reason: reason.to_owned(),
        ended_at: Some(now),
        ..rollout
    }))
}

pub(super) fn list(db: &Db, connection: &ConnectionId, limit: u32) -> Result<Vec<Rollout>> {
    let owner = configuration::owner(db, connection)?;
    let sql = format!("{ROLLOUT} WHERE r.connection = ?1 ORDER BY r.pk DESC LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![owner.connection, limit], rollout_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn running(db: &Db, connection: &ConnectionId) -> Result<Option<Rollout>> {
    let owner = configuration::owner(db, connection)?;
    let sql = format!("{ROLLOUT} WHERE r.connection = ?1 AND r.state = 'running'");
    Ok(db.prepare_cached(&sql)?.query_row([owner.connection], rollout_row).optional()?)
}

pub(super) fn differences(db: &Db, id: u64) -> Result<Vec<ShadowDifference>> {
    let sql = "SELECT run, at, what FROM rollout_differences WHERE rollout = ?1 ORDER BY pk DESC";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([integer(id)], |row| {
        Ok(ShadowDifference { run: row.get(0)?, at: row.get::<_, At>(1)?.0, what: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
