//! Leases on the shards, and the fence that every completion passes.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::codec::{At, count};
use super::{Result, deliveries, dirty, messages, unread};
use crate::error::StoreError;
use crate::model::Lease;

/// Frees all shards: only right after the file was locked, when their holders cannot be alive. Claims are freed when the
/// shards are taken, like those of any lease that ended.
pub(super) fn clear(db: &Connection) -> Result<()> {
    db.execute("UPDATE leases SET owner = '', token = 0, expires_at = 0", [])?;
    Ok(())
}

/// Takes every shard that is ours, free or expired. The token stays while the owner holds any shard: nobody else can have
/// worked under it since.
pub(super) fn acquire(db: &Connection, owner: &str, now: Timestamp, ttl: Duration) -> Result<Lease> {
    if owner.is_empty() {
        return Err(StoreError::Invalid("a lease needs an owner".to_owned()));
    }
    let held: Option<i64> = db
        .prepare_cached("SELECT max(token) FROM leases WHERE owner = ?1")?
        .query_row([owner], |row| row.get(0))?;
    let token = match held {
        Some(token) => token,
        None => next_token(db)?,
    };
    let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
    let expires_at = now.saturating_add(ttl).unwrap_or(Timestamp::MAX);
    let sql =
        "UPDATE leases SET owner = ?1, token = ?2, expires_at = ?3 WHERE owner <> ?1 AND expires_at <= ?4";
    let taken = db.prepare_cached(sql)?.execute(params![owner, token, At(expires_at), At(now)])?;
    if taken > 0 {
        dirty::free_claims(db, token)?;
        unread::free_claims(db, token)?;
        deliveries::free_claims(db, token)?;
        messages::free_claims(db, token)?;
    }
    let sql = "UPDATE leases SET expires_at = ?2 WHERE owner = ?1";
    db.prepare_cached(sql)?.execute(params![owner, At(expires_at)])?;
    Ok(Lease { owner: owner.to_owned(), token, expires_at })
}

fn next_token(db: &Connection) -> Result<i64> {
    let sql = "UPDATE meta SET value = value + 1 WHERE key = 'lease_token' RETURNING value";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Frees the shards of a lease. Its claims are given out again under the next lease, which has a greater token.
pub(super) fn release(db: &Connection, lease: &Lease) -> Result<()> {
    let sql = "UPDATE leases SET owner = '', token = 0, expires_at = 0 WHERE owner = ?1 AND token = ?2";
    db.prepare_cached(sql)?.execute(params![lease.owner, lease.token])?;
    Ok(())
}

/// What can be claimed, as the indexes of work know it.
const CLAIMED: [(&str, &str); 4] = [
    ("dirty", "claim = ?1"),
    ("unread", "claim = ?1"),
    ("deliveries", "state = 0 AND place < 2 AND claim = ?1"),
    ("outgoing", "state = 0 AND claim = ?1"),
];

/// How much is claimed under a token.
pub(super) fn claims(db: &Connection, token: i64) -> Result<u64> {
    let mut claims = 0;
    for (table, filter) in CLAIMED {
        let sql = format!("SELECT count(*) FROM {table} WHERE {filter}");
        claims += count(db.prepare_cached(&sql)?.query_row([token], |row| row.get(0))?);
    }
    Ok(claims)
}

/// Gives back what is claimed under a lease.
pub(super) fn free_claims(db: &Connection, lease: &Lease) -> Result<u64> {
    shards(db, lease)?;
    let mut freed = 0;
    for (table, filter) in CLAIMED {
        let sql = format!("UPDATE {table} SET claim = 0 WHERE {filter}");
        freed += db.prepare_cached(&sql)?.execute([lease.token])? as u64;
    }
    Ok(freed)
}

/// The shards of a lease; `Fenced` when it covers none any more.
pub(super) fn shards(db: &Connection, lease: &Lease) -> Result<HashSet<u16>> {
    let sql = "SELECT shard FROM leases WHERE owner = ?1 AND token = ?2";
    let mut statement = db.prepare_cached(sql)?;
    let shards = statement.query_map(params![lease.owner, lease.token], |row| row.get(0))?;
    let shards: HashSet<u16> = shards.collect::<rusqlite::Result<_>>()?;
    if shards.is_empty() {
        return Err(StoreError::Fenced { what: "every shard".to_owned(), token: lease.token });
    }
    Ok(shards)
}

/// Lets a completion pass only under the lease that holds the shard now. A lease that expired without anybody taking the
/// shard still passes: nobody else has worked on it.
pub(super) fn fence(db: &Connection, lease: &Lease, shard: u16, what: impl FnOnce() -> String) -> Result<()> {
    let sql = "SELECT owner = ?2 AND token = ?3 FROM leases WHERE shard = ?1";
    let ours =
        db.prepare_cached(sql)?.query_row(params![shard, lease.owner, lease.token], |row| row.get(0))?;
    if ours { Ok(()) } else { Err(StoreError::Fenced { what: what(), token: lease.token }) }
}
