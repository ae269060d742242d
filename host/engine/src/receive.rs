//! A stored partner webhook is turned into changes by its connector. Also: polled changes, which take the same way.

use std::time::Instant;

use contactor_runtime::bindings::triggers::{Change, ChangeKind, Received, Webhook};
use contactor_runtime::{Invocation, Reply};
use contactor_store::{
    ClaimedEvent, Disposition, FailureClass, Lease, Mark, NewDelivery, Priority, RecordId, Run, RunKind,
    RunOutcome, Side,
};

use crate::deliver;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::reconcile::{RunContext, mismatch, partner_record, run_id};
use crate::recorder::cut;

/// Records that one webhook or one page may name. Each is a row and a run: a connector that names more would keep its whole
/// workspace busy with one event.
const CHANGES: usize = 1_000;
/// Bytes of a partner's id.
const ID: usize = 512;
/// Bytes of a connector's words in a run's summary.
const WORDS: usize = 1_024;

/// What the connector made of a webhook.
enum Meaning {
    Changes(Vec<Mark>, Vec<NewDelivery>),
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
                tracing::error!(connection = %claimed.connection, %error, "a webhook waits: its connection cannot be loaded");
                let at = self.now() + jiff::SignedDuration::from_secs(60);
                let disposition = Disposition::Retry { at, counts: false };
                self.complete_event(lease, &claimed, Vec::new(), Vec::new(), disposition, None).await;
                return;
            }
        };
        let run = self.context(&active, Priority::Webhook, false);
        let mut deliveries = Vec::new();
        let (marks, disposition, outcome, class, summary) = match receive(&run, &claimed).await {
            Ok(Meaning::Changes(marks, handled)) => {
                let summary =
                    format!("{} changed records named, {} events to handle", marks.len(), handled.len());
                deliveries = handled;
                (marks, Disposition::Done, RunOutcome::Applied, None, summary)
            }
            Ok(Meaning::Rejected(reason)) => {
                let summary = format!("the webhook was not understood: {}", cut(reason, WORDS));
                (Vec::new(), Disposition::Done, RunOutcome::Skipped, None, summary)
            }
            Err(failure) => {
                if failure.class == FailureClass::Auth {
                    self.needs_reconnect(&claimed.connection, &failure.message).await;
                }
                let jitter = rand::random::<f64>();
                let disposition =
                    failure.disposition(claimed.attempts, self.config().max_attempts, self.now(), jitter);
                let outcome = match disposition {
                    Disposition::Retry { .. } => RunOutcome::Retrying,
                    _ => RunOutcome::Parked,
                };
                (Vec::new(), disposition, outcome, Some(failure.class), failure.message)
            }
        };
        let (calls, log) = run.recorder.take();
        // A webhook that was read and only marks records leaves its trace in the runs of those records.
        let run = (outcome != RunOutcome::Applied || !log.is_empty()).then(|| Run {
            id: run_id(),
            workspace: claimed.workspace.clone(),
            connection: claimed.connection.clone(),
            kind: RunKind::Receive,
            entity: None,
            highlevel_id: None,
            partner_id: None,
            event: Some(seq),
            started_at: run.started_at,
            duration_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            outcome,
            class,
            summary,
            changes: Vec::new(),
            calls,
            log,
        });
        self.complete_event(lease, &claimed, marks, deliveries, disposition, run).await;
        self.wake().wake();
    }

    /// The reading of a webhook panicked: a defect of the host. It is tried again and then parked; the others go on.
    pub(crate) async fn event_panicked(&self, lease: &Lease, claimed: &ClaimedEvent) {
        tracing::error!(connection = %claimed.connection, "the reading of a webhook panicked: this is a defect of the host");
        let failure =
            Failure::new(FailureClass::GuestBug, "the host failed in reading it; its log has the details");
        let max = self.config().max_attempts;
        let disposition = failure.disposition(claimed.attempts, max, self.now(), rand::random::<f64>());
        self.complete_event(lease, claimed, Vec::new(), Vec::new(), disposition, None).await;
    }

    async fn complete_event(
        &self,
        lease: &Lease,
        claimed: &ClaimedEvent,
        marks: Vec<Mark>,
        deliveries: Vec<NewDelivery>,
        disposition: Disposition,
        run: Option<Run>,
    ) {
        let seq = claimed.event.seq;
        let completed = self.store().complete_event(lease, seq, marks, deliveries, disposition, run).await;
        if let Err(error) = completed {
            tracing::warn!(connection = %claimed.connection, %error, "a webhook could not be completed; it is read again");
        }
    }
}

async fn receive(run: &RunContext, claimed: &ClaimedEvent) -> Result<Meaning, Failure> {
    let headers = claimed.event.headers.as_object().map_or_else(Vec::new, |headers| {
        headers.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    });
    let webhook = Webhook { headers, body: claimed.event.body.clone() };
    match run.invoke("triggers.receive", Invocation::Receive(webhook)).await? {
        Reply::Receive(Ok(Received::Changes(changes))) => {
            let carrier = Some((claimed.event.seq, claimed.event.received_at));
            Ok(Meaning::Changes(marks(run, &changes)?, deliver::of_partner(run, &changes, carrier)))
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

/// The dirty marks of a connector's changes. A change that concerns only an automation marks nothing.
pub(crate) fn marks(run: &RunContext, changes: &[Change]) -> Result<Vec<Mark>, Failure> {
    let connector = &run.active.connection.connector;
    let marks = of_changes(changes, |entity| run.active.manifest.entity(entity).is_some());
    let mut marks = marks.map_err(|why| {
        Failure::new(FailureClass::GuestBug, format!("{connector}: {why}; this is its author's to mend"))
    })?;
    let lists = children_of(run, &marks);
    marks.extend(lists);
    Ok(marks)
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
pub(crate) fn is_usable_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= ID && !id.chars().any(char::is_control)
}

fn of_changes(changes: &[Change], is_entity: impl Fn(&str) -> bool) -> Result<Vec<Mark>, String> {
    if changes.len() > CHANGES {
        return Err(format!("it names {} changes at once, more than {CHANGES}", changes.len()));
    }
    changes
        .iter()
        .filter(|change| change.kind != ChangeKind::Other)
        .map(|change| {
            if !is_entity(&change.entity) {
                let entity = cut(change.entity.clone(), 64);
                return Err(format!(
                    "a change names the entity `{entity}`, which its manifest does not have"
                ));
            }
            if !is_usable_id(&change.id) {
                return Err(format!(
                    "a change of `{}` has an id of {} bytes; expected 1 to {ID}, without control characters",
                    change.entity,
                    change.id.len()
                ));
            }
            if change.snapshot.as_ref().is_some_and(|snapshot| snapshot.id != change.id) {
                return Err(format!(
                    "a change of `{}` carries another record as its snapshot",
                    change.entity
                ));
            }
            Ok(Mark {
                entity: change.entity.clone(),
                side: Side::Partner,
                record: RecordId::new(change.id.as_str()),
                snapshot: change.snapshot.as_ref().map(|record| partner_record(record).fields),
                deleted: change.kind == ChangeKind::Deleted,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::adapter::PartnerRecord;

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

    fn marked(changes: &[Change]) -> Result<usize, String> {
        of_changes(changes, |entity| entity == "contact").map(|marks| marks.len())
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
    fn a_change_that_no_record_can_be_is_refused_in_few_words() {
        let of = |id: &str| Some(PartnerRecord { id: id.to_owned(), fields: Vec::new(), updated_at: None });
        assert_eq!(marked(&[Change { snapshot: of("1"), ..change("1") }]), Ok(1));
        for hostile in [
            Change { entity: "e".repeat(1 << 20), ..change("1") },
            Change { snapshot: of("2"), ..change("1") },
            change(""),
            change("a\u{1b}[2J"),
            change(&"x".repeat(ID + 1)),
        ] {
            let why = marked(&[hostile]).unwrap_err();
            assert!(why.len() < 200, "{why}");
        }
    }
}
