//! SQLite's own promises: files, locks, commits, crashes. What every engine promises is in [`crate::conformance`].

mod conformance;
