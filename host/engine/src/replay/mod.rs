//! Runs that can be run again: what a connector was given and answered is recorded, sealed, and can be replayed later without
//! calling anybody, with the same component or with a newer build.
//!
//! Recorded are the guest calls of automations and actions, and those of reconciles that somebody may want to look into: of a
//! record that failed before, or that a person asked for. Everything else would double what a busy host stores.
//!
//! A guest has no clock, randomness, files or threads: beside its input it sees settings, clock, and the answers of its calls. All of
//! that is in the [`Recording`](recording::Recording), so a replay of the same component takes the same way. Expressions (`rules`) are
//! the host's and pure; they are evaluated anew.

mod given;
mod play;
mod recording;
mod report;
mod tape;

pub(crate) use given::packed;
pub(crate) use recording::{Recorded, RunTape};
pub use report::{Parting, RecordingSummary, ReplayCall, ReplayReport, ReplayedCall, SideBySide};
pub(crate) use tape::{Tape, Taped};
