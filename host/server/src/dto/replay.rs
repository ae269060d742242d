//! Recorded runs, and what came of running them again.

use contactor_engine as engine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is recorded of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordingSummary {
    /// The run.
    pub run: String,
    /// The connector's id.
    pub connector: String,
    /// SHA-256 of the component that ran.
    pub digest: String,
    /// Bytes of the recording.
    pub size: u64,
    /// The guest calls in their order, each with the calls that it made.
    pub calls: Vec<ReplayedCall>,
}

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayReport {
    /// The run.
    pub run: String,
    /// The connector's id.
    pub connector: String,
    /// SHA-256 of the component that ran.
    pub recorded: String,
    /// SHA-256 of the component that was replayed.
    pub replayed: String,
    /// Calls, outcomes and log lines were all as recorded.
    pub same: bool,
    /// Guest calls of the run, up to the first that parted.
    pub calls: Vec<ReplayedCall>,
    /// Log lines as recorded and as replayed, when they differ.
    pub log: Option<ReplayedLog>,
}

/// One guest call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayedCall {
    /// The export.
    #[schema(example = "automations.handle")]
    pub export: String,
    /// What it was called with, as JSON, secrets redacted, shortened.
    pub input: String,
    /// Calls that were recorded, in their order.
    pub recorded_calls: Vec<String>,
    /// How many of them the replay made as recorded.
    pub matched: u64,
    /// The first call that was not as recorded.
    pub parted: Option<Parting>,
    /// The outcomes, when they differ. After a call that was not as recorded nothing could be answered, so that the replayed outcome
    /// says little.
    pub outcome: Option<ReplayedOutcome>,
}

/// The first call that was not as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Parting {
    /// Its place among the calls, from 1.
    pub at: u64,
    /// The recorded call; absent when the replay made one more than was recorded.
    pub recorded: Option<ReplayCall>,
    /// The call of the replay; absent when it made one less.
    pub replayed: Option<ReplayCall>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayCall {
    /// What was called.
    #[schema(example = "tasks.create")]
    pub operation: String,
    /// Its arguments in their order, as JSON, secrets redacted, shortened.
    pub input: String,
}

/// Two outcomes that differ, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayedOutcome {
    /// As recorded.
    pub recorded: String,
    /// As replayed.
    pub replayed: String,
}

/// Log lines that differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayedLog {
    /// As recorded.
    pub recorded: Vec<String>,
    /// As replayed.
    pub replayed: Vec<String>,
}

impl From<engine::RecordingSummary> for RecordingSummary {
    fn from(own: engine::RecordingSummary) -> Self {
        let engine::RecordingSummary { run, connector, digest, size, calls } = own;
        Self { run, connector, digest, size, calls: calls.into_iter().map(Into::into).collect() }
    }
}

impl From<engine::ReplayReport> for ReplayReport {
    fn from(own: engine::ReplayReport) -> Self {
        let engine::ReplayReport { run, connector, recorded, replayed, same, calls, log } = own;
        let calls = calls.into_iter().map(Into::into).collect();
        let log = log.map(|log| ReplayedLog { recorded: log.recorded, replayed: log.replayed });
        Self { run, connector, recorded, replayed, same, calls, log }
    }
}

impl From<engine::ReplayedCall> for ReplayedCall {
    fn from(own: engine::ReplayedCall) -> Self {
        let engine::ReplayedCall { export, input, recorded_calls, matched, parted, outcome } = own;
        Self {
            export,
            input,
            recorded_calls,
            matched,
            parted: parted.map(|parted| Parting {
                at: parted.at,
                recorded: parted.recorded.map(Into::into),
                replayed: parted.replayed.map(Into::into),
            }),
            outcome: outcome.map(|both| ReplayedOutcome { recorded: both.recorded, replayed: both.replayed }),
        }
    }
}

impl From<engine::ReplayCall> for ReplayCall {
    fn from(own: engine::ReplayCall) -> Self {
        Self { operation: own.operation, input: own.input }
    }
}
