//! One run of a dirty record, from the claim to the completion in the store.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use contactor_highlevel::Priority as HlPriority;
use contactor_store::{
    ClaimedRecord, Completion, ConnectionId, ConnectionState, Disposition, FailureClass, Hint, Lease,
    Priority, Run, RunCause, RunId, RunKind, RunOutcome, Side, StoreError,
};
use jiff::SignedDuration;

use super::children::Kind;
use super::echo::is_echo;
use super::ending::Ending;
use super::plan::record_lock;
use super::sides::{Claimed, RunContext};
use crate::active::Active;
use crate::automation::UNLOADED;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::{Failure, of_store};
use crate::recorder::{HighLevelCalls, RunRecorder};
use crate::rests::Ended;
use crate::scheduler::in_time;

impl Engine {
    /// Runs a claimed record and writes down how it ended.
    pub(crate) async fn run_record(&self, lease: &Lease, claim: ClaimedRecord) {
        let begun = Instant::now();
        let key = claim.key.clone();
        let id = run_id();
        let active = match self.active(&key.connection).await {
            Ok(active) => active,
            Err(error) => return self.give_back(lease, claim, error).await,
        };
        let record = claim.link.as_ref().map_or(&key.record, |link| &link.highlevel_id).to_string();
        let active = active.for_record(&record);
        // Somebody may want to look into it; every run would double what a busy host stores.
        let kept = claim.attempts > 0 || claim.priority == Priority::Interactive;
        let run = RunContext {
            attempts: claim.attempts,
            conflicts: Arc::new(claim.conflicts.clone()),
            tape: (kept || active.shadow(&record).is_some()).then(Arc::default),
            claimed: Some(Arc::new(Claimed {
                lease: lease.clone(),
                key: key.clone(),
                run: id.clone(),
                priority: claim.priority,
                watch: Mutex::default(),
            })),
            ..self.context(&active, claim.priority, false)
        };
        let mut claim = claim;
        // Kept until the commit: a second run of the same person must find the link, and a contact and its lists are written to
        // the same record of the partner.
        let mut guards = vec![self.locks().lock(&claim_lock(&claim)).await];
        if run.active.many_to_one(&key.entity) && claim.link.is_some() {
            // A newer record of the partner may have taken the link since the claim.
            match run.link(&key.entity, key.side, &key.record).await {
                Ok(link) => claim.link = link,
                Err(failure) => {
                    tracing::warn!(connection = %key.connection, reason = failure.message, "a link was not read again");
                }
            }
        }
        let ending = match in_time(Box::pin(self.attempt(&run, &claim, &mut guards))).await.flatten() {
            Ok(Some(ending)) => Ok(ending),
            Ok(None) => return self.complete(lease, Completion::new(claim, Disposition::Done)).await,
            Err(failure) => Err(failure),
        };
        let ending = match ending {
            Ok(ending) => ending,
            Err(failure) => self.failed(&run, &claim, failure).await,
        };
        if ending.quiet {
            let done = Completion { marks: ending.marks, ..Completion::new(claim, ending.disposition) };
            self.complete(lease, done).await;
            return self.wake().wake();
        }
        metrics::counter!("contactor_runs_total", "outcome" => outcome_name(ending.outcome)).increment(1);
        let (calls, log) = run.recorder.take();
        let ended = Ended::of(ending.class, &calls, &ending.summary);
        self.run_ended(&run, &key.entity, key.record.as_str(), ended).await;
        self.count_trial(&run, &ended);
        self.follow(&run, &record, &id, true, &log);
        let recording = match &run.tape {
            Some(tape) if kept => self.recording_of(&run.active, tape, run.started_at, &id, &log).await,
            _ => None,
        };
        let entry = Run {
            id,
            workspace: claim.workspace.clone(),
            connection: key.connection.clone(),
            component: Some(run.active.connection.digest.clone()),
            kind: RunKind::Reconcile,
            entity: Some(key.entity.clone()),
            highlevel_id: ending.ids.0.or_else(|| (key.side == Side::Highlevel).then(|| key.record.clone())),
            partner_id: ending.ids.1.or_else(|| {
                let linked = claim.link.as_ref().map(|link| link.partner_id.clone());
                linked.or_else(|| (key.side == Side::Partner).then(|| key.record.clone()))
            }),
            event: claim.hints.iter().rev().find_map(|hint| hint.event),
            cause: cause(&claim),
            started_at: run.started_at,
            duration_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            outcome: ending.outcome,
            class: ending.class,
            summary: ending.summary,
            changes: ending.changes,
            remarks: ending.remarks.into_iter().chain(run.recorder.remarks()).collect(),
            calls,
            log,
        };
        let claim = ClaimedRecord { link: ending.replaces.or(claim.link), ..claim };
        let completion = Completion {
            claim,
            disposition: ending.disposition,
            link: ending.link,
            children: ending.children,
            unlinked: ending.unlinked,
            marks: ending.marks,
            changed: run.counted_changes(),
            conflicts: ending.conflicts,
            ended: ending.ended,
            deletion: ending.deletion,
            run: Some(entry),
            recording,
        };
        self.complete(lease, completion).await;
        drop(guards);
        self.judge_if_due(&key.connection).await;
    }

    /// What comes of a claim; `None` when there is nothing to do and nothing to tell.
    async fn attempt(
        &self,
        run: &RunContext,
        claim: &ClaimedRecord,
        guards: &mut Vec<tokio::sync::OwnedMutexGuard<()>>,
    ) -> Result<Option<Ending>, Failure> {
        let entity = claim.key.entity.as_str();
        let active = Arc::clone(&run.active);
        let echo = match active.lists.get(entity) {
            Some(list) => run.is_list_echo(list, claim).await?,
            // Events reach every connection of the workspace, also those that keep no such list or record.
            None if Kind::of_list(entity).is_some() => return Ok(None),
            None if !active.maps(entity) => return Ok(None),
            None => match Kind::of_entity(entity) {
                Some(kind) => return self.reconcile_child(run, kind, claim).await,
                None => is_echo(run, claim).await?,
            },
        };
        if echo {
            metrics::counter!("contactor_echoes_total").increment(1);
            return Ok(None);
        }
        self.may_write(claim).await?;
        match active.lists.get(entity) {
            Some(list) => self.reconcile_list(run, list, claim).await,
            None => self.reconcile(run, claim, guards).await.map(Some),
        }
    }

    /// A record that was written again and again is one that connections pass to and fro: a person has to look.
    async fn may_write(&self, claim: &ClaimedRecord) -> Result<(), Failure> {
        let record = claim.link.as_ref().map_or(&claim.key.record, |link| &link.highlevel_id);
        let Some(limit) = self.config().write_limit(record.clone()) else { return Ok(()) };
        match self.store().may_write(&claim.key.connection, limit).await {
            Ok(()) => Ok(()),
            Err(StoreError::Limited(why)) => Err(Failure::new(FailureClass::Loop, why)),
            Err(error) => Err(of_store(error)),
        }
    }

    /// A run panicked: a defect of the host. The record is tried again and then parked; the others go on.
    pub(crate) async fn panicked(&self, lease: &Lease, claim: ClaimedRecord, why: &'static str) {
        let failure = Failure::new(FailureClass::Host, why);
        tracing::error!(connection = %claim.key.connection, why, "this is a defect of the host");
        let disposition = failure.disposition(
            claim.attempts,
            self.config().max_attempts,
            self.now(),
            rand::random::<f64>(),
        );
        self.complete(lease, Completion::new(claim, disposition)).await;
    }

    /// What a run of this connection works with.
    pub(crate) fn context(&self, active: &Arc<Active>, priority: Priority, preview: bool) -> RunContext {
        let meter = self.meter(&active.connection.id, priority);
        let recorder = Arc::new(RunRecorder::of_connection(Arc::clone(&active.partner), meter));
        let priority = match priority {
            Priority::Interactive => HlPriority::Interactive,
            Priority::Webhook => HlPriority::Webhook,
            Priority::Sweep => HlPriority::Sweep,
            Priority::Backfill => HlPriority::Backfill,
        };
        let calls = HighLevelCalls::new(Arc::clone(&recorder), self.config().log_body_cap);
        let location = self.location(&active.workspace).priority(priority).recorded(Arc::new(calls));
        RunContext {
            location: if preview { location.holding_back() } else { location },
            engine: self.clone(),
            active: Arc::clone(active),
            recorder,
            started_at: self.now(),
            preview,
            attempts: 0,
            conflicts: Arc::default(),
            tape: None,
            journal: None,
            claimed: None,
            waited_for: false,
        }
    }

    /// What somebody's own request works with, who waits for it.
    pub(crate) fn interactive(&self, active: &Arc<Active>, preview: bool) -> RunContext {
        RunContext { waited_for: true, ..self.context(active, Priority::Interactive, preview) }
    }

    /// A failure decides what becomes of the record; a refused credential stops the connection.
    pub(super) async fn failed(&self, run: &RunContext, claim: &ClaimedRecord, failure: Failure) -> Ending {
        if failure.class == FailureClass::Auth {
            self.credential_refused(run, &failure).await;
        }
        let ClaimedRecord { key, attempts, .. } = claim;
        let disposition = self.disposition(&key.connection, &key.entity, &failure, *attempts).await;
        let (outcome, next) = match &disposition {
            Disposition::Retry { at, .. } => (RunOutcome::Retrying, format!("; tried again at {at}")),
            _ => (RunOutcome::Parked, "; parked for a person".to_owned()),
        };
        metrics::counter!("contactor_failures_total", "class" => class_name(failure.class)).increment(1);
        tracing::debug!(connection = %run.active.connection.id, class = class_name(failure.class), "a run failed");
        Ending {
            disposition,
            class: Some(failure.class),
            ..Ending::done(outcome, format!("{}{next}", failure.message))
        }
    }

    /// The connection cannot be loaded: its records wait, and the reason is on the connection for the admin.
    async fn give_back(&self, lease: &Lease, claim: ClaimedRecord, error: EngineError) {
        let id = claim.key.connection.clone();
        self.not_loaded(&id, &error).await;
        // The pause holds it, unless there is none.
        let wait = if error.is_of_the_host() { UNLOADED } else { SignedDuration::ZERO };
        let disposition = Disposition::Retry { at: self.now() + wait, counts: false };
        self.complete(lease, Completion::new(claim, disposition)).await;
    }

    /// A connection cannot be loaded: it is paused with the reason, for the admin to see. When the store does not tell of it, or the
    /// compiler has no time for it, nothing is wrong with the connection.
    pub(crate) async fn not_loaded(&self, id: &ConnectionId, error: &EngineError) {
        if error.is_of_the_host() {
            return tracing::warn!(connection = %id, %error, "this host cannot load a connection now; what it has to do waits");
        }
        let reason = error.to_string();
        if matches!(error, EngineError::Unvouched { .. }) {
            return self.stop_unvouched(id, &reason).await;
        }
        tracing::error!(connection = %id, reason, "the connection cannot be loaded and is paused");
        // Whoever stopped it meanwhile had another reason.
        let (from, to) = (ConnectionState::Enabled, ConnectionState::Paused);
        if let Err(error) = self.store().exchange_connection_state(id, from, to, Some(reason), None).await {
            tracing::error!(connection = %id, %error, "the connection could not be paused");
        }
    }

    async fn complete(&self, lease: &Lease, completion: Completion) {
        let connection = completion.claim.key.connection.clone();
        let keep = |engine: Self, completion: &Completion| {
            let (lease, completion) = (lease.clone(), completion.clone());
            async move { engine.store().complete_record(&lease, completion).await }
        };
        let kept = self.until_kept(|engine| keep(engine, &completion)).await;
        let (error, class) = match kept {
            Ok(()) => return,
            // Two records claim one counterpart: nothing of the completion was written, so say so in its place.
            Err(error @ StoreError::Conflict { .. }) => (error, FailureClass::Conflict),
            Err(error) if error.is_of_the_request() => (error, FailureClass::Host),
            // Somebody else has the record, or this process ends: the claim is given out again, and its run finds what was written.
            Err(error) => {
                return tracing::warn!(%connection, %error, "a run was not completed by this process");
            }
        };
        let reason = error.to_string();
        let disposition = Disposition::Parked { class, reason: reason.clone() };
        let Completion { claim, changed, run, .. } = completion;
        let run =
            run.map(|run| Run { outcome: RunOutcome::Parked, class: Some(class), summary: reason, ..run });
        let parked = Completion { run, changed, ..Completion::new(claim, disposition) };
        let kept = self.until_kept(|engine| keep(engine, &parked)).await;
        if let Err(error) = kept {
            tracing::error!(%connection, %error, "a run could not be parked");
        }
    }
}

/// What led to a run: a person before a webhook, a webhook before a walk that found the record as well.
fn cause(claim: &ClaimedRecord) -> Option<RunCause> {
    if claim.hints.is_empty() {
        return None;
    }
    let any = |is: fn(&Hint) -> bool| claim.hints.iter().any(is);
    Some(match claim.priority {
        Priority::Interactive => RunCause::Person,
        _ if any(|hint| hint.event.is_some()) => RunCause::Webhook,
        _ if any(|hint| hint.asked) => RunCause::Person,
        Priority::Backfill => RunCause::Backfill,
        // Whatever a poll of the partner said besides: no webhook had announced what HighLevel's sweep found.
        _ if any(|hint| hint.side == Side::Highlevel) => RunCause::HighlevelWalk,
        _ => RunCause::PartnerWalk,
    })
}

/// The name of the lock on the record of a claim.
fn claim_lock(claim: &ClaimedRecord) -> String {
    let record = claim.link.as_ref().map_or(&claim.key.record, |link| &link.highlevel_id);
    record_lock(&claim.key.connection, record)
}

/// The outcome as a metric's label.
pub(crate) fn outcome_name(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Applied => "applied",
        RunOutcome::Unchanged => "unchanged",
        RunOutcome::Skipped => "skipped",
        RunOutcome::Retrying => "retrying",
        RunOutcome::Parked => "parked",
    }
}

fn class_name(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Quota => "quota",
        FailureClass::Guard => "guard",
        FailureClass::Auth => "auth",
        FailureClass::Config => "config",
        FailureClass::Data => "data",
        FailureClass::Conflict => "conflict",
        FailureClass::Unsure => "unsure",
        FailureClass::Loop => "loop",
        FailureClass::Denied => "denied",
        FailureClass::GuestBug => "guest-bug",
        FailureClass::Host => "host",
    }
}

/// Identifies a run by the time at which it began.
pub(crate) fn run_id() -> RunId {
    RunId::new(uuid::Uuid::now_v7().to_string())
}
