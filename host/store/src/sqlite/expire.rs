//! Forgetting what is past its time, a little at a time, so that webhooks need not wait for it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::{
    Result, alerts, changes, conflicts, data_keys, deletions, deliveries, events, links, matching, messages,
    recordings, runs, usage, writes,
};
use crate::model::DECISIONS;
use crate::store::DEDUPLICATION;

/// How long writes are counted at least: longer than any limit looks back.
const WRITES: Duration = Duration::from_hours(48);

/// How long changed records are counted at least: longer than the guard looks back.
const CHANGES: Duration = Duration::from_hours(48);

/// How long runs can be run again at most.
const RECORDINGS: Duration = Duration::from_hours(7 * 24);

/// How long calls are counted by the hour.
const USAGE: Duration = Duration::from_hours(14 * 24);

/// How long a deleted record can come back as the one that it was: HighLevel restores contacts for 60 days.
const TOMBSTONES: Duration = Duration::from_hours(60 * 24);

/// How long a data key still opens after another took its place, at least: longer than any run takes to keep what it sealed, and than
/// anybody holds what was read before it was sealed anew.
const RETIRED_KEYS: Duration = Duration::from_hours(1);

/// Rows per commit.
const CHUNK: u32 = 500;

/// Days to seconds.
const DAY: u64 = 86_400;

/// Whose rows are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of every workspace, and of none.
    Everybody,
    /// Those of one workspace, by its row key.
    Workspace(i64),
    /// Events that are held for a location which no workspace is bound to.
    Nobody,
}

impl Whose {
    /// The condition for a table with a column `workspace`.
    pub(super) fn by_workspace(self) -> String {
        match self {
            Self::Everybody => "1".to_owned(),
            Self::Workspace(pk) => format!("workspace = {pk}"),
            Self::Nobody => "workspace IS NULL".to_owned(),
        }
    }

    /// The condition for a table with a column `connection`. Its index leads with the connection, so all are named.
    pub(super) fn by_connection(self) -> String {
        let of = match self {
            Self::Everybody => String::new(),
            Self::Workspace(pk) => format!(" WHERE workspace = {pk}"),
            Self::Nobody => " WHERE 0".to_owned(),
        };
        format!("connection IN (SELECT pk FROM connections{of})")
    }
}

/// Whose rows are kept for how long: everybody's alike, unless a workspace has a time of its own.
pub(super) fn terms(db: &Connection, retention: Duration) -> Result<Vec<(Whose, Duration)>> {
    let sql = "SELECT EXISTS (SELECT 1 FROM workspaces WHERE retention_days IS NOT NULL)";
    if !db.query_row(sql, [], |row| row.get::<_, bool>(0))? {
        return Ok(vec![(Whose::Everybody, retention)]);
    }
    let mut statement = db.prepare("SELECT pk, retention_days FROM workspaces")?;
    let rows = statement.query_map([], |row| {
        let own: Option<u32> = row.get(1)?;
        let kept = own.map_or(retention, |days| Duration::from_secs(u64::from(days) * DAY));
        Ok((Whose::Workspace(row.get(0)?), kept))
    })?;
    let mut terms = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    terms.push((Whose::Nobody, retention));
    Ok(terms)
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
    now.saturating_sub(age).unwrap_or(Timestamp::MIN)
}

/// Removes or empties some rows that are past their time; 0 when none are left.
pub(super) fn some(db: &Connection, now: Timestamp, (whose, retention): (Whose, Duration)) -> Result<u64> {
    let past = |age: Duration| before(now, age);
    let keys = past(retention.max(DEDUPLICATION));
    let mut changed = events::remove_older(db, whose, keys, CHUNK)?;
    if retention < DEDUPLICATION {
        changed += events::empty_older(db, whose, past(retention), CHUNK)?;
    }
    if whose == Whose::Nobody {
        return Ok(changed);
    }
    changed += runs::remove_older(db, whose, past(retention), CHUNK)?;
    changed += recordings::remove_older(db, whose, past(retention.min(RECORDINGS)), CHUNK)?;
    changed += conflicts::remove_older(db, whose, past(retention), CHUNK)?;
    changed += matching::remove_older(db, whose, past(retention), CHUNK)?;
    changed += messages::remove_older(db, whose, past(retention), CHUNK)?;
    changed += alerts::remove_older(db, whose, past(retention), CHUNK)?;
    changed += deliveries::remove_older(db, whose, now, keys, CHUNK)?;
    Ok(changed)
}

/// The same for what is kept as long everywhere.
pub(super) fn some_counts(db: &Connection, now: Timestamp) -> Result<u64> {
    let changed = usage::remove_older(db, before(now, USAGE), CHUNK)?
        + writes::remove_older(db, before(now, WRITES), CHUNK)?
        + changes::remove_older(db, before(now, CHANGES), CHUNK)?
        + deletions::lapse(db, now, before(now, DECISIONS), CHUNK)?
        + deletions::forget_kept(db, now, CHUNK)?
        + deletions::remove_older(db, before(now, TOMBSTONES), CHUNK)?
        + links::forget_lost(db, before(now, TOMBSTONES), CHUNK)?
        + recordings::remove_beyond_share(db, CHUNK)?
        + data_keys::remove_retired(db, before(now, RETIRED_KEYS), CHUNK)?;
    Ok(changed)
}
