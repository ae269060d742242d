//! What is left alone for a while, so that it recovers and nothing else waits for it.
//!
//! A breaker per connection and entity, and per connection and kind of event that its automations handle: when [`TRIES`] different records in a row failed for no reason of their own (an endpoint
//! that answers 503, a connector that traps), the others are not tried one after the other, and none of them is parked for it. One
//! record tries after a while; when it succeeds, the rest is over. A partner that answers 429 rests as a whole until the time
//! that it names. The store keeps rests, and gives out nothing that rests; counting begins anew with a restart.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use contactor_store::{
    AUTOMATION_ENTITY, Call, ConnectionId, Disposition, FailureClass, Rest, WorkspaceId,
    automation_of_subject,
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
    /// What the last failure was.
    class: Option<FailureClass>,
    /// Until when it rests, if it does.
    until: Option<Timestamp>,
}

impl Streak {
    /// A record failed; answers how many times, since when, and until when the entity rests from now on.
    fn failed(
        &mut self,
        record: &str,
        class: FailureClass,
        now: Timestamp,
        jitter: f64,
    ) -> Option<(u32, Timestamp, Timestamp)> {
        if self.until.is_some_and(|until| now < until) {
            // It was given out before the rest began.
            return None;
        }
        if self.until.is_none() && self.last.as_deref() == Some(record) {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        self.last = Some(record.to_owned());
        self.class = Some(class);
        let since = *self.since.get_or_insert(now);
        if self.failures < TRIES {
            return None;
        }
        let until = now + OUTAGE.wait(self.failures - 1, jitter);
        self.until = Some(until);
        Some((self.failures, since, until))
    }

    /// What it tells of the subject that a record succeeded. `spoke`: with another system.
    fn proves(&self, spoke: bool, now: Timestamp) -> Proof {
        match (self.class, self.until) {
            // Whatever it was, the other side answered, or the connector works again.
            _ if spoke => Proof::Works,
            (Some(FailureClass::GuestBug), _) => Proof::Works,
            (_, Some(until)) if until <= now => Proof::NextTrial,
            _ => Proof::Nothing,
        }
    }
}

/// What a success tells of its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// It works.
    Works,
    /// It was the trial of a rest, and nobody was asked whether it works: the next one tries.
    NextTrial,
    Nothing,
}

type Streaks = HashMap<(ConnectionId, String), Streak>;

/// How a run ended, as far as rests are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended<'a> {
    /// The failure, if it failed.
    pub(crate) class: Option<FailureClass>,
    /// It made a call to HighLevel or the partner. A handler that ignores its event proves nothing about them.
    pub(crate) spoke: bool,
    /// Writes to HighLevel and the partner that were done.
    pub(crate) writes: u64,
    /// One of its calls to them failed.
    pub(crate) shown: bool,
    /// What is said of it.
    pub(crate) reason: &'a str,
}

impl<'a> Ended<'a> {
    /// A call that was refused before it was sent, or that was the connector's own, asked nobody.
    pub(crate) fn of(class: Option<FailureClass>, calls: &[Call], reason: &'a str) -> Self {
        let was_sent = |call: &Call| {
            let another = matches!(call.target.as_str(), "highlevel" | "partner");
            another && (call.status.is_some() || call.duration_us > 0)
        };
        let was_done = |call: &&Call| call.write && call.error.is_none() && was_sent(call);
        let writes = calls.iter().filter(was_done).count() as u64;
        let shown = calls.iter().any(|call| call.error.is_some() && was_sent(call));
        Self { class, spoke: calls.iter().any(was_sent), writes, shown, reason }
    }
}

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

    /// A run ended. `subject` is the entity whose records may rest because of it.
    pub(crate) async fn run_ended(&self, run: &RunContext, subject: &str, record: &str, ended: Ended<'_>) {
        let id = &run.active.connection.id;
        if let Err(error) = self.keep_rests(run, subject, record, ended).await {
            tracing::warn!(connection = %id, subject, %error, "the store did not keep a rest");
        }
    }

    async fn keep_rests(
        &self,
        run: &RunContext,
        subject: &str,
        record: &str,
        ended: Ended<'_>,
    ) -> Result<(), EngineError> {
        let id = &run.active.connection.id;
        let reason = ended.reason;
        self.load_rests().await?;
        match ended.class {
            Some(class @ (FailureClass::Transient | FailureClass::GuestBug)) => {
                let key = (id.clone(), subject.to_owned());
                let rest = {
                    let mut streaks = self.breakers().lock();
                    let streak = streaks.entry(key).or_default();
                    streak.failed(record, class, self.now(), rand::random::<f64>())
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
            _ => {
                let key = (id.clone(), subject.to_owned());
                let (proof, rests) = {
                    let mut streaks = self.breakers().lock();
                    let Some(streak) = streaks.get(&key) else { return Ok(()) };
                    let (proof, rests) = (streak.proves(ended.spoke, self.now()), streak.until.is_some());
                    if proof == Proof::Works {
                        streaks.remove(&key);
                    }
                    (proof, rests)
                };
                match proof {
                    Proof::Works if rests => {
                        self.store().end_rest(id, Some(subject)).await?;
                        tracing::info!(connection = %id, subject, "it works again");
                        self.wake().wake();
                    }
                    Proof::NextTrial => {
                        self.store().next_trial(id, subject).await?;
                        self.wake().wake();
                    }
                    Proof::Works | Proof::Nothing => {}
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
                    class: Some(rest.class),
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

    /// A connection has another version: that the one before crashed says nothing of it.
    pub(crate) fn forget_crashes(&self, connection: &ConnectionId) {
        let crashed = |of: &ConnectionId, streak: &Streak| {
            of == connection && streak.class == Some(FailureClass::GuestBug)
        };
        self.breakers().lock().retain(|(of, _), streak| !crashed(of, streak));
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
        let transient = FailureClass::Transient;
        records.iter().map(|record| streak.failed(record, transient, at(now), 0.5).is_some()).collect()
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
    fn a_trial_that_speaks_with_nobody_leaves_its_turn_to_the_next_and_proves_that_a_connector_works() {
        let mut streak = Streak::default();
        fail(&mut streak, &["a", "b", "c", "d", "e"], 0);
        assert_eq!(streak.proves(false, at(10)), Proof::Nothing, "it was under way before the rest");
        assert_eq!(streak.proves(false, at(40)), Proof::NextTrial);
        assert_eq!(streak.proves(true, at(40)), Proof::Works);
        streak.class = Some(FailureClass::GuestBug);
        assert_eq!(streak.proves(false, at(40)), Proof::Works);
    }

    #[test]
    fn a_handler_that_only_ran_spoke_with_nobody() {
        let call = |target: &str, status, duration_us| Call {
            target: target.to_owned(),
            status,
            duration_us,
            ..Call::default()
        };
        let spoke = |call: Call| Ended::of(None, &[call], "").spoke;
        assert!(!spoke(call("guest", None, 900)));
        assert!(!spoke(call("partner", None, 0)), "it was refused here");
        assert!(spoke(call("partner", Some(200), 900)) && spoke(call("highlevel", None, 900)));
    }

    #[test]
    fn what_was_under_way_does_not_make_it_longer_and_a_failed_trial_does() {
        let mut streak = Streak::default();
        fail(&mut streak, &["a", "b", "c", "d", "e", "f", "g"], 0);
        assert_eq!((streak.failures, streak.until), (5, Some(at(32))));
        let (failures, since, until) = streak.failed("a", FailureClass::Transient, at(40), 0.5).unwrap();
        assert_eq!((failures, since, until), (6, at(0), at(104)));
        // The same record may try again, and it is never longer than ten minutes.
        let mut now = until;
        for _ in 0..20 {
            let (.., until) = streak.failed("a", FailureClass::Transient, now, 0.5).unwrap();
            assert!(until.duration_since(now) <= SignedDuration::from_mins(10));
            now = until;
        }
    }
}
