//! What is left alone for a while, so that it recovers and nothing else waits for it.
//!
//! A breaker per connection and entity, and per connection and kind of event that its automations handle: when [`TRIES`] different records in a row failed for no reason of their own (an endpoint
//! that answers 503, a connector that traps), the others are not tried one after the other, and none of them is parked for it. One
//! record tries after a while; when it succeeds, the rest is over. A partner that answers 429 rests as a whole until the time
//! that it names. The store keeps rests, and gives out nothing that rests; counting begins anew with a restart.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use contactor_store::{
    AUTOMATION_ENTITY, ConnectionId, Disposition, FailureClass, Rest, WorkspaceId, automation_of_subject,
};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::backoff::OUTAGE;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::Failure;
use crate::reconcile::RunContext;

/// Different records of an entity that fail in a row before it rests.
const TRIES: u32 = 5;

/// Failures in a row of one entity of a connection.
#[derive(Clone, Debug, Default, PartialEq)]
struct Streak {
    failures: u32,
    /// Which record failed last: one that fails again and again says nothing of the others.
    last: Option<String>,
    since: Option<Timestamp>,
    /// Until when it rests, if it does.
    until: Option<Timestamp>,
}

impl Streak {
    /// A record failed; answers how many times, since when, and until when the entity rests from now on.
    fn failed(&mut self, record: &str, now: Timestamp, jitter: f64) -> Option<(u32, Timestamp, Timestamp)> {
        if self.until.is_some_and(|until| now < until) {
            // It was given out before the rest began.
            return None;
        }
        if self.until.is_none() && self.last.as_deref() == Some(record) {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        self.last = Some(record.to_owned());
        let since = *self.since.get_or_insert(now);
        if self.failures < TRIES {
            return None;
        }
        let until = now + OUTAGE.wait(self.failures - 1, jitter);
        self.until = Some(until);
        Some((self.failures, since, until))
    }
}

type Streaks = HashMap<(ConnectionId, String), Streak>;

/// What failed lately.
#[derive(Default)]
pub(crate) struct Breakers {
    streaks: Mutex<Streaks>,
    loaded: OnceCell<()>,
}

impl Breakers {
    fn lock(&self) -> std::sync::MutexGuard<'_, Streaks> {
        self.streaks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// What becomes of work that failed. While its subject rests the failure is not its own: it is tried again, however often.
    pub(crate) async fn disposition(
        &self,
        connection: &ConnectionId,
        subject: &str,
        failure: &Failure,
        attempts: u32,
    ) -> Disposition {
        let (now, jitter) = (self.now(), rand::random::<f64>());
        let own = failure.disposition(attempts, self.config().max_attempts, now, jitter);
        if !matches!(failure.class, FailureClass::Transient | FailureClass::GuestBug) {
            return own;
        }
        if let Err(error) = self.load_rests().await {
            tracing::warn!(%connection, %error, "the store does not tell what rests");
        }
        let key = (connection.clone(), subject.to_owned());
        match self.breakers().lock().get(&key).and_then(|streak| streak.until) {
            Some(_) => {
                let own = OUTAGE.wait(attempts, jitter);
                Disposition::Retry {
                    at: now + failure.wait().map_or(own, |asked| asked.max(own)),
                    counts: false,
                }
            }
            None => own,
        }
    }

    /// A run ended: with a failure of this class, or with none. `subject` is the entity whose records may rest because of it.
    pub(crate) async fn run_ended(
        &self,
        run: &RunContext,
        subject: &str,
        record: &str,
        class: Option<FailureClass>,
        reason: &str,
    ) {
        let id = &run.active.connection.id;
        if let Err(error) = self.keep_rests(run, subject, record, class, reason).await {
            tracing::warn!(connection = %id, subject, %error, "the store did not keep a rest");
        }
    }

    async fn keep_rests(
        &self,
        run: &RunContext,
        subject: &str,
        record: &str,
        class: Option<FailureClass>,
        reason: &str,
    ) -> Result<(), EngineError> {
        let id = &run.active.connection.id;
        self.load_rests().await?;
        match class {
            Some(class @ (FailureClass::Transient | FailureClass::GuestBug)) => {
                let key = (id.clone(), subject.to_owned());
                let rest = {
                    let mut streaks = self.breakers().lock();
                    let streak = streaks.entry(key).or_default();
                    streak.failed(record, self.now(), rand::random::<f64>())
                };
                let Some((failures, since, until)) = rest else { return Ok(()) };
                tracing::warn!(connection = %id, subject, failures, %until, reason, "it keeps failing and is left alone");
                let (subject, reason) = (Some(subject.to_owned()), reason.to_owned());
                let connection = id.clone();
                self.store()
                    .put_rest(Rest { connection, subject, class, reason, failures, since, until })
                    .await?;
            }
            Some(FailureClass::Quota) => self.rest_if_limited(run, reason).await?,
            // Stopped as a whole, or it never came to the entity; nothing is known of it.
            Some(FailureClass::Auth | FailureClass::Guard | FailureClass::Host) => {}
            // Whatever it was, the other side answered.
            _ => {
                let streak = self.breakers().lock().remove(&(id.clone(), subject.to_owned()));
                if streak.is_some_and(|streak| streak.until.is_some()) {
                    self.store().end_rest(id, Some(subject)).await?;
                    tracing::info!(connection = %id, subject, "it works again");
                    self.wake().wake();
                }
            }
        }
        Ok(())
    }

    /// The partner asked to be left alone: nothing of the connection is given out until then.
    async fn rest_if_limited(&self, run: &RunContext, reason: &str) -> Result<(), EngineError> {
        let now = self.now();
        let Some(until) = run.active.partner.limited_until(now) else { return Ok(()) };
        let connection = run.active.connection.id.clone();
        let key = (connection.clone(), String::new());
        let since = {
            let mut streaks = self.breakers().lock();
            let streak = streaks.entry(key).or_default();
            if streak.until == Some(until) {
                return Ok(());
            }
            if streak.until.is_none_or(|before| before < now) {
                streak.failures = 0;
                streak.since = Some(now);
            }
            streak.failures = streak.failures.saturating_add(1);
            streak.until = Some(until);
            (streak.failures, streak.since.unwrap_or(now))
        };
        let (failures, since) = since;
        let (class, reason) = (FailureClass::Quota, reason.to_owned());
        self.store()
            .put_rest(Rest { connection, subject: None, class, reason, failures, since, until })
            .await?;
        Ok(())
    }

    /// Rests of an earlier process go on.
    async fn load_rests(&self) -> Result<(), EngineError> {
        let load = async {
            for rest in self.store().rests(None).await? {
                // Of an older version: all automations of a connection rested together.
                if rest.subject.as_deref() == Some(AUTOMATION_ENTITY) {
                    self.store().end_rest(&rest.connection, rest.subject.as_deref()).await?;
                    continue;
                }
                let streak = Streak {
                    failures: rest.failures,
                    last: None,
                    since: Some(rest.since),
                    until: Some(rest.until),
                };
                let key = (rest.connection, rest.subject.unwrap_or_default());
                self.breakers().lock().entry(key).or_insert(streak);
            }
            Ok::<(), EngineError>(())
        };
        self.breakers().loaded.get_or_try_init(|| load).await.copied()
    }

    /// What rests now in a workspace.
    pub async fn rests(&self, workspace: &WorkspaceId) -> Result<Vec<Rest>, EngineError> {
        let now = self.now();
        let all = self.store().rests(Some(workspace)).await?;
        // One of an entity lasts until a record of it succeeds; a whole connection's ends with its time.
        Ok(all.into_iter().filter(|rest| rest.subject.is_some() || rest.until > now).collect())
    }

    /// A person says that parked entries of this entity can be done again. Those of automations may be of any kind.
    pub(crate) async fn end_rest(&self, connection: &ConnectionId, entity: &str) -> Result<(), EngineError> {
        self.load_rests().await?;
        let is_meant = |subject: &str| {
            subject == entity || (entity == AUTOMATION_ENTITY && automation_of_subject(subject).is_some())
        };
        self.breakers().lock().retain(|(of, subject), _| of != connection || !is_meant(subject));
        for rest in self.store().rests(None).await?.into_iter().filter(|rest| rest.connection == *connection)
        {
            if let Some(subject) = rest.subject.filter(|subject| is_meant(subject)) {
                self.store().end_rest(connection, Some(&subject)).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn fail(streak: &mut Streak, records: &[&str], now: i64) -> Vec<bool> {
        records.iter().map(|record| streak.failed(record, at(now), 0.5).is_some()).collect()
    }

    #[test]
    fn different_records_that_fail_in_a_row_open_it_and_one_alone_does_not() {
        let mut alone = Streak::default();
        assert!(fail(&mut alone, &["a"; 20], 0).iter().all(|open| !open));
        let mut streak = Streak::default();
        assert_eq!(fail(&mut streak, &["a", "b", "a", "c", "d"], 0), [false, false, false, false, true]);
        assert_eq!(streak.until, Some(at(32)));
    }

    #[test]
    fn what_was_under_way_does_not_make_it_longer_and_a_failed_trial_does() {
        let mut streak = Streak::default();
        fail(&mut streak, &["a", "b", "c", "d", "e", "f", "g"], 0);
        assert_eq!((streak.failures, streak.until), (5, Some(at(32))));
        let (failures, since, until) = streak.failed("a", at(40), 0.5).unwrap();
        assert_eq!((failures, since, until), (6, at(0), at(104)));
        // The same record may try again, and it is never longer than ten minutes.
        let mut now = until;
        for _ in 0..20 {
            let (.., until) = streak.failed("a", now, 0.5).unwrap();
            assert!(until.duration_since(now) <= SignedDuration::from_mins(10));
            now = until;
        }
    }
}
