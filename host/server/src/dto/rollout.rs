//! What connectors ask for, and other versions of them on trial.

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::mirror;

/// One thing that a connector asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Permission {
    /// Its name: a scope, `host:…`, `records:…`, `event:…` or `repeat:…`.
    #[schema(example = "contacts.readonly")]
    pub name: String,
    /// What it means.
    pub words: String,
}

impl From<engine::Permission> for Permission {
    fn from(own: engine::Permission) -> Self {
        Self { name: own.name, words: own.words }
    }
}

/// Something that a connector asks for, and whether it has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ask {
    /// Its name.
    pub name: String,
    /// What it means.
    pub words: String,
    /// Whether it was granted.
    pub granted: bool,
    /// Whether the policy of the workspace forbids it, granted or not.
    pub forbidden: bool,
}

impl From<engine::AskView> for Ask {
    fn from(own: engine::AskView) -> Self {
        Self { name: own.name, words: own.words, granted: own.granted, forbidden: own.forbidden }
    }
}

/// What a workspace lets none of its connectors do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspacePolicy {
    /// Connectors that may be used, by id; any if absent.
    #[serde(default)]
    pub connectors: Option<Vec<String>>,
    /// Permissions that no connector has: names, or beginnings of names with a `*` after them.
    #[serde(default)]
    pub deny: Vec<String>,
}

impl From<own::Policy> for WorkspacePolicy {
    fn from(own: own::Policy) -> Self {
        Self { connectors: own.connectors, deny: own.deny }
    }
}

impl From<WorkspacePolicy> for own::Policy {
    fn from(dto: WorkspacePolicy) -> Self {
        Self { connectors: dto.connectors, deny: dto.deny }
    }
}

/// What a version on trial does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutMode {
    /// Its answers are compared, and nothing that it asks for is done.
    Shadow,
    /// It does the work of its share of the records.
    Live,
}

mirror!(RolloutMode, own::RolloutMode, [Shadow, Live]);

/// How a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutState {
    /// It is under way.
    Running,
    /// Its version is the pinned one.
    Adopted,
    /// The host took it back.
    Reverted,
    /// A person ended the trial, or went back from it after it was adopted.
    Ended,
}

mirror!(RolloutState, own::RolloutState, [Running, Adopted, Reverted, Ended]);

/// A version on trial, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OnTrial {
    /// SHA-256 of its component.
    pub digest: String,
    /// What it does.
    pub mode: RolloutMode,
    /// Percent of the records.
    pub share: u8,
}

impl From<engine::OnTrial> for OnTrial {
    fn from(own: engine::OnTrial) -> Self {
        Self { digest: own.digest.to_string(), mode: own.mode.into(), share: own.share }
    }
}

/// One version of a connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Its version; empty when it is not installed any more.
    #[schema(example = "0.2.0")]
    pub version: String,
    /// SHA-256 of its component.
    pub digest: String,
}

impl From<engine::VersionView> for Version {
    fn from(own: engine::VersionView) -> Self {
        Self { version: own.version, digest: own.digest.to_string() }
    }
}

/// What another version of its connector would change for a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UpgradePlan {
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// The version that is pinned.
    pub from: Version,
    /// The other one.
    pub to: Version,
    /// What the other one asks for beyond the pinned one: it has to be approved.
    pub more: Vec<Permission>,
    /// What the pinned one asks for and the other one does not.
    pub less: Vec<Permission>,
    /// Rows of the default mapping that go (`-`) and come (`+`).
    pub mapping: Vec<String>,
    /// Why it cannot be used with the connection's settings or mapping, if it cannot.
    pub problem: Option<String>,
}

impl From<engine::UpgradePlan> for UpgradePlan {
    fn from(own: engine::UpgradePlan) -> Self {
        Self {
            connection: own.connection.to_string(),
            from: own.from.into(),
            to: own.to.into(),
            more: own.more.into_iter().map(Into::into).collect(),
            less: own.less.into_iter().map(Into::into).collect(),
            mapping: own.mapping,
            problem: own.problem,
        }
    }
}

/// Another version to be put on trial, or what one that is on trial is to do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    /// SHA-256 of its component; the newest that a platform admin installed if absent. One that the host took back has to be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What it does.
    pub mode: RolloutMode,
    /// Percent of the records, 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    pub share: u8,
    /// Give it what it asks for beyond the pinned version; without, such a one is refused.
    #[serde(default)]
    pub approve: bool,
    /// The settings that it reads; those of the connection if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub settings: Option<serde_json::Value>,
    /// The number of the rollout that is to be changed; refused with 409 if that one does not run. Nothing is begun in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<u64>,
}

impl From<Upgrade> for engine::NewUpgrade {
    fn from(dto: Upgrade) -> Self {
        Self {
            digest: dto.digest,
            shadow: dto.mode == RolloutMode::Shadow,
            share: dto.share,
            approve: dto.approve,
            settings: dto.settings,
            rollout: dto.rollout,
        }
    }
}

/// Attempts of one version at records and events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tally {
    /// Attempts that tell something of the connector: they succeeded, or failed in a way for which it can be to blame.
    pub runs: u64,
    /// Of these, the ones that failed.
    pub failed: u64,
    /// Attempts besides: a vendor, the credential or the host failed, or the same work failed before.
    pub others: u64,
    /// Writes of all of them to HighLevel and the partner.
    pub writes: u64,
}

impl From<own::Tally> for Tally {
    fn from(own: own::Tally) -> Self {
        Self { runs: own.runs, failed: own.failed, others: own.others, writes: own.writes }
    }
}

/// How a run in shadow differed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShadowDifference {
    /// The run of the pinned version, if it left one.
    pub run: Option<String>,
    /// When it was.
    pub at: Timestamp,
    /// What would have been otherwise; without values of records.
    pub what: String,
}

/// Another version of a connector in a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rollout {
    /// Its number.
    pub id: u64,
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// The version on trial, or that was.
    pub candidate: Version,
    /// The version before it.
    pub former: Version,
    /// What it does.
    pub mode: RolloutMode,
    /// Percent of the records.
    pub share: u8,
    /// How it stands.
    pub state: RolloutState,
    /// Why it ended, or how it does so far.
    pub reason: String,
    /// Who began it.
    pub begun_by: String,
    /// When.
    pub began_at: Timestamp,
    /// When mode or share were set.
    pub set_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Runs of the version before, shortly before it began.
    pub before: Tally,
    /// Runs of the version before meanwhile.
    pub of_former: Tally,
    /// Runs of the version on trial.
    pub of_candidate: Tally,
    /// Runs in shadow that came to the same.
    pub same: u64,
    /// Runs in shadow that differed.
    pub differing: u64,
    /// Runs that shadow could not follow: too large, or too many at once.
    pub unseen: u64,
    /// How runs in shadow differed, the newest first. Not in a list.
    pub differences: Vec<ShadowDifference>,
}

impl From<engine::RolloutView> for Rollout {
    fn from(own: engine::RolloutView) -> Self {
        let difference = |own: own::ShadowDifference| ShadowDifference {
            run: own.run.map(|run| run.to_string()),
            at: own.at,
            what: own.what,
        };
        Self {
            id: own.id,
            connection: own.connection.to_string(),
            candidate: own.candidate.into(),
            former: own.former.into(),
            mode: own.mode.into(),
            share: own.share,
            state: own.state.into(),
            reason: own.reason,
            begun_by: own.begun_by,
            began_at: own.began_at,
            set_at: own.set_at,
            ended_at: own.ended_at,
            before: own.counts.before.into(),
            of_former: own.counts.former.into(),
            of_candidate: own.counts.candidate.into(),
            same: own.counts.same,
            differing: own.counts.differing,
            unseen: own.counts.unseen,
            differences: own.differences.into_iter().map(difference).collect(),
        }
    }
}

/// Which rollout is decided about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RolloutQuery {
    /// The number of the rollout that was looked at; refused with 409 if it does not stand like that any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<u64>,
}

/// Which version to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UpgradeQuery {
    /// SHA-256 of its component; the newest that a platform admin installed if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}
