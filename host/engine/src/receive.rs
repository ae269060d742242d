//! A stored partner webhook is turned into changes by its connector. Also: polled changes, which take the same way.

use std::sync::Arc;
use std::time::Instant;

use contactor_runtime::bindings::triggers::{Change, ChangeKind, Received, Webhook};
use contactor_runtime::bindings::types::Value;
use contactor_runtime::{Invocation, Reply};
use contactor_store::{
    ClaimedEvent, Disposition, Event, EventSeq, FailureClass, Found, Lease, Mark, Priority, RecordId, Run,
    RunKind, RunOutcome, Side, WEBHOOK_ENTITY,
};

use crate::deliver;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::journal;
use crate::reconcile::{RunContext, mismatch, partner_record, run_id};
use crate::recorder::cut;
use crate::rests::Ended;
use crate::scheduler::in_time;

/// Records that one webhook or one page may name. Each is a row and a run: a connector that names more would keep its whole
/// workspace busy with one event.
const CHANGES: usize = 1_000;
/// Bytes of a partner's id.
const ID: usize = 512;
/// The value by which a change of the kind `other` says that its record could not be read; see `wit/triggers.wit`.
const UNREADABLE: &str = "contactor:unreadable";
/// Bytes of a connector's words in a run's summary.
const WORDS: usize = 1_024;

/// What the connector made of a webhook.
enum Meaning {
    Changes(Found),
    Rejected(String),
}

impl Engine {
    /// Lets the connector read a webhook and marks what it names. Nothing is written to either system.
    pub(crate) async fn run_event(&self, lease: &Lease, claimed: ClaimedEvent) {
        let begun = Instant::now();
        let seq = claimed.event.seq;
        let active = match self.active(&claimed.connection).await {
            Ok(active) => active,
            Err(error) => {
                self.not_loaded(&claimed.connection, &error).await;
                let at = self.now() + jiff::SignedDuration::from_secs(60);
                let disposition = Disposition::Retry { at, counts: false };
                self.complete_event(lease, &claimed, Found::default(), disposition, None).await;
                return;
            }
        };
        // Which record it is about is known only when it is read: that is done by the pinned version, as polls are.
        let record = format!("event {}", seq.0);
        let run = RunContext {
            attempts: claimed.attempts,
            tape: active.shadow(&record).map(|_| Arc::default()),
            ..self.context(&active, Priority::Webhook, false)
        };
        let (found, disposition, outcome, class, summary) =
            match in_time(receive(&run, &claimed)).await.flatten() {
                Ok(Meaning::Changes(found)) => {
                    let Found { marks, deliveries, unreadable } = &found;
                    let unread = match unreadable.len() {
                        0 => String::new(),
                        count => format!(", {count} records parked that could not be read"),
                    };
                    let summary = format!(
                        "{} changed records named, {} events to handle{unread}",
                        marks.len(),
                        deliveries.len()
                    );
                    (found, Disposition::Done, RunOutcome::Applied, None, summary)
                }
                Ok(Meaning::Rejected(reason)) => {
                    let summary = format!("the webhook was not understood: {}", cut(reason, WORDS));
                    (Found::default(), Disposition::Done, RunOutcome::Skipped, None, summary)
                }
                Err(failure) => {
                    if failure.class == FailureClass::Auth {
                        self.needs_reconnect(&claimed.connection, &failure).await;
                    }
                    let (id, attempts) = (&claimed.connection, claimed.attempts);
                    let disposition = self.disposition(id, WEBHOOK_ENTITY, &failure, attempts).await;
                    let outcome = match disposition {
                        Disposition::Retry { .. } => RunOutcome::Retrying,
                        _ => RunOutcome::Parked,
                    };
                    (Found::default(), disposition, outcome, Some(failure.class), failure.message)
                }
            };
        let (calls, log) = run.recorder.take();
        let ended = Ended::of(class, &calls, &summary);
        self.run_ended(&run, WEBHOOK_ENTITY, &seq.0.to_string(), ended).await;
        let id = run_id();
        let leaves_a_run = outcome != RunOutcome::Applied || !log.is_empty();
        self.follow(&run, &record, &id, leaves_a_run, &log);
        // A webhook that was read and only marks records leaves its trace in the runs of those records.
        let run = leaves_a_run.then(|| Run {
            id,
            workspace: claimed.workspace.clone(),
            connection: claimed.connection.clone(),
            component: Some(run.active.connection.digest.clone()),
            kind: RunKind::Receive,
            entity: None,
            highlevel_id: None,
            partner_id: None,
            event: Some(seq),
            cause: None,
            started_at: run.started_at,
            duration_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            outcome,
            class,
            summary,
            changes: Vec::new(),
            remarks: Vec::new(),
            calls,
            log,
        });
        self.complete_event(lease, &claimed, found, disposition, run).await;
        self.wake().wake();
    }

    /// The reading of a webhook panicked: a defect of the host. It is tried again and then parked; the others go on.
    pub(crate) async fn event_panicked(&self, lease: &Lease, claimed: &ClaimedEvent, why: &'static str) {
        tracing::error!(connection = %claimed.connection, why, "this is a defect of the host");
        let failure = Failure::new(FailureClass::Host, why);
        let max = self.config().max_attempts;
        let disposition = failure.disposition(claimed.attempts, max, self.now(), rand::random::<f64>());
        self.complete_event(lease, claimed, Found::default(), disposition, None).await;
    }

    async fn complete_event(
        &self,
        lease: &Lease,
        claimed: &ClaimedEvent,
        found: Found,
        disposition: Disposition,
        run: Option<Run>,
    ) {
        let seq = claimed.event.seq;
        let keep = |engine: Self| {
            let (lease, found, disposition, run) =
                (lease.clone(), found.clone(), disposition.clone(), run.clone());
            async move { engine.store().complete_event(&lease, seq, found, disposition, run).await }
        };
        let Err(error) = self.until_kept(keep).await else { return };
        tracing::warn!(connection = %claimed.connection, %error, "what a webhook told could not be kept");
        if !error.is_of_the_request() {
            // It is read again under the next lease.
            return;
        }
        let parked = Disposition::Parked { class: FailureClass::Host, reason: error.to_string() };
        let keep = |engine: Self| {
            let (lease, parked) = (lease.clone(), parked.clone());
            async move { engine.store().complete_event(&lease, seq, Found::default(), parked, None).await }
        };
        if let Err(error) = self.until_kept(keep).await {
            tracing::error!(connection = %claimed.connection, %error, "a webhook could not be parked");
        }
    }
}

/// A stored webhook as its connector reads it: without the credential, should the partner repeat it.
pub(crate) fn webhook(run: &RunContext, event: &Event) -> Webhook {
    let partner = &run.active.partner;
    let headers = event.headers.as_object().into_iter().flatten();
    let headers =
        headers.filter_map(|(name, value)| Some((name.clone(), partner.given(value.as_str()?.to_owned()))));
    Webhook { headers: headers.collect(), body: partner.given_bytes(event.body.clone()) }
}

async fn receive(run: &RunContext, claimed: &ClaimedEvent) -> Result<Meaning, Failure> {
    match run.invoke("triggers.receive", Invocation::Receive(webhook(run, &claimed.event))).await? {
        Reply::Receive(Ok(Received::Changes(changes))) => {
            let carrier = Some((claimed.event.seq, claimed.event.received_at));
            let (marks, unreadable) = told(run, &changes, RunKind::Receive, Some(claimed.event.seq))?;
            let deliveries = deliver::of_partner(run, &changes, carrier);
            Ok(Meaning::Changes(Found { marks, deliveries, unreadable }))
        }
        Reply::Receive(Ok(Received::Rejected(reason))) => Ok(Meaning::Rejected(reason)),
        Reply::Receive(Err(error)) => Err(run.of_connector("triggers.receive", &error)),
        _ => Err(mismatch("triggers.receive")),
    }
}

/// A failure whose message, which may be a connector's, is short enough to be kept.
pub(crate) fn brief(failure: Failure) -> Failure {
    Failure { message: cut(failure.message, WORDS), ..failure }
}

/// The dirty marks of a connector's changes, and a run for each record that could not be read. A change that concerns only an
/// automation marks nothing.
pub(crate) fn told(
    run: &RunContext,
    changes: &[Change],
    kind: RunKind,
    event: Option<EventSeq>,
) -> Result<(Vec<Mark>, Vec<Run>), Failure> {
    let connector = &run.active.connection.connector;
    let named = of_changes(changes, |entity| run.active.manifest.entity(entity).is_some());
    let (mut marks, unreadable) = named.map_err(|why| {
        Failure::new(FailureClass::GuestBug, format!("{connector}: {why}; this is its author's to mend"))
    })?;
    let lists = children_of(run, &marks);
    marks.extend(lists);
    let parked = |record: Unreadable| {
        let reason = cut(run.recorder.shown(record.reason), WORDS);
        Run {
            id: run_id(),
            workspace: run.active.workspace.id.clone(),
            connection: run.active.connection.id.clone(),
            component: Some(run.active.connection.digest.clone()),
            kind,
            entity: Some(record.entity),
            highlevel_id: None,
            partner_id: Some(record.id),
            event,
            cause: None,
            started_at: run.started_at,
            duration_us: 0,
            outcome: RunOutcome::Parked,
            class: Some(FailureClass::Data),
            summary: format!("{connector}: this record could not be read, the others went on: {reason}"),
            changes: Vec::new(),
            remarks: Vec::new(),
            calls: Vec::new(),
            log: Vec::new(),
        }
    };
    Ok((marks, unreadable.into_iter().map(parked).collect()))
}

/// A change of the partner's contact may be one of the lists that lie in its fields.
fn children_of(run: &RunContext, marks: &[Mark]) -> Vec<Mark> {
    let lists: Vec<_> = run.active.lists.iter().filter(|(_, list)| list.flows_to_highlevel()).collect();
    let contacts = marks.iter().filter(|mark| mark.entity == "contact" && !mark.deleted);
    contacts
        .flat_map(|contact| lists.iter().map(|(name, _)| Mark { entity: (*name).clone(), ..contact.clone() }))
        .collect()
}

/// An id that can be kept, shown and asked for again.
pub fn is_usable_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= ID && !id.chars().any(char::is_control)
}

/// A record that a connector could not read, or names in a way that nobody can ask for.
#[derive(Debug, PartialEq)]
pub struct Unreadable {
    /// Its kind, one of the manifest's.
    pub entity: String,
    /// The id under which it is listed.
    pub id: RecordId,
    /// Why it could not be read, in the connector's words or the host's.
    pub reason: String,
}

/// What the changes mark, and which of them cannot be read. One bad record is no reason to leave the others alone.
///
/// # Errors
/// There are too many, or one is of a kind of record that the manifest does not have: the connector's fault as a whole.
pub fn of_changes(
    changes: &[Change],
    is_entity: impl Fn(&str) -> bool,
) -> Result<(Vec<Mark>, Vec<Unreadable>), String> {
    if changes.len() > CHANGES {
        return Err(format!("it names {} changes at once, more than {CHANGES}", changes.len()));
    }
    let (mut marks, mut unreadable) = (Vec::new(), Vec::new());
    for change in changes {
        let problem = problem(change);
        if change.kind == ChangeKind::Other && problem.is_none() {
            continue;
        }
        if !is_entity(&change.entity) {
            let entity = cut(change.entity.clone(), 64);
            return Err(format!("a change names the entity `{entity}`, which its manifest does not have"));
        }
        let (entity, id) = (change.entity.clone(), known_as(&change.id));
        match problem.or_else(|| unusable(change)) {
            Some(reason) => unreadable.push(Unreadable { entity, id, reason }),
            None => marks.push(Mark {
                entity,
                side: Side::Partner,
                record: id,
                snapshot: change.snapshot.as_ref().map(|record| partner_record(record).fields),
                deleted: change.kind == ChangeKind::Deleted,
            }),
        }
    }
    Ok((marks, unreadable))
}

/// Why the connector could not read this record, in its own words.
fn problem(change: &Change) -> Option<String> {
    let said = change.fields.iter().find(|field| field.name == UNREADABLE)?;
    match &said.value {
        Value::Text(problem) if change.kind == ChangeKind::Other => Some(problem.clone()),
        _ => None,
    }
}

/// Why nothing can be done with a change.
fn unusable(change: &Change) -> Option<String> {
    if !is_usable_id(&change.id) {
        let shown: String = change.id.chars().take(40).flat_map(char::escape_default).collect();
        let length = change.id.len();
        return Some(format!(
            "its id `{shown}` has {length} bytes; expected 1 to {ID}, without control characters"
        ));
    }
    let snapshot = change.snapshot.as_ref().filter(|snapshot| snapshot.id != change.id)?;
    let shown = cut(snapshot.id.clone(), 64);
    Some(format!("it carries the record `{}` as its snapshot", shown.escape_default()))
}

/// The id under which a record is listed: its own, or a digest of it that is the same the next time.
fn known_as(id: &str) -> RecordId {
    if is_usable_id(id) {
        return RecordId::new(id);
    }
    RecordId::new(format!("unreadable-{}", &hex::encode(journal::digest(&id))[..16]))
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::adapter::PartnerRecord;
    use contactor_runtime::bindings::types::NamedValue;

    use super::*;

    fn change(id: &str) -> Change {
        Change {
            entity: "contact".to_owned(),
            id: id.to_owned(),
            kind: ChangeKind::Updated,
            event: String::new(),
            snapshot: None,
            fields: Vec::new(),
        }
    }

    fn named(changes: &[Change]) -> Result<(Vec<Mark>, Vec<Unreadable>), String> {
        of_changes(changes, |entity| entity == "contact")
    }

    fn marked(changes: &[Change]) -> Result<usize, String> {
        named(changes).map(|(marks, _)| marks.len())
    }

    fn unreadable(kind: ChangeKind) -> Change {
        let problem = NamedValue { name: UNREADABLE.to_owned(), value: Value::Text("`/id`: found 7".into()) };
        Change { kind, fields: vec![problem], ..change("2") }
    }

    #[test]
    fn a_change_marks_its_record_unless_only_an_automation_cares() {
        let other = Change { kind: ChangeKind::Other, ..change("2") };
        assert_eq!(marked(&[change("1"), other]), Ok(1));
    }

    #[test]
    fn one_event_names_a_bounded_number_of_records() {
        assert_eq!(marked(&vec![change("1"); CHANGES]), Ok(CHANGES));
        assert!(marked(&vec![change("1"); CHANGES + 1]).unwrap_err().contains("more than"));
    }

    #[test]
    fn an_entity_that_the_manifest_does_not_have_is_refused_in_few_words() {
        let why = marked(&[Change { entity: "e".repeat(1 << 20), ..change("1") }]).unwrap_err();
        assert!(why.len() < 200, "{why}");
    }

    #[test]
    fn a_change_that_no_record_can_be_is_parked_alone() {
        let of = |id: &str| Some(PartnerRecord { id: id.to_owned(), fields: Vec::new(), updated_at: None });
        assert_eq!(marked(&[Change { snapshot: of("1"), ..change("1") }]), Ok(1));
        for hostile in [
            Change { snapshot: of("2"), ..change("1") },
            Change { snapshot: of(&"x".repeat(1 << 20)), ..change("1") },
            change(""),
            change("a\u{1b}[2J"),
            change(&"x".repeat(ID + 1)),
        ] {
            let (marks, parked) = named(&[change("8"), hostile.clone(), change("9")]).unwrap();
            assert_eq!((marks.len(), parked.len()), (2, 1));
            assert!(is_usable_id(parked[0].id.as_str()), "{:?}", parked[0].id);
            assert!(parked[0].reason.len() < 300, "{}", parked[0].reason);
            assert_eq!(named(&[hostile]).unwrap().1, parked, "it is listed under the same id the next time");
        }
    }

    #[test]
    fn a_record_that_the_connector_could_not_read_is_parked_under_its_id() {
        let (marks, parked) = named(&[change("1"), unreadable(ChangeKind::Other), change("3")]).unwrap();
        assert_eq!(marks.len(), 2);
        let (id, reason) = (RecordId::new("2"), "`/id`: found 7".to_owned());
        assert_eq!(parked, [Unreadable { entity: "contact".to_owned(), id, reason }]);
        // A partner may have a value of any name: only the kind `other`, which marks nothing, is understood so.
        assert_eq!(marked(&[unreadable(ChangeKind::Updated)]), Ok(1));
    }
}
