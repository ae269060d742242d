//! Which version does which work, and what is counted of both.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contactor_store::{
    ConnectionId, Rollout, RolloutEnd, RolloutMode, RolloutNews, RunId, ShadowDifference, StoreError, Tally,
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
    /// The version on trial of this rollout.
    OnTrial(u64),
}

/// A version on trial.
pub(crate) struct Trial {
    pub(crate) rollout: u64,
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

/// What was counted and is not stored yet.
pub(crate) struct Trials {
    /// By rollout.
    news: Mutex<HashMap<u64, RolloutNews>>,
    /// Held while counts are on their way to the store: whoever judges meanwhile waits for what it would judge by.
    keeping: Arc<tokio::sync::Mutex<()>>,
    /// Connections whose trial is to be judged again.
    due: Mutex<HashSet<ConnectionId>>,
    pub(super) shadows: Arc<Semaphore>,
}

impl Default for Trials {
    fn default() -> Self {
        Self {
            news: Mutex::default(),
            keeping: Arc::default(),
            due: Mutex::default(),
            shadows: Arc::new(Semaphore::new(SHADOWS)),
        }
    }
}

impl Trials {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, RolloutNews>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due(&self) -> MutexGuard<'_, HashSet<ConnectionId>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, rollout: u64, add: impl FnOnce(&mut RolloutNews)) {
        add(self.lock().entry(rollout).or_default());
    }
}

/// What one attempt adds.
fn one(run: &RunContext, ended: &Ended<'_>) -> Tally {
    // What fails again is the same piece of work: one record should not decide.
    let failed = run.attempts == 0 && ended.class.is_some_and(|class| class.blames_connector(ended.shown));
    let runs = u64::from(failed || ended.class.is_none());
    Tally { runs, failed: failed.into(), others: 1 - runs, writes: ended.writes }
}

impl Engine {
    /// Counts an attempt at a record or event of a connection with a version on trial.
    pub(crate) fn count_trial(&self, run: &RunContext, ended: &Ended<'_>) {
        let (of_trial, rollout) = match &run.active.standing {
            Standing::Alone => return,
            Standing::Pinned(trial) => (false, trial.rollout),
            Standing::OnTrial(rollout) => (true, *rollout),
        };
        if run.preview {
            return;
        }
        let one = one(run, ended);
        let mut is_due = of_trial && one.failed > 0;
        self.trials().add(rollout, |news| {
            let tally = if of_trial { &mut news.candidate } else { &mut news.former };
            *tally = tally.and(one);
            is_due |= of_trial && tally.attempts() >= JUDGED_EVERY;
        });
        if is_due {
            self.trials().due().insert(run.active.connection.id.clone());
        }
    }

    /// Judges the version on trial if what was counted asks for it. Only when the run that did is written down: whatever it leaves is
    /// mended with a revert.
    pub(crate) async fn judge_if_due(&self, id: &ConnectionId) {
        let is_due = self.trials().due().contains(id);
        if is_due {
            // Boxed: it is rare, and every run would carry its state.
            Box::pin(self.judge_rollout(id)).await;
        }
    }

    /// Keeps what was counted of all rollouts. What the store does not take now stays counted.
    pub(crate) async fn keep_rollouts(&self) -> Result<(), EngineError> {
        let keeping = Arc::clone(&self.trials().keeping).lock_owned().await;
        let engine = self.clone();
        // A task of its own: whoever asks may hang up, and what is under way to the store then would be lost, or counted twice.
        let kept = tokio::spawn(async move {
            let kept = engine.keep_counts().await;
            drop(keeping);
            kept
        });
        kept.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    async fn keep_counts(&self) -> Result<(), EngineError> {
        let rollouts: Vec<u64> = self.trials().lock().keys().copied().collect();
        let mut kept = Ok(());
        for rollout in rollouts {
            let news = self.trials().lock().remove(&rollout);
            let Some(news) = news else { continue };
            if let Err(error) = self.store().count_rollout(rollout, news.clone()).await {
                self.trials().add(rollout, |later| *later = news.and(std::mem::take(later)));
                kept = Err(error.into());
            }
        }
        kept
    }

    /// Keeps what was counted, and decides about the version that is on trial in a connection: it goes on, is taken back, or is
    /// adopted, when it did all of the work for long enough.
    pub(crate) async fn judge_rollout(&self, id: &ConnectionId) {
        loop {
            // No admin is changing it, and none begins to before this is decided. While one does, components are loaded and vendors are
            // asked: a run that waited for that would keep a place which its workspace's share does not count. It stays due.
            let Some(changing) = self.try_changing(id) else { return };
            self.trials().due().remove(id);
            if let Err(error) = self.judged_rollout(id).await {
                tracing::warn!(connection = %id, %error, "the version on trial is not judged now");
            }
            drop(changing);
            // Whoever counted something meanwhile was turned away by this judge.
            let is_due = self.trials().due().contains(id);
            if !is_due {
                return;
            }
        }
    }

    /// For whoever holds what [`changing`](Self::changing) answers.
    async fn judged_rollout(&self, id: &ConnectionId) -> Result<(), EngineError> {
        self.keep_rollouts().await?;
        let Some(rollout) = self.store().running_rollout(id).await? else {
            // Whoever asks was loaded before it ended.
            self.forget(id);
            return Ok(());
        };
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
                let detail = format!("digest={} rollout={}", rollout.candidate.digest, rollout.id);
                self.note_host_change(id, "rollouts.adopt", &detail).await;
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

    pub(crate) async fn take_back(&self, rollout: &Rollout, why: &str) -> Result<(), EngineError> {
        let id = &rollout.connection;
        if !self.store().end_rollout(rollout.id, RolloutEnd::Revert, why.to_owned()).await? {
            return Ok(());
        }
        tracing::warn!(connection = %id, digest = %rollout.candidate.digest, why, "the version on trial is taken back");
        metrics::counter!("contactor_rollouts_reverted_total").increment(1);
        self.forget(id);
        self.mended(id);
        let detail = format!("digest={} rollout={}", rollout.candidate.digest, rollout.id);
        self.note_host_change(id, "rollouts.revert", &detail).await;
        Ok(())
    }

    /// A version was taken back, and the store mended what it left undone: that it crashed is not held against the one before it.
    pub(crate) fn mended(&self, id: &ConnectionId) {
        self.forget_crashes(id);
        self.wake().wake();
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
