//! The workspaces' data keys, wrapped.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Result;
use super::codec::{At, count, integer};
use crate::error::StoreError;
use crate::model::{DataKeys, Rewrapped, StoredDataKey, WorkspaceId};
use crate::vault::{KeyId, Sealed, WrappedKey};

const DATA_KEY: &str =
    "SELECT id, workspace, kek, wrapped, generation, created_at, retired_at FROM data_keys";

fn row(row: &Row<'_>) -> rusqlite::Result<StoredDataKey> {
    let kek = KeyId::from_stored(row.get::<_, String>(2)?);
    Ok(StoredDataKey {
        key: WrappedKey {
            id: KeyId::from_stored(row.get::<_, String>(0)?),
            workspace: row.get(1)?,
            wrapped: Sealed { key_id: kek, bytes: row.get(3)? },
        },
        generation: count(row.get(4)?),
        created_at: row.get::<_, At>(5)?.0,
        retired_at: row.get::<_, Option<At>>(6)?.map(|at| at.0),
    })
}

/// All keys.
pub(super) fn all(db: &Connection) -> Result<DataKeys> {
    let sql = format!("{DATA_KEY} ORDER BY workspace, created_at, id");
    let mut statement = db.prepare_cached(&sql)?;
    let keys = statement.query_map([], row)?.collect::<rusqlite::Result<_>>()?;
    Ok(DataKeys { generation: generation(db)?, keys })
}

/// The key with this id.
pub(super) fn find(db: &Connection, id: &KeyId) -> Result<Option<StoredDataKey>> {
    let sql = format!("{DATA_KEY} WHERE id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id.as_str()], row).optional()?)
}

/// The key that seals what is a workspace's.
pub(super) fn in_use(db: &Connection, workspace: &WorkspaceId) -> Result<Option<StoredDataKey>> {
    let sql = format!("{DATA_KEY} WHERE workspace = ?1 AND retired_at IS NULL");
    Ok(db.prepare_cached(&sql)?.query_row([workspace], row).optional()?)
}

/// Takes a key into use, unless its workspace has one by now; answers the one in use.
pub(super) fn add(db: &Connection, key: &WrappedKey, now: Timestamp) -> Result<StoredDataKey> {
    if let Some(present) = in_use(db, &key.workspace)? {
        return Ok(present);
    }
    let sql = "INSERT INTO data_keys (id, workspace, kek, wrapped, generation, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(sql)?.execute(params![
        key.id.as_str(),
        key.workspace,
        key.wrapped.key_id.as_str(),
        key.wrapped.bytes,
        integer(generation(db)?),
        At(now),
    ])?;
    in_use(db, &key.workspace)?.ok_or_else(|| StoreError::not_found("data key", &key.id))
}

/// Retires the key in use, if it is still this one, and takes another into use; answers the one in use.
pub(super) fn replace(
    db: &Connection,
    retired: &KeyId,
    key: &WrappedKey,
    now: Timestamp,
) -> Result<StoredDataKey> {
    let sql = "UPDATE data_keys SET retired_at = ?3 WHERE id = ?1 AND workspace = ?2 AND retired_at IS NULL";
    db.prepare_cached(sql)?.execute(params![retired.as_str(), key.workspace, At(now)])?;
    add(db, key, now)
}

/// Exchanges the wrapping of keys that are still wrapped as they were found; answers how many.
pub(super) fn rewrap(db: &Connection, keys: &[Rewrapped]) -> Result<u64> {
    let sql = "UPDATE data_keys SET kek = ?4, wrapped = ?5 WHERE id = ?1 AND kek = ?2 AND wrapped = ?3";
    let mut statement = db.prepare_cached(sql)?;
    let mut changed = 0;
    for Rewrapped { id, from, to } in keys {
        let values = params![id.as_str(), from.key_id.as_str(), from.bytes, to.key_id.as_str(), to.bytes];
        changed += statement.execute(values)? as u64;
    }
    Ok(changed)
}

/// Asks for a new key for every workspace; answers the generation that it will have.
pub(super) fn begin_key_generation(db: &Connection) -> Result<u64> {
    let sql = "UPDATE meta SET value = value + 1 WHERE key = 'data_key_generation' RETURNING value";
    Ok(count(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?))
}

fn generation(db: &Connection) -> Result<u64> {
    let sql = "SELECT value FROM meta WHERE key = 'data_key_generation'";
    Ok(count(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?))
}

/// Whether something may be sealed with a key from now on.
pub(super) fn seals(db: &Connection, id: &KeyId) -> Result<()> {
    let sql = "SELECT 1 FROM data_keys WHERE id = ?1 AND retired_at IS NULL";
    let found = db.prepare_cached(sql)?.exists([id.as_str()])?;
    if found { Ok(()) } else { Err(StoreError::KeyRetired { key: id.clone() }) }
}

/// Whether what was sealed with a key can be opened later.
pub(super) fn opens(db: &Connection, id: &KeyId) -> Result<bool> {
    Ok(db.prepare_cached("SELECT 1 FROM data_keys WHERE id = ?1")?.exists([id.as_str()])?)
}

/// Forgets keys that were retired before this and that nothing is sealed with.
pub(super) fn remove_retired(db: &Connection, before: Timestamp, limit: u32) -> Result<u64> {
    let sql = "DELETE FROM data_keys WHERE id IN (SELECT id FROM data_keys k WHERE retired_at < ?1 \
                   AND NOT EXISTS (SELECT 1 FROM credentials WHERE key_id = k.id) \
                   AND NOT EXISTS (SELECT 1 FROM recordings WHERE key = k.id) \
                   AND NOT EXISTS (SELECT 1 FROM deletions WHERE key = k.id) LIMIT ?2)";
    Ok(db.prepare_cached(sql)?.execute(params![At(before), limit])? as u64)
}
