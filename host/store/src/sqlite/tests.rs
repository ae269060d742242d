//! SQLite's own promises: files, locks, commits, crashes, costs. What every engine promises is in
//! [`crate::conformance`].

mod backups;
mod commits;
mod conformance;
mod costs;
mod crashes;
mod files;
mod fixture;
mod losses;
mod properties;
mod tenancy;
mod timers;
