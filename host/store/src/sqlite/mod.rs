//! SQLite: the embedded engine, one database file for one host.
//!
//! - One writer thread runs every change. What is queued while a commit waits for the disk shares the next commit, so the
//!   cost of `fsync` is divided among all who wait (`writer`).
//! - Readers are a few read-only connections; each read sees one consistent snapshot and never waits for the writer.
//! - The database is locked for the life of the store ([`file`]), so leases that it finds are those of a dead process.
//!
//! One module per table or small group of tables holds all SQL about it; `complete`, `claim` and `ingest` compose
//! them, and `impls` is the trait, area by area.

mod alerts;
mod audit;
mod backup;
mod changes;
mod check;
mod claim;
mod codec;
mod complete;
mod configuration;
mod conflicts;
mod counts;
mod data_keys;
mod deletions;
mod deliveries;
mod dirty;
mod disk;
mod drill;
mod erase;
mod events;
mod expire;
mod fair;
mod file;
mod impls;
mod ingest;
mod journal;
mod kv;
mod leases;
mod links;
mod logins;
mod mark;
mod marks;
mod matching;
mod mend;
mod messages;
mod oauth;
mod parked;
mod people;
mod readers;
mod recordings;
mod rests;
mod rollouts;
mod runs;
mod schema;
mod sealed;
mod seen;
#[cfg(test)]
mod tests;
mod unread;
mod usage;
mod writer;
mod writes;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;

use crate::error::StoreError;
use crate::torture;
pub use backup::{Backup, backup};
pub use check::{Accepted, Checked, accept, audited, check};
use claim::Turns;
use disk::Disk;
pub use disk::DiskWatch;
pub use drill::{Drill, Drilled, Unopened, drill, needed_keys};
use file::{Fold, Locked};
use mark::{Found, Mark, Position};
use readers::Readers;
use writer::Writer;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Tells the time: for leases, and for marks that no event dates.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a database is opened.
#[derive(Clone)]
pub struct SqliteOptions {
    /// Reads that may go on at the same time, at least 1.
    pub readers: usize,
    /// The clock; the machine's by default.
    pub clock: Clock,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: 4, clock: Arc::new(Timestamp::now) }
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions").field("readers", &self.readers).finish_non_exhaustive()
    }
}

/// A store in one SQLite file. Dropping it finishes what is queued, folds the write-ahead log into the database and
/// releases the file.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    clock: Clock,
    turns: Arc<Turns>,
    disk: Arc<Disk>,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens a database, and makes or upgrades it if needed.
    ///
    /// # Errors
    ///
    /// `InUse` when this or another process has it open, `TooNew` and `Foreign` when it is not ours to change, `Doubtful` when
    /// commits are missing that were acknowledged or damage was met before, `Corrupt` when it is damaged, `Failed` and `Disk`
    /// when the disk does not let us.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// Opens a database with options of one's own.
    pub fn open_with(path: &Path, options: SqliteOptions) -> Result<Self> {
        let locked = Locked::take(path)?;
        let connection = file::open_writer(locked.path())?;
        Self::start(locked, connection, options)
    }

    fn start(locked: Locked, connection: Connection, options: SqliteOptions) -> Result<Self> {
        let path = locked.path().to_owned();
        schema::recognise(&connection, &path)?;
        // Before anything is changed: what is there may be all that is left.
        let (found, position) = (Found::beside(&path)?, Position::of(&connection)?);
        found.judge(&path, position)?;
        if found == Found::Nothing && position.is_some_and(|position| position.commit > 0) {
            tracing::warn!(
                path = %path.display(),
                "there is no mark beside the database, so nobody can tell whether it holds all that was acknowledged; \
                 this is right after a restore, and otherwise not"
            );
        }
        schema::upgrade(&connection, &path)?;
        let opening = connection.unchecked_transaction()?;
        // The lock proves that no other process works on this file: whoever held leases is gone.
        leases::clear(&opening)?;
        // Writes in any case, so that a disk that cannot is found out now.
        writer::write_probe(&opening)?;
        torture::point("before-opening");
        opening.commit()?;
        torture::point("after-opening");
        // The log may hold frames that the kernel has and the disk has not: the last process may have ended because a sync
        // failed. Writing them anew, into the database, is what puts them there.
        file::fold(&connection, Fold::All)?;
        let position = Position::of(&connection)?
            .ok_or_else(|| StoreError::Damaged("the database has lost its commit counter".to_owned()))?;
        let disk = Arc::new(Disk::new(Mark::place(&path, position)?));
        let readers = Readers::open(&path, options.readers.max(1), Arc::clone(&disk))?;
        let writer = Writer::start(locked, connection, Arc::clone(&disk))?;
        Ok(Self { writer, readers, clock: options.clock, turns: Arc::default(), disk, path })
    }

    /// Tells what becomes of the disk.
    pub fn disk(&self) -> DiskWatch {
        self.disk.watch()
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Runs a change on the writer thread; answers after its commit.
    async fn write<T, F>(&self, change: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.writer.run(change).await
    }

    /// Runs a read on one snapshot.
    async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.readers.run(read).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}
