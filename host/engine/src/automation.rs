//! One delivery handled by its connector, from the claim to the completion in the store.

use std::sync::Arc;
use std::time::Instant;

use contactor_runtime::bindings::automations::{Event, Outcome, Source};
use contactor_runtime::{Invocation, Reply};
use contactor_store::{
    ClaimedDelivery, DeliveryCompletion, Disposition, FailureClass, Lease, LinkState, NewRecording, Origin,
    OwnWrite, Priority, RecordId, Run, RunKind, RunOutcome, Side, automation_subject,
};
use contactor_sync::{Fields, Value};
use jiff::{SignedDuration, Timestamp};

use crate::active::Active;
use crate::convert;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::Failure;
use crate::journal::{Journal, tags_state};
use crate::receive::brief;
use crate::reconcile::{RunContext, mismatch, outcome_name, run_id};
use crate::recorder::cut;
use crate::rests::Ended;
use crate::scheduler::in_time;
use crate::written;

/// Bytes of a connector's words in a run's summary.
const WORDS: usize = 1_024;
/// How long after a handler changed tags an event that shows exactly these is the echo of it.
const ECHO: SignedDuration = SignedDuration::from_mins(10);
/// How long an event waits for the answer of a call that may have caused it.
const ANSWERED: SignedDuration = SignedDuration::from_mins(1);
/// How long a delivery waits whose connection cannot be loaded.
pub(crate) const UNLOADED: SignedDuration = SignedDuration::from_secs(60);

/// How long a delivery waits about somebody who is not linked, while the match report of its connection is not approved.
const UNAPPROVED: SignedDuration = SignedDuration::from_mins(5);

/// How an attempt ended.
struct Ending {
    disposition: Disposition,
    outcome: RunOutcome,
    class: Option<FailureClass>,
    summary: String,
}

impl Engine {
    /// Lets the connector handle a delivery and writes down how it ended.
    pub(crate) async fn run_delivery(&self, lease: &Lease, claimed: ClaimedDelivery) {
        let begun = Instant::now();
        let started_at = self.now();
        let active = match self.active(&claimed.connection).await {
            Ok(active) => active,
            Err(error) => {
                self.not_loaded(&claimed.connection, &error).await;
                let disposition = Disposition::Retry { at: self.now() + UNLOADED, counts: false };
                self.complete_delivery(lease, &claimed, disposition, false, None).await;
                return;
            }
        };
        let record = self.record_of(&claimed).await;
        let active = match self.handler_of(&active, &claimed, &record).await {
            Ok(active) => active,
            Err(error) => {
                tracing::warn!(connection = %claimed.connection, %error, "a handler waits for the component that began it");
                let disposition = Disposition::Retry { at: self.now() + UNLOADED, counts: false };
                self.complete_delivery(lease, &claimed, disposition, false, None).await;
                return;
            }
        };
        if active.under_review() && !self.is_about_a_link(&claimed).await {
            // Its handler may write; the report of what a sync would write is not approved yet.
            let disposition = Disposition::Retry { at: started_at + UNAPPROVED, counts: false };
            self.complete_delivery(lease, &claimed, disposition, false, None).await;
            return;
        }
        let journal = Arc::new(Journal::new(lease, &claimed, &active.connection.digest));
        let run = RunContext {
            // The handler's own time: the same at every attempt.
            started_at: claimed.begun_at,
            attempts: claimed.attempts,
            journal: Some(Arc::clone(&journal)),
            tape: Some(Arc::default()),
            ..self.context(&active, Priority::Webhook, false)
        };
        let is_told = active.events.reach(&claimed.kind);
        let handled = if is_told {
            in_time(handle(&run, &claimed)).await.flatten()
        } else {
            Ok(Outcome::Ignored("it is not granted any more, so the connector is not told".to_owned()))
        };
        if is_told && handled.is_ok() {
            journal.ended();
        }
        // Whatever the handler made of it: once it was stopped, nothing it says counts.
        let stopped = journal.stopped();
        let handled = match stopped.clone().or_else(|| journal.waits()) {
            Some(failure) => Err(failure),
            None => handled.map_err(brief),
        };
        let ending = match handled {
            Ok(outcome) => done(&claimed.kind, outcome),
            Err(failure) => self.attempt_failed(&run, &claimed, failure, stopped.is_some()).await,
        };
        metrics::counter!("contactor_automations_total", "outcome" => outcome_name(ending.outcome))
            .increment(1);
        let (calls, log) = run.recorder.take();
        let subject = claimed.id.0.to_string();
        let ended = Ended::of(ending.class, &calls, &ending.summary);
        self.run_ended(&run, &automation_subject(&claimed.kind), &subject, ended).await;
        self.count_trial(&run, &ended);
        let id = run_id();
        self.follow(&run, &record, &id, true, &log);
        let recording = match &run.tape {
            Some(tape) => self.recording_of(&run.active, tape, run.started_at, &id, &log).await,
            None => None,
        };
        // A submission names nobody; the contact that came of it is known by the handler's writes.
        let contact =
            journal.contact().or_else(|| claimed.contact_id.clone()).or_else(|| written::contact(&calls));
        let entry = Run {
            id,
            workspace: claimed.workspace.clone(),
            connection: claimed.connection.clone(),
            component: Some(run.active.connection.digest.clone()),
            kind: RunKind::Automation,
            entity: None,
            highlevel_id: contact,
            partner_id: claimed.partner_id.clone(),
            event: claimed.event,
            cause: None,
            started_at,
            duration_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            outcome: ending.outcome,
            class: ending.class,
            summary: ending.summary,
            changes: Vec::new(),
            remarks: run.recorder.remarks(),
            calls,
            log,
        };
        let ignored = ending.outcome == RunOutcome::Skipped;
        self.complete_delivery(lease, &claimed, ending.disposition, ignored, Some((entry, recording))).await;
        self.judge_if_due(&claimed.connection).await;
        self.wake().wake();
    }

    /// The version that handles a delivery: that of its record, unless another one has begun it. A person who has it done again wants
    /// it done by the present one.
    async fn handler_of(
        &self,
        active: &Arc<Active>,
        claimed: &ClaimedDelivery,
        record: &str,
    ) -> Result<Arc<Active>, EngineError> {
        let chosen = active.for_record(record);
        let begun = claimed.component.as_ref().filter(|_| !claimed.journal.is_empty() && !claimed.retried);
        let Some(begun) = begun else { return Ok(chosen) };
        let loaded = [Some(&chosen), Some(active), active.on_trial()];
        if let Some(same) = loaded.into_iter().flatten().find(|one| one.connection.digest == *begun) {
            return Ok(Arc::clone(same));
        }
        match self.former(active, begun).await {
            Ok(former) => Ok(former),
            Err(EngineError::Store(error)) => Err(error.into()),
            // It cannot be had any more. If the present one takes another way, a person decides.
            Err(error) => {
                tracing::warn!(connection = %claimed.connection, %begun, %error, "a handler goes on with another component");
                Ok(chosen)
            }
        }
    }

    /// The record that a delivery is about, by which its version is chosen: the contact, also that of a partner's record.
    async fn record_of(&self, claimed: &ClaimedDelivery) -> String {
        if let Some(contact) = &claimed.contact_id {
            return contact.to_string();
        }
        let Some(partner) = &claimed.partner_id else { return claimed.id.0.to_string() };
        match self.store().link(&claimed.connection, "contact", Side::Partner, partner).await {
            Ok(Some(link)) => link.highlevel_id.to_string(),
            _ => partner.to_string(),
        }
    }

    /// Whether a delivery is about somebody who is linked, or comes from the connection itself.
    async fn is_about_a_link(&self, claimed: &ClaimedDelivery) -> bool {
        if claimed.source == Origin::Host {
            return true;
        }
        let ids = [(Side::Highlevel, &claimed.contact_id), (Side::Partner, &claimed.partner_id)];
        for (side, id) in ids.into_iter().filter_map(|(side, id)| Some((side, id.as_ref()?))) {
            match self.store().link(&claimed.connection, "contact", side, id).await {
                Ok(Some(link)) if link.state == LinkState::Active => return true,
                Ok(_) => {}
                Err(error) => tracing::warn!(connection = %claimed.connection, %error, "a link was not read"),
            }
        }
        false
    }

    /// A failure decides what becomes of the delivery; a refused credential stops the connection.
    async fn attempt_failed(
        &self,
        run: &RunContext,
        claimed: &ClaimedDelivery,
        failure: Failure,
        stopped: bool,
    ) -> Ending {
        if failure.class == FailureClass::Auth {
            self.credential_refused(run, &failure).await;
        }
        let disposition = if stopped {
            // Another attempt would meet the same journal.
            Disposition::Parked { class: failure.class, reason: failure.message.clone() }
        } else {
            let subject = automation_subject(&claimed.kind);
            self.disposition(&claimed.connection, &subject, &failure, claimed.attempts).await
        };
        let (outcome, next) = match &disposition {
            Disposition::Retry { at, .. } => (RunOutcome::Retrying, format!("; tried again at {at}")),
            _ => (RunOutcome::Parked, "; parked for a person".to_owned()),
        };
        Ending {
            summary: format!("{}: {}{next}", claimed.kind, failure.message),
            disposition: of_kind(disposition, &claimed.kind),
            outcome,
            class: Some(failure.class),
        }
    }

    /// The handling of a delivery panicked: a defect of the host. It is tried again and then parked; the others go
    /// on.
    pub(crate) async fn delivery_panicked(
        &self,
        lease: &Lease,
        claimed: &ClaimedDelivery,
        why: &'static str,
    ) {
        tracing::error!(connection = %claimed.connection, why, "this is a defect of the host");
        let failure = Failure::new(FailureClass::Host, why);
        let max = self.config().max_attempts;
        let disposition = failure.disposition(claimed.attempts, max, self.now(), rand::random::<f64>());
        self.complete_delivery(lease, claimed, disposition, false, None).await;
    }

    async fn complete_delivery(
        &self,
        lease: &Lease,
        claimed: &ClaimedDelivery,
        disposition: Disposition,
        ignored: bool,
        run: Option<(Run, Option<NewRecording>)>,
    ) {
        let (run, recording) = run.map_or((None, None), |(run, recording)| (Some(run), recording));
        let completion = DeliveryCompletion { delivery: claimed.id, disposition, ignored, run, recording };
        let keep = |engine: Self| {
            let (lease, completion) = (lease.clone(), completion.clone());
            async move { engine.store().complete_delivery(&lease, completion).await }
        };
        let Err(error) = self.until_kept(keep).await else { return };
        tracing::warn!(connection = %claimed.connection, %error, "an automation could not be completed");
        if !error.is_of_the_request() {
            // The claim is given out again under the next lease, and the journal answers what was done.
            return;
        }
        let parked = DeliveryCompletion {
            delivery: claimed.id,
            disposition: of_kind(
                Disposition::Parked { class: FailureClass::Host, reason: error.to_string() },
                &claimed.kind,
            ),
            ignored: false,
            run: None,
            recording: None,
        };
        let keep = |engine: Self| {
            let (lease, parked) = (lease.clone(), parked.clone());
            async move { engine.store().complete_delivery(&lease, parked).await }
        };
        if let Err(error) = self.until_kept(keep).await {
            tracing::error!(connection = %claimed.connection, %error, "an automation could not be parked");
        }
    }
}

async fn handle(run: &RunContext, claimed: &ClaimedDelivery) -> Result<Outcome, Failure> {
    // A handler that was begun goes on.
    if claimed.journal.is_empty()
        && let Some(what) = own_write(run, claimed).await?
    {
        let line =
            format!("left alone: this connection {what} itself, when it handled another {}", claimed.kind);
        return Ok(Outcome::Ignored(line));
    }
    let mut fields = claimed.fields.clone();
    if claimed.source == Origin::Highlevel {
        name_custom_fields(run, &mut fields).await?;
    }
    let (contact, partner) = concerned(run, claimed).await?;
    if let Some(journal) = &run.journal {
        journal.is_about(contact.as_ref());
    }
    let event = Event {
        id: claimed.id.0.to_string(),
        source: match claimed.source {
            Origin::Highlevel => Source::Highlevel,
            Origin::Partner => Source::Partner,
            Origin::Host => Source::Host,
        },
        kind: claimed.kind.clone(),
        contact_id: contact.map(|id| id.to_string()),
        partner_id: partner.map(|id| id.to_string()),
        at: claimed.at.to_string(),
        fields: convert::fields_to_wit(&fields),
        payload: claimed.payload.clone(),
    };
    match run.invoke("automations.handle", Invocation::Handle(event)).await? {
        Reply::Handle(Ok(outcome)) => Ok(outcome),
        Reply::Handle(Err(error)) => Err(run.of_connector("automations.handle", &error)),
        _ => Err(mismatch("automations.handle")),
    }
}

/// What this connection's own handler of such an event did, when this event tells of nothing else: a rule that answers it would feed
/// itself. What it did for an event of another kind is handled, so that rules can follow one another (a submission makes a task, and
/// a new task a card), and other connections handle the event like any other. A longer circle is stopped by the count of writes.
async fn own_write(run: &RunContext, claimed: &ClaimedDelivery) -> Result<Option<&'static str>, Failure> {
    if claimed.source != Origin::Highlevel {
        return Ok(None);
    }
    let text = |name: &str| claimed.fields.get(name).and_then(Value::as_text);
    let created: Option<(&[&str], &str)> = match claimed.kind.as_str() {
        "TaskCreate" => Some((&["tasks.create"], "created the task")),
        "NoteCreate" => Some((&["notes.create"], "created the note")),
        "ContactCreate" => Some((&["contacts.create"], "created the contact")),
        "ContactTagUpdate" => Some((&["tags.add", "tags.remove"], "changed the tags")),
        _ => None,
    };
    let Some((operations, what)) = created else { return Ok(None) };
    let is_state = claimed.kind == "ContactTagUpdate";
    let record = match (is_state, &claimed.contact_id, claimed.fields.get("tags")) {
        (false, ..) => text("id").map(RecordId::new),
        (true, Some(contact), Some(Value::Set(tags))) => {
            Some(tags_state(contact.as_str(), &tags.iter().cloned().collect::<Vec<_>>()))
        }
        (true, ..) => None,
    };
    let Some(record) = record else { return Ok(None) };
    // A record is created once. A state may come again by somebody else's hand: it is an echo soon after the write, and once.
    let since = if is_state { run.started_at.saturating_sub(ECHO) } else { Ok(Timestamp::UNIX_EPOCH) };
    let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
    let store = run.engine.store();
    let known =
        store.own_write(&claimed.connection, operations, &record, &claimed.kind, since, is_state).await;
    let known = known.map_err(crate::failure::of_store)?;
    match known {
        OwnWrite::Yes => Ok(Some(what)),
        // The event came before the answer of the call that may have caused it.
        OwnWrite::Unknown if run.engine.now().duration_since(claimed.begun_at) < ANSWERED => Err(Failure {
            retry_after: Some(SignedDuration::from_secs(1)),
            ..Failure::new(
                FailureClass::Quota,
                "a handler of this connection is about to answer whether it is its own doing",
            )
        }),
        OwnWrite::No | OwnWrite::Unknown => Ok(None),
    }
}

/// The contact and the partner's record that a delivery is about. HighLevel's `TaskCreate` lacks its contact: it is looked up.
async fn concerned(
    run: &RunContext,
    claimed: &ClaimedDelivery,
) -> Result<(Option<RecordId>, Option<RecordId>), Failure> {
    let known = (claimed.contact_id.clone(), claimed.partner_id.clone());
    let is_task = claimed.source == Origin::Highlevel && claimed.kind.starts_with("Task");
    if known.0.is_some() || !is_task {
        return Ok(known);
    }
    let text = |name: &str| claimed.fields.get(name).and_then(Value::as_text);
    let Some(task) = text("id") else { return Ok(known) };
    let contact = match run.contact_of_task(task, text("title")).await {
        Ok(Some(contact)) => contact,
        Ok(None) => return Ok(known),
        // The token may lack the scope of the search: an event without its contact is better than none.
        Err(failure) if failure.class == FailureClass::Denied => return Ok(known),
        Err(failure) => return Err(failure),
    };
    let link = run.link("contact", Side::Highlevel, &contact).await?;
    let partner = link.filter(|link| link.state == LinkState::Active).map(|link| link.partner_id);
    Ok((Some(contact), partner))
}

/// Webhooks name custom fields by id; rules and connectors name them by key, as a reading does.
async fn name_custom_fields(run: &RunContext, fields: &mut Fields) -> Result<(), Failure> {
    const CUSTOM: &str = "customFields.";
    if !fields.keys().any(|name| name.starts_with(CUSTOM)) {
        return Ok(());
    }
    let definitions = match run.engine.custom_fields(&run.active.workspace, &run.location).await {
        Ok(definitions) => definitions,
        // The token may lack the scope of the definitions: ids are better than nothing.
        Err(failure) if failure.class == FailureClass::Denied => return Ok(()),
        Err(failure) => return Err(failure),
    };
    let named = std::mem::take(fields);
    let key =
        |name: &str| definitions.get(name.strip_prefix(CUSTOM)?)?.key().map(|key| format!("{CUSTOM}{key}"));
    *fields = named.into_iter().map(|(name, value)| (key(&name).unwrap_or(name), value)).collect();
    Ok(())
}

fn done(kind: &str, outcome: Outcome) -> Ending {
    let (outcome, line) = match outcome {
        Outcome::Done(line) => (RunOutcome::Applied, line),
        Outcome::Ignored(line) => (RunOutcome::Skipped, line),
    };
    let line = if line.is_empty() { "nothing to say".to_owned() } else { cut(line, WORDS) };
    Ending { disposition: Disposition::Done, outcome, class: None, summary: format!("{kind}: {line}") }
}

/// A person who looks at what is parked sees which event it was.
fn of_kind(disposition: Disposition, kind: &str) -> Disposition {
    match disposition {
        Disposition::Parked { class, reason } => {
            Disposition::Parked { class, reason: format!("{kind}: {reason}") }
        }
        other => other,
    }
}
