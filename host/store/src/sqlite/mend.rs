//! What a version leaves undone that is taken back: the version before it does it.
//!
//! It is mended with the end of the rollout, in one transaction, so that no crash comes between. A run that was under way then is
//! mended when it ends.

use jiff::Timestamp;
use rusqlite::{Connection as Db, params};

use super::codec::{At, Word};
use super::{Result, configuration, parked, rests};
use crate::model::{FailureClass, Priority, RecordKey, Rollout, Run};

/// Whatever the candidate of a rollout left.
pub(super) fn all(db: &Db, rollout: &Rollout, now: Timestamp) -> Result<()> {
    let connection = configuration::owner(db, &rollout.connection)?.connection;
    for subject in crashed(db, connection)? {
        rests::end_of(db, connection, &subject, now)?;
    }
    // What may have happened is not done again without a person, whoever did it.
    let sql = "SELECT p.entity, p.side, p.record FROM parked p JOIN runs r ON r.id = p.run JOIN connectors k ON k.pk = r.component \
               WHERE p.connection = ?1 AND p.since >= ?2 AND k.digest = ?3 AND p.class <> ?4";
    let mut statement = db.prepare_cached(sql)?;
    let candidate = &rollout.candidate.digest;
    let values = params![connection, At(rollout.began_at), candidate, Word(FailureClass::Unsure)];
    let keys = statement.query_map(values, |row| {
        Ok(RecordKey {
            connection: rollout.connection.clone(),
            entity: row.get(0)?,
            side: row.get(1)?,
            record: row.get(2)?,
        })
    })?;
    for key in keys.collect::<rusqlite::Result<Vec<_>>>()? {
        parked::mend(db, &key, Priority::Sweep, now)?;
    }
    // A handler that it began goes on with the version before, which need not make the same calls. What may have happened stays in its
    // journal unreleased, and nothing new is done beside it.
    let sql = "UPDATE deliveries SET retried = 1, attempts = 0 \
               WHERE connection = ?1 AND state = 0 AND component = (SELECT pk FROM connectors WHERE digest = ?2)";
    db.prepare_cached(sql)?.execute(params![connection, candidate])?;
    Ok(())
}

/// What rests because the connector crashed.
fn crashed(db: &Db, connection: i64) -> Result<Vec<String>> {
    let sql = "SELECT subject FROM rests WHERE connection = ?1 AND class = ?2";
    let mut statement = db.prepare_cached(sql)?;
    let subjects =
        statement.query_map(params![connection, Word(FailureClass::GuestBug)], |row| row.get(0))?;
    Ok(subjects.collect::<rusqlite::Result<_>>()?)
}

/// An entry was parked by a run that began before its version was taken back.
pub(super) fn late(db: &Db, key: &RecordKey, run: Option<&Run>, now: Timestamp) -> Result<()> {
    let Some(run) = run.filter(|run| run.class != Some(FailureClass::Unsure)) else { return Ok(()) };
    let sql = "SELECT 1 FROM rollouts o JOIN connections c ON c.pk = o.connection \
               WHERE c.id = ?1 AND o.state IN ('reverted', 'ended') AND o.candidate ->> 'digest' = ?2 AND o.ended_at >= ?3";
    let values = params![key.connection, run.component, At(run.started_at)];
    if db.prepare_cached(sql)?.exists(values)? {
        parked::mend(db, key, Priority::Sweep, now)?;
    }
    Ok(())
}
