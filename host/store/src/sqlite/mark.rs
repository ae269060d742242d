//! The mark beside the database: the last commit that was acknowledged.
//!
//! SQLite goes back to the last whole commit in its log, silently. When the log was cut, damaged or removed while nobody
//! looked, or an older copy of the database was put in its place, that is an earlier state, and what was acknowledged since
//! is gone. So each commit has a number, kept in the database; after the commit is on the disk, and before anybody is
//! answered, the number is written to `<database>.mark`. At the start the two are compared: a mark that is *ahead* of the
//! database means that something is missing.
//!
//! A mark that is *behind* means nothing: the process died between the two writes, or a power failure took the mark, which is
//! not synced for each commit. The other way round cannot come from a crash. Why one line written in place is enough: it lies
//! within one sector, and neither a killed process nor a power failure tears a sector; what is unreadable all the same was
//! damaged by something else. The line is text because its reader may be a person.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _};

use super::Result;
use super::codec::count;
use crate::doubt::Doubt;
use crate::error::StoreError;
use crate::torture;

/// Where a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// Which database, or which life of it: made anew when a loss is accepted.
    pub(super) identity: i64,
    /// Commits that were acknowledged so far.
    pub(super) commit: u64,
}

impl Position {
    /// The position that a database has; `None` when it is empty or from before there were positions.
    pub(super) fn of(db: &Connection) -> Result<Option<Self>> {
        let tables: i64 =
            db.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'", [], |row| row.get(0))?;
        if tables == 0 {
            return Ok(None);
        }
        let sql = "SELECT i.value, c.value FROM meta AS i, meta AS c WHERE i.key = 'identity' AND c.key = 'commits'";
        let found =
            db.query_row(sql, [], |row| Ok(Self { identity: row.get(0)?, commit: count(row.get(1)?) }));
        Ok(found.optional()?)
    }

    /// Counts one more commit: the one that this is part of.
    pub(super) fn advance(db: &Connection) -> Result<u64> {
        let sql = "UPDATE meta SET value = value + 1 WHERE key = 'commits' RETURNING value";
        Ok(count(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?))
    }

    /// Begins another life, in which marks of the former one mean nothing.
    pub(super) fn renew_identity(db: &Connection) -> Result<()> {
        db.execute("UPDATE meta SET value = random() WHERE key = 'identity'", [])?;
        Ok(())
    }
}

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) position: Position,
    /// The host met damage in the database.
    damaged: bool,
}

impl Line {
    fn encode(&self) -> String {
        let state = if self.damaged { "damaged" } else { "healthy" };
        let Position { identity, commit } = self.position;
        let said = format!("contactor mark 1: database {identity:016x} commit {commit:020} {state}");
        let sum = crc32fast::hash(said.as_bytes());
        format!("{said} {sum:08x}\n")
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let words: Vec<&str> = str::from_utf8(bytes).ok()?.split_ascii_whitespace().collect();
        let [_, _, _, _, identity, _, commit, state, _] = words[..] else { return None };
        let identity = u64::from_str_radix(identity, 16).ok()?.cast_signed();
        let position = Position { identity, commit: commit.parse().ok()? };
        let line = Self { position, damaged: state == "damaged" };
        (line.encode().as_bytes() == bytes).then_some(line)
    }
}

/// What lies beside a database.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Unreadable,
    Line(Line),
}

impl Found {
    /// Reads the mark of a database.
    pub(super) fn beside(database: &Path) -> Result<Self> {
        let path = beside(database);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Line::decode(&bytes).map_or(Self::Unreadable, Self::Line)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Nothing),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// Whether a database at `position` holds all that was acknowledged, as far as the mark can tell.
    pub(super) fn judge(&self, path: &Path, position: Option<Position>) -> Result<(), Doubt> {
        let path = path.to_owned();
        let line = match self {
            Self::Nothing => return Ok(()),
            Self::Unreadable => return Err(Doubt::Unreadable { path }),
            Self::Line(line) => line,
        };
        let marked = line.position.commit;
        match position {
            _ if line.damaged => Err(Doubt::Damaged { path }),
            // From before there were positions, or empty, while the mark is not.
            None => Err(Doubt::Behind { path, database: 0, marked }),
            Some(found) if found.identity != line.position.identity => Err(Doubt::Other { path, marked }),
            Some(found) if found.commit < marked => {
                Err(Doubt::Behind { path, database: found.commit, marked })
            }
            Some(_) => Ok(()),
        }
    }

    /// The last acknowledged commit, if the mark tells.
    pub(super) fn commit(&self) -> Option<u64> {
        match self {
            Self::Line(line) => Some(line.position.commit),
            Self::Nothing | Self::Unreadable => None,
        }
    }
}

/// The mark of an open database.
#[derive(Debug)]
pub(super) struct Mark {
    path: PathBuf,
    file: File,
    line: Mutex<Line>,
}

impl Mark {
    /// Puts a mark in the place of whatever lies there, and onto the disk: all of it or nothing.
    pub(super) fn place(database: &Path, position: Position) -> Result<Self> {
        let path = beside(database);
        let line = Line { position, damaged: false };
        let place = || -> io::Result<File> {
            let new = suffixed(database, ".mark.new");
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(line.encode().as_bytes())?;
            file.sync_all()?;
            torture::point("mark-synced");
            std::fs::rename(&new, &path)?;
            torture::point("mark-renamed");
            if let Some(directory) = path.parent() {
                File::open(directory)?.sync_all()?;
            }
            Ok(file)
        };
        let file = place().map_err(|error| failed(&path, &error))?;
        Ok(Self { path, file, line: Mutex::new(line) })
    }

    /// Says that a commit is on the disk. Not synced: that would double the price of a commit, and a power failure may take
    /// it.
    pub(super) fn advance(&self, commit: u64) -> Result<()> {
        let mut line = self.line();
        line.position.commit = commit;
        self.write(&line)
    }

    /// Says that the database is damaged: no start goes on with it until a person has looked.
    pub(super) fn condemn(&self) -> Result<()> {
        let mut line = self.line();
        line.damaged = true;
        self.write(&line)?;
        self.file.sync_data().map_err(|error| failed(&self.path, &error))
    }

    /// Puts what was written onto the disk, for an orderly end.
    pub(super) fn settle(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| failed(&self.path, &error))
    }

    /// Whether a database that was opened afresh still holds what this process acknowledged.
    pub(super) fn judge(&self, path: &Path, position: Option<Position>) -> Result<(), Doubt> {
        Found::Line(*self.line()).judge(path, position)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, line: &Line) -> Result<()> {
        self.file.write_all_at(line.encode().as_bytes(), 0).map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    use io::ErrorKind::{NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let reason = format!("{}: {error}", path.display());
    match error.kind() {
        StorageFull | QuotaExceeded | ReadOnlyFilesystem | PermissionDenied | NotFound => {
            StoreError::Failed { reason }
        }
        _ => StoreError::Disk { reason },
    }
}

fn beside(database: &Path) -> PathBuf {
    suffixed(database, ".mark")
}

fn suffixed(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(commit: u64) -> Line {
        Line { position: Position { identity: -7, commit }, damaged: false }
    }

    #[test]
    fn a_line_keeps_its_length_and_says_the_same_when_it_is_read() {
        for commit in [0, 1, 4_711, u64::MAX] {
            for damaged in [false, true] {
                let line = Line { damaged, ..line(commit) };
                assert_eq!(line.encode().len(), line_length());
                assert_eq!(Line::decode(line.encode().as_bytes()), Some(line));
            }
        }
        assert!(line_length() < 512, "it lies within one sector");
    }

    fn line_length() -> usize {
        line(0).encode().len()
    }

    #[test]
    fn one_wrong_bit_anywhere_makes_it_unreadable() {
        let good = line(4_711).encode().into_bytes();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(Line::decode(&bad), None, "at {at}");
            assert_eq!(Line::decode(&good[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn only_a_mark_that_is_ahead_is_an_alarm() {
        let path = Path::new("x.db");
        let at = |commit| Some(Position { identity: -7, commit });
        let mark = Found::Line(line(10));
        assert!(mark.judge(path, at(10)).is_ok() && mark.judge(path, at(11)).is_ok());
        assert!(matches!(mark.judge(path, at(9)), Err(Doubt::Behind { database: 9, marked: 10, .. })));
        assert!(matches!(mark.judge(path, None), Err(Doubt::Behind { database: 0, marked: 10, .. })));
        let other = Some(Position { identity: 8, commit: 99 });
        assert!(matches!(mark.judge(path, other), Err(Doubt::Other { marked: 10, .. })));
        assert!(Found::Nothing.judge(path, at(3)).is_ok() && Found::Nothing.judge(path, None).is_ok());
        assert!(matches!(Found::Unreadable.judge(path, at(3)), Err(Doubt::Unreadable { .. })));
        let damaged = Found::Line(Line { damaged: true, ..line(10) });
        assert!(matches!(damaged.judge(path, at(10)), Err(Doubt::Damaged { .. })));
    }
}
