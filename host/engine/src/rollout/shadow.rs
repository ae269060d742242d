//! Plays to a version on trial what the pinned one was given and answered.

use std::sync::Arc;

use contactor_store::RunId;

use crate::engine::Engine;
use crate::reconcile::RunContext;
use crate::replay::Recorded;

impl Engine {
    /// Has the version on trial follow a run of the pinned one, if it is in shadow and the record is of its share. Nobody waits for it.
    ///
    /// `kept` is whether the run is stored, so that somebody can look it up.
    pub(crate) fn follow(&self, run: &RunContext, record: &str, id: &RunId, kept: bool, log: &[String]) {
        let Some(trial) = run.active.shadow(record) else { return };
        let (rollout, trial) = (trial.rollout, Arc::clone(&trial.active));
        let Some(calls) = run.tape.as_ref().and_then(|tape| tape.calls()) else {
            return self.trials().add(rollout, |news| news.unseen += 1);
        };
        if calls.is_empty() {
            return;
        }
        let Ok(place) = Arc::clone(&self.trials().shadows).try_acquire_owned() else {
            return self.trials().add(rollout, |news| news.unseen += 1);
        };
        let (engine, at, log) = (self.clone(), run.started_at, log.to_vec());
        let id = kept.then(|| id.clone());
        tokio::spawn(async move {
            let difference = engine.differs(&trial, &calls, at, &log).await;
            engine.note_shadow(rollout, id, difference);
            drop(place);
        });
    }

    /// What a version would have done otherwise, without any value of a record.
    async fn differs(
        &self,
        trial: &Arc<crate::active::Active>,
        calls: &[Recorded],
        at: jiff::Timestamp,
        log: &[String],
    ) -> Option<String> {
        let (played, said) = self.play_all(trial, calls, at).await;
        for call in &played {
            if let Some(parting) = &call.parted {
                let name = |call: &Option<crate::replay::ReplayCall>| {
                    call.as_ref().map_or("nothing", |call| call.operation.as_str()).to_owned()
                };
                let (was, is) = (name(&parting.recorded), name(&parting.replayed));
                let how = if was == is {
                    format!("{is} with other values")
                } else {
                    format!("{is} in place of {was}")
                };
                return Some(format!("{}: call {} would be {how}", call.export, parting.at));
            }
            if call.outcome.is_some() {
                return Some(format!("{} would answer otherwise", call.export));
            }
        }
        (said != log).then(|| "the log would say otherwise".to_owned())
    }
}
