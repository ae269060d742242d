//! Another version of a connector on trial in a connection, and what it replaced.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, ConnectionId, Digest, RunId};

/// A component with what it is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pinned {
    /// The component.
    pub digest: Digest,
    /// What was granted to it.
    pub grants: Vec<String>,
    /// The settings that it reads, as a JSON object.
    pub settings: serde_json::Value,
}

/// What a version on trial does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutMode {
    /// It is given what the pinned one was given, its answers are compared, and nothing that it asks for is done.
    Shadow,
    /// It does the work of its share of the records.
    Live,
}

/// How a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutState {
    /// It is under way.
    Running,
    /// Its version is the pinned one.
    Adopted,
    /// The host took it back.
    Reverted,
    /// A person ended it, or went back from it after it was adopted.
    Ended,
}

/// Another version of a connector in a connection. At most one of a connection is running.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Its number.
    pub id: u64,
    /// The connection.
    pub connection: ConnectionId,
    /// The version on trial.
    pub candidate: Pinned,
    /// The version that was pinned when it began: what a rollback goes back to.
    pub former: Pinned,
    /// What the version on trial does.
    pub mode: RolloutMode,
    /// Percent of the records whose work it does, or in shadow sees: 1 to 100.
    pub share: u8,
    /// How it stands.
    pub state: RolloutState,
    /// Why it ended, for the admin.
    pub reason: String,
    /// Who began it.
    pub begun_by: Actor,
    /// When it began.
    pub began_at: Timestamp,
    /// When mode or share were set.
    pub set_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What is counted.
    pub counts: RolloutCounts,
}

/// What is counted of a rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutCounts {
    /// Runs of the pinned version shortly before.
    pub before: Tally,
    /// Runs of the pinned version meanwhile.
    pub former: Tally,
    /// Runs of the version on trial.
    pub candidate: Tally,
    /// Runs in shadow that came to the same.
    pub same: u64,
    /// Runs in shadow that differed.
    pub differing: u64,
    /// Runs that shadow could not follow: too large, or too many at once.
    pub unseen: u64,
}

/// Attempts of one version at records and events. Of work that fails again and again the first attempt is a failure, and the others
/// tell nothing new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Attempts that tell something of the connector: they succeeded, or failed in a way for which it can be to blame.
    pub runs: u64,
    /// Of these, the ones that failed.
    pub failed: u64,
    /// Attempts besides: a vendor, the credential or this host failed, or the same work failed before.
    #[serde(default)]
    pub others: u64,
    /// Writes of all of them to HighLevel and the partner.
    pub writes: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            runs: self.runs.saturating_add(other.runs),
            failed: self.failed.saturating_add(other.failed),
            others: self.others.saturating_add(other.others),
            writes: self.writes.saturating_add(other.writes),
        }
    }

    /// All attempts.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.runs.saturating_add(self.others)
    }
}

/// What is added to the counts of a rollout, all of it since the last time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RolloutNews {
    /// Runs of the pinned version.
    pub former: Tally,
    /// Runs of the version on trial.
    pub candidate: Tally,
    /// Runs in shadow that came to the same.
    pub same: u64,
    /// Runs that shadow could not follow.
    pub unseen: u64,
    /// Runs in shadow that differed.
    pub differences: Vec<ShadowDifference>,
}

impl RolloutNews {
    /// Both together; of the differences, which are in the order of time, so many as are kept.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let mut differences = [self.differences, later.differences].concat();
        differences.drain(..differences.len().saturating_sub(KEPT_DIFFERENCES as usize));
        Self {
            former: self.former.and(later.former),
            candidate: self.candidate.and(later.candidate),
            same: self.same.saturating_add(later.same),
            unseen: self.unseen.saturating_add(later.unseen),
            differences,
        }
    }
}

/// How a run of the version on trial would have differed. It has no values of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowDifference {
    /// The run of the pinned version; none for a poll, or for a webhook that was read without trouble: they leave no run.
    pub run: Option<RunId>,
    /// When it was.
    pub at: Timestamp,
    /// What would have been otherwise, in words.
    pub what: String,
}

/// How many differences of a rollout are kept, the newest.
pub const KEPT_DIFFERENCES: u32 = 100;

/// How many rollouts of a connection are kept, the newest.
pub const KEPT_ROLLOUTS: u32 = 50;

/// A rollout to begin.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRollout {
    /// The connection.
    pub connection: ConnectionId,
    /// The version on trial.
    pub candidate: Pinned,
    /// What the version on trial does.
    pub mode: RolloutMode,
    /// Percent of the records: 1 to 100.
    pub share: u8,
    /// Who begins it.
    pub by: Actor,
}

/// How a rollout ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutEnd {
    /// Its version is pinned, with its grants and settings.
    Adopt,
    /// The pinned version does everything again.
    Revert,
    /// The same, as a person asks for it.
    End,
}
