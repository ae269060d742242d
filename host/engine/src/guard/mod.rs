//! The guard against mass changes: a mapping that empties a field, or a partner whose data went wrong, is stopped after some
//! records and not after all.
//!
//! Counted are linked records that a connection changed on one side within a window, by its runs and by its [handlers](handler);
//! what is created or linked for the first time is not, nor what a person asked for. A pair that is given up because one of its
//! records was not found any more counts on the side of the one that is left: a partner whose addresses moved answers that
//! everything is gone. The store counts in the transaction that ends a run; here is remembered what is under way, so that runs
//! beside each other do not pass the limit together. A run whose second side failed counts on the first
//! one all the same: a partner that refuses everything does not hide what is rewritten in HighLevel. What the counts cannot know
//! are writes whose commit was lost with the host: the next run finds them in place.

mod decide;
mod handler;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contactor_store::{
    Allowance, Changed, ConnectionId, ConnectionState, Counted, FailureClass, Guarded, Priority, RecordId,
    Side, StopCause, WorkspaceId,
};
use jiff::{SignedDuration, Timestamp};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::{Failure, of_store};
use crate::reconcile::RunContext;
use crate::rollout::Standing;
use decide::{Answer, Before, Meter, Threshold};

/// How soon a record asks again that may be one too many.
const WAIT: SignedDuration = SignedDuration::from_secs(1);
/// Records of a report.
const SAMPLE: u32 = 10;

type Key = (ConnectionId, Side);
type Meters = HashMap<Key, Meter>;

/// What is under way on every connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard(Arc<Mutex<Meters>>);

impl Guard {
    fn lock(&self) -> MutexGuard<'_, Meters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, key: &Key, records: u64) -> Answer {
        // Nothing is known after a start.
        self.lock().get_mut(key).map_or(Answer::Look, |meter| meter.ask(records, false))
    }

    /// The same with what the store counted since `before`.
    fn ask_again(&self, key: &Key, records: u64, before: Before, (stored, most): (u64, u64)) -> Answer {
        let mut meters = self.lock();
        let meter = meters.entry(key.clone()).or_default();
        if meter.take(before, stored, most) { meter.ask(records, true) } else { Answer::Look }
    }

    fn before(&self, key: &Key) -> Before {
        self.lock().entry(key.clone()).or_default().before()
    }

    /// What is remembered of a connection counts no more.
    fn forget(&self, connection: &ConnectionId) {
        for side in [Side::Highlevel, Side::Partner] {
            self.lock().entry((connection.clone(), side)).or_default().forget();
        }
    }
}

/// The right to change so many records on one side; it ends with the run or the call.
#[derive(Debug)]
pub(crate) struct Pass {
    guard: Guard,
    key: Key,
    records: u64,
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(meter) = self.guard.lock().get_mut(&self.key) {
            meter.end(self.records);
        }
    }
}

/// What the guard knows of one run.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Held until the run has ended.
    passes: Vec<Pass>,
    /// What counts if this run changes it.
    counts: BTreeSet<Counted>,
    /// Sides on which it wrote.
    written: Vec<Side>,
    /// It is about to give a pair up.
    unlinks: bool,
}

/// How many more records a person lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow {
    /// So many, and not one beyond: what was counted stays counted.
    Records(u64),
    /// Those that wait now. The guard counts anew.
    Waiting,
    /// As many as are linked, for a sync that has not read all of them yet. The guard counts anew.
    All,
}

/// How the guard of a connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardReport {
    /// The connection.
    pub connection: ConnectionId,
    /// Why the guard stopped it, if it did.
    pub stopped: Option<String>,
    /// Linked records that were changed within the window.
    pub guarded: Guarded,
    /// How many of one side may be; none when the guard is switched off.
    pub limit: Option<u64>,
    /// Length of the window, in minutes.
    pub minutes: u32,
    /// Records that wait, and events that automations have not handled.
    pub waiting: u64,
    /// The records that were changed last.
    pub latest: Vec<Changed>,
}

impl Engine {
    fn window(&self) -> Timestamp {
        let minutes = SignedDuration::from_mins(i64::from(self.config().guard_minutes));
        self.now().saturating_sub(minutes).unwrap_or(Timestamp::MIN)
    }

    fn threshold(&self) -> Option<Threshold> {
        let config = self.config();
        let threshold = Threshold { records: config.guard_records, percent: config.guard_percent };
        (config.guard_records > 0).then_some(threshold)
    }

    /// How the guard of a connection stands.
    ///
    /// # Errors
    /// There is no such connection, or the store does not answer.
    pub async fn guard(&self, id: &ConnectionId) -> Result<GuardReport, EngineError> {
        let connection = self.stored(id).await?;
        let guarded = self.store().guarded(id, self.window()).await?;
        let stopped =
            connection.state_reason.filter(|_| connection.stop_cause == Some(StopCause::MassChange));
        let counts = self.store().counts_of(id).await?;
        Ok(GuardReport {
            connection: id.clone(),
            stopped,
            limit: self.threshold().map(|threshold| threshold.limit(guarded.links)),
            minutes: self.config().guard_minutes,
            waiting: counts.dirty + counts.deliveries,
            latest: self.store().changed(id, SAMPLE).await?,
            guarded,
        })
    }

    /// How the guards of a workspace's connections stand.
    ///
    /// # Errors
    /// There is no such workspace, or the store does not answer.
    pub async fn guards_of(&self, workspace: &WorkspaceId) -> Result<Vec<GuardReport>, EngineError> {
        self.workspace(workspace).await?;
        let mut reports = Vec::new();
        for connection in self.store().connections(Some(workspace)).await? {
            reports.push(self.guard(&connection.id).await?);
        }
        Ok(reports)
    }

    /// Lets more records pass and has a connection that the guard stopped go on.
    ///
    /// # Errors
    /// There is no such connection, it is stopped for another reason, or the store does not answer.
    pub async fn allow_changes(&self, id: &ConnectionId, allow: Allow) -> Result<GuardReport, EngineError> {
        let report = self.guard(id).await?;
        let connection = self.stored(id).await?;
        if report.stopped.is_none() && connection.state != ConnectionState::Enabled {
            return Err(EngineError::Conflict(format!(
                "{id} is not stopped by the guard but {}; enable it first",
                connection.state_reason.unwrap_or_else(|| "by a person".to_owned())
            )));
        }
        let records = match allow {
            Allow::Records(records) => records,
            Allow::Waiting => report.waiting,
            Allow::All => report.guarded.links.max(report.waiting),
        };
        if records == 0 {
            return Err(EngineError::Invalid(format!(
                "nothing of {id} waits; say how many records may be changed"
            )));
        }
        let anew = !matches!(allow, Allow::Records(_));
        self.store().allow_changes(id, Allowance { records, anew }).await?;
        self.guards().forget(id);
        self.forget(id);
        tracing::info!(connection = %id, records, "a person allowed a mass change");
        self.wake().wake();
        self.guard(id).await
    }
}

impl RunContext {
    /// Asks whether a linked record, by HighLevel's id, may be changed on these sides, before it is.
    ///
    /// # Errors
    /// It would be one too many: the connection is paused then and the record waits. Or others that are under way may be the last.
    pub(crate) async fn pass_guard(&self, record: &RecordId, sides: &[Side]) -> Result<(), Failure> {
        let claimed = self.claimed.as_ref().filter(|claimed| claimed.priority != Priority::Interactive);
        let Some(claimed) = claimed else { return Ok(()) };
        for side in sides {
            claimed.watch().counts.insert(Counted { record: record.clone(), side: *side });
            let pass = self.ask_guard(*side, vec![record.clone()]).await?;
            claimed.watch().passes.extend(pass);
        }
        Ok(())
    }

    /// The same of a pair that is given up, though nothing is written to the record of this side that is left.
    ///
    /// # Errors
    /// As [`pass_guard`](Self::pass_guard).
    pub(crate) async fn pass_guard_to_unlink(&self, record: &RecordId, left: Side) -> Result<(), Failure> {
        if let Some(claimed) = &self.claimed {
            claimed.watch().unlinks = true;
        }
        self.pass_guard(record, &[left]).await?;
        self.wrote(left);
        Ok(())
    }

    /// Asks for these records at once. None is to be given back when all of them are counted already.
    async fn ask_guard(&self, side: Side, mut records: Vec<RecordId>) -> Result<Option<Pass>, Failure> {
        let Some(threshold) = self.engine.threshold() else { return Ok(None) };
        let key = (self.active.connection.id.clone(), side);
        let (guard, store) = (self.engine.guards(), self.engine.store());
        let wanted = |records: &[RecordId]| u64::try_from(records.len()).unwrap_or(u64::MAX);
        let mut answer = guard.ask(&key, wanted(&records));
        // Until an answer of the store is the latest one.
        while answer == Answer::Look {
            let before = guard.before(&key);
            let mut others = Vec::new();
            for record in records {
                let again = store.was_changed(&key.0, side, &record, self.engine.window()).await;
                if !again.map_err(of_store)? {
                    others.push(record);
                }
            }
            records = others;
            if records.is_empty() {
                return Ok(None);
            }
            let found = store.guarded(&key.0, self.engine.window()).await.map_err(of_store)?;
            let counted = found.changed(side);
            let most = threshold.most(found.links, counted, found.allowed);
            answer = guard.ask_again(&key, wanted(&records), before, (counted, most));
            if answer == Answer::Stop {
                return Err(self.stop(side, found, threshold).await?);
            }
        }
        match answer {
            Answer::Go => Ok(Some(Pass { guard: guard.clone(), records: wanted(&records), key })),
            _ => Err(Failure {
                retry_after: Some(WAIT),
                ..Failure::new(
                    FailureClass::Guard,
                    "as many records as the mass-change guard allows are being changed",
                )
            }),
        }
    }

    /// A record was changed on a side.
    pub(crate) fn wrote(&self, side: Side) {
        if let Some(claimed) = &self.claimed {
            claimed.watch().written.push(side);
        }
    }

    /// The linked records that this run changed, as far as they count.
    pub(crate) fn counted_changes(&self) -> Vec<Counted> {
        let Some(claimed) = &self.claimed else { return Vec::new() };
        let watch = claimed.watch();
        watch.counts.iter().filter(|one| watch.written.contains(&one.side)).cloned().collect()
    }

    /// Pauses the connection: one more record would be one too many.
    async fn stop(&self, side: Side, found: Guarded, threshold: Threshold) -> Result<Failure, Failure> {
        let connection = &self.active.connection;
        let (workspace, connector) = (&connection.workspace, &connection.connector);
        let partner = self.active.manifest.partner.name.as_str();
        let (system, other, label) = match side {
            Side::Highlevel => ("HighLevel", partner, "highlevel"),
            Side::Partner => (partner, "HighLevel", "partner"),
        };
        let unlinks = self.claimed.as_ref().is_some_and(|claimed| claimed.watch().unlinks);
        let (what, look) = if unlinks {
            let what = format!("lost their record in {other}, or were changed in {system},");
            (what, format!("{other} still has its records where they were"))
        } else {
            let what = format!("were changed in {system}");
            (what, "the mapping, a rule or the data of the other side went wrong".to_owned())
        };
        let Threshold { records, percent } = threshold;
        let reason = format!(
            "stopped by the mass-change guard: {} of {} linked records {what} within {} minutes and more were to follow; at most \
             {records}, or {percent} % of them, may be. Look whether {look}: contactor guard show {workspace} {connector}. If it \
             is meant: contactor guard allow {workspace} {connector}",
            found.changed(side),
            found.links,
            self.engine.config().guard_minutes,
        );
        let stopped = self.engine.store().stop_mass_change(&connection.id, reason.clone()).await;
        // Runs beside this one may have stopped it already, or a person switched it off.
        if stopped.map_err(of_store)? {
            tracing::warn!(connection = %connection.id, reason, "a mass change");
            metrics::counter!("contactor_guard_stops_total", "side" => label).increment(1);
            self.engine.forget(&connection.id);
            if matches!(self.active.standing, Standing::OnTrial(_)) {
                let why = "the mass-change guard stopped the connection because of it";
                // Boxed: it releases what is parked, and every run would carry its state.
                Box::pin(self.engine.revert_trial(&connection.id, why)).await;
            }
        }
        Ok(Failure { retry_after: Some(SignedDuration::ZERO), ..Failure::new(FailureClass::Guard, reason) })
    }
}
