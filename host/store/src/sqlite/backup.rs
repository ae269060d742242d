//! A copy of a database, while a host works on it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use super::file::BUSY_TIMEOUT;
use super::mark::Position;
use super::{Result, schema};
use crate::error::StoreError;

/// A finished copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Where it lies.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The last commit that it holds.
    pub commit: Option<u64>,
}

/// Writes everything that is committed at this moment into a new file, without keeping the host from its work. The file is complete
/// and on the disk when this answers, and belongs to its owner alone; until then it has another name.
///
/// The copy is made by SQLite itself, page by page out of one snapshot: a copy of the files of a running host would be torn.
///
/// # Errors
///
/// `NotFound` without a database, `Conflict` when the file exists already, `Failed` when it cannot be written.
pub fn backup(database: &Path, to: &Path) -> Result<Backup> {
    if !database.exists() {
        return Err(StoreError::not_found("database", &database.display()));
    }
    let exists =
        |path: &Path| StoreError::conflict("the backup", format!("{}, which exists already", path.display()));
    if to.exists() {
        return Err(exists(to));
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    // SQLite would make it readable by others.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).map_err(
        |error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&partial),
            _ => failed(&partial, &error),
        },
    )?;
    let copied = copy(database, &partial).and_then(|commit| {
        finish(&partial, to).map_err(|error| failed(to, &error)).map(|bytes| Backup {
            file: to.to_owned(),
            bytes,
            commit,
        })
    });
    if copied.is_err() {
        // Half a backup must not be taken for one.
        let _ = std::fs::remove_file(&partial);
    }
    copied
}

fn copy(database: &Path, to: &Path) -> Result<Option<u64>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    schema::recognise(&connection, database)?;
    let name = to.to_str().ok_or_else(|| StoreError::Invalid(format!("{} is no text", to.display())))?;
    // Rebuilt rather than copied, so that what was deleted is not in it.
    connection.execute("VACUUM INTO ?1", [name])?;
    let copy = Connection::open_with_flags(to, flags)?;
    Ok(Position::of(&copy)?.map(|position| position.commit))
}

fn finish(partial: &Path, to: &Path) -> io::Result<u64> {
    let file = File::open(partial)?;
    file.sync_all()?;
    std::fs::rename(partial, to)?;
    let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()?;
    Ok(file.metadata()?.len())
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Failed { reason: format!("{}: {error}", path.display()) }
}
