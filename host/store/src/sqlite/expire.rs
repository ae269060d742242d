//! Forgetting what is past its time, a little at a time, so that webhooks need not wait for it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::{
    Result, alerts, conflicts, deletions, deliveries, events, links, messages, recordings, runs, usage,
    writes,
};
use crate::store::DEDUPLICATION;

/// How long writes are counted at least: longer than any limit looks back.
const WRITES: Duration = Duration::from_hours(48);

/// How long runs can be run again at most.
const RECORDINGS: Duration = Duration::from_hours(7 * 24);

/// How long calls are counted by the hour.
const USAGE: Duration = Duration::from_hours(14 * 24);

/// How long a deleted record can come back as the one that it was: HighLevel restores contacts for 60 days.
const TOMBSTONES: Duration = Duration::from_hours(60 * 24);

/// Rows per commit.
const CHUNK: u32 = 500;

/// Removes or empties some rows that are past their time; 0 when none are left.
pub(super) fn some(db: &Connection, now: Timestamp, retention: Duration) -> Result<u64> {
    let before = |age: Duration| {
        let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        now.saturating_sub(age).unwrap_or(Timestamp::MIN)
    };
    let mut changed = runs::remove_older(db, before(retention), CHUNK)?;
    changed += recordings::remove_older(db, before(retention.min(RECORDINGS)), CHUNK)?;
    changed += conflicts::remove_older(db, before(retention), CHUNK)?;
    changed += deletions::forget_kept(db, now, CHUNK)?;
    changed += deletions::remove_older(db, before(retention.max(TOMBSTONES)), CHUNK)?;
    changed += links::forget_lost(db, before(TOMBSTONES), CHUNK)?;
    changed += messages::remove_older(db, before(retention), CHUNK)?;
    changed += alerts::remove_older(db, before(retention), CHUNK)?;
    changed += usage::remove_older(db, before(USAGE), CHUNK)?;
    changed += writes::remove_older(db, before(WRITES), CHUNK)?;
    changed += deliveries::remove_older(db, now, before(retention.max(DEDUPLICATION)), CHUNK)?;
    changed += events::remove_older(db, before(retention.max(DEDUPLICATION)), CHUNK)?;
    if retention < DEDUPLICATION {
        changed += events::empty_older(db, before(retention), CHUNK)?;
    }
    Ok(changed)
}
