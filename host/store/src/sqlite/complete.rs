//! Ending work: everything that a run leaves behind, in one savepoint, behind the fence of its lease.

use jiff::Timestamp;
use rusqlite::Connection;

use super::events::{self, Stage};
use super::parked::{self, Subject};
use super::{
    Result, changes, configuration, conflicts, deletions, deliveries, dirty, ingest, journal, kv, leases,
    links, mend, messages, recordings, runs, unread, writes,
};
use crate::automation::{
    AUTOMATION_ENTITY, DeliveryCompletion, DeliveryId, Found, JournalSlot, LocalWrite, MESSAGE_ENTITY,
};
use crate::error::StoreError;
use crate::model::{
    ClaimedRecord, Completion, ConnectionId, Counted, Disposition, EventSeq, EventState, Lease, Link,
    LinkState, NotedConflicts, Priority, RecordId, RecordKey, Run, RunOutcome, Side, WEBHOOK_ENTITY,
};

/// Ends the run of a record.
pub(super) fn record(db: &Connection, lease: &Lease, completion: &Completion, now: Timestamp) -> Result<()> {
    let Completion {
        claim,
        disposition,
        link,
        children,
        unlinked,
        marks,
        changed,
        conflicts: met,
        ended,
        deletion,
        run,
        recording,
    } = completion;
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
            if claim.link.as_ref().is_none_or(|old| old.state != LinkState::Active) {
                deletions::linked(db, owner.connection, link, now)?;
            }
            Some(link.clone())
        }
        None => links::find(db, owner.connection, entity, *side, record)?,
    };
    if let Some(deletion) = deletion {
        deletions::put(db, owner.connection, deletion)?;
    }
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
    changes::note(db, &owner, changed, now)?;
    if let Some(run) = run {
        runs::insert(db, &owner, run)?;
        if run.outcome == RunOutcome::Applied && !run.changes.is_empty() {
            writes::note(db, &owner, run.highlevel_id.as_ref().unwrap_or(&key.record), now)?;
        }
        if let Some(recording) = recording {
            recordings::insert(db, owner.connection, recording)?;
        }
        // What ended makes room for what was met in its place.
        conflicts::end(db, owner.connection, run, ended)?;
        for conflict in met {
            conflicts::insert(db, &owner, (&run.id, run.started_at), &key, conflict)?;
        }
    } else if !met.is_empty() || !ended.is_empty() {
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
        Disposition::Parked { class, reason } => {
            super::marks::finish(db, row.id, claim.generation, EventState::Parked, run_id)?;
            parked::put(db, subject, (*class, reason), run_id, now)?;
            dirty::settle(db, row.id, claim.generation)?;
            mend::late(db, &key, run.as_ref(), now)?;
        }
        Disposition::Retry { at, counts } => dirty::retry(db, row.id, *at, *counts)?,
    }
    if !matches!(disposition, Disposition::Retry { .. }) {
        release_deliveries(db, owner.connection, claim, link.as_ref(), run.as_ref(), now)?;
    }
    release_parted(db, owner.connection, claim, link.as_ref(), now)?;
    for mark in marks {
        dirty::mark(db, owner.connection, mark, claim.priority, None, now)?;
    }
    match &link {
        Some(link) => join_rows(db, owner.connection, link),
        None => Ok(()),
    }
}

/// Keeps conflicts before the run that met them overwrites anything.
pub(super) fn note(db: &Connection, lease: &Lease, noted: &NotedConflicts) -> Result<()> {
    let NotedConflicts { claim, record, run, at, conflicts: met } = noted;
    let what = || format!("{} {} of {}", claim.entity, claim.record, claim.connection);
    let owner = configuration::owner(db, &claim.connection)?;
    leases::fence(db, lease, owner.shard, what)?;
    dirty::find(db, owner.connection, &claim.entity, claim.side, &claim.record)?
        .filter(|row| row.claim == lease.token)
        .ok_or_else(|| StoreError::Fenced { what: what(), token: lease.token })?;
    let key = RecordKey { side: Side::Highlevel, record: record.clone(), ..claim.clone() };
    met.iter().try_for_each(|conflict| conflicts::insert(db, &owner, (run, *at), &key, conflict))
}

/// The run of a record is over: what waited for it to be linked goes on. A run that brought the partner's record to a contact
/// without linking it (several records of a partner may stand for one contact) has named the contact.
fn release_deliveries(
    db: &Connection,
    connection: i64,
    claim: &ClaimedRecord,
    link: Option<&Link>,
    run: Option<&Run>,
    now: Timestamp,
) -> Result<()> {
    let contact = match link {
        Some(link) if link.state == LinkState::Active => Some(&link.highlevel_id),
        Some(_) => None,
        None => run.and_then(|run| run.highlevel_id.as_ref()),
    };
    let of_link = link.map(|link| &link.partner_id);
    let of_claim = (claim.key.side == Side::Partner).then_some(&claim.key.record);
    for partner in of_link.into_iter().chain(of_claim.filter(|id| of_link != Some(*id))) {
        deliveries::settle_contact(db, connection, &claim.key.entity, partner, contact, now)?;
    }
    Ok(())
}

/// No run will be about whoever is not in the link any more (a record that was deleted and created again has another id): its marks came
/// to the record that was claimed. What waits for it goes on, with the contact that it had if that is there. The link has changed for
/// good, so that this holds for a run that is tried again as well.
fn release_parted(
    db: &Connection,
    connection: i64,
    claim: &ClaimedRecord,
    link: Option<&Link>,
    now: Timestamp,
) -> Result<()> {
    let Some(before) = &claim.link else { return Ok(()) };
    if link.is_some_and(|link| link.partner_id == before.partner_id) {
        return Ok(());
    }
    let same = link
        .filter(|link| link.state == LinkState::Active && link.highlevel_id == before.highlevel_id)
        .map(|link| &link.highlevel_id);
    deliveries::settle_contact(db, connection, &claim.key.entity, &before.partner_id, same, now)
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
    pub(super) found: Found,
    pub(super) disposition: Disposition,
    pub(super) run: Option<Run>,
}

/// Ends the reading of a partner's webhook.
pub(super) fn event(db: &Connection, lease: &Lease, reading: &Reading, now: Timestamp) -> Result<()> {
    let Reading { event: seq, found, disposition, run } = reading;
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
            for mark in &found.marks {
                dirty::mark(db, connection, mark, Priority::Webhook, Some(*seq), received_at)?;
            }
            ingest::park(db, &owner, &found.unreadable, now)?;
            ingest::deliver(db, &found.deliveries, Some(owner.workspace), Some(*seq), received_at)?;
            let works = !found.marks.is_empty() || !found.deliveries.is_empty();
            let stage = if works { Stage::Marked } else { Stage::Ignored };
            events::set_stage(db, *seq, stage)?;
        }
        Disposition::Parked { class, reason } => {
            let record = RecordId::new(seq.0.to_string());
            let subject =
                Subject { connection, entity: WEBHOOK_ENTITY, side: Side::Partner, record: &record };
            parked::put(db, subject, (*class, reason), run.as_ref().map(|run| &run.id), now)?;
            events::set_stage(db, *seq, Stage::Parked)?;
        }
    }
    unread::remove(db, *seq)
}

/// Ends an attempt at a delivery.
pub(super) fn delivery(
    db: &Connection,
    lease: &Lease,
    completion: &DeliveryCompletion,
    now: Timestamp,
) -> Result<()> {
    let DeliveryCompletion { delivery: id, disposition, ignored, run, recording } = completion;
    let owner = claimed_delivery(db, lease, *id)?;
    if let Some(run) = run {
        runs::insert(db, &owner, run)?;
        if let Some(recording) = recording {
            recordings::insert(db, owner.connection, recording)?;
        }
    }
    let run = run.as_ref();
    let record = RecordId::new(id.0.to_string());
    let subject = Subject {
        connection: owner.connection,
        entity: AUTOMATION_ENTITY,
        side: Side::Partner,
        record: &record,
    };
    match disposition {
        Disposition::Retry { at, counts } => deliveries::retry(db, *id, *at, *counts),
        Disposition::Done => {
            journal::forget(db, *id)?;
            let state = if *ignored { EventState::Ignored } else { EventState::Applied };
            deliveries::finish(db, owner.connection, *id, state, run.map(|run| &run.id), now)
        }
        Disposition::Parked { class, reason } => {
            parked::put(db, subject, (*class, reason), run.map(|run| &run.id), now)?;
            deliveries::finish(db, owner.connection, *id, EventState::Parked, run.map(|run| &run.id), now)?;
            let key = RecordKey {
                connection: owner.id.clone(),
                entity: AUTOMATION_ENTITY.to_owned(),
                side: Side::Partner,
                record: record.clone(),
            };
            mend::late(db, &key, run, now)
        }
    }
}

/// The owner of a delivery that is claimed under this lease, which still holds.
fn claimed_delivery(db: &Connection, lease: &Lease, id: DeliveryId) -> Result<configuration::Owner> {
    let what = || format!("delivery {}", id.0);
    let connection = deliveries::claimed(db, id, lease.token)?
        .ok_or_else(|| StoreError::Fenced { what: what(), token: lease.token })?;
    let owner = configuration::owner_by_pk(db, connection)?;
    leases::fence(db, lease, owner.shard, what)?;
    Ok(owner)
}

/// Notes a call that is about to be made.
pub(super) fn intent(db: &Connection, slot: &JournalSlot, now: Timestamp) -> Result<()> {
    let owner = claimed_delivery(db, &slot.lease, slot.delivery)?;
    if let Some(limit) = &slot.limit
        && !journal::is_noted(db, slot.delivery, slot.call.position)?
    {
        writes::check(db, &owner, limit, now)?;
        writes::note(db, &owner, &limit.record, now)?;
    }
    for entry in slot.reads.iter().chain([&slot.call]) {
        journal::put(db, slot.delivery, entry)?;
    }
    deliveries::handled_by(db, slot.delivery, slot.component.as_ref())
}

/// The answer of a call, and what came of it.
pub(super) struct Answer {
    pub(super) delivery: DeliveryId,
    pub(super) position: u32,
    pub(super) result: String,
    pub(super) record: Option<RecordId>,
    pub(super) changed: Vec<Counted>,
}

/// Notes the answer of a call.
pub(super) fn answer(db: &Connection, lease: &Lease, answer: &Answer, now: Timestamp) -> Result<()> {
    let Answer { delivery, position, result, record, changed } = answer;
    let owner = claimed_delivery(db, lease, *delivery)?;
    changes::note(db, &owner, changed, now)?;
    journal::answer(db, *delivery, *position, result, record.as_ref())
}

/// Makes a change of the store itself together with its note.
pub(super) fn local(
    db: &Connection,
    connection: &ConnectionId,
    write: &LocalWrite,
    slot: Option<&JournalSlot>,
    now: Timestamp,
) -> Result<u64> {
    let owner = configuration::owner(db, connection)?;
    if let Some(slot) = slot {
        intent(db, slot, now)?;
    }
    let answer = match write {
        LocalWrite::SetTimer(timer) => deliveries::set_timer(db, owner.connection, timer).map(|()| 0),
        LocalWrite::CancelTimer(name) => deliveries::cancel_timer(db, owner.connection, name).map(|()| 0),
        LocalWrite::Send(message) => messages::send(db, &owner, message, now).map(|()| 0),
        LocalWrite::SetState { key, expected, value } => kv::set(db, owner.connection, key, *expected, value),
        LocalWrite::DeleteState(key) => kv::delete(db, owner.connection, key).map(|()| 0),
    }?;
    if let Some(slot) = slot {
        let result = match write {
            LocalWrite::SetState { .. } => format!("{{\"Ok\":{answer}}}"),
            _ => "{\"Ok\":null}".to_owned(),
        };
        journal::answer(db, slot.delivery, slot.call.position, &result, None)?;
    }
    Ok(answer)
}

/// Ends an attempt at a message.
pub(super) fn message(
    db: &Connection,
    lease: &Lease,
    id: &str,
    disposition: &Disposition,
    stop: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let what = || format!("message {id}");
    let connection = messages::claimed(db, id, lease.token)?
        .ok_or_else(|| StoreError::Fenced { what: what(), token: lease.token })?;
    let owner = configuration::owner_by_pk(db, connection)?;
    leases::fence(db, lease, owner.shard, what)?;
    if let Some(reason) = stop {
        messages::stop_destination(db, id, reason)?;
    }
    match disposition {
        Disposition::Retry { at, counts } => messages::retry(db, id, *at, *counts),
        Disposition::Done => messages::finish(db, id, EventState::Applied, now),
        Disposition::Parked { class, reason } => {
            let record = RecordId::new(id);
            let subject =
                Subject { connection, entity: MESSAGE_ENTITY, side: Side::Partner, record: &record };
            parked::put(db, subject, (*class, reason), None, now)?;
            messages::finish(db, id, EventState::Parked, now)
        }
    }
}
