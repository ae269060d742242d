//! What an operator can set about the engine.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Engine settings with their defaults. Durations are in seconds in the configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct EngineConfig {
    /// Runs in flight at once, over all workspaces.
    pub concurrency: u32,
    /// Runs in flight at once for one workspace, so that none starves another.
    pub concurrency_per_workspace: u32,
    /// Seconds between sweeps of a connection (contacts that changed without a webhook). 0 switches sweeps off.
    pub sweep_interval: u64,
    /// Seconds that a lease on the work lasts without being renewed; longer than any request's time-out.
    pub lease_ttl: u64,
    /// Contacts per page of a backfill or sweep, 1 to 500.
    pub page_size: u32,
    /// Records that may wait before a backfill pauses reading further pages.
    pub backfill_window: u64,
    /// Failed attempts before a record is parked.
    pub max_attempts: u32,
    /// Days that runs and event bodies are kept.
    pub retention_days: u32,
    /// Seconds that one request to a partner may take.
    pub partner_timeout: u64,
    /// Bytes of a request or response body kept in a run's log.
    pub log_body_cap: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            // Runs mostly wait for two vendors; 64 fill a two-core host without emptying the instance pool.
            concurrency: 64,
            concurrency_per_workspace: 16,
            sweep_interval: 900,
            lease_ttl: 120,
            page_size: 100,
            backfill_window: 1_000,
            // With the schedule of `failure::backoff` ten attempts span about an hour.
            max_attempts: 10,
            retention_days: 30,
            partner_timeout: 30,
            log_body_cap: 4_096,
        }
    }
}

impl EngineConfig {
    pub(crate) fn lease_ttl(&self) -> Duration {
        Duration::from_secs(self.lease_ttl)
    }

    pub(crate) fn retention(&self) -> Duration {
        Duration::from_secs(u64::from(self.retention_days) * 86_400)
    }
}
