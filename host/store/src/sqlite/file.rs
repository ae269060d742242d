//! The database file: its lock, and how connections to it are set up.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::Result;
use crate::error::StoreError;
use crate::torture;

/// How long to wait for an outside tool that holds SQLite's own lock, such as a backup.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Every statement of this crate fits, so none is compiled twice.
const STATEMENTS: usize = 256;
/// Page cache of the writer, in KiB (negative by SQLite's convention): the inner nodes of the hot indexes of a large host.
const WRITER_CACHE_KIB: i64 = -32_768;
/// Pages in the write-ahead log before they are folded into the database. Fewer, larger folds write a page that many
/// commits touched only once; 16 MiB are read back in well under a second after a crash.
pub(super) const FOLD_PAGES: i32 = 4_000;
/// The log is cut back to this size after a fold, so that one burst does not keep its disk space for ever.
const LOG_LIMIT_BYTES: i64 = 64 << 20;
/// Readers map this much of the file instead of copying pages. Address space, not memory.
const READER_MMAP_BYTES: i64 = 256 << 20;

/// The right to be the only store on a file: an advisory lock on `<database>.lock`, held as long as this lives.
///
/// SQLite's own locks only last for a transaction, and its database file must not be locked by others. The operating system
/// ends the lock with the process, however it dies, so a lock that can be taken proves that nobody else is at work.
#[derive(Debug)]
pub(super) struct Locked {
    path: PathBuf,
    lock: File,
}

impl Locked {
    /// Takes the lock; makes an empty database file, readable by its owner alone, when there is none.
    pub(super) fn take(path: &Path) -> Result<Self> {
        let failed = |error: io::Error| StoreError::Failed { reason: format!("{}: {error}", path.display()) };
        // SQLite gives the log and the index beside the database the permissions of the database.
        private(path).map_err(failed)?;
        // One database has one lock, whichever link or relative path leads to it.
        let path = path.canonicalize().map_err(failed)?;
        let mut lock_path = path.clone().into_os_string();
        lock_path.push(".lock");
        let lock = private(Path::new(&lock_path)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The database file, free of links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is being started elsewhere in this one may have a copy of it for a moment,
        // and the lock lasts as long as any copy.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(path = %self.path.display(), %error, "the database's lock was not given up");
        }
    }
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Opens the connection that writes.
pub(super) fn open_writer(path: &Path) -> Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Every commit reaches the disk before it is answered. NORMAL would lose the last commits in a power failure.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is removed is other people's data: it is overwritten, not only unlinked from its page.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "cache_size", WRITER_CACHE_KIB)?;
    // The writer folds the log itself: SQLite's own way keeps to itself what goes wrong.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT_BYTES)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "mmap_size", READER_MMAP_BYTES)?;
    Ok(connection)
}

/// How far the log is folded into the database.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fold {
    /// As far as it goes without waiting for readers.
    Some,
    /// All of it; the log is empty afterwards, unless an outside tool reads for longer than the time-out.
    All,
}

/// Writes the log's pages into the database and syncs both.
pub(super) fn fold(connection: &Connection, how_far: Fold) -> Result<()> {
    let sql = match how_far {
        Fold::Some => "PRAGMA wal_checkpoint(PASSIVE)",
        Fold::All => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    // The row says how much was folded; that readers kept some back is no fault.
    connection.query_row(sql, [], |_| Ok(()))?;
    torture::point("after-fold");
    Ok(())
}

fn open(path: &Path, mode: OpenFlags) -> Result<Connection> {
    // A connection never leaves its owner, so SQLite's own mutexes are not needed.
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // One plan per statement, whatever is bound: else SQLite compiles the hot ones anew for every value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // The last connection that closes must not fold the log: the disk may have failed, or a start been refused for what is
    // missing in it, and then the log is evidence.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // An index or a trigger in a tampered file must not run functions.
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}
