//! The hot path: an event, its de-duplication key, its marks, all in one savepoint.

use jiff::Timestamp;
use rusqlite::Connection;

use super::configuration::Owner;
use super::events::Stage;
use super::parked::{self, Subject};
use super::{Result, configuration, deliveries, dirty, events, kv, runs, seen, unread};
use crate::automation::{Found, NewDelivery};
use crate::error::StoreError;
use crate::model::{
    Accepted, ConnectionId, ConnectionState, Cursor, EventSeq, FailureClass, NewEvent, Priority, Run,
    Schedule, Side,
};

/// Appends an event.
pub(super) fn append(db: &Connection, event: &NewEvent) -> Result<Accepted> {
    let target = Target::of(db, event)?;
    let Some(seq) = events::insert(db, event, target.workspace, target.connection, target.stage(event))?
    else {
        return Ok(Accepted::Duplicate);
    };
    if target.workspace.is_none() {
        events::drop_oldest_held(db, event.location.as_ref())?;
        return Ok(Accepted::Held(seq));
    }
    for (connection, schedule) in &target.listening {
        let due = schedule.as_ref().map_or(event.received_at, |schedule| schedule.due(event.received_at));
        for mark in &event.marks {
            dirty::mark(db, *connection, mark, Priority::Webhook, Some(seq), due)?;
        }
    }
    deliver(db, &event.deliveries, target.workspace, Some(seq), event.received_at)?;
    if let Some(workspace) = target.workspace {
        for (stream, shown) in &event.seen {
            seen::put(db, workspace, stream, std::slice::from_ref(shown), &[])?;
        }
    }
    if target.stage(event) == Stage::Unread
        && let Some(connection) = target.connection
    {
        unread::insert(db, seq, connection, event.received_at)?;
    }
    Ok(Accepted::New(seq))
}

/// Whom an event concerns.
struct Target {
    workspace: Option<i64>,
    /// Set for a partner's webhook.
    connection: Option<i64>,
    /// The connections that take it.
    listening: Vec<(i64, Option<Schedule>)>,
}

impl Target {
    fn of(db: &Connection, event: &NewEvent) -> Result<Self> {
        if let Some(id) = &event.connection {
            let owner = configuration::owner(db, id)?;
            if event.workspace.as_ref().is_some_and(|workspace| *workspace != owner.workspace_id) {
                return Err(StoreError::Invalid(format!("an event of {id} cannot be of another workspace")));
            }
            let takes = owner.state != ConnectionState::Disabled;
            return Ok(Self {
                workspace: Some(owner.workspace),
                connection: Some(owner.connection),
                listening: takes.then_some((owner.connection, None)).into_iter().collect(),
            });
        }
        let workspace = match (&event.workspace, &event.location) {
            (Some(id), _) => Some(configuration::workspace_pk(db, id)?),
            // The workspace may have been bound since the caller looked.
            (None, Some(location)) => configuration::workspace_pk_of(db, location)?,
            (None, None) => None,
        };
        let listening = match workspace {
            Some(workspace) if !event.marks.is_empty() || !event.deliveries.is_empty() => {
                configuration::listening(db, workspace)?
            }
            _ => Vec::new(),
        };
        Ok(Self { workspace, connection: None, listening })
    }

    fn stage(&self, event: &NewEvent) -> Stage {
        if self.workspace.is_none() {
            Stage::Held
        } else if self.listening.is_empty() {
            Stage::Ignored
        } else if event.needs_receive && self.connection.is_some() {
            Stage::Unread
        } else if event.marks.is_empty() && event.deliveries.is_empty() {
            Stage::Ignored
        } else {
            Stage::Marked
        }
    }
}

/// Marks records without an event, and moves the cursor of the walk that found them.
pub(super) fn mark(
    db: &Connection,
    connection: &ConnectionId,
    found: &Found,
    priority: Priority,
    cursor: Option<&Cursor>,
    now: Timestamp,
) -> Result<()> {
    let owner = configuration::owner(db, connection)?;
    for mark in &found.marks {
        dirty::mark(db, owner.connection, mark, priority, None, now)?;
    }
    park(db, &owner, &found.unreadable, now)?;
    deliver(db, &found.deliveries, Some(owner.workspace), None, now)?;
    match cursor {
        Some(cursor) if cursor.connection != *connection => Err(StoreError::Invalid(format!(
            "a cursor of {} cannot move with marks of {connection}",
            cursor.connection
        ))),
        Some(cursor) => kv::put_cursor(db, owner.connection, cursor),
        None => Ok(()),
    }
}

/// Lists the records that could not be read, each under its run. One that is listed for the same reason already stays as it is:
/// a poll that meets it again and again leaves no further trace.
pub(super) fn park(db: &Connection, owner: &Owner, unreadable: &[Run], now: Timestamp) -> Result<()> {
    for run in unreadable {
        let (Some(entity), Some(record)) = (&run.entity, &run.partner_id) else {
            return Err(StoreError::Invalid(format!("run {} parks a record without naming it", run.id)));
        };
        let subject = Subject { connection: owner.connection, entity, side: Side::Partner, record };
        if parked::reason(db, subject)?.as_deref() != Some(run.summary.as_str()) {
            runs::insert(db, owner, run)?;
            let class = run.class.unwrap_or(FailureClass::Data);
            parked::put(db, subject, (class, &run.summary), Some(&run.id), now)?;
        }
    }
    Ok(())
}

/// Stores what connectors have to handle; answers how many were new. One that was switched off meanwhile handles nothing.
pub(super) fn deliver(
    db: &Connection,
    new: &[NewDelivery],
    workspace: Option<i64>,
    event: Option<EventSeq>,
    now: Timestamp,
) -> Result<u64> {
    let mut stored = 0;
    for delivery in new {
        let owner = configuration::owner(db, &delivery.connection)?;
        if workspace.is_some_and(|workspace| workspace != owner.workspace) {
            return Err(StoreError::Invalid(format!(
                "a delivery to {} cannot come with an event of another workspace",
                delivery.connection
            )));
        }
        if owner.state != ConnectionState::Disabled {
            stored += u64::from(deliveries::insert(db, owner.connection, delivery, event, now)?);
        }
    }
    Ok(stored)
}
