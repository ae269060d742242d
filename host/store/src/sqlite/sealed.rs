//! What is sealed, wherever it lies: how much with which key, and sealing it anew.

use rusqlite::{Connection, Row, params};

use super::codec::count;
use super::{Result, data_keys};
use crate::model::{ConnectionId, KeyUse, Resealed, RunId, SealedAt, SealedKind, SealedRow, WorkspaceId};
use crate::vault::{KeyId, Purpose, Sealed};

/// Bytes of one page: as much as a commit may write without keeping webhooks waiting. A page has one row at least.
const PAGE_BYTES: usize = 256 * 1024;

/// How much of everything is sealed with each key.
pub(super) fn uses(db: &Connection) -> Result<Vec<KeyUse>> {
    let mut uses = Vec::new();
    for kind in SealedKind::ALL {
        uses.append(&mut uses_of(db, kind)?);
    }
    Ok(uses)
}

/// The same of one kind.
pub(super) fn uses_of(db: &Connection, kind: SealedKind) -> Result<Vec<KeyUse>> {
    let sql = match kind {
        SealedKind::Credential => "SELECT key_id, count(*) FROM credentials GROUP BY key_id",
        SealedKind::Recording => "SELECT key, count(*) FROM recordings WHERE key IS NOT NULL GROUP BY key",
        SealedKind::Undo => "SELECT key, count(*) FROM deletions WHERE key IS NOT NULL GROUP BY key",
    };
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(KeyUse { kind, key: KeyId::from_stored(row.get::<_, String>(0)?), rows: count(row.get(1)?) })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What of a kind is sealed with a key, behind the last row of the page before.
pub(super) fn page(
    db: &Connection,
    kind: SealedKind,
    key: &KeyId,
    after: Option<&SealedAt>,
    limit: u32,
) -> Result<Vec<SealedRow>> {
    match kind {
        SealedKind::Credential => {
            let after = match after {
                Some(SealedAt::Credential(name)) => name.as_str(),
                _ => "",
            };
            let sql =
                "SELECT name, bytes FROM credentials WHERE key_id = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map(params![key.as_str(), after, limit], |row| {
                let name: String = row.get(0)?;
                let purpose = Purpose::of_credential(&name);
                Ok(sealed_row(SealedAt::Credential(name), purpose, key, row.get(1)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        }
        SealedKind::Recording => {
            let sql = "SELECT r.pk, w.id, c.id, r.run, r.sealed FROM recordings r \
                       JOIN connections c ON c.pk = r.connection JOIN workspaces w ON w.pk = c.workspace \
                       WHERE r.key = ?1 AND r.pk > ?2 ORDER BY r.pk LIMIT ?3";
            numbered(db, sql, key, after, limit, |row| {
                let (workspace, connection): (WorkspaceId, ConnectionId) = (row.get(1)?, row.get(2)?);
                let purpose = Purpose::recording(&workspace, &connection, &row.get::<_, RunId>(3)?);
                Ok(sealed_row(SealedAt::Recording(row.get(0)?), purpose, key, row.get(4)?))
            })
        }
        SealedKind::Undo => {
            let sql = "SELECT d.id, w.id, c.id, d.sealed FROM deletions d \
                       JOIN connections c ON c.pk = d.connection JOIN workspaces w ON w.pk = c.workspace \
                       WHERE d.key = ?1 AND d.id > ?2 ORDER BY d.id LIMIT ?3";
            numbered(db, sql, key, after, limit, |row| {
                let (workspace, connection): (WorkspaceId, ConnectionId) = (row.get(1)?, row.get(2)?);
                let id = row.get(0)?;
                let purpose = Purpose::undo(&workspace, &connection, id);
                Ok(sealed_row(SealedAt::Undo(id), purpose, key, row.get(3)?))
            })
        }
    }
}

/// Rows that have a number, up to the page's bytes.
fn numbered(
    db: &Connection,
    sql: &str,
    key: &KeyId,
    after: Option<&SealedAt>,
    limit: u32,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<SealedRow>,
) -> Result<Vec<SealedRow>> {
    let after = match after {
        Some(SealedAt::Recording(number) | SealedAt::Undo(number)) => *number,
        _ => 0,
    };
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![key.as_str(), after, limit])?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while bytes < PAGE_BYTES
        && let Some(row) = rows.next()?
    {
        let row = read(row)?;
        bytes += row.sealed.bytes.len();
        page.push(row);
    }
    Ok(page)
}

fn sealed_row(at: SealedAt, purpose: Purpose, key: &KeyId, bytes: Vec<u8>) -> SealedRow {
    SealedRow { at, purpose, sealed: Sealed { key_id: key.clone(), bytes } }
}

/// Puts what was sealed anew in the place of what it was made from; what is something else by now is left alone. Answers how many.
pub(super) fn reseal(db: &Connection, rows: &[Resealed]) -> Result<u64> {
    let mut changed = 0;
    for Resealed { at, from, to } in rows {
        data_keys::seals(db, &to.key_id)?;
        let (from_key, to_key) = (from.key_id.as_str(), to.key_id.as_str());
        changed += match at {
            SealedAt::Credential(name) => db
                .prepare_cached(
                    "UPDATE credentials SET key_id = ?4, bytes = ?5 WHERE name = ?1 AND key_id = ?2 AND bytes = ?3",
                )?
                .execute(params![name, from_key, from.bytes, to_key, to.bytes])?,
            SealedAt::Recording(number) => db
                .prepare_cached(
                    "UPDATE recordings SET key = ?4, sealed = ?5 WHERE pk = ?1 AND key = ?2 AND sealed = ?3",
                )?
                .execute(params![number, from_key, from.bytes, to_key, to.bytes])?,
            SealedAt::Undo(id) => db
                .prepare_cached(
                    "UPDATE deletions SET key = ?4, sealed = ?5 WHERE id = ?1 AND key = ?2 AND sealed = ?3",
                )?
                .execute(params![id, from_key, from.bytes, to_key, to.bytes])?,
        } as u64;
    }
    Ok(changed)
}
