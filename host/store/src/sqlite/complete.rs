//! Ending work: everything that a run leaves behind, in one savepoint, behind the fence of its lease.

use jiff::Timestamp;
use rusqlite::Connection;

use super::events::{self, Stage};
use super::parked::{self, Subject};
use super::{Result, configuration, dirty, leases, links, runs, unread};
use crate::error::StoreError;
use crate::model::{
    Completion, Disposition, EventSeq, EventState, Lease, Link, Mark, Priority, RecordId, RecordKey, Run,
    Side, WEBHOOK_ENTITY,
};

/// Ends the run of a record.
pub(super) fn record(db: &Connection, lease: &Lease, completion: &Completion, now: Timestamp) -> Result<()> {
    let Completion { claim, disposition, link, children, unlinked, marks, conflicts, run } = completion;
    let what = || format!("{} {} of {}", claim.key.entity, claim.key.record, claim.key.connection);
    let owner = configuration::owner(db, &claim.key.connection)?;
    leases::fence(db, lease, owner.shard, what)?;
    let RecordKey { entity, side, record, .. } = &claim.key;
    let row = dirty::find(db, owner.connection, entity, *side, record)?
        .filter(|row| row.claim == lease.token)
        .ok_or_else(|| StoreError::Fenced { what: what(), token: lease.token })?;

    let link = match link {
        Some(link) => {
            check_link(&claim.key, link)?;
            links::write(db, owner.connection, claim.link.as_ref(), link)?;
            Some(link.clone())
        }
        None => links::find(db, owner.connection, entity, *side, record)?,
    };
    for gone in unlinked {
        links::remove_child(db, owner.connection, gone)?;
    }
    for child in children {
        if child.connection != claim.key.connection || child.parent.is_none() {
            return Err(StoreError::Invalid(format!(
                "{} cannot have the child {}",
                what(),
                child.highlevel_id
            )));
        }
        links::write_child(db, owner.connection, child)?;
    }
    let key = address(&claim.key, link.as_ref());
    if let Some(run) = run {
        runs::insert(db, &owner, run)?;
        for conflict in conflicts {
            runs::insert_conflict(db, &owner, run, &key, conflict)?;
        }
    } else if !conflicts.is_empty() {
        return Err(StoreError::Invalid(format!("{} had conflicts, but no run to list them under", what())));
    }

    let subject = Subject { connection: owner.connection, entity, side: key.side, record: &key.record };
    let run_id = run.as_ref().map(|run| &run.id);
    match disposition {
        Disposition::Done => {
            super::marks::finish(db, row.id, claim.generation, EventState::Applied, run_id)?;
            parked::clear(db, subject)?;
            if let Some(link) = &link {
                parked::clear(db, Subject { side: Side::Partner, record: &link.partner_id, ..subject })?;
            }
            dirty::settle(db, row.id, claim.generation)?;
        }
        Disposition::Parked { reason } => {
            super::marks::finish(db, row.id, claim.generation, EventState::Parked, run_id)?;
            parked::put(db, subject, reason, run_id, now)?;
            dirty::settle(db, row.id, claim.generation)?;
        }
        Disposition::Retry { at, counts } => dirty::retry(db, row.id, *at, *counts)?,
    }
    for mark in marks {
        dirty::mark(db, owner.connection, mark, claim.priority, None, now)?;
    }
    match &link {
        Some(link) => join_rows(db, owner.connection, link),
        None => Ok(()),
    }
}

/// A link has to be of the record that was claimed.
fn check_link(key: &RecordKey, link: &Link) -> Result<()> {
    if link.connection != key.connection || link.entity != key.entity {
        return Err(StoreError::Invalid(format!(
            "a run of {} {} of {} cannot link {} records of {}",
            key.entity, key.record, key.connection, link.entity, link.connection
        )));
    }
    Ok(())
}

/// The address of a record: HighLevel's id, when it is linked.
fn address(key: &RecordKey, link: Option<&Link>) -> RecordKey {
    match link {
        Some(link) => RecordKey { side: Side::Highlevel, record: link.highlevel_id.clone(), ..key.clone() },
        None => key.clone(),
    }
}

/// Once a record is linked, what waits under the partner's id waits under HighLevel's. A row that is in flight keeps its
/// address until its run ends, and joins then.
fn join_rows(db: &Connection, connection: i64, link: &Link) -> Result<()> {
    match dirty::find(db, connection, &link.entity, Side::Partner, &link.partner_id)? {
        Some(row) if row.claim == 0 => dirty::readdress(db, connection, row.id, &link.highlevel_id),
        _ => Ok(()),
    }
}

/// What came of reading a partner's webhook.
pub(super) struct Reading {
    pub(super) event: EventSeq,
    pub(super) marks: Vec<Mark>,
    pub(super) disposition: Disposition,
    pub(super) run: Option<Run>,
}

/// Ends the reading of a partner's webhook.
pub(super) fn event(db: &Connection, lease: &Lease, reading: &Reading, now: Timestamp) -> Result<()> {
    let Reading { event: seq, marks, disposition, run } = reading;
    let what = || format!("event {}", seq.0);
    let connection = unread::claimed(db, *seq, lease.token)?
        .ok_or_else(|| StoreError::Fenced { what: what(), token: lease.token })?;
    let owner = configuration::owner_by_pk(db, connection)?;
    leases::fence(db, lease, owner.shard, what)?;
    if let Some(run) = run {
        runs::insert(db, &owner, run)?;
    }
    match disposition {
        Disposition::Retry { at, counts } => return unread::retry(db, *seq, *at, *counts),
        Disposition::Done => {
            let received_at = events::received_at(db, *seq)?;
            for mark in marks {
                dirty::mark(db, connection, mark, Priority::Webhook, Some(*seq), received_at)?;
            }
            let stage = if marks.is_empty() { Stage::Ignored } else { Stage::Marked };
            events::set_stage(db, *seq, stage)?;
        }
        Disposition::Parked { reason } => {
            let record = RecordId::new(seq.0.to_string());
            let subject =
                Subject { connection, entity: WEBHOOK_ENTITY, side: Side::Partner, record: &record };
            parked::put(db, subject, reason, run.as_ref().map(|run| &run.id), now)?;
            events::set_stage(db, *seq, Stage::Parked)?;
        }
    }
    unread::remove(db, *seq)
}
