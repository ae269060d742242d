//! Which version does which work, and what is counted of both.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contactor_store::{
    AUTOMATION_ENTITY, ConnectionId, FailureClass, Priority, Rollout, RolloutEnd, RolloutMode, RolloutNews,
    RunId, ShadowDifference, Tally,
};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::judge::{Limits, standing, verdict};
use crate::active::Active;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reconcile::RunContext;
use crate::rests::Ended;

/// Runs that are followed in shadow at once, over all connections: the work itself goes first.
const SHADOWS: usize = 2;
/// After how many counted runs of a version on trial it is judged again; a failure judges it at once.
const JUDGED_EVERY: u64 = 10;

/// What a loaded connection is in its rollout.
#[derive(Default)]
pub(crate) enum Standing {
    /// The pinned version, and nothing is on trial.
    #[default]
    Alone,
    /// The pinned version, beside one on trial.
    Pinned(Trial),
    /// The version on trial.
    OnTrial(Counting),
}

/// What of one of the two versions is counted already.
#[derive(Default)]
pub(crate) struct Counting {
    pub(crate) rollout: u64,
    /// Work whose failure is counted and that is not done yet: its subject (an entity, or a kind of event) and its record.
    failing: Mutex<HashSet<(String, String)>>,
}

impl Counting {
    pub(crate) fn of(rollout: u64) -> Self {
        Self { rollout, ..Self::default() }
    }

    /// Whether an attempt tells something new: what is tried again is one piece of work, and counts when it fails first, or is done.
    fn is_news(&self, subject: &str, record: &str, failed: bool) -> bool {
        let work = (subject.to_owned(), record.to_owned());
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failed { failing.insert(work) } else { !failing.remove(&work) }
    }
}

/// A version on trial.
pub(crate) struct Trial {
    /// Of the pinned version.
    pub(crate) counting: Counting,
    pub(crate) mode: RolloutMode,
    pub(crate) share: u8,
    pub(crate) active: Arc<Active>,
}

impl Active {
    /// The version that does the work of a record; it is the same one for the same record.
    pub(crate) fn for_record(self: &Arc<Self>, record: &str) -> Arc<Self> {
        match &self.standing {
            Standing::Pinned(trial) if trial.mode == RolloutMode::Live && trial.has(self, record) => {
                Arc::clone(&trial.active)
            }
            _ => Arc::clone(self),
        }
    }

    /// The version on trial beside this one.
    pub(crate) fn on_trial(&self) -> Option<&Arc<Self>> {
        match &self.standing {
            Standing::Pinned(trial) => Some(&trial.active),
            Standing::Alone | Standing::OnTrial(_) => None,
        }
    }

    /// The rollout that follows the work of a record in shadow, if one does.
    pub(crate) fn shadow(&self, record: &str) -> Option<&Trial> {
        match &self.standing {
            Standing::Pinned(trial) if trial.mode == RolloutMode::Shadow && trial.has(self, record) => {
                Some(trial)
            }
            _ => None,
        }
    }
}

impl Trial {
    fn has(&self, pinned: &Active, record: &str) -> bool {
        bucket(pinned.connection.id.as_str(), record) < self.share
    }
}

/// One of a hundred, the same for the same record of a connection.
fn bucket(connection: &str, record: &str) -> u8 {
    let digest = Sha256::new().chain_update(connection).chain_update([0]).chain_update(record).finalize();
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    u8::try_from(number % 100).unwrap_or_default()
}

/// What was counted and is not stored yet, by rollout.
pub(crate) struct Trials {
    news: Mutex<HashMap<u64, RolloutNews>>,
    pub(super) shadows: Arc<Semaphore>,
}

impl Default for Trials {
    fn default() -> Self {
        Self { news: Mutex::default(), shadows: Arc::new(Semaphore::new(SHADOWS)) }
    }
}

impl Trials {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, RolloutNews>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, rollout: u64, add: impl FnOnce(&mut RolloutNews)) {
        add(self.lock().entry(rollout).or_default());
    }
}

impl Engine {
    /// Counts a run of a connection with a version on trial, and takes that back if it is time to.
    pub(crate) async fn count_trial(&self, run: &RunContext, subject: &str, record: &str, ended: &Ended<'_>) {
        let (of_trial, counting) = match &run.active.standing {
            Standing::Alone => return,
            Standing::Pinned(trial) => (false, &trial.counting),
            Standing::OnTrial(counting) => (true, counting),
        };
        // What others failed at tells nothing of the connector.
        let failed = ended.class.is_some();
        if run.preview || ended.class.is_some_and(|class| !class.blames_connector()) {
            return;
        }
        if !counting.is_news(subject, record, failed) {
            return;
        }
        let one = Tally { runs: 1, failed: failed.into(), writes: ended.writes };
        let mut is_due = failed && of_trial;
        self.trials().add(counting.rollout, |news| {
            let tally = if of_trial { &mut news.candidate } else { &mut news.former };
            *tally = tally.and(one);
            is_due |= of_trial && tally.runs >= JUDGED_EVERY;
        });
        if is_due {
            self.judge_rollout(&run.active.connection.id).await;
        }
    }

    /// Keeps what was counted of all rollouts.
    pub(crate) async fn keep_rollouts(&self) -> Result<(), EngineError> {
        let news = std::mem::take(&mut *self.trials().lock());
        for (rollout, news) in news {
            self.store().count_rollout(rollout, news).await?;
        }
        Ok(())
    }

    /// Keeps what was counted, and decides about the version that is on trial in a connection: it goes on, is taken back, or is
    /// adopted, when it did all of the work for long enough.
    pub(crate) async fn judge_rollout(&self, id: &ConnectionId) {
        if let Err(error) = self.judged_rollout(id).await {
            tracing::warn!(connection = %id, %error, "the version on trial is not judged now");
        }
    }

    async fn judged_rollout(&self, id: &ConnectionId) -> Result<(), EngineError> {
        self.keep_rollouts().await?;
        let Some(rollout) = self.store().running_rollout(id).await? else { return Ok(()) };
        if rollout.mode == RolloutMode::Shadow {
            return Ok(());
        }
        let config = self.config();
        if let Some(why) = verdict(&rollout.counts, Limits::of(config)) {
            return self.take_back(&rollout, &why).await;
        }
        let watch = SignedDuration::from_hours(i64::from(config.rollout_watch_hours));
        let is_over = rollout.share == 100 && self.now().duration_since(rollout.set_at) >= watch;
        if is_over && rollout.counts.candidate.runs > 0 && config.rollout_watch_hours > 0 {
            let reason = format!("it did all of the work for {} hours", config.rollout_watch_hours);
            if self.store().end_rollout(rollout.id, RolloutEnd::Adopt, reason).await? {
                tracing::info!(connection = %id, digest = %rollout.candidate.digest, "the version on trial is adopted");
                self.forget(id);
            }
        }
        Ok(())
    }

    /// The version on trial stopped its connection, or cannot be loaded: nothing more is to be seen.
    pub(crate) async fn revert_trial(&self, id: &ConnectionId, why: &str) {
        let revert = async {
            match self.store().running_rollout(id).await? {
                Some(rollout) => self.take_back(&rollout, why).await,
                None => Ok(()),
            }
        };
        if let Err(error) = revert.await {
            tracing::error!(connection = %id, %error, "the version on trial could not be taken back");
        }
    }

    async fn take_back(&self, rollout: &Rollout, why: &str) -> Result<(), EngineError> {
        let id = &rollout.connection;
        if !self.store().end_rollout(rollout.id, RolloutEnd::Revert, why.to_owned()).await? {
            return Ok(());
        }
        tracing::warn!(connection = %id, digest = %rollout.candidate.digest, why, "the version on trial is taken back");
        metrics::counter!("contactor_rollouts_reverted_total").increment(1);
        self.forget(id);
        self.mend_after(rollout).await
    }

    /// The pinned version does again what another one left undone: what it parked, and what rests because it crashed.
    pub(crate) async fn mend_after(&self, rollout: &Rollout) -> Result<(), EngineError> {
        let id = &rollout.connection;
        let Some(connection) = self.store().connection(id).await? else { return Ok(()) };
        for rest in self.rests(&connection.workspace).await? {
            if rest.connection == *id && rest.class == FailureClass::GuestBug {
                let subject = rest.subject.unwrap_or_default();
                let entity = contactor_store::automation_of_subject(&subject)
                    .map_or(subject.as_str(), |_| AUTOMATION_ENTITY);
                self.end_rest(id, entity).await?;
            }
        }
        for parked in self.store().parked(&connection.workspace).await? {
            let is_meant = parked.key.connection == *id
                && parked.since >= rollout.began_at
                && parked.class.blames_connector();
            let Some(run) = parked.run.filter(|_| is_meant) else { continue };
            let run = self.store().run(&run).await?;
            if run.is_some_and(|run| run.component.as_ref() == Some(&rollout.candidate.digest)) {
                self.store().retry_parked(&parked.key, Priority::Sweep).await?;
            }
        }
        self.wake().wake();
        Ok(())
    }

    /// How a version on trial stands, in words.
    pub(crate) fn rollout_standing(&self, rollout: &Rollout) -> String {
        standing(&rollout.counts, Limits::of(self.config()))
    }

    /// Notes how a run would have differed.
    pub(super) fn note_shadow(&self, rollout: u64, run: Option<RunId>, difference: Option<String>) {
        let at = self.now();
        self.trials().add(rollout, |news| match difference {
            Some(what) => news.differences.push(ShadowDifference { run, at, what }),
            None => news.same += 1,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_tried_again_counts_once() {
        let counting = Counting::of(1);
        let counted = |record: &str, failed: bool| counting.is_news("contact", record, failed);
        assert!(counted("a", true));
        assert!(!counted("a", true), "it failed again");
        assert!(counted("b", true));
        assert!(counting.is_news("task", "a", true), "another piece of work");
        assert!(!counted("a", false), "it was done in the end");
        assert!(counted("a", false), "and then again");
        assert!(counted("c", false));
    }

    #[test]
    fn a_share_takes_its_part_of_the_records_and_a_larger_one_takes_them_too() {
        let records: Vec<String> = (0..2_000).map(|number| format!("contact-{number}")).collect();
        let buckets: Vec<u8> = records.iter().map(|record| bucket("acme/prefinery", record)).collect();
        assert!(buckets.iter().all(|bucket| *bucket < 100));
        for share in [1_u8, 10, 50, 99] {
            let taken = buckets.iter().filter(|bucket| **bucket < share).count();
            let expected = records.len() * usize::from(share) / 100;
            assert!(taken.abs_diff(expected) <= 20 + expected / 4, "{share}: {taken}");
        }
        let elsewhere =
            records.iter().zip(&buckets).filter(|(record, own)| bucket("acme/other", record) == **own);
        assert!(elsewhere.count() < 100, "another connection chooses others");
    }
}
