//! What the host does for itself: judging versions on trial, retention, keeping the usage, alerts. No walk delays it.

use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;

/// How often it is looked at what is due.
const INTERVAL: Duration = Duration::from_secs(5);
/// How often what is past its retention is forgotten.
const EXPIRY_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

impl Engine {
    /// Keeps house until told to stop.
    pub(crate) async fn keep_house_until(self, stop: CancellationToken) {
        loop {
            self.keep_house().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.real(INTERVAL)) => {}
            }
        }
    }

    /// Does what is due.
    pub(crate) async fn keep_house(&self) {
        for id in self.on_trial() {
            self.judge_rollout(&id).await;
        }
        self.expire_if_due().await;
        self.keep_usage_if_due().await;
        self.look_for_alerts_if_due().await;
    }

    async fn expire_if_due(&self) {
        let now = self.now();
        if !self.expiry_due(now, EXPIRY_INTERVAL) {
            return;
        }
        match self.store().expire(now, self.config().retention()).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "forgot what is past its retention"),
            Err(error) => tracing::error!(%error, "what is past its retention could not be removed"),
        }
    }
}
