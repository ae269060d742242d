//! What an operator can set about the engine.

use std::ops::RangeInclusive;
use std::time::Duration;

use contactor_highlevel::search::MAX_PAGE;
use contactor_store::{RecordId, WriteLimit};
use serde::{Deserialize, Serialize};

use crate::error::EngineError;

/// Seconds; longer intervals are a slip of the pen, and dates end before the largest number does.
const YEAR: u64 = 366 * 86_400;

/// Days that history may be kept, of the host and of a workspace alike: ten years at most.
pub const RETENTION_DAYS: RangeInclusive<u32> = 1..=3_650;

/// Engine settings with their defaults. Durations are in seconds in the configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct EngineConfig {
    /// Runs in flight at once, over all workspaces.
    pub concurrency: u32,
    /// In flight at once for one workspace, so that none starves another: so many records, so many automations, so many webhooks that
    /// are read, and so many calls of its connectors that somebody waits for.
    pub concurrency_per_workspace: u32,
    /// Seconds between sweeps of a connection (contacts that changed without a webhook). 0 switches sweeps off.
    pub sweep_interval: u64,
    /// Seconds that a lease on the work lasts without being renewed; longer than any request's time-out.
    pub lease_ttl: u64,
    /// Contacts per page of a backfill or sweep, 1 to 500.
    pub page_size: u32,
    /// Records of a connection that may wait before its walks pause: a partner that is away keeps no other from being read.
    pub backfill_window: u64,
    /// Failed attempts before a record is parked.
    pub max_attempts: u32,
    /// Writes of one record by one connection within `record_writes_minutes`, and half of those of all connections of its
    /// workspace; beyond, what would write it again is parked, because connections then feed each other. 0 switches this off.
    pub record_writes: u32,
    /// Minutes that `record_writes` looks back.
    pub record_writes_minutes: u32,
    /// Linked records that one connection may change on one side within `guard_minutes` before somebody has to look; more when
    /// `guard_percent` of its linked records are more. 0 switches the guard off.
    pub guard_records: u32,
    /// Part of its linked records that a connection may change within `guard_minutes`, in per cent.
    pub guard_percent: u32,
    /// Minutes that the guard looks back.
    pub guard_minutes: u32,
    /// Minutes after which a record that was not found is looked for again, before anything is done about it.
    pub delete_look_minutes: u32,
    /// Hours in which it can be undone what was done because a record was deleted.
    pub delete_undo_hours: u32,
    /// Messages that one destination is sent within a minute; the others wait.
    pub messages_per_minute: u32,
    /// Days that history is kept (runs, event bodies, recordings, messages, ended conflicts and alerts), unless a workspace says
    /// otherwise.
    pub retention_days: u32,
    /// Failed runs of a version on trial before its failures are compared with those of the version before it.
    pub rollout_failures: u32,
    /// Percent of the runs of a version on trial that may fail beyond those of the version before it; more, and it is taken back.
    pub rollout_failure_percent: u32,
    /// Runs of a version on trial before its writes are compared with those of the version before it.
    pub rollout_runs: u32,
    /// Writes for each run of a version on trial, in percent of those of the version before it; more, and it is taken back.
    pub rollout_write_percent: u32,
    /// Hours after which a version on trial that does all of the work is adopted. 0 leaves that to a person.
    pub rollout_watch_hours: u32,
    /// Seconds that one request to a partner may take.
    pub partner_timeout: u64,
    /// Keep the rate limits that connectors declare for their partners, before the partner has to refuse. Without, a partner's
    /// 429 is waited for; for a plan that allows more than the connector assumes.
    pub partner_quotas: bool,
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
            // A flow of a busy day writes a contact ten times within a minute; a circle passes fifty within seconds.
            record_writes: 50,
            record_writes_minutes: 10,
            // People edit some dozens of contacts an hour; a mapping gone wrong changes all of them within minutes.
            guard_records: 200,
            guard_percent: 20,
            guard_minutes: 60,
            // Longer than a partner's search lags behind (at most five minutes), shorter than anybody waits for.
            delete_look_minutes: 10,
            delete_undo_hours: 72,
            // Chats take one message a second (Slack's documented limit of an incoming webhook).
            messages_per_minute: 60,
            retention_days: 30,
            // One record that fails again and again is one; five are no accident.
            rollout_failures: 5,
            rollout_failure_percent: 10,
            rollout_runs: 20,
            rollout_write_percent: 200,
            rollout_watch_hours: 24,
            partner_timeout: 30,
            partner_quotas: true,
            log_body_cap: 4_096,
        }
    }
}

impl EngineConfig {
    /// Says what is wrong with a value, by the key of the configuration file: a host that starts does what its file says.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] for the first value that is out of its range.
    pub fn check(&self) -> Result<(), EngineError> {
        let within = |key: &str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(EngineError::Invalid(format!("engine.{key} is {value}; it has to be {least} to {most}")))
        };
        within("concurrency", self.concurrency.into(), 1, 10_000)?;
        within("concurrency-per-workspace", self.concurrency_per_workspace.into(), 1, 10_000)?;
        within("sweep-interval", self.sweep_interval, 0, YEAR)?;
        within("partner-timeout", self.partner_timeout, 1, 3_600)?;
        // A request that outlives the lease would be made again by whoever takes the lease over.
        within("lease-ttl", self.lease_ttl, self.partner_timeout + 1, YEAR)?;
        within("page-size", self.page_size.into(), 1, MAX_PAGE.into())?;
        within("backfill-window", self.backfill_window, 1, u64::MAX)?;
        within("max-attempts", self.max_attempts.into(), 1, u32::MAX.into())?;
        within("record-writes", self.record_writes.into(), 0, 1_000_000)?;
        within("record-writes-minutes", self.record_writes_minutes.into(), 1, 1_440)?;
        within("guard-records", self.guard_records.into(), 0, u32::MAX.into())?;
        within("guard-percent", self.guard_percent.into(), 0, 100)?;
        within("guard-minutes", self.guard_minutes.into(), 1, 1_440)?;
        within("delete-look-minutes", self.delete_look_minutes.into(), 0, 7 * 1_440)?;
        // Beyond 60 days HighLevel itself restores nothing.
        within("delete-undo-hours", self.delete_undo_hours.into(), 0, 60 * 24)?;
        within("messages-per-minute", self.messages_per_minute.into(), 1, 1_000_000)?;
        within("rollout-failures", self.rollout_failures.into(), 1, 1_000_000)?;
        within("rollout-failure-percent", self.rollout_failure_percent.into(), 0, 100)?;
        within("rollout-runs", self.rollout_runs.into(), 1, 1_000_000)?;
        within("rollout-write-percent", self.rollout_write_percent.into(), 100, 1_000_000)?;
        within("rollout-watch-hours", self.rollout_watch_hours.into(), 0, 365 * 24)?;
        within(
            "retention-days",
            self.retention_days.into(),
            (*RETENTION_DAYS.start()).into(),
            (*RETENTION_DAYS.end()).into(),
        )
    }

    /// What a write of this record is counted as; `None` when writes are not counted.
    pub(crate) fn write_limit(&self, record: RecordId) -> Option<WriteLimit> {
        let (writes, minutes) = (self.record_writes, self.record_writes_minutes);
        (writes > 0).then_some(WriteLimit { record, writes, minutes })
    }

    pub(crate) fn lease_ttl(&self) -> Duration {
        Duration::from_secs(self.lease_ttl)
    }

    pub(crate) fn retention(&self) -> Duration {
        Duration::from_secs(u64::from(self.retention_days) * 86_400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        EngineConfig::default().check().unwrap();
    }

    #[test]
    fn a_value_that_would_stop_the_work_is_refused_by_its_key() {
        let default = EngineConfig::default;
        for (config, key) in [
            (EngineConfig { concurrency: 0, ..default() }, "engine.concurrency "),
            (EngineConfig { concurrency_per_workspace: 0, ..default() }, "engine.concurrency-per-workspace "),
            (EngineConfig { sweep_interval: u64::MAX, ..default() }, "engine.sweep-interval "),
            (EngineConfig { lease_ttl: 0, ..default() }, "engine.lease-ttl "),
            (EngineConfig { lease_ttl: 30, partner_timeout: 30, ..default() }, "engine.lease-ttl "),
            (EngineConfig { page_size: 0, ..default() }, "engine.page-size "),
            (EngineConfig { page_size: 501, ..default() }, "engine.page-size "),
            (EngineConfig { backfill_window: 0, ..default() }, "engine.backfill-window "),
            (EngineConfig { max_attempts: 0, ..default() }, "engine.max-attempts "),
            (EngineConfig { record_writes_minutes: 0, ..default() }, "engine.record-writes-minutes "),
            (EngineConfig { guard_percent: 101, ..default() }, "engine.guard-percent "),
            (EngineConfig { guard_minutes: 0, ..default() }, "engine.guard-minutes "),
            (EngineConfig { delete_look_minutes: 10_081, ..default() }, "engine.delete-look-minutes "),
            (EngineConfig { delete_undo_hours: 1_441, ..default() }, "engine.delete-undo-hours "),
            (EngineConfig { messages_per_minute: 0, ..default() }, "engine.messages-per-minute "),
            (EngineConfig { retention_days: 0, ..default() }, "engine.retention-days "),
            (EngineConfig { retention_days: 3_651, ..default() }, "engine.retention-days "),
            (EngineConfig { partner_timeout: 0, ..default() }, "engine.partner-timeout "),
        ] {
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(key), "{key}: {error}");
        }
    }
}
