//! Looking at a database that no host has open, and going on with it although something is missing.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;
use serde::Serialize;

use super::audit::Done;
use super::file::{Fold, Locked, fold, open_writer};
use super::mark::{Found, Mark, Position};
use super::{Result, audit, schema};
use crate::doubt::Doubt;
use crate::error::StoreError;
use crate::model::{Actor, AuditHash, AuditVerdict};

/// Problems that are listed at most; after so many it makes no difference.
const PROBLEMS: i64 = 100;

/// What a look found.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The database file.
    pub database: PathBuf,
    /// The last commit in the database; absent in one that no host of this version has had.
    pub commit: Option<u64>,
    /// The last commit that was acknowledged, by the mark; absent without one.
    pub marked: Option<u64>,
    /// What the mark makes doubtful, with what to do next.
    pub doubt: Option<Doubt>,
    /// What is damaged, in SQLite's words.
    pub problems: Vec<String>,
}

impl Checked {
    /// Commits that were acknowledged and are not in the database, by their number.
    pub fn missing(&self) -> u64 {
        self.marked.unwrap_or(0).saturating_sub(self.commit.unwrap_or(0))
    }
}

/// What was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// The last commit in the database: what is gone on with.
    pub commit: u64,
    /// The last commit that was acknowledged, by the mark, if it could be read.
    pub marked: Option<u64>,
    /// Whether there was anything to accept.
    pub was_doubtful: bool,
}

/// Reads the whole database and looks for damage, for references that lead nowhere, and for commits that are missing.
/// Changes nothing.
///
/// # Errors
///
/// `NotFound` when there is no database, `InUse` while a host has it open, `Corrupt` when nothing of it can be read.
pub fn check(path: &Path) -> Result<Checked> {
    let (locked, connection) = open(path)?;
    let path = locked.path();
    let (found, position) = (Found::beside(path)?, Position::of(&connection)?);
    Ok(Checked {
        database: path.to_owned(),
        commit: position.map(|position| position.commit),
        marked: found.commit(),
        doubt: found.judge(path, position).err(),
        problems: problems(&connection)?,
    })
}

/// Lets the next start go on with a database as it is, without what is missing. Damage cannot be accepted. `by` is the name that whoever
/// accepts it gives, for the audit log.
///
/// # Errors
///
/// As [`check`]; `Corrupt` when the database is damaged, and then nothing is changed.
pub fn accept(path: &Path, by: Option<&str>) -> Result<Accepted> {
    let (locked, connection) = open(path)?;
    let path = locked.path();
    let (found, position) = (Found::beside(path)?, Position::of(&connection)?);
    let was_doubtful = found.judge(path, position).is_err();
    if was_doubtful {
        if let Some(problem) = problems(&connection)?.into_iter().next() {
            return Err(StoreError::Corrupt { reason: problem });
        }
        schema::upgrade(&connection, path)?;
        let accepting = connection.unchecked_transaction()?;
        // A copy from the time that is given up now must not pass for this database later, however far this one gets.
        Position::renew_identity(&accepting)?;
        // The end of the audit log may be among what is given up, and a chain alone does not show that: so it says so itself.
        let commit = Position::of(&accepting)?.map_or(0, |position| position.commit);
        audit::note(&accepting, given_up(found.commit(), commit, by), Timestamp::now())?;
        accepting.commit()?;
        fold(&connection, Fold::All)?;
    }
    let commit = match Position::of(&connection)? {
        Some(position) if was_doubtful => {
            Mark::place(path, position)?;
            position.commit
        }
        position => position.map_or(0, |position| position.commit),
    };
    Ok(Accepted { commit, marked: found.commit(), was_doubtful })
}

/// That somebody goes on without what was acknowledged: how far it went by the mark, and with which commit it goes on.
fn given_up(marked: Option<u64>, commit: u64, by: Option<&str>) -> Done {
    let acknowledged = marked.map_or_else(|| "unknown".to_owned(), |marked| marked.to_string());
    Done {
        actor: Actor::CommandLine,
        workspace: None,
        action: "store.accept",
        target: String::new(),
        detail: format!("acknowledged={acknowledged} accepted={commit} by={}", named(by)),
    }
}

/// A name as it may stand in the log: an address or a sentence is none.
fn named(by: Option<&str>) -> &str {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    match by {
        None => "-",
        Some(name) if (1..=64).contains(&name.len()) && name.bytes().all(fits) => name,
        Some(_) => "(no name)",
    }
}

/// Follows the chain of the audit log of a database that no host has open, such as a copy. Changes nothing.
///
/// # Errors
///
/// As [`check`]; `NotFound` also when the database is of a version without such a log.
pub fn audited(path: &Path, noted: Option<AuditHash>) -> Result<AuditVerdict> {
    let (locked, connection) = open(path)?;
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'audit')";
    if !connection.query_row(sql, [], |row| row.get(0))? {
        return Err(StoreError::not_found("audit log in the database", &locked.path().display()));
    }
    audit::verify(&connection, noted)
}

/// Opens a database that no host has open.
pub(super) fn open(path: &Path) -> Result<(Locked, Connection)> {
    // Taking the lock would make an empty database.
    if !path.exists() {
        return Err(StoreError::not_found("database", &path.display()));
    }
    let locked = Locked::take(path)?;
    let connection = open_writer(locked.path())?;
    schema::recognise(&connection, locked.path())?;
    Ok((locked, connection))
}

fn problems(db: &Connection) -> Result<Vec<String>> {
    match look(db) {
        // Too damaged to be looked through.
        Err(StoreError::Corrupt { reason }) => Ok(vec![reason]),
        looked => looked,
    }
}

/// What is damaged, and what refers to nothing.
fn look(db: &Connection) -> Result<Vec<String>> {
    let mut check = db.prepare(&format!("PRAGMA quick_check({PROBLEMS})"))?;
    let mut problems =
        check.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    problems.retain(|problem| problem != "ok");
    let mut check = db.prepare("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT ?1")?;
    let strays = check.query_map([PROBLEMS], |row| {
        let (table, row_id, parent) =
            (row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, String>(2)?);
        Ok(format!("row {} of {table} refers to no row of {parent}", row_id.unwrap_or_default()))
    })?;
    for stray in strays {
        problems.push(stray?);
    }
    Ok(problems)
}
