//! A stored partner webhook is turned into changes by its connector. Also: polled changes, which take the same way.

use std::time::Instant;

use contactor_runtime::bindings::triggers::{Change, ChangeKind, Received, Webhook};
use contactor_runtime::{Invocation, Reply};
use contactor_store::{
    ClaimedEvent, Disposition, FailureClass, Lease, Mark, Priority, RecordId, Run, RunKind, RunOutcome, Side,
};

use crate::engine::Engine;
use crate::failure::Failure;
use crate::reconcile::{RunContext, mismatch, partner_record, run_id};

/// What the connector made of a webhook.
enum Meaning {
    Marks(Vec<Mark>),
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
                self.complete_event(lease, &claimed, Vec::new(), disposition, None).await;
                return;
            }
        };
        let run = self.context(&active, Priority::Webhook, false);
        let (marks, disposition, outcome, class, summary) = match receive(&run, &claimed).await {
            Ok(Meaning::Marks(marks)) => {
                let summary = format!("{} changed records named", marks.len());
                (marks, Disposition::Done, RunOutcome::Applied, None, summary)
            }
            Ok(Meaning::Rejected(reason)) => {
                let summary = format!("the webhook was not understood: {reason}");
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
        self.complete_event(lease, &claimed, marks, disposition, run).await;
        self.wake().wake();
    }

    async fn complete_event(
        &self,
        lease: &Lease,
        claimed: &ClaimedEvent,
        marks: Vec<Mark>,
        disposition: Disposition,
        run: Option<Run>,
    ) {
        let completed = self.store().complete_event(lease, claimed.event.seq, marks, disposition, run).await;
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
        Reply::Receive(Ok(Received::Changes(changes))) => Ok(Meaning::Marks(marks(run, &changes)?)),
        Reply::Receive(Ok(Received::Rejected(reason))) => Ok(Meaning::Rejected(reason)),
        Reply::Receive(Err(error)) => Err(run.of_connector("triggers.receive", &error)),
        _ => Err(mismatch("triggers.receive")),
    }
}

/// The dirty marks of a connector's changes. A change that concerns only an automation marks nothing.
pub(crate) fn marks(run: &RunContext, changes: &[Change]) -> Result<Vec<Mark>, Failure> {
    changes
        .iter()
        .filter(|change| change.kind != ChangeKind::Other)
        .map(|change| {
            if run.active.manifest.entity(&change.entity).is_none() || change.id.is_empty() {
                return Err(Failure::new(
                    FailureClass::GuestBug,
                    format!(
                        "{}: a change names the entity `{}` and the id `{}`; the manifest has no such entity, or the id is empty",
                        run.active.connection.connector, change.entity, change.id
                    ),
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
