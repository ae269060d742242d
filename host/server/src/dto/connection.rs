//! Connections: connectors enabled in workspaces.

use std::collections::BTreeMap;

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Ask, OnTrial, Permission, Repeatable, Rest, Secret, Side, mirror};

/// A connector enabled in a workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    /// `<workspace>/<connector>`.
    #[schema(example = "acme/prefinery")]
    pub id: String,
    /// The workspace.
    pub workspace: String,
    /// The connector.
    pub connector: String,
    /// Version of the pinned component.
    pub version: String,
    /// SHA-256 of the pinned component.
    pub digest: String,
    /// The publisher who vouched for the component when it was installed.
    #[serde(default)]
    pub publisher: Option<String>,
    /// Whether it works.
    pub state: ConnectionState,
    /// Why it does not.
    pub state_reason: Option<String>,
    /// What it may do, by name: what it asks for, was granted and the workspace's policy does not forbid.
    pub grants: Vec<String>,
    /// What it asks for and may not do, by name.
    pub withheld: Vec<String>,
    /// Everything that it asks for, in plain words.
    #[serde(default)]
    pub asks: Vec<Ask>,
    /// `POST`s to the partner that the host repeats by itself after a lost answer, as the connector's author allows.
    #[serde(default)]
    pub repeatable: Vec<Repeatable>,
    /// What it was given and did not have before: it asks for more than the component before this one, or somebody gave it back. Only in
    /// the answer to that.
    #[serde(default)]
    pub newly_granted: Vec<Permission>,
    /// Base URL of the partner's API.
    pub base_url: String,
    /// Hosts that it may be at: those that the connector's author names, and those that the operator opens for it.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Which of the connector's ways to authenticate is used.
    pub auth_scheme: String,
    /// Its settings, defaults filled in.
    pub settings: Vec<Setting>,
    /// The admin's mapping rows by entity; they override the connector's.
    #[schema(value_type = Object)]
    pub mapping: serde_json::Value,
    /// When it is served.
    pub schedule: Schedule,
    /// Where the partner has to send its webhooks, below the host's public address.
    pub webhook_path: String,
    /// Records that are linked.
    pub links: u64,
    /// Records that wait for their run.
    pub waiting: u64,
    /// Records that a person must look at.
    pub parked: u64,
    /// What is left alone for a while: everything, because the partner asked for it, or one kind of record that keeps failing.
    pub rests: Vec<Rest>,
    /// Fields that a system accepts and does not keep.
    pub not_kept: Vec<NotKept>,
    /// When the last run began.
    pub last_run_at: Option<Timestamp>,
    /// Records that are not linked wait until their bucket of the match report is approved.
    #[serde(default)]
    pub under_review: bool,
    /// Another version of the connector that is on trial.
    #[serde(default)]
    pub on_trial: Option<OnTrial>,
    /// What works in part: scopes that it needs and that the consent behind the workspace does not have, with what stops without each and
    /// what to do. Of a private token HighLevel does not tell what it allows; a check tries it.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A field that a system accepts and does not keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotKept {
    /// The system.
    pub side: Side,
    /// Its field.
    pub field: String,
    /// When that was first seen under the present mapping.
    pub since: Timestamp,
}

impl From<engine::NotKept> for NotKept {
    fn from(own: engine::NotKept) -> Self {
        Self { side: own.side.into(), field: own.field, since: own.since }
    }
}

/// Whether a connection works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    /// Events are processed.
    Enabled,
    /// Switched off by an admin; links stay.
    Disabled,
    /// Stopped by the host; events are kept.
    Paused,
    /// The credential was refused: a person has to reconnect.
    NeedsReconnect,
}

mirror!(ConnectionState, own::ConnectionState, [Enabled, Disabled, Paused, NeedsReconnect]);

impl From<engine::ConnectionView> for Connection {
    fn from(own: engine::ConnectionView) -> Self {
        Self {
            id: own.id.to_string(),
            workspace: own.workspace.to_string(),
            connector: own.connector,
            version: own.version,
            digest: own.digest.to_string(),
            publisher: own.publisher,
            state: own.state.into(),
            state_reason: own.state_reason,
            grants: own.grants,
            withheld: own.withheld,
            asks: own.asks.into_iter().map(Into::into).collect(),
            repeatable: own.repeatable.into_iter().map(Into::into).collect(),
            newly_granted: own.newly_granted.into_iter().map(Into::into).collect(),
            base_url: own.base_url,
            hosts: own.hosts,
            auth_scheme: own.auth_scheme,
            settings: own.settings.into_iter().map(Into::into).collect(),
            mapping: own.mapping,
            schedule: own.schedule.into(),
            webhook_path: own.webhook_path,
            links: own.links,
            waiting: own.waiting,
            parked: own.parked,
            rests: own.rests.into_iter().map(Into::into).collect(),
            not_kept: own.not_kept.into_iter().map(Into::into).collect(),
            last_run_at: own.last_run_at,
            under_review: own.under_review,
            on_trial: own.on_trial.map(Into::into),
            warnings: own.warnings,
        }
    }
}

/// When a connection is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// HighLevel's webhooks are acted on at once; otherwise what they mark waits for the next multiple of `sweep_seconds`.
    #[serde(default = "at_once")]
    pub realtime: bool,
    /// Seconds between polls by the name of the stream; the connector's own interval where a stream is not named.
    #[serde(default)]
    pub poll_seconds: BTreeMap<String, u32>,
    /// Seconds between sweeps; the host's interval if absent.
    #[serde(default)]
    pub sweep_seconds: Option<u32>,
}

fn at_once() -> bool {
    true
}

impl From<own::Schedule> for Schedule {
    fn from(own: own::Schedule) -> Self {
        Self { realtime: own.realtime, poll_seconds: own.poll_seconds, sweep_seconds: own.sweep_seconds }
    }
}

impl From<Schedule> for own::Schedule {
    fn from(dto: Schedule) -> Self {
        Self { realtime: dto.realtime, poll_seconds: dto.poll_seconds, sweep_seconds: dto.sweep_seconds }
    }
}

/// One setting of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its value.
    #[schema(value_type = Value)]
    pub value: serde_json::Value,
}

impl From<engine::SettingView> for Setting {
    fn from(own: engine::SettingView) -> Self {
        Self { name: own.name, title: own.title, value: own.value }
    }
}

/// How to enable a connector in a workspace, or change how it is enabled.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnableConnection {
    /// The component to pin. If absent, a connection that is there keeps its own, and a new one has the newest that a platform admin
    /// installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Base URL of the partner's API; the manifest's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Which of the manifest's ways to authenticate; the first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_scheme: Option<String>,
    /// The partner's credentials under the names that the manifest gives them; what is absent stays as it is stored.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub credentials: BTreeMap<String, Secret>,
    /// The secret that the partner signs its webhooks with; the stored one stays if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<Secret>,
    /// A template of the connector's: its settings and mapping rows lie under those that are given here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// All settings; a name that is absent takes the manifest's default. The stored ones stay if this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub settings: Option<serde_json::Value>,
    /// Mapping rows that override the connector's, `{"<entity>": [rows]}`; the stored ones stay if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub mapping: Option<serde_json::Value>,
    /// When it is served; the stored schedule stays if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// What to grant, by name. Only the scopes that are named are granted; of hosts, records, events and repeats those that are named.
    /// Where none of the kind is named what was granted stays; of a new connection, all that the connector asks for. The same of all
    /// kinds if this is absent. What was withheld is given back by naming it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<String>>,
    /// What not to grant, by name. It is taken from what was granted, and gives nothing back; of a new connection, from all that the
    /// connector asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withhold: Vec<String>,
    /// Give another component what it asks for beyond the present one; without, such a one is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approve: bool,
    /// Put it under review: records that are not linked wait until their bucket of the match report is approved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub review: bool,
}

impl EnableConnection {
    /// The same for the engine, which also wants to know for whom, and whether they have to leave the address as it is.
    pub(crate) fn at(
        self,
        workspace: String,
        connector: String,
        keeps_address: bool,
    ) -> engine::EnableConnection {
        engine::EnableConnection {
            workspace,
            connector,
            digest: self.digest,
            base_url: self.base_url,
            keeps_address,
            auth_scheme: self.auth_scheme,
            credentials: self
                .credentials
                .into_iter()
                .map(|(name, secret)| (name, secret.into_inner()))
                .collect(),
            webhook_secret: self.webhook_secret.map(Secret::into_inner),
            template: self.template,
            settings: self.settings.unwrap_or_default(),
            mapping: self.mapping.unwrap_or_default(),
            schedule: self.schedule.map(Into::into),
            grants: self.grants,
            withhold: self.withhold,
            approve: self.approve,
            review: self.review,
        }
    }
}

/// Whether a connection's credential is good, and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckReport {
    /// Everything that was tried worked, but for what the warnings say.
    pub ok: bool,
    /// The partner account that the credential belongs to.
    pub account: Option<String>,
    /// What else the partner says about the account, and HighLevel about the location.
    pub details: BTreeMap<String, String>,
    /// What does not work.
    pub problems: Vec<String>,
    /// What works in part: scopes that the location's token or the consent lacks, with what stops without each.
    pub warnings: Vec<String>,
}

impl From<engine::CheckReport> for CheckReport {
    fn from(own: engine::CheckReport) -> Self {
        Self {
            ok: own.ok,
            account: own.account,
            details: own.details,
            problems: own.problems,
            warnings: own.warnings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_to_enable_needs_nothing_and_knows_no_other_keys() {
        let request: EnableConnection = serde_json::from_str("{}").unwrap();
        assert!(request.settings.is_none() && request.mapping.is_none() && request.grants.is_none());
        assert!(serde_json::from_str::<EnableConnection>(r#"{"grant": []}"#).is_err());
    }
}
