//! What is left alone for a while.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::codec::{At, Word};
use super::{Result, configuration, deliveries, dirty};
use crate::automation::automation_of_subject;
use crate::model::{ConnectionId, Rest, TRIAL, WorkspaceId};

/// Writes a rest in the place of the one of the same subject.
pub(super) fn put(db: &Connection, rest: &Rest) -> Result<()> {
    let connection = configuration::owner(db, &rest.connection)?.connection;
    let sql = "INSERT INTO rests (connection, subject, class, reason, failures, since, until) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (connection, subject) DO UPDATE SET \
                   class = ?3, reason = ?4, failures = ?5, since = ?6, until = ?7";
    db.prepare_cached(sql)?.execute(params![
        connection,
        rest.subject.as_deref().unwrap_or_default(),
        Word(rest.class),
        rest.reason,
        rest.failures,
        At(rest.since),
        At(rest.until)
    ])?;
    Ok(())
}

/// Ends a rest; answers whether there was one.
pub(super) fn end(
    db: &Connection,
    connection: &ConnectionId,
    subject: Option<&str>,
    now: Timestamp,
) -> Result<bool> {
    let connection = configuration::owner(db, connection)?.connection;
    end_of(db, connection, subject.unwrap_or_default(), now)
}

/// The same by the connection's row key. What was put off because of it is due at once.
pub(super) fn end_of(db: &Connection, connection: i64, subject: &str, now: Timestamp) -> Result<bool> {
    let sql = "DELETE FROM rests WHERE connection = ?1 AND subject = ?2 RETURNING until";
    let mut statement = db.prepare_cached(sql)?;
    let until = statement.query_row(params![connection, subject], |row| Ok(row.get::<_, At>(0)?.0));
    let Some(until) = until.optional()? else { return Ok(false) };
    put_forward(db, connection, subject, until, now, ALL)?;
    Ok(true)
}

/// All that was put off.
const ALL: i64 = -1;
/// What may try next: as much as one call puts off again. All of a large backlog would keep the writer busy for each trial.
const TRIED: i64 = 500;

/// What was put off until then is due, at most so much.
fn put_forward(
    db: &Connection,
    connection: i64,
    subject: &str,
    until: Timestamp,
    now: Timestamp,
    most: i64,
) -> Result<()> {
    match automation_of_subject(subject) {
        Some(kind) => deliveries::put_forward(db, connection, kind, until, now, most),
        None => dirty::put_forward(db, connection, subject, until, now, most),
    }
}

/// The trial of a subject is over and told nothing: the next one may be made.
pub(super) fn next_trial(
    db: &Connection,
    connection: &ConnectionId,
    subject: &str,
    now: Timestamp,
) -> Result<()> {
    let connection = configuration::owner(db, connection)?.connection;
    let sql = "SELECT until FROM rests WHERE connection = ?1 AND subject = ?2 AND until > ?3";
    let mut statement = db.prepare_cached(sql)?;
    let until = statement.query_row(params![connection, subject, At(now)], |row| Ok(row.get::<_, At>(0)?.0));
    let Some(until) = until.optional()? else { return Ok(()) };
    let sql = "UPDATE rests SET until = ?3 WHERE connection = ?1 AND subject = ?2";
    db.prepare_cached(sql)?.execute(params![connection, subject, At(now)])?;
    put_forward(db, connection, subject, until, now, TRIED)
}

pub(super) fn list(db: &Connection, workspace: Option<&WorkspaceId>) -> Result<Vec<Rest>> {
    let sql = "SELECT c.id, r.subject, r.class, r.reason, r.failures, r.since, r.until FROM rests r \
               JOIN connections c ON c.pk = r.connection JOIN workspaces w ON w.pk = c.workspace \
               WHERE ?1 IS NULL OR w.id = ?1 ORDER BY c.id, r.subject";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([workspace], |row| {
        Ok(Rest {
            connection: row.get(0)?,
            subject: Some(row.get::<_, String>(1)?).filter(|subject| !subject.is_empty()),
            class: row.get::<_, Word<_>>(2)?.0,
            reason: row.get(3)?,
            failures: row.get(4)?,
            since: row.get::<_, At>(5)?.0,
            until: row.get::<_, At>(6)?.0,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// All rests, for handing out work. There are few: each is a connection in trouble.
pub(super) struct Resting(HashMap<i64, Vec<(String, Timestamp)>>);

/// Whether work of a subject may be given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// As much as there is.
    Free,
    /// Not before this time.
    Wait(Timestamp),
    /// One, to see whether it works again.
    Trial,
}

impl Resting {
    pub(super) fn load(db: &Connection) -> Result<Self> {
        let mut all: HashMap<i64, Vec<(String, Timestamp)>> = HashMap::new();
        let mut statement = db.prepare_cached("SELECT connection, subject, until FROM rests")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            all.entry(row.get(0)?).or_default().push((row.get(1)?, row.get::<_, At>(2)?.0));
        }
        Ok(Self(all))
    }

    fn until(&self, connection: i64, subject: &str) -> Option<Timestamp> {
        let rests = self.0.get(&connection)?;
        rests.iter().find(|(resting, _)| resting == subject).map(|(_, until)| *until)
    }

    /// The connections that rest as a whole.
    pub(super) fn whole(&self, now: Timestamp) -> HashSet<i64> {
        let rests = |connection: &i64| self.until(*connection, "").is_some_and(|until| until > now);
        self.0.keys().copied().filter(rests).collect()
    }

    /// How many of a subject may be given out.
    pub(super) fn share(
        &mut self,
        db: &Connection,
        connection: i64,
        subject: &str,
        now: Timestamp,
        asked: u32,
    ) -> Result<u32> {
        match self.turn(connection, subject, now) {
            Turn::Free => Ok(asked),
            Turn::Wait(_) => Ok(0),
            Turn::Trial => self.tried(db, connection, subject, now).map(|()| asked.min(1)),
        }
    }

    pub(super) fn turn(&self, connection: i64, subject: &str, now: Timestamp) -> Turn {
        match self.until(connection, subject) {
            None => Turn::Free,
            Some(until) if until > now => Turn::Wait(until),
            Some(_) => Turn::Trial,
        }
    }

    /// When work that is due at `due_at` is given out. Of [`turn`](Self::turn) only waiting counts: a trial is a turn.
    pub(super) fn due(&self, connection: i64, subject: Option<&str>, due_at: Timestamp) -> Timestamp {
        let rests = [self.until(connection, ""), subject.and_then(|subject| self.until(connection, subject))];
        rests.into_iter().flatten().fold(due_at, Timestamp::max)
    }

    /// One of the subject was given out on trial: the others wait for what comes of it.
    pub(super) fn tried(
        &mut self,
        db: &Connection,
        connection: i64,
        subject: &str,
        now: Timestamp,
    ) -> Result<()> {
        let until = now + TRIAL;
        let sql = "UPDATE rests SET until = ?3 WHERE connection = ?1 AND subject = ?2";
        db.prepare_cached(sql)?.execute(params![connection, subject, At(until)])?;
        let rests = self.0.entry(connection).or_default();
        if let Some(rest) = rests.iter_mut().find(|(resting, _)| resting == subject) {
            rest.1 = until;
        }
        Ok(())
    }
}
