//! Why a database is not simply gone on with: what is wrong, what it probably comes from, and what a person does next.

use std::path::PathBuf;

/// What is wrong with a database that a host is to start on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Commits that were acknowledged are not in it.
    #[error(
        "{path} lacks commits that were acknowledged: it ends at commit {database}, its mark {path}.mark says {marked}, so \
         {} are missing: webhooks that were answered 200, and what was done about them\n\
         likely: the write-ahead log {path}-wal was cut short, damaged or removed while the host was down, or an older copy of \
         the database was put in its place\n{}",
        marked.saturating_sub(*database),
        next(path), path = path.display()
    )]
    Behind {
        /// The database file.
        path: PathBuf,
        /// The last commit in it.
        database: u64,
        /// The last commit that was acknowledged.
        marked: u64,
    },
    /// The mark belongs to another database.
    #[error(
        "{path} is not the database that its mark {path}.mark belongs to, which was at commit {marked}; what was acknowledged \
         there may be missing here\n\
         likely: a database of another host was put in its place, or one from before a loss that was accepted\n{}",
        next(path), path = path.display()
    )]
    Other {
        /// The database file.
        path: PathBuf,
        /// The last commit that was acknowledged, of the other database.
        marked: u64,
    },
    /// The mark cannot be read.
    #[error(
        "the mark {path}.mark is unreadable, so nobody knows whether {path} holds all that was acknowledged\n\
         likely: the disk damaged it, or somebody edited it; the disk may have damaged more\n{}",
        next(path), path = path.display()
    )]
    Unreadable {
        /// The database file.
        path: PathBuf,
    },
    /// The host met damage in it and ended.
    #[error(
        "{path} was found damaged while the host ran, and the host ended; it does not go on by itself\n\
         likely: a failing disk, or a program that wrote into the file\n\
         next: check the disk, then `contactor store check`\n  \
         - it finds problems: put a backup in its place (docs/operators.md, \"Backup and restore\")\n  \
         - it finds none (the disk gave back wrong bytes once): `contactor store accept`, then start",
        path = path.display()
    )]
    Damaged {
        /// The database file.
        path: PathBuf,
    },
}

/// As the text that a person reads.
impl serde::Serialize for Doubt {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn next(path: &std::path::Path) -> String {
    format!(
        "next: 1. copy {path}, {path}-wal and {path}.mark aside, before anything else touches them\n      \
         2. if the right files are still somewhere (a log that was moved, a newer copy), put them back and start\n      \
         3. otherwise go on without what is missing: `contactor store accept` (with the --config of `serve`), then start\n      \
         4. `contactor sync WORKSPACE CONNECTOR --full` for each connection finds again what the lost webhooks announced",
        path = path.display()
    )
}
