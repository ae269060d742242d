//! Handing out work: by priority, in turns between connections, within the room that each workspace has.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use rusqlite::Connection;

use super::configuration::{self, Owner};
use super::fair::{Queue, Room, share_out};
use super::rests::{Resting, Turn};
use super::{
    Result, conflicts, deletions, deliveries, dirty, events, journal, leases, links, marks, messages, unread,
};
use crate::automation::{ClaimedDelivery, ClaimedMessage, MessageLimits, automation_subject};
use crate::model::{
    ClaimedEvent, ClaimedRecord, ConnectionState, Lease, Priority, RecordKey, Side, WEBHOOK_ENTITY,
};

const PRIORITIES: [Priority; 4] =
    [Priority::Interactive, Priority::Webhook, Priority::Sweep, Priority::Backfill];

/// Whose turn it is: the connection that was served last, per priority and for webhooks. A hint that a restart may lose; it
/// decides only who goes first.
#[derive(Default)]
pub(super) struct Turns {
    records: [AtomicI64; PRIORITIES.len()],
    events: AtomicI64,
    deliveries: AtomicI64,
    messages: AtomicI64,
}

/// Records of a resting entity that one call puts off for one connection: the writer does nothing else meanwhile.
const PUT_OFF: u32 = 500;

/// Part of a workspace's room in which background work is never in flight: a quarter. Its runs wait for the quota most of the time,
/// many end together, and until then somebody's edit would wait for one of them although the quota lets it pass at once.
const LIVE_SHARE: u32 = 4;

/// What a host asks for.
pub(super) struct Demand {
    pub(super) now: Timestamp,
    pub(super) limit: u32,
    pub(super) per_workspace: u32,
}

/// Claims dirty records.
pub(super) fn records(
    db: &Connection,
    lease: &Lease,
    turns: &Turns,
    demand: &Demand,
) -> Result<Vec<ClaimedRecord>> {
    deletions::mark_due(db, demand.now)?;
    let mut resting = Resting::load(db)?;
    let mut owners = Owners::of(db, lease, &resting, demand.now)?;
    let mut room = Room::new(demand.per_workspace);
    for (connection, count) in dirty::in_flight(db, lease.token)? {
        room.fill(owners.get(connection)?.workspace, count);
    }
    let mut claimed = Vec::new();
    for (priority, turn) in PRIORITIES.into_iter().zip(&turns.records) {
        if !priority.is_live() {
            room.keep(demand.per_workspace / LIVE_SHARE);
        }
        let left = demand.limit - u32::try_from(claimed.len()).unwrap_or(demand.limit);
        let next = |after| dirty::next_group(db, priority, after);
        let round = Round { turn, now: demand.now, limit: left };
        round.serve(&mut owners, &mut room, next, |owner, count| {
            let before = claimed.len();
            let mut put_off = 0;
            // What rests is put off once and is then out of the way, so that it hides nothing behind it.
            while put_off < PUT_OFF {
                let rows = dirty::due(db, priority, owner.connection, demand.now, count)?;
                let full = rows.len() == count as usize;
                let rests = put_off;
                for row in rows {
                    match resting.turn(owner.connection, &row.entity, demand.now) {
                        Turn::Wait(until) => {
                            dirty::put_off(db, row.id, until)?;
                            put_off += 1;
                            continue;
                        }
                        Turn::Trial => resting.tried(db, owner.connection, &row.entity, demand.now)?,
                        Turn::Free => {}
                    }
                    claimed.extend(claim_record(db, lease, owner, &row)?);
                }
                if put_off == rests || !full || claimed.len() > before {
                    break;
                }
            }
            Ok(u32::try_from(claimed.len() - before).unwrap_or(count))
        })?;
    }
    claimed.sort_by_key(|(due_at, record)| (record.priority, *due_at));
    Ok(claimed.into_iter().map(|(_, record)| record).collect())
}

/// Claims one row, unless it turns out to be a record that has another row, or one that is in flight under its other
/// address: both happen only around the moment in which a record is linked.
fn claim_record(
    db: &Connection,
    lease: &Lease,
    owner: &Owner,
    row: &dirty::Row,
) -> Result<Option<(Timestamp, ClaimedRecord)>> {
    let link = links::find(db, owner.connection, &row.entity, row.side, &row.record)?;
    if let Some(link) = &link {
        if row.side == Side::Partner {
            dirty::readdress(db, owner.connection, row.id, &link.highlevel_id)?;
            return Ok(None);
        }
        let other = dirty::find(db, owner.connection, &row.entity, Side::Partner, &link.partner_id)?;
        if other.is_some_and(|other| other.claim != 0) {
            return Ok(None);
        }
    }
    let row = dirty::claim(db, row.id, lease.token)?;
    let key =
        RecordKey { connection: owner.id.clone(), entity: row.entity, side: row.side, record: row.record };
    let record = ClaimedRecord {
        conflicts: conflicts::unsettled(db, owner.connection, &key)?,
        workspace: owner.workspace_id.clone(),
        priority: row.priority,
        attempts: row.attempts,
        generation: row.generation,
        hints: marks::hints(db, row.id, row.hints, row.side)?,
        link,
        first_marked_at: row.first_marked_at,
        key,
    };
    Ok(Some((row.due_at, record)))
}

/// Claims partner webhooks.
pub(super) fn events(
    db: &Connection,
    lease: &Lease,
    turns: &Turns,
    demand: &Demand,
) -> Result<Vec<ClaimedEvent>> {
    let mut resting = Resting::load(db)?;
    let mut owners = Owners::of(db, lease, &resting, demand.now)?;
    // Reading calls the connector, and a connector calls its partner: who answers slowly holds a place like any other work.
    let mut room = Room::new(demand.per_workspace);
    for (connection, count) in unread::in_flight(db, lease.token)? {
        room.fill(owners.get(connection)?.workspace, count);
    }
    let mut claimed = Vec::new();
    let next = |after| unread::next_group(db, after);
    let round = Round { turn: &turns.events, now: demand.now, limit: demand.limit };
    round.serve(&mut owners, &mut room, next, |owner, count| {
        let before = claimed.len();
        let count = resting.share(db, owner.connection, WEBHOOK_ENTITY, demand.now, count)?;
        for (seq, attempts) in unread::due(db, owner.connection, demand.now, count)? {
            unread::claim(db, seq, lease.token)?;
            claimed.extend(events::event(db, seq)?.map(|event| ClaimedEvent {
                event,
                connection: owner.id.clone(),
                workspace: owner.workspace_id.clone(),
                attempts,
            }));
        }
        Ok(u32::try_from(claimed.len() - before).unwrap_or(count))
    })?;
    claimed.sort_by_key(|claimed| claimed.event.seq);
    Ok(claimed)
}

/// Claims deliveries.
pub(super) fn deliveries(
    db: &Connection,
    lease: &Lease,
    turns: &Turns,
    demand: &Demand,
) -> Result<Vec<ClaimedDelivery>> {
    let mut resting = Resting::load(db)?;
    let mut owners = Owners::of(db, lease, &resting, demand.now)?;
    let mut room = Room::new(demand.per_workspace);
    for (connection, count) in deliveries::in_flight(db, lease.token)? {
        room.fill(owners.get(connection)?.workspace, count);
    }
    let mut claimed = Vec::new();
    let next = |after| deliveries::next_group(db, after);
    let round = Round { turn: &turns.deliveries, now: demand.now, limit: demand.limit };
    round.serve(&mut owners, &mut room, next, |owner, count| {
        let before = claimed.len();
        let mut put_off = 0;
        // As of records: those of a kind that rests are put off once, and hide nothing behind them.
        while put_off < PUT_OFF {
            let due = deliveries::due(db, owner.connection, demand.now, count)?;
            let full = due.len() == count as usize;
            let rests = put_off;
            for one in due {
                if deliveries::queues(db, owner.connection, &one)? {
                    continue;
                }
                let subject = automation_subject(&one.kind);
                match resting.turn(owner.connection, &subject, demand.now) {
                    Turn::Wait(until) => {
                        deliveries::put_off(db, one.id, until)?;
                        put_off += 1;
                        continue;
                    }
                    Turn::Trial => resting.tried(db, owner.connection, &subject, demand.now)?,
                    Turn::Free => {}
                }
                let row = deliveries::claim(db, owner.connection, one.id, demand.now, lease.token)?;
                claimed.push(claimed_delivery(db, owner, row)?);
            }
            if put_off == rests || !full || claimed.len() > before {
                break;
            }
        }
        Ok(u32::try_from(claimed.len() - before).unwrap_or(count))
    })?;
    claimed.sort_by_key(|delivery| delivery.id);
    Ok(claimed)
}

fn claimed_delivery(db: &Connection, owner: &Owner, row: deliveries::Row) -> Result<ClaimedDelivery> {
    let payload = match (row.payload, row.event) {
        (Some(payload), _) => payload,
        (None, Some(event)) => events::payload(db, event)?,
        (None, None) => "{}".to_owned(),
    };
    Ok(ClaimedDelivery {
        id: row.id,
        connection: owner.id.clone(),
        workspace: owner.workspace_id.clone(),
        event: row.event,
        source: row.source,
        kind: row.kind,
        contact_id: row.contact,
        partner_id: row.partner,
        at: row.at,
        begun_at: row.begun_at,
        fields: row.fields,
        payload,
        attempts: row.attempts,
        retried: row.retried,
        component: row.component,
        journal: journal::entries(db, row.id)?,
    })
}

/// Claims messages: destinations are the queues, and one that does not answer has only so many in flight.
pub(super) fn messages(
    db: &Connection,
    lease: &Lease,
    turns: &Turns,
    now: Timestamp,
    limit: u32,
    limits: MessageLimits,
) -> Result<Vec<ClaimedMessage>> {
    let shards = leases::shards(db, lease)?;
    let in_flight = messages::in_flight(db, lease.token)?;
    let mut room = Room::new(limits.per_workspace);
    for (destination, count) in &in_flight {
        room.fill(messages::seat(db, *destination)?.workspace, *count);
    }
    let mut queues = Vec::new();
    let mut left: HashMap<i64, u32> = HashMap::new();
    let start = turns.messages.load(Ordering::Relaxed);
    let mut lap = Lap { start, position: start, wrapped: false };
    let next = |after| messages::next_group(db, after);
    while u32::try_from(queues.len()).is_ok_and(|seats| seats < limit)
        && let Some((destination, due_at)) = lap.step(&next)?
    {
        let seat = messages::seat(db, destination)?;
        let in_flight = in_flight.get(&destination).copied().unwrap_or(0);
        let free = limits.per_destination.saturating_sub(in_flight).min(seat.left(now, limits.per_minute));
        let works = seat.stopped.is_none() && shards.contains(&seat.shard);
        if works && due_at <= now && free > 0 && room.left(seat.workspace) > 0 {
            queues.push(Queue { connection: destination, workspace: seat.workspace });
            left.insert(destination, free);
        }
    }
    let mut claimed = Vec::new();
    share_out(limit, &queues, &mut room, |queue, count| {
        let free = left.entry(queue.connection).or_default();
        let count = count.min(*free);
        let got = messages::claim_due(db, queue.connection, now, count, limits.per_minute, lease.token)?;
        let taken = u32::try_from(got.len()).unwrap_or(count);
        *free -= taken;
        if taken > 0 {
            turns.messages.store(queue.connection, Ordering::Relaxed);
        }
        claimed.extend(got);
        Ok::<_, crate::StoreError>(taken)
    })?;
    Ok(claimed)
}

/// When the next record, webhook, delivery or message of a working connection is due.
pub(super) fn next_due(db: &Connection) -> Result<Option<Timestamp>> {
    let resting = Resting::load(db)?;
    let mut earliest: Option<Timestamp> = None;
    let mut working: HashMap<i64, bool> = HashMap::new();
    let mut consider = |(connection, due_at): (i64, Timestamp), subject: Option<&str>| -> Result<i64> {
        let due_at = resting.due(connection, subject, due_at);
        let works = match working.get(&connection) {
            Some(works) => *works,
            None => configuration::owner_by_pk(db, connection)?.state == ConnectionState::Enabled,
        };
        working.insert(connection, works);
        if works && earliest.is_none_or(|earliest| due_at < earliest) {
            earliest = Some(due_at);
        }
        Ok(connection)
    };
    for priority in PRIORITIES {
        let mut after = 0;
        while let Some(group) = dirty::next_group(db, priority, after)? {
            after = consider(group, None)?;
        }
    }
    let mut after = 0;
    while let Some(group) = unread::next_group(db, after)? {
        after = consider(group, Some(WEBHOOK_ENTITY))?;
    }
    let mut after = 0;
    while let Some(group) = deliveries::next_group(db, after)? {
        after = consider(group, None)?;
    }
    let message = messages::next_due(db)?;
    // Claiming marks what is due, whether or not its connection works.
    let look = deletions::next_look(db)?;
    Ok(earliest.into_iter().chain(message).chain(look).min())
}

/// The connections that were looked up during one call, and whether this lease may work for them.
struct Owners<'a> {
    db: &'a Connection,
    shards: HashSet<u16>,
    /// Connections that rest as a whole.
    resting: HashSet<i64>,
    known: HashMap<i64, Owner>,
}

impl<'a> Owners<'a> {
    fn of(db: &'a Connection, lease: &Lease, resting: &Resting, now: Timestamp) -> Result<Self> {
        let shards = leases::shards(db, lease)?;
        Ok(Self { db, shards, resting: resting.whole(now), known: HashMap::new() })
    }

    fn get(&mut self, connection: i64) -> Result<Owner> {
        if let Some(owner) = self.known.get(&connection) {
            return Ok(owner.clone());
        }
        let owner = configuration::owner_by_pk(self.db, connection)?;
        self.known.insert(connection, owner.clone());
        Ok(owner)
    }

    fn may_work(&self, owner: &Owner) -> bool {
        owner.state == ConnectionState::Enabled
            && self.shards.contains(&owner.shard)
            && !self.resting.contains(&owner.connection)
    }
}

/// One lap over the connections that have work, beginning after the one that was served last.
struct Round<'a> {
    turn: &'a AtomicI64,
    now: Timestamp,
    limit: u32,
}

impl Round<'_> {
    /// Walks the lap until `limit` is used up. `next` steps to the next connection with work and says when the first of it
    /// is due; a step is one look into an index, however much work waits there.
    fn serve(
        &self,
        owners: &mut Owners<'_>,
        room: &mut Room,
        next: impl Fn(i64) -> Result<Option<(i64, Timestamp)>>,
        mut take: impl FnMut(&Owner, u32) -> Result<u32>,
    ) -> Result<()> {
        let start = self.turn.load(Ordering::Relaxed);
        let mut lap = Lap { start, position: start, wrapped: false };
        let mut left = self.limit;
        while left > 0 {
            let mut queues = Vec::new();
            while u32::try_from(queues.len()).is_ok_and(|seats| seats < left)
                && let Some((connection, due_at)) = lap.step(&next)?
            {
                let owner = owners.get(connection)?;
                if due_at <= self.now && owners.may_work(&owner) && room.left(owner.workspace) > 0 {
                    queues.push(Queue { connection, workspace: owner.workspace });
                }
            }
            if queues.is_empty() {
                return Ok(());
            }
            left -= share_out(left, &queues, room, |queue, count| {
                let got = take(&owners.get(queue.connection)?, count)?;
                if got > 0 {
                    self.turn.store(queue.connection, Ordering::Relaxed);
                }
                Ok::<_, crate::StoreError>(got)
            })?;
        }
        Ok(())
    }
}

/// A position on the lap. Row keys are positive, so 0 is before all of them.
struct Lap {
    start: i64,
    position: i64,
    wrapped: bool,
}

impl Lap {
    fn step(
        &mut self,
        next: &impl Fn(i64) -> Result<Option<(i64, Timestamp)>>,
    ) -> Result<Option<(i64, Timestamp)>> {
        loop {
            match next(self.position)? {
                Some((connection, _)) if self.wrapped && connection > self.start => return Ok(None),
                Some(group) => {
                    self.position = group.0;
                    return Ok(Some(group));
                }
                None if self.wrapped || self.start == 0 => return Ok(None),
                None => (self.wrapped, self.position) = (true, 0),
            }
        }
    }
}
