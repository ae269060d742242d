//! Recordings of runs: sealed, and forgotten sooner than the runs.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::codec::{At, count, integer};
use super::expire::Whose;
use super::{Result, data_keys};
use crate::model::{NewRecording, RunId};
use crate::vault::{KeyId, Sealed};

/// Bytes of the recordings of one connection; beyond, the oldest are forgotten.
const SHARE: i64 = 64 * 1024 * 1024;

/// Keeps a recording of a connection's run. One that nobody could open any more, because its key was replaced and forgotten since it
/// was sealed, is as good as forgotten itself.
pub(super) fn insert(db: &Connection, connection: i64, recording: &NewRecording) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO recordings (run, connection, at, size, kept, key, sealed) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let sealed = recording.sealed.as_ref();
    if let Some(sealed) = sealed
        && !data_keys::opens(db, &sealed.key_id)?
    {
        tracing::warn!(run = %recording.run, "a recording came too late to be kept: its key is gone");
        return Ok(());
    }
    db.prepare_cached(sql)?.execute(params![
        recording.run,
        connection,
        At(recording.at),
        integer(recording.size),
        sealed.map_or(0, |sealed| integer(sealed.bytes.len() as u64)),
        sealed.map(|sealed| sealed.key_id.as_str()),
        sealed.map(|sealed| sealed.bytes.as_slice()),
    ])?;
    Ok(())
}

/// The recording of a run.
pub(super) fn find(db: &Connection, run: &RunId) -> Result<Option<NewRecording>> {
    let sql = "SELECT r.run, c.id, r.at, r.size, r.key, r.sealed FROM recordings r \
               JOIN connections c ON c.pk = r.connection WHERE r.run = ?1";
    let found = db.prepare_cached(sql)?.query_row([run], |row| {
        let sealed: (Option<String>, Option<Vec<u8>>) = (row.get(4)?, row.get(5)?);
        Ok(NewRecording {
            run: row.get(0)?,
            connection: row.get(1)?,
            at: row.get::<_, At>(2)?.0,
            size: count(row.get(3)?),
            sealed: sealed
                .0
                .zip(sealed.1)
                .map(|(key, bytes)| Sealed { key_id: KeyId::from_stored(key), bytes }),
        })
    });
    Ok(found.optional()?)
}

/// Forgets what is older; at most `limit`.
pub(super) fn remove_older(db: &Connection, whose: Whose, before: Timestamp, limit: u32) -> Result<u64> {
    let of = whose.by_connection();
    let old = format!(
        "DELETE FROM recordings WHERE pk IN \
             (SELECT pk FROM recordings WHERE {of} AND at < ?1 ORDER BY at LIMIT ?2)"
    );
    Ok(db.prepare_cached(&old)?.execute(params![At(before), limit])? as u64)
}

/// Forgets of each connection what is beyond its share; at most `limit`.
pub(super) fn remove_beyond_share(db: &Connection, limit: u32) -> Result<u64> {
    // The sizes lie in an index, so that no recording is read for its sum.
    let much = "DELETE FROM recordings WHERE pk IN (SELECT pk FROM (\
                    SELECT pk, sum(kept) \
                        OVER (PARTITION BY connection ORDER BY pk DESC) AS total FROM recordings) \
                WHERE total > ?1 LIMIT ?2)";
    Ok(db.prepare_cached(much)?.execute(params![SHARE, limit])? as u64)
}
