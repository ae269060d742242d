//! What a connector is given: one file per interface of `wit/`, each the home of that capability's grant check, limits and
//! tests.
//!
//! A refusal is a value on the call's error type and comes before any effect. Each call works on the run that it belongs to:
//! its location, its connection, its recorder. A connector can therefore name no other tenant, host or credential.

mod appointments;
mod bulk;
mod campaigns;
mod clock;
mod consent;
mod contacts;
mod errors;
mod fields;
mod journalled;
mod log;
mod notes;
mod notifications;
mod partner;
mod rules;
mod settings;
mod sizes;
mod state;
mod tags;
mod tasks;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod timers;
mod workflows;

use std::fmt;

use contactor_runtime::bindings::types::{self, Error};
use contactor_store::{Call, JournalSlot, LocalWrite, StoreError};

use crate::access::{self, Access};
use crate::partner::HELD_BACK;
use crate::reconcile::RunContext;
use crate::recorder::cut;
use crate::replay::Tape;
pub(crate) use errors::{is_not_done, not_done};

/// Bytes of what a preview says that it held back.
const SHOWN: usize = 256;

/// The imports of one guest call: the capabilities behind the journal of the handler that uses them.
#[derive(Clone)]
pub struct Capabilities {
    direct: Direct,
    tape: Tape,
}

/// The capabilities themselves.
#[derive(Clone)]
struct Direct {
    run: RunContext,
    /// Where the call under way is noted, when it changes the host's own store.
    slot: Option<JournalSlot>,
}

impl Capabilities {
    /// The capabilities of a run.
    pub(crate) fn new(run: RunContext) -> Self {
        Self::taped(run, Tape::Off)
    }

    /// The same, written down or answered from what was.
    pub(crate) fn taped(run: RunContext, tape: Tape) -> Self {
        Self { direct: Direct { run, slot: None }, tape }
    }
}

impl Direct {
    /// Whether this run may reach beyond its connection in this way.
    fn may(&self, access: Access) -> Result<(), Error> {
        access::check(&self.run.active.scopes, access)
    }

    /// Makes a change of the host's own store, together with its note in the journal.
    async fn write_locally(&mut self, write: LocalWrite) -> Result<u64, StoreError> {
        let connection = &self.run.active.connection.id;
        let answer = self.run.engine.store().write_locally(connection, write, self.slot.clone()).await;
        if answer.is_ok() {
            self.slot = None;
        }
        answer
    }

    /// Whether this run may change what the host keeps for the connection or sends for it. What a preview holds back is noted.
    fn may_change(&self, what: impl FnOnce() -> String) -> Result<(), Error> {
        let may = access::hold_back(self.run.preview);
        if may.is_err() {
            self.run.recorder.call(Call {
                target: "host".to_owned(),
                operation: cut(what(), SHOWN),
                write: true,
                error: Some(HELD_BACK.to_owned()),
                ..Call::default()
            });
        }
        may
    }
}

/// Names the connection and nothing that it holds: its settings and records are the customer's, its credential a secret.
impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capabilities")
            .field("connection", &self.direct.run.active.connection.id)
            .field("preview", &self.direct.run.preview)
            .finish_non_exhaustive()
    }
}

impl types::Host for Capabilities {}
