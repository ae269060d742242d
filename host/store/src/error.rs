//! What a store can refuse, and what the caller can do about it.

use std::path::PathBuf;

use crate::doubt::Doubt;

/// Why the store did not do it. Unless a variant says otherwise, nothing was written.
///
/// Cloneable, because one failed commit is the answer to every request that shared it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process, or another part of this one, has the database open.
    #[error("{} is in use by another process: stop it, or give this one a database of its own", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The database was written by a newer version; it is left untouched.
    #[error(
        "{} has schema version {found}, but this version knows only up to {supported}: \
         start the newer version again, or restore a backup from before the upgrade",
        path.display()
    )]
    TooNew {
        /// The database file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest schema version that this build knows.
        supported: i64,
    },
    /// The file is a database of another application.
    #[error("{} is an SQLite database of another application ({found:#010x}); choose another path", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its application id.
        found: i64,
    },
    /// A thing that the request names does not exist.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Under which id.
        id: String,
    },
    /// The request contradicts what is stored.
    #[error("{wanted} contradicts {existing}")]
    Conflict {
        /// What was to be written.
        wanted: String,
        /// What is in its way.
        existing: String,
    },
    /// The request contradicts itself: a fault of the caller.
    #[error("refused: {0}")]
    Invalid(String),
    /// A limit is reached: so much waits, or was written, that no more is taken for now. Names the limit and what helps.
    #[error("{0}")]
    Limited(String),
    /// Something was sealed with a data key that another one took the place of meanwhile: it has to be sealed anew.
    #[error("the data key {key} was replaced meanwhile; what was sealed with it has to be sealed anew")]
    KeyRetired {
        /// The data key.
        key: crate::vault::KeyId,
    },
    /// What was given stands for several contacts, and nobody said which.
    #[error("it stands for {} contacts: {}", contacts.len(), contacts.iter().map(crate::RecordId::as_str).collect::<Vec<_>>().join(", "))]
    Several {
        /// Their ids at HighLevel.
        contacts: Vec<crate::RecordId>,
    },
    /// The work was given to somebody else meanwhile, or was never claimed under this lease.
    #[error(
        "{what} is not ours under lease token {token}: its lease or its claim ended, and somebody else will do it"
    )]
    Fenced {
        /// The work.
        what: String,
        /// The token that is no longer the current one.
        token: i64,
    },
    /// The database stayed locked by an outside tool for longer than the time-out; worth trying again.
    #[error("the database is locked by an outside tool: {0}")]
    Busy(String),
    /// The disk has no room, or a file cannot be opened. Everything that changes the store is refused until
    /// [`probe`](crate::OperationStore::probe) succeeds. Requests that were answered before stay safe.
    #[error(
        "the store cannot commit ({reason}); check the disk: writing resumes when the health probe succeeds"
    )]
    Failed {
        /// What the engine said.
        reason: String,
    },
    /// A read, write or sync of the disk failed. The store does nothing any more; the next process reads the log afresh. What
    /// this request wrote may be kept all the same.
    #[error(
        "the disk failed ({reason}), so nobody knows what it kept of the last commit; what was answered before is safe. \
         This process ends: check the disk (the kernel's log names it) and start again"
    )]
    Disk {
        /// What the engine said.
        reason: String,
    },
    /// The database is damaged. The store does nothing any more, and no later process goes on by itself.
    #[error(
        "the database is damaged ({reason}): the host does not go on with it. Check the disk and run `contactor store check`; \
         when it finds problems, restore a backup (docs/operators.md, \"Backup and restore\")"
    )]
    Corrupt {
        /// What the engine said.
        reason: String,
    },
    /// The database is not what was left: a person decides.
    #[error("{0}")]
    Doubtful(Box<Doubt>),
    /// A row cannot be read as what it should be: a fault of this program, or of somebody who edited the database.
    #[error("a stored row is unreadable: {0}")]
    Damaged(String),
    /// The engine refused a statement: a fault of this program.
    #[error("the database refused a statement: {0}")]
    Engine(String),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the store has stopped for good, so that the process has to end.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Disk { .. } | Self::Corrupt { .. } | Self::Doubtful(_))
    }

    /// Whether the same request may succeed in a moment, and wrote nothing.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Busy(_))
    }

    /// Whether the same request would be refused for ever, under whichever lease.
    pub fn is_of_the_request(&self) -> bool {
        !(self.is_passing() || self.is_lasting() || matches!(self, Self::Fenced { .. } | Self::Closed))
    }

    /// Whether it is the disk that refuses, so that nothing of a transaction stands.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        self.is_lasting() || matches!(self, Self::Failed { .. })
    }

    pub(crate) fn not_found(what: &'static str, id: &impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    pub(crate) fn conflict(wanted: impl Into<String>, existing: impl Into<String>) -> Self {
        Self::Conflict { wanted: wanted.into(), existing: existing.into() }
    }
}

impl From<Doubt> for StoreError {
    fn from(doubt: Doubt) -> Self {
        Self::Doubtful(Box::new(doubt))
    }
}
