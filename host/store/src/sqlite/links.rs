//! Links: HighLevel id ↔ partner id, unique both ways.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::Result;
use super::codec::{At, Json, Word, count, is_taken};
use super::counts::Scope;
use crate::error::StoreError;
use crate::model::{Link, RecordId, Side};

const LINK: &str = "SELECT c.id, l.entity, l.highlevel_id, l.partner_id, l.base, l.highlevel_fingerprint, \
                    l.partner_fingerprint, l.state, l.created_at, l.updated_at, l.parent, l.occurs_at \
                    FROM links l JOIN connections c ON c.pk = l.connection";

fn link_row(row: &Row<'_>) -> rusqlite::Result<Link> {
    Ok(Link {
        connection: row.get(0)?,
        entity: row.get(1)?,
        highlevel_id: row.get(2)?,
        partner_id: row.get(3)?,
        base: row.get::<_, Json<_>>(4)?.0,
        highlevel_fingerprint: contactor_sync::Fingerprint::from_stored(row.get::<_, String>(5)?),
        partner_fingerprint: contactor_sync::Fingerprint::from_stored(row.get::<_, String>(6)?),
        state: row.get::<_, Word<_>>(7)?.0,
        created_at: row.get::<_, At>(8)?.0,
        updated_at: row.get::<_, At>(9)?.0,
        parent: Some(row.get::<_, RecordId>(10)?).filter(|parent| !parent.as_str().is_empty()),
        occurs_at: row.get::<_, Option<At>>(11)?.map(|at| at.0),
    })
}

fn column(side: Side) -> &'static str {
    match side {
        Side::Highlevel => "highlevel_id",
        Side::Partner => "partner_id",
    }
}

/// The link of a record, by either side's id.
pub(super) fn find(
    db: &Connection,
    connection: i64,
    entity: &str,
    side: Side,
    record: &RecordId,
) -> Result<Option<Link>> {
    let sql = format!("{LINK} WHERE l.connection = ?1 AND l.{} = ?2 AND l.entity = ?3", column(side));
    Ok(db.prepare_cached(&sql)?.query_row(params![connection, record, entity], link_row).optional()?)
}

/// HighLevel's id of the record that a partner's record is linked to.
pub(super) fn highlevel_id(
    db: &Connection,
    connection: i64,
    entity: &str,
    partner: &RecordId,
) -> Result<Option<RecordId>> {
    let sql = "SELECT highlevel_id FROM links WHERE connection = ?1 AND partner_id = ?2 AND entity = ?3";
    Ok(db
        .prepare_cached(sql)?
        .query_row(params![connection, partner, entity], |row| row.get(0))
        .optional()?)
}

/// The statement of [`of_parent`]. Its index is named: without statistics SQLite takes one that begins with the connection alone,
/// and reads all links of it.
pub(super) fn of_parent_sql() -> String {
    let link = LINK.replace("FROM links l ", "FROM links l INDEXED BY links_of_parent ");
    format!(
        "{link} WHERE l.connection = ?1 AND l.parent = ?2 AND l.parent <> '' AND l.entity = ?3 ORDER BY l.highlevel_id"
    )
}

/// The links of a parent's children of one entity.
pub(super) fn of_parent(
    db: &Connection,
    connection: i64,
    entity: &str,
    parent: &RecordId,
) -> Result<Vec<Link>> {
    let mut statement = db.prepare_cached(&of_parent_sql())?;
    let rows = statement.query_map(params![connection, parent, entity], link_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) const OCCURRING: &str = "SELECT DISTINCT parent FROM links WHERE connection = ?1 AND entity = ?2 \
                                    AND state = 'active' AND occurs_at >= ?3 AND occurs_at < ?4";

/// The parents of the active links of one entity whose records take place within a window.
pub(super) fn occurring(
    db: &Connection,
    connection: i64,
    entity: &str,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<RecordId>> {
    let mut statement = db.prepare_cached(OCCURRING)?;
    let rows = statement.query_map(params![connection, entity, At(from), At(until)], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Links of one entity in the order of HighLevel's ids.
pub(super) fn page(
    db: &Connection,
    connection: i64,
    entity: &str,
    after: Option<&RecordId>,
    limit: u32,
) -> Result<Vec<Link>> {
    let sql = format!(
        "{LINK} WHERE l.connection = ?1 AND l.highlevel_id > ?2 AND l.entity = ?3 ORDER BY l.highlevel_id LIMIT ?4"
    );
    // Ids are not empty, so the empty text is before all of them.
    let after = after.map_or("", RecordId::as_str);
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![connection, after, entity, limit], link_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Writes a link in the place of the one that its run started from.
pub(super) fn write(db: &Connection, connection: i64, replaced: Option<&Link>, link: &Link) -> Result<()> {
    if let Some(old) = replaced
        && old.highlevel_id != link.highlevel_id
    {
        let sql = "DELETE FROM links WHERE connection = ?1 AND highlevel_id = ?2 AND entity = ?3";
        db.prepare_cached(sql)?.execute(params![connection, old.highlevel_id, old.entity])?;
    }
    let sql = "INSERT INTO links (connection, entity, highlevel_id, partner_id, parent, occurs_at, state, created_at, updated_at, \
                   highlevel_fingerprint, partner_fingerprint, base) \
               VALUES (:connection, :entity, :highlevel_id, :partner_id, :parent, :occurs_at, :state, :created_at, :updated_at, \
                   :highlevel_fingerprint, :partner_fingerprint, :base) \
               ON CONFLICT (connection, highlevel_id, entity) DO UPDATE SET partner_id = :partner_id, parent = :parent, occurs_at = :occurs_at, state = :state, \
                   created_at = :created_at, updated_at = :updated_at, highlevel_fingerprint = :highlevel_fingerprint, \
                   partner_fingerprint = :partner_fingerprint, base = :base \
               WHERE partner_id = :partner_id OR partner_id IS :replaced";
    // A run may only change the link that it saw. Another run may have linked the record meanwhile.
    let replaced_id = replaced.filter(|old| old.highlevel_id == link.highlevel_id).map(|old| &old.partner_id);
    let written = db.prepare_cached(sql)?.execute(named_params! {
        ":connection": connection,
        ":entity": link.entity,
        ":highlevel_id": link.highlevel_id,
        ":partner_id": link.partner_id,
        ":parent": link.parent.as_ref().map_or("", RecordId::as_str),
        ":occurs_at": link.occurs_at.map(At),
        ":state": Word(link.state),
        ":created_at": At(link.created_at),
        ":updated_at": At(link.updated_at),
        ":highlevel_fingerprint": link.highlevel_fingerprint.as_str(),
        ":partner_fingerprint": link.partner_fingerprint.as_str(),
        ":base": Json(&link.base),
        ":replaced": replaced_id,
    });
    match written {
        Ok(1) => Ok(()),
        Ok(_) => Err(taken(db, connection, link)?),
        Err(error) if is_taken(&error) => Err(taken(db, connection, link)?),
        Err(error) => Err(error.into()),
    }
}

/// Writes the link of a child in the place of the one that its HighLevel id has, under whichever parent: a merge of contacts
/// moves their children.
pub(super) fn write_child(db: &Connection, connection: i64, link: &Link) -> Result<()> {
    let replaced = find(db, connection, &link.entity, Side::Highlevel, &link.highlevel_id)?;
    write(db, connection, replaced.as_ref(), link)
}

/// Removes the link of a child, if it is still the one that was seen.
pub(super) fn remove_child(db: &Connection, connection: i64, link: &Link) -> Result<()> {
    let sql = "DELETE FROM links WHERE connection = ?1 AND highlevel_id = ?2 AND entity = ?3 AND parent = ?4 AND parent <> ''";
    let parent = link.parent.as_ref().map_or("", RecordId::as_str);
    db.prepare_cached(sql)?.execute(params![connection, link.highlevel_id, link.entity, parent])?;
    Ok(())
}

/// Forgets what pairs agreed on of which one record is gone since before then, at most `limit`. That one is gone stays known, so that
/// an edit of the other one does not make it anew.
pub(super) fn forget_lost(db: &Connection, before: Timestamp, limit: u32) -> Result<u64> {
    let sql = "UPDATE links SET base = '{}', highlevel_fingerprint = '', partner_fingerprint = '' WHERE pk IN (\
                   SELECT pk FROM links INDEXED BY links_lost WHERE state IN ('highlevel-deleted', 'partner-deleted') \
                   AND base <> '{}' AND updated_at < ?1 ORDER BY updated_at LIMIT ?2)";
    Ok(db.prepare_cached(sql)?.execute(params![At(before), limit])? as u64)
}

/// Makes a pair in quarantine a tombstone, without a run.
pub(super) fn give_up(
    db: &Connection,
    connection: i64,
    entity: &str,
    (highlevel, partner): (&RecordId, &RecordId),
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE links SET updated_at = ?5, \
                   state = iif(state = 'highlevel-missing', 'highlevel-deleted', 'partner-deleted') \
               WHERE connection = ?1 AND entity = ?2 AND highlevel_id = ?3 AND partner_id = ?4 \
                   AND state IN ('highlevel-missing', 'partner-missing')";
    db.prepare_cached(sql)?.execute(params![connection, entity, highlevel, partner, At(now)])?;
    Ok(())
}

/// Names both records of a link that cannot be.
fn taken(db: &Connection, connection: i64, link: &Link) -> Result<StoreError> {
    let by_highlevel = find(db, connection, &link.entity, Side::Highlevel, &link.highlevel_id)?;
    let by_partner = find(db, connection, &link.entity, Side::Partner, &link.partner_id)?;
    let existing = [by_highlevel, by_partner]
        .into_iter()
        .flatten()
        .find(|other| (&other.highlevel_id, &other.partner_id) != (&link.highlevel_id, &link.partner_id));
    let name = |link: &Link| {
        format!(
            "{} {} of {} linked to HighLevel's {}",
            link.entity, link.partner_id, link.connection, link.highlevel_id
        )
    };
    Ok(StoreError::conflict(name(link), existing.as_ref().map_or_else(|| "another link".to_owned(), name)))
}

/// Pairs of which one record was not found and that are not given up yet.
pub(super) fn quarantined(db: &Connection, scope: Scope) -> Result<u64> {
    let sql = format!(
        "SELECT count(*) FROM links WHERE state IN ('highlevel-missing', 'partner-missing') AND parent = '' AND {}",
        scope.filter()
    );
    Ok(count(db.prepare_cached(&sql)?.query_row([scope.pk()], |row| row.get(0))?))
}

pub(super) fn active(db: &Connection, scope: Scope) -> Result<u64> {
    let sql =
        format!("SELECT count(*) FROM links WHERE state = 'active' AND parent = '' AND {}", scope.filter());
    Ok(count(db.prepare_cached(&sql)?.query_row([scope.pk()], |row| row.get(0))?))
}
