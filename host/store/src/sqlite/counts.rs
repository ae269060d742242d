//! Counts for health and progress.

use jiff::Timestamp;
use rusqlite::Connection;

use super::{Result, deliveries, dirty, events, links, messages, parked, runs, unread};
use crate::model::Counts;

/// Whose rows are counted. Tables of work know their connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope {
    /// The whole store.
    All,
    /// One workspace's, by row key.
    Workspace(i64),
    /// One connection's, by row key.
    Connection(i64),
}

impl Scope {
    /// A condition on the column `connection`; its parameter 1 is [`pk`](Self::pk).
    pub(super) fn filter(self) -> &'static str {
        match self {
            Self::All => "?1 IS NULL",
            Self::Workspace(_) => "connection IN (SELECT pk FROM connections WHERE workspace = ?1)",
            Self::Connection(_) => "connection = ?1",
        }
    }

    /// The parameter of the condition.
    pub(super) fn pk(self) -> Option<i64> {
        match self {
            Self::All => None,
            Self::Workspace(pk) | Self::Connection(pk) => Some(pk),
        }
    }
}

pub(super) fn counts(db: &Connection, scope: Scope, now: Timestamp) -> Result<Counts> {
    let dirty = dirty::waiting(db, scope)?;
    let (deliveries, oldest_delivery) = deliveries::waiting(db, scope, now)?;
    Ok(Counts {
        dirty: dirty.count,
        oldest_dirty: dirty.oldest,
        oldest_live: dirty.oldest_live,
        oldest_delivery,
        unread_events: unread::waiting(db, scope)?,
        deliveries,
        messages: messages::waiting(db, scope)?,
        parked: parked::total(db, scope)?,
        held: match scope {
            Scope::All => events::held(db)?,
            // A held event belongs to no workspace yet.
            Scope::Workspace(_) | Scope::Connection(_) => 0,
        },
        links: links::active(db, scope)?,
        runs: runs::totals(db, scope)?,
    })
}
