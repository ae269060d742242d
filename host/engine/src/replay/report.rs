//! Where a replay and its recording part. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tape::Exchange;

/// What is kept of a run, without running anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Guest calls of the run: `adapter.read`, `automations.handle`, …, up to the first that parted.
    pub calls: Vec<ReplayedCall>,
    /// The connector's log lines, when they differ.
    pub log: Option<SideBySide<Vec<String>>>,
}

/// One guest call, replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedCall {
    /// The export, for example `automations.handle`.
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
    pub outcome: Option<SideBySide<String>>,
}

/// The first call that was not as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parting {
    /// Its place among the calls, from 1.
    pub at: u64,
    /// The recorded call; absent when the replay made one more than was recorded.
    pub recorded: Option<ReplayCall>,
    /// The call of the replay; absent when it made one less.
    pub replayed: Option<ReplayCall>,
}

/// A call as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayCall {
    /// `tasks.create`, `partner.send`, ….
    pub operation: String,
    /// Its arguments in their order, as JSON, secrets redacted, shortened.
    pub input: String,
}

/// Two that differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideBySide<T> {
    /// As recorded.
    pub recorded: T,
    /// As replayed.
    pub replayed: T,
}

impl ReplayedCall {
    /// Whether the replay did as recorded.
    pub fn is_same(&self) -> bool {
        self.parted.is_none() && self.outcome.is_none()
    }
}

/// Where a guest call parts: at a call that differs, at one too many, or at one too few.
pub(super) fn parting(
    recorded: &[Exchange],
    matched: usize,
    differing: Option<(String, Value)>,
    shown: &impl Fn(&Value) -> String,
) -> Option<Parting> {
    let call = |operation: &str, arguments: &Value| ReplayCall {
        operation: operation.to_owned(),
        input: shown(arguments),
    };
    let next = recorded.get(matched).map(|known| call(&known.operation, &known.arguments));
    let replayed = differing.map(|(operation, arguments)| call(&operation, &arguments));
    (next.is_some() || replayed.is_some()).then(|| Parting {
        at: matched as u64 + 1,
        recorded: next,
        replayed,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_replay_parts_at_another_call_at_one_too_many_and_at_one_too_few() {
        let recorded = [("a", 1), ("b", 2)].map(|(operation, argument)| Exchange {
            operation: operation.to_owned(),
            arguments: json!([argument]),
            answer: json!(null),
        });
        let shown = |value: &Value| value.to_string();
        let call = |operation: &str, input: &str| {
            Some(ReplayCall { operation: operation.to_owned(), input: input.to_owned() })
        };
        let differing = |operation: &str| Some((operation.to_owned(), json!([9])));
        let part = |matched, differing| parting(&recorded, matched, differing, &shown);
        let other = Parting { at: 2, recorded: call("b", "[2]"), replayed: call("c", "[9]") };
        assert_eq!(part(1, differing("c")), Some(other));
        let more = Parting { at: 3, recorded: None, replayed: call("c", "[9]") };
        assert_eq!(part(2, differing("c")), Some(more));
        let less = Parting { at: 2, recorded: call("b", "[2]"), replayed: None };
        assert_eq!(part(1, None), Some(less));
        assert_eq!(part(2, None), None);
    }
}
