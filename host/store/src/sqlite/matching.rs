//! Match reports, and the reviews that hold records back until their bucket is approved.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::codec::{At, Json, Word, count};
use super::expire::Whose;
use super::{Result, dirty, kv};
use crate::error::StoreError;
use crate::model::{
    ConnectionId, Cursor, FoundMatch, Mark, Match, MatchBucket, MatchCount, MatchFilter, Priority, RecordId,
    Review, Side, Told,
};

/// The basis of a review that has ended, of which nothing is left that could be held against another one.
const WORKED_OFF: &str = "";

/// The review of a connection, also one that has ended.
pub(super) fn review(db: &Connection, connection: &ConnectionId) -> Result<Option<Review>> {
    let sql = "SELECT r.walk, r.begun_at, r.basis, r.approved, r.ended_at FROM reviews r \
               JOIN connections c ON c.pk = r.connection WHERE c.id = ?1";
    let found = db.prepare_cached(sql)?.query_row([connection], |row| {
        Ok(Review {
            connection: connection.clone(),
            walk: row.get(0)?,
            begun_at: row.get::<_, At>(1)?.0,
            basis: row.get(2)?,
            approved: row.get::<_, Json<BTreeSet<MatchBucket>>>(3)?.0,
            ended_at: row.get::<_, Option<At>>(4)?.map(|at| at.0),
        })
    });
    Ok(found.optional()?)
}

/// Begins a review, with a report if there is the cursor of one.
pub(super) fn begin(
    db: &Connection,
    (connection, id): (i64, &ConnectionId),
    walk: Option<&Cursor>,
    basis: &str,
    now: Timestamp,
) -> Result<Review> {
    if let (None, Some(present)) = (walk, review(db, id)?) {
        return match present.ended_at {
            None => Ok(present),
            // Its lists are of another mapping, and nobody could tell.
            Some(_) => Err(StoreError::Conflict {
                wanted: format!("a review of {id} without a report"),
                existing: "one that has ended, whose report is still there".to_owned(),
            }),
        };
    }
    let sql = "INSERT INTO reviews (connection, walk, begun_at, basis, approved) VALUES (?1, ?2, ?3, ?4, '[]') \
               ON CONFLICT (connection) DO UPDATE SET walk = walk + ?2, begun_at = ?3, basis = ?4, approved = '[]', \
                   ended_at = NULL";
    db.prepare_cached(sql)?.execute(params![connection, u32::from(walk.is_some()), At(now), basis])?;
    if let Some(cursor) = walk {
        kv::put_cursor(db, connection, cursor)?;
    }
    review(db, id)?.ok_or_else(|| StoreError::not_found("review", id))
}

/// Clears some of what an earlier report listed; 0 when nothing of one is left. What is left belongs to no report meanwhile.
pub(super) fn renew(db: &Connection, connection: i64, limit: u32, now: Timestamp) -> Result<u64> {
    let sql = "SELECT side, record FROM matches \
               WHERE connection = ?1 AND walk < (SELECT walk FROM reviews WHERE connection = ?1) LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![connection, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let earlier = rows.collect::<rusqlite::Result<Vec<(Side, RecordId)>>>()?;
    for (side, record) in &earlier {
        // The walk meets HighLevel's records again. Nothing lists the partner's a second time, so each is looked at anew by a run.
        let sql = match side {
            Side::Highlevel => "DELETE FROM matches WHERE connection = ?1 AND side = ?2 AND record = ?3",
            Side::Partner => {
                "UPDATE matches SET released = 0, walk = (SELECT walk FROM reviews WHERE connection = ?1) \
                 WHERE connection = ?1 AND side = ?2 AND record = ?3"
            }
        };
        db.prepare_cached(sql)?.execute(params![connection, side, record])?;
        if *side == Side::Partner {
            mark(db, connection, *side, record.clone(), now)?;
        }
    }
    Ok(earlier.len() as u64)
}

/// Notes what a page of the walk found, and where it goes on; nothing when another report was begun meanwhile.
pub(super) fn put_page(
    db: &Connection,
    (connection, id): (i64, &ConnectionId),
    walk: u32,
    page: &[FoundMatch],
    cursor: &Cursor,
) -> Result<()> {
    if review(db, id)?.is_none_or(|review| review.walk != walk) {
        return Ok(());
    }
    for found in page {
        let unique = unique(db, connection, found, false)?;
        no_longer_alone(db, connection, &unique)?;
        put(db, connection, &unique)?;
    }
    kv::put_cursor(db, connection, cursor)
}

/// The review of a connection, which is open again when it was ended for another basis and records of it are still to be marked or to
/// be run: what they would become now is not what was approved. With the basis of its report it ends again.
fn review_for(
    db: &Connection,
    (connection, id): (i64, &ConnectionId),
    basis: &str,
    now: Timestamp,
) -> Result<Option<Review>> {
    let Some(mut review) = review(db, id)? else { return Ok(None) };
    let is_ours = review.basis == basis;
    if review.ended_at.is_none() && is_ours && review.is_approved() {
        let sql = "UPDATE reviews SET ended_at = ?2 WHERE connection = ?1";
        db.prepare_cached(sql)?.execute(params![connection, At(now)])?;
        review.ended_at = Some(now);
    } else if review.ended_at.is_some() && !is_ours && review.basis != WORKED_OFF {
        let [matched, new_in_partner, new_in_highlevel] = MatchBucket::WRITES.map(Word);
        let sql = "UPDATE reviews SET ended_at = NULL WHERE connection = ?1 AND EXISTS (\
                       SELECT 1 FROM present_matches m \
                       WHERE m.connection = ?1 AND m.bucket IN (?2, ?3, ?4) AND (m.released = 0 OR EXISTS (\
                           SELECT 1 FROM dirty d WHERE d.connection = ?1 AND d.entity = 'contact' AND d.side = m.side \
                               AND d.record = m.record)))";
        let given = params![connection, matched, new_in_partner, new_in_highlevel];
        if db.prepare_cached(sql)?.execute(given)? > 0 {
            review.ended_at = None;
        } else {
            // Looked at once, and not again for each record that comes.
            let sql = "UPDATE reviews SET basis = ?2 WHERE connection = ?1";
            db.prepare_cached(sql)?.execute(params![connection, WORKED_OFF])?;
        }
    }
    Ok(Some(review))
}

/// Whether a record has to wait; then it is noted. One that is free to go leaves the report as it is.
pub(super) fn hold(
    db: &Connection,
    (connection, id): (i64, &ConnectionId),
    basis: &str,
    found: &FoundMatch,
    now: Timestamp,
) -> Result<Option<Match>> {
    let Some(review) = review_for(db, (connection, id), basis, now)? else { return Ok(None) };
    let is_over = review.ended_at.is_some();
    let unique = unique(db, connection, found, is_over)?;
    if is_over {
        // The run goes by what it finds itself, but that others would take the same counterpart only the report knows.
        let competes = unique.bucket != found.found.bucket;
        if !competes {
            go(db, connection, &unique)?;
        }
        return Ok(competes.then_some(unique));
    }
    // What only the report knows to be ambiguous would be written by its run.
    let approved = review.basis == basis && review.approved.contains(&found.found.bucket);
    if approved && unique.bucket == found.found.bucket {
        go(db, connection, &unique)?;
        return Ok(None);
    }
    no_longer_alone(db, connection, &unique)?;
    put(db, connection, &unique)?;
    if let Some((side, record)) = address(&unique) {
        // It was let go for another mapping, and waits again.
        let sql = "UPDATE matches SET released = 0 WHERE connection = ?1 AND side = ?2 AND record = ?3 AND released = 1";
        db.prepare_cached(sql)?.execute(params![connection, side, record])?;
    }
    Ok(Some(unique))
}

/// A record that is listed, in whichever bucket it was, waits no longer.
fn go(db: &Connection, connection: i64, found: &Match) -> Result<()> {
    let sql =
        "UPDATE matches SET bucket = ?3, released = 1 WHERE connection = ?1 AND side = ?2 AND record = ?4";
    let mut statement = db.prepare_cached(sql)?;
    let ids = [(Side::Highlevel, &found.highlevel_id), (Side::Partner, &found.partner_id)];
    for (side, record) in ids.into_iter().filter_map(|(side, id)| Some((side, id.as_ref()?))) {
        statement.execute(params![connection, side, Word(found.bucket), record])?;
    }
    Ok(())
}

/// Two records of one side may have the same counterpart, each without knowing of the other: only one of them can have it. When the
/// review is over, those whose run was let go compete no longer: who is linked is known by the links.
fn unique(db: &Connection, connection: i64, found: &FoundMatch, is_over: bool) -> Result<Match> {
    let FoundMatch { from, found } = found;
    let (Some(highlevel), Some(partner), MatchBucket::Matched) =
        (&found.highlevel_id, &found.partner_id, found.bucket)
    else {
        return Ok(found.clone());
    };
    let ambiguous = |highlevel_id: Option<&RecordId>, note: String| Match {
        highlevel_id: highlevel_id.cloned(),
        bucket: MatchBucket::Ambiguous,
        told: Told { note, ..found.told.clone() },
        to_highlevel: 0,
        to_partner: 0,
        conflicts: 0,
        ..found.clone()
    };
    if *from == Side::Partner {
        let sql = "SELECT bucket, partner FROM present_matches WHERE connection = ?1 AND side = ?2 AND record = ?3 \
             AND released <= ?4";
        let given = params![connection, Side::Highlevel, highlevel, !is_over];
        let known = db.prepare_cached(sql)?.query_row(given, |row| {
            Ok((row.get::<_, Word<MatchBucket>>(0)?.0, row.get::<_, Option<RecordId>>(1)?))
        });
        match known.optional()? {
            Some((MatchBucket::Ambiguous, _)) => {
                return Ok(ambiguous(
                    None,
                    format!("it matches contact {highlevel}, which matches others, too"),
                ));
            }
            Some((MatchBucket::Matched, Some(other))) if other != *partner => {
                return Ok(ambiguous(
                    None,
                    format!("it matches contact {highlevel}, which matches {other}, too"),
                ));
            }
            _ => {}
        }
    }
    let sql = "SELECT record FROM present_matches WHERE connection = ?1 AND partner = ?2 AND side = ?3 AND record <> ?4 \
               AND bucket IN (?5, ?6) AND released <= ?7 LIMIT 1";
    let other: Option<RecordId> = db
        .prepare_cached(sql)?
        .query_row(
            params![
                connection,
                partner,
                Side::Highlevel,
                highlevel,
                Word(MatchBucket::Matched),
                Word(MatchBucket::Ambiguous),
                !is_over,
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(match other {
        Some(other) => ambiguous(Some(highlevel), competes(partner, &other)),
        None => found.clone(),
    })
}

fn competes(partner: &RecordId, other: &RecordId) -> String {
    format!("the partner's record {partner} matches contact {other}, too: merge the duplicates")
}

/// Whoever was listed as the only match of a partner's record before is one of several from now on, unless its run was let go.
fn no_longer_alone(db: &Connection, connection: i64, found: &Match) -> Result<()> {
    let (Some(highlevel), Some(partner), MatchBucket::Ambiguous) =
        (&found.highlevel_id, &found.partner_id, found.bucket)
    else {
        return Ok(());
    };
    let sql = "SELECT side, record, partner, bucket, told, to_highlevel, to_partner, conflicts, highlevel_calls, \
                   partner_calls, at, released FROM present_matches \
               WHERE connection = ?1 AND partner = ?2 AND side = ?3 AND record <> ?4 AND bucket = ?5 AND released = 0";
    let mut statement = db.prepare_cached(sql)?;
    let given = params![connection, partner, Side::Highlevel, highlevel, Word(MatchBucket::Matched)];
    for other in statement.query_map(given, row)?.collect::<rusqlite::Result<Vec<_>>>()? {
        let told = Told { note: competes(partner, highlevel), ..other.told };
        let (to_highlevel, to_partner, conflicts) = (0, 0, 0);
        let bucket = MatchBucket::Ambiguous;
        put(db, connection, &Match { bucket, told, to_highlevel, to_partner, conflicts, ..other })?;
    }
    Ok(())
}

/// The side and the id that a record is listed by.
fn address(found: &Match) -> Option<(Side, &RecordId)> {
    let highlevel = found.highlevel_id.as_ref().map(|id| (Side::Highlevel, id));
    highlevel.or(found.partner_id.as_ref().map(|id| (Side::Partner, id)))
}

fn put(db: &Connection, connection: i64, found: &Match) -> Result<()> {
    let Some((side, record)) = address(found) else {
        return Err(StoreError::Invalid("a match without a record".to_owned()));
    };
    if let (Side::Highlevel, Some(partner)) = (side, &found.partner_id) {
        // It was listed by the partner's id until its contact was found.
        let sql = "DELETE FROM matches WHERE connection = ?1 AND side = ?2 AND record = ?3";
        db.prepare_cached(sql)?.execute(params![connection, Side::Partner, partner])?;
    }
    let sql = "INSERT INTO matches (connection, side, record, partner, bucket, at, to_highlevel, to_partner, conflicts, \
                   highlevel_calls, partner_calls, told, walk) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
                   (SELECT walk FROM reviews WHERE connection = ?1)) \
               ON CONFLICT (connection, side, record) DO UPDATE SET partner = ?4, \
                   released = CASE WHEN bucket = ?5 AND walk = excluded.walk THEN released ELSE 0 END, \
                   walk = excluded.walk, bucket = ?5, at = ?6, to_highlevel = ?7, \
                   to_partner = ?8, conflicts = ?9, highlevel_calls = ?10, partner_calls = ?11, told = ?12";
    db.prepare_cached(sql)?.execute(params![
        connection,
        side,
        record,
        found.partner_id,
        Word(found.bucket),
        At(found.at),
        found.to_highlevel,
        found.to_partner,
        found.conflicts,
        found.highlevel_calls,
        found.partner_calls,
        Json(&found.told),
    ])?;
    Ok(())
}

/// Approves buckets; with everything approved that would be written the review ends.
pub(super) fn approve(
    db: &Connection,
    (connection, id): (i64, &ConnectionId),
    buckets: &BTreeSet<MatchBucket>,
    now: Timestamp,
) -> Result<Review> {
    let mut review = review(db, id)?.ok_or_else(|| StoreError::not_found("review", id))?;
    review.approved.extend(buckets);
    if review.is_approved() {
        review.ended_at = review.ended_at.or(Some(now));
    }
    let sql = "UPDATE reviews SET approved = ?2, ended_at = ?3 WHERE connection = ?1";
    db.prepare_cached(sql)?.execute(params![connection, Json(&review.approved), review.ended_at.map(At)])?;
    Ok(review)
}

/// Marks some records of approved buckets dirty; 0 when none are left.
pub(super) fn release(
    db: &Connection,
    (connection, id): (i64, &ConnectionId),
    basis: &str,
    limit: u32,
    now: Timestamp,
) -> Result<u64> {
    let mut left = limit;
    let Some(review) = review_for(db, (connection, id), basis, now)? else { return Ok(0) };
    if review.ended_at.is_none() && review.basis != basis {
        return Ok(0);
    }
    for bucket in review.approved.into_iter().filter(|bucket| is_run(*bucket)) {
        let sql = "UPDATE matches SET released = 1 WHERE (connection, side, record) IN (\
                       SELECT connection, side, record FROM present_matches \
                       WHERE connection = ?1 AND bucket = ?2 AND released = 0 AND (side = ?3 OR bucket <> ?4) LIMIT ?5) \
                   RETURNING side, record";
        let mut statement = db.prepare_cached(sql)?;
        // A partner's record alone does not know how many it is mistaken for: its run would take the first.
        let given = params![connection, Word(bucket), Side::Highlevel, Word(MatchBucket::Ambiguous), left];
        let rows = statement.query_map(given, |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (side, record) in rows.collect::<rusqlite::Result<Vec<_>>>()? {
            mark(db, connection, side, record, now)?;
            left -= 1;
        }
    }
    Ok(u64::from(limit - left))
}

/// Whether a run of a record can come to anything.
fn is_run(bucket: MatchBucket) -> bool {
    !matches!(bucket, MatchBucket::Skipped | MatchBucket::Linked)
}

fn mark(db: &Connection, connection: i64, side: Side, record: RecordId, now: Timestamp) -> Result<()> {
    let mark = Mark { entity: "contact".to_owned(), side, record, snapshot: None, deleted: false };
    dirty::mark(db, connection, &mark, Priority::Backfill, None, now)?;
    Ok(())
}

/// Each bucket added up.
pub(super) fn counts(db: &Connection, connection: i64) -> Result<Vec<MatchCount>> {
    let sql = "SELECT bucket, count(*), sum(released), sum(to_highlevel), sum(to_partner), sum(conflicts), \
                   sum(CASE WHEN released THEN 0 ELSE highlevel_calls END), \
                   sum(CASE WHEN released THEN 0 ELSE partner_calls END) \
               FROM present_matches WHERE connection = ?1 GROUP BY bucket";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([connection], |row| {
        let number = |index: usize| row.get(index).map(count);
        Ok(MatchCount {
            bucket: row.get::<_, Word<_>>(0)?.0,
            records: number(1)?,
            released: number(2)?,
            to_highlevel: number(3)?,
            to_partner: number(4)?,
            conflicts: number(5)?,
            highlevel_calls: number(6)?,
            partner_calls: number(7)?,
        })
    })?;
    let mut counts: Vec<MatchCount> = rows.collect::<rusqlite::Result<_>>()?;
    counts.sort_by_key(|count| count.bucket);
    Ok(counts)
}

/// The records of a bucket, in the order of their ids.
pub(super) fn list(db: &Connection, connection: i64, filter: &MatchFilter) -> Result<Vec<Match>> {
    let sql = "SELECT side, record, partner, bucket, told, to_highlevel, to_partner, conflicts, highlevel_calls, \
                   partner_calls, at, released FROM present_matches \
               WHERE connection = ?1 AND bucket = ?2 ORDER BY side, record LIMIT ?3 OFFSET ?4";
    let mut statement = db.prepare_cached(sql)?;
    let given = params![connection, Word(filter.bucket), filter.limit, filter.skip];
    Ok(statement.query_map(given, row)?.collect::<rusqlite::Result<_>>()?)
}

fn row(row: &Row<'_>) -> rusqlite::Result<Match> {
    let highlevel = (row.get::<_, Side>(0)? == Side::Highlevel).then(|| row.get(1)).transpose()?;
    Ok(Match {
        highlevel_id: highlevel,
        partner_id: row.get(2)?,
        bucket: row.get::<_, Word<_>>(3)?.0,
        told: row.get::<_, Json<_>>(4)?.0,
        to_highlevel: row.get(5)?,
        to_partner: row.get(6)?,
        conflicts: row.get(7)?,
        highlevel_calls: row.get(8)?,
        partner_calls: row.get(9)?,
        at: row.get::<_, At>(10)?.0,
        released: row.get(11)?,
    })
}

/// Forgets records that were looked at long ago, at most `limit`, but not those that wait for a person.
pub(super) fn remove_older(db: &Connection, whose: Whose, before: Timestamp, limit: u32) -> Result<u64> {
    let sql = format!(
        "DELETE FROM matches WHERE (connection, side, record) IN (\
                   SELECT connection, side, record FROM matches WHERE {} AND at < ?1 AND (released = 1 OR connection NOT IN (\
                       SELECT connection FROM reviews WHERE ended_at IS NULL)) LIMIT ?2)",
        whose.by_connection()
    );
    Ok(db.prepare_cached(&sql)?.execute(params![At(before), limit])? as u64)
}
