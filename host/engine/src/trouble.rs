//! A stream that cannot be read rests by itself, longer each time, and keeps no other from being read.
//!
//! How often it failed and when it is tried again are kept with its cursor, so that a restart does not begin anew.

use contactor_store::{Cursor, FailureClass, Run, RunKind, RunOutcome, Trouble};
use jiff::{SignedDuration, Timestamp};

use crate::backoff::{OUTAGE, Schedule};
use crate::engine::Engine;
use crate::failure::{self, Failure};
use crate::receive::brief;
use crate::reconcile::{RunContext, run_id};

/// The shortest rest, whatever the other system asks for.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);

/// What is known after one more failure. `interval` is how long the stream rests when all goes well; `jitter` is in 0..1.
fn after(
    before: Option<&Trouble>,
    failure: &Failure,
    interval: SignedDuration,
    now: Timestamp,
    jitter: f64,
) -> Trouble {
    let failures = before.map_or(0, |trouble| trouble.failures);
    let schedule = match failure.class {
        FailureClass::Transient | FailureClass::Quota | FailureClass::Host => Schedule::of(failure.class),
        _ => OUTAGE,
    };
    let own = schedule.wait(failures, jitter);
    let wait = match (failure.wait(), failure.class) {
        (Some(asked), _) => asked.max(SHORTEST),
        (None, FailureClass::Transient | FailureClass::Quota | FailureClass::Host) => own,
        // What a repetition does not mend rests at least like a stream that was read.
        (None, _) => own.max(interval),
    };
    Trouble {
        failures: failures.saturating_add(1),
        retry_at: now.saturating_add(wait).unwrap_or(Timestamp::MAX),
        problem: failure.message.clone(),
    }
}

/// Whether a stream is not to be read yet.
pub(crate) fn rests(cursor: Option<&Cursor>, now: Timestamp) -> bool {
    cursor.and_then(|cursor| cursor.trouble.as_ref()).is_some_and(|trouble| now < trouble.retry_at)
}

impl Engine {
    /// Notes that a stream could not be read. A run tells the admin, at the first failure and whenever another reason is given;
    /// a quota that is used up is no reason to look.
    pub(crate) async fn troubled(
        &self,
        run: &RunContext,
        cursor: Cursor,
        interval: SignedDuration,
        failure: Failure,
    ) -> Result<(), Failure> {
        let failure = brief(failure);
        let before = cursor.trouble.as_ref();
        let is_news = before.is_none_or(|trouble| trouble.problem != failure.message);
        let trouble = after(before, &failure, interval, self.now(), rand::random::<f64>());
        let retry_at = trouble.retry_at;
        let stream = cursor.stream.clone();
        self.store()
            .put_cursor(Cursor { trouble: Some(trouble), ..cursor })
            .await
            .map_err(failure::of_store)?;
        if !is_news {
            return Ok(());
        }
        let connection = &run.active.connection.id;
        tracing::warn!(%connection, stream, %retry_at, reason = failure.message, "a walk failed and is repeated");
        if failure.class == FailureClass::Quota {
            return Ok(());
        }
        let (calls, log) = run.recorder.take();
        let (kind, name) = match stream.strip_prefix("poll:") {
            Some(name) => (RunKind::Poll, format!("poll of {name}")),
            None => (RunKind::Sweep, stream),
        };
        let entry = Run {
            id: run_id(),
            workspace: run.active.workspace.id.clone(),
            connection: connection.clone(),
            component: Some(run.active.connection.digest.clone()),
            kind,
            entity: None,
            highlevel_id: None,
            partner_id: None,
            event: None,
            cause: None,
            started_at: run.started_at,
            duration_us: calls.iter().map(|call| call.duration_us).sum(),
            outcome: RunOutcome::Retrying,
            class: Some(failure.class),
            summary: format!("{name}: {}; tried again from {retry_at} on", failure.message),
            changes: Vec::new(),
            remarks: Vec::new(),
            calls,
            log,
        };
        self.store().put_run(entry).await.map_err(failure::of_store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn waits(class: FailureClass, retry_after: Option<SignedDuration>, times: usize) -> Vec<i64> {
        let failure = Failure { retry_after, ..Failure::new(class, "no") };
        let mut trouble = None;
        let next = |_| {
            let now = Timestamp::UNIX_EPOCH;
            let next = after(trouble.as_ref(), &failure, HOUR, now, 0.5);
            let wait = next.retry_at.duration_since(now).as_secs();
            trouble = Some(next);
            wait
        };
        (0..times).map(next).collect()
    }

    #[test]
    fn each_failure_rests_longer_up_to_ten_minutes() {
        assert_eq!(waits(FailureClass::Transient, None, 4), [2, 4, 8, 16]);
        assert_eq!(waits(FailureClass::Quota, None, 12).last(), Some(&600));
    }

    #[test]
    fn what_the_other_system_asks_for_counts_within_reason() {
        let asked = |seconds| waits(FailureClass::Transient, Some(SignedDuration::from_secs(seconds)), 2);
        assert_eq!(asked(90), [90, 90]);
        assert_eq!(asked(0), [1, 1]);
        assert_eq!(asked(i64::MAX), [3_600, 3_600]);
    }

    #[test]
    fn what_a_repetition_does_not_mend_rests_like_a_stream_that_was_read() {
        assert_eq!(waits(FailureClass::GuestBug, None, 2), [3_600, 3_600]);
    }
}
