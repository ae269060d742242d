//! Connections: a connector switched on in a workspace, with what the admin granted.

use std::collections::BTreeMap;
use std::sync::Arc;

use contactor_manifest::{Manifest, Webhook};
use contactor_store::{
    Connection, ConnectionId, ConnectionState, Digest, Rest, RolloutMode, RunFilter, Schedule, WorkspaceId,
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::connectors::{RepeatableView, parsed, repeatable};
use super::grants::granted;
use super::mapping::check_custom_fields;
use super::workspaces::check_id;
use super::{rules, template, webhook_address};
use crate::active::compile_mappings;
use crate::credentials::webhook_name;
use crate::dropped::NotKept;
use crate::engine::Engine;
use crate::error::{EngineError, IngestError};
use crate::partner::{self, PartnerApi};
use crate::people::secret;
use crate::permissions::{self, Permission};
use crate::walk::{MATCH, fresh};

/// A connector to be switched on in a workspace, or a connection to be changed.
#[derive(Clone, Debug, Default)]
pub struct EnableConnection {
    /// The workspace.
    pub workspace: String,
    /// The connector.
    pub connector: String,
    /// Which of its installed components. If absent, a connection that is there keeps its own, and a new one has the newest that a
    /// platform admin installed.
    pub digest: Option<String>,
    /// The partner's address; the manifest's if absent.
    pub base_url: Option<String>,
    /// Whoever asks may not move a connection that exists to another address.
    pub keeps_address: bool,
    /// The manifest's authentication to use; its first if absent.
    pub auth_scheme: Option<String>,
    /// Parts of the credential by name. Parts that are absent keep their stored value.
    pub credentials: BTreeMap<String, SecretString>,
    /// The partner's webhook signing secret; the stored one stays if absent.
    pub webhook_secret: Option<SecretString>,
    /// A template of the manifest: its settings and rows lie under those that are given here.
    pub template: Option<String>,
    /// Settings as a JSON object; null keeps what is stored.
    pub settings: serde_json::Value,
    /// Mapping rows over the connector's, `{"<entity>": [rows]}`; null keeps what is stored.
    pub mapping: serde_json::Value,
    /// When it is served; the stored schedule stays if absent.
    pub schedule: Option<Schedule>,
    /// What is granted, by name: of scopes, and of each other kind of permission of which anything is named, this and nothing else. Of the
    /// other kinds what was granted stays; of a new connection, everything is. The same of all kinds if absent.
    pub grants: Option<Vec<String>>,
    /// What is not granted, by name, out of what would be otherwise.
    pub withhold: Vec<String>,
    /// Another component is given what it asks for beyond the present one.
    pub approve: bool,
    /// Records that are not linked wait until a person approves the match report.
    pub review: bool,
}

/// A connection as an admin sees it. It holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// Its id.
    pub id: ConnectionId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its connector.
    pub connector: String,
    /// The version of the pinned component.
    pub version: String,
    /// The pinned component.
    pub digest: Digest,
    /// Who vouched for it when it was installed.
    pub publisher: Option<String>,
    /// Whether it works.
    pub state: ConnectionState,
    /// Why it does not.
    pub state_reason: Option<String>,
    /// What it may do, by name: what it asks for, was granted and is not forbidden by the workspace's policy.
    pub grants: Vec<String>,
    /// What the connector asks for and may not do, by name.
    pub withheld: Vec<String>,
    /// Everything that the connector asks for, in plain words.
    pub asks: Vec<AskView>,
    /// `POST`s to the partner that the host repeats by itself after a lost answer, as the connector's author allows.
    pub repeatable: Vec<RepeatableView>,
    /// What it was given just now and did not have before: it asks for more than the component before this one, or somebody gave it back.
    pub newly_granted: Vec<Permission>,
    /// The partner's address.
    pub base_url: String,
    /// Hosts that it may be at, by the manifest and by the operator.
    pub hosts: Vec<String>,
    /// The authentication in use.
    pub auth_scheme: String,
    /// Settings with the defaults filled in, each with its title.
    pub settings: Vec<SettingView>,
    /// Mapping rows of the admin.
    pub mapping: serde_json::Value,
    /// When it is served.
    pub schedule: Schedule,
    /// Path of the partner's webhooks, to be put behind this host's public address.
    pub webhook_path: String,
    /// Active links.
    pub links: u64,
    /// Records that wait.
    pub waiting: u64,
    /// Parked records.
    pub parked: u64,
    /// What is left alone for a while.
    pub rests: Vec<Rest>,
    /// Fields that a system accepts and does not keep.
    pub not_kept: Vec<NotKept>,
    /// When its last run began.
    pub last_run_at: Option<Timestamp>,
    /// Records that are not linked wait until the match report is approved.
    pub under_review: bool,
    /// Another version of the connector that is on trial.
    pub on_trial: Option<OnTrial>,
    /// What works in part: scopes that it needs and that the consent behind the workspace does not have, with what stops without each.
    pub warnings: Vec<String>,
}

/// Something that a connector asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskView {
    /// Its name.
    pub name: String,
    /// What it means.
    pub words: String,
    /// Whether it was granted.
    pub granted: bool,
    /// Whether the policy of the workspace forbids it.
    pub forbidden: bool,
}

/// A version on trial, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnTrial {
    /// Its component.
    pub digest: Digest,
    /// What it does.
    pub mode: RolloutMode,
    /// Percent of the records.
    pub share: u8,
}

/// One setting of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingView {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its value.
    pub value: serde_json::Value,
}

/// A partner's webhook endpoint.
pub struct Endpoint {
    pub(crate) connection: Connection,
    pub(crate) webhook: Webhook,
    pub(crate) secret: Option<SecretString>,
    /// The way to the partner, which knows what of its credential must not be kept.
    pub(crate) partner: Arc<PartnerApi>,
}

impl Engine {
    /// Switches a connector on in a workspace, or changes and switches on what was there. Nothing is stored unless the whole
    /// of it is sound: component, grants, credential, settings and mapping.
    pub async fn enable_connection(&self, request: EnableConnection) -> Result<ConnectionView, EngineError> {
        check_id("workspace", &request.workspace)?;
        permissions::can_be_withheld(&request.withhold).map_err(EngineError::Invalid)?;
        let workspace = self.workspace(&WorkspaceId::new(request.workspace.as_str())).await?;
        let id = ConnectionId::new(format!("{}/{}", workspace.id, request.connector));
        let _changing = self.changing(&id).await;
        let present = self.store().connection(&id).await?;
        // Only now: whoever began it meanwhile may have stored a credential.
        if let (true, Some(present), Some(address)) = (request.keeps_address, &present, &request.base_url)
            && partner::base_url(address, self.outbound())?.as_str() != present.base_url
        {
            return Err(EngineError::Forbidden(format!(
                "only an admin of {} moves {id} to another address: the credential that somebody stored would be sent there",
                workspace.id
            )));
        }
        let pinned =
            request.digest.clone().or_else(|| present.as_ref().map(|c| c.digest.as_str().to_owned()));
        let installed = self.installed(&request.connector, pinned.as_deref()).await?;
        let manifest = parsed(&installed)?;
        let before = match &present {
            Some(present) => self.manifest_of(present).await.ok(),
            None => None,
        };
        let (grants, newly_granted) =
            granted(&manifest, &installed.version, &request, present.as_ref(), before.as_ref())?;
        let template = request.template.as_deref().map(|name| template::find(&manifest, name)).transpose()?;
        let stored = present.as_ref();
        let (settings, mapping) = match template {
            Some(template) => (
                template::settings(template, &request.settings, stored.map(|c| &c.settings)),
                template::mapping(template, &request.mapping, stored.map(|c| &c.mapping)),
            ),
            None => (
                kept(request.settings.clone(), stored.map(|c| &c.settings)),
                kept(request.mapping.clone(), stored.map(|c| &c.mapping)),
            ),
        };
        rules::compile(&manifest, &settings)?;
        let (webhook_hash, webhook_token) = match stored {
            Some(stored) => (stored.webhook_hash, None),
            None => webhook_address::fresh().map(|(hash, token)| (hash, Some(token)))?,
        };
        let connection = Connection {
            id: id.clone(),
            workspace: workspace.id.clone(),
            connector: request.connector.clone(),
            digest: installed.digest,
            state: ConnectionState::Enabled,
            state_reason: None,
            stop_cause: None,
            grants,
            base_url: partner::base_url(
                request
                    .base_url
                    .as_deref()
                    .or(present.as_ref().map(|c| c.base_url.as_str()))
                    .unwrap_or(&manifest.partner.base_url),
                self.outbound(),
            )?
            .to_string(),
            auth_scheme: auth_scheme(&manifest, &request, present.as_ref())?,
            settings,
            mapping,
            schedule: schedule(&manifest, &request, present.as_ref())?,
            webhook_hash,
            created_at: present.as_ref().map_or_else(|| self.now(), |c| c.created_at),
        };
        self.leaves_a_trial_alone(present.as_ref(), &connection).await?;
        let secrets = self.merged_credentials(&connection, &manifest, &request).await?;
        let after = compile_mappings(&manifest, &connection.mapping)?;
        // A mapping that does not fit the component any more is no reason to refuse the next one.
        let before = stored.and_then(|stored| compile_mappings(&manifest, &stored.mapping).ok());
        check_custom_fields(self, &workspace, &before.unwrap_or_default(), &after).await?;
        // A request that fails the check leaves the stored credential alone.
        self.load_with(connection.clone(), secrets.clone()).await?;
        if !request.credentials.is_empty() {
            self.credentials().put_partner(&connection.workspace, &connection.id, &secrets).await?;
        }
        if let Some(secret) = &request.webhook_secret {
            self.credentials().put(&connection.workspace, &webhook_name(&connection.id), secret).await?;
        }
        if let Some(token) = &webhook_token {
            // Before the connection, which nobody could otherwise be told the address of.
            self.credentials().put(&connection.workspace, &id.webhook_address(), token).await?;
        }
        if request.review {
            // The review has to be there before anything runs. What comes meanwhile is kept.
            let off = Connection { state: ConnectionState::Paused, ..connection.clone() };
            self.store().put_connection(off).await?;
            let why = "its review was being begun; enable it again".to_owned();
            self.store().set_connection_state(&id, ConnectionState::Paused, Some(why)).await?;
            let ended = self.store().review(&id).await?.is_some_and(|review| review.ended_at.is_some());
            // What an earlier review's report listed was planned with what was configured then.
            let walk = ended.then(|| fresh(&id, MATCH, self.now()));
            self.store().begin_review(&id, walk, super::matching::basis(&connection)).await?;
        }
        self.store().put_connection(connection).await?;
        self.forget(&id);
        self.wake().wake();
        self.walk_wake().wake();
        Ok(ConnectionView { newly_granted, ..self.connection(&id).await? })
    }

    /// The stored parts of the credential with the given ones over them.
    async fn merged_credentials(
        &self,
        connection: &Connection,
        manifest: &Manifest,
        request: &EnableConnection,
    ) -> Result<BTreeMap<String, SecretString>, EngineError> {
        let auth = manifest.auth(&connection.auth_scheme);
        let known: Vec<&str> =
            auth.map_or_else(Vec::new, |auth| auth.credentials.iter().map(|c| c.name.as_str()).collect());
        if let Some(unknown) = request.credentials.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(EngineError::Invalid(format!(
                "credential `{unknown}`: authentication `{}` has {}",
                connection.auth_scheme,
                known.join(", ")
            )));
        }
        if request.webhook_secret.as_ref().is_some_and(|secret| secret.expose_secret().is_empty()) {
            return Err(EngineError::Invalid("the webhook secret is empty".to_owned()));
        }
        let mut parts = self.credentials().partner(&connection.workspace, &connection.id).await?;
        if let Some(auth) = auth.filter(|_| !request.credentials.is_empty()) {
            partner::plain::enter(&mut parts, request.credentials.clone(), auth);
        }
        Ok(parts)
    }

    /// Switches a connection off; its links and its waiting records stay.
    pub async fn disable_connection(&self, id: &ConnectionId) -> Result<ConnectionView, EngineError> {
        self.stored(id).await?;
        let reason = Some("switched off by an admin".to_owned());
        self.store().set_connection_state(id, ConnectionState::Disabled, reason).await?;
        self.forget(id);
        self.connection(id).await
    }

    /// The connections of a workspace.
    pub async fn connections(&self, workspace: &WorkspaceId) -> Result<Vec<ConnectionView>, EngineError> {
        self.workspace(workspace).await?;
        let mut views = Vec::new();
        for connection in self.store().connections(Some(workspace)).await? {
            views.push(self.view(connection).await?);
        }
        Ok(views)
    }

    /// One connection.
    pub async fn connection(&self, id: &ConnectionId) -> Result<ConnectionView, EngineError> {
        let connection = self.stored(id).await?;
        self.view(connection).await
    }

    pub(crate) async fn stored(&self, id: &ConnectionId) -> Result<Connection, EngineError> {
        self.store().connection(id).await?.ok_or_else(|| EngineError::no_connection(id))
    }

    /// A version on trial was begun with the grants and settings of the connection: they are not changed under it.
    async fn leaves_a_trial_alone(
        &self,
        present: Option<&Connection>,
        wanted: &Connection,
    ) -> Result<(), EngineError> {
        let Some(present) = present else { return Ok(()) };
        let changes = present.grants != wanted.grants || present.settings != wanted.settings;
        if changes
            && present.digest == wanted.digest
            && self.store().running_rollout(&present.id).await?.is_some()
        {
            return Err(EngineError::Conflict(format!(
                "{} has another version on trial, which was given the grants and settings that you would change: adopt it or roll it \
                 back first (`contactor connection adopt`, `contactor connection rollback`)",
                present.id
            )));
        }
        Ok(())
    }

    async fn view(&self, connection: Connection) -> Result<ConnectionView, EngineError> {
        let installed = self.installed(&connection.connector, Some(connection.digest.as_str())).await?;
        let manifest = parsed(&installed)?;
        let counts = self.store().counts_of(&connection.id).await?;
        let filter = RunFilter { connection: Some(connection.id.clone()), limit: 1, ..RunFilter::default() };
        let mut rests = self.rests(&connection.workspace).await?;
        rests.retain(|rest| rest.connection == connection.id);
        let not_kept = self.not_kept(&connection).await?;
        let last_run_at = self.store().runs(filter).await?.first().map(|run| run.started_at);
        let settings = manifest.validate_settings(&connection.settings).unwrap_or_default();
        let review = self.store().review(&connection.id).await?;
        let workspace = self.workspace(&connection.workspace).await?;
        let lacks = self.lacks(&workspace, &connection, &manifest).await?;
        let policy = workspace.policy;
        let granted = permissions::whole(&connection.grants, &manifest);
        let asks: Vec<AskView> = permissions::asked(&manifest)
            .into_iter()
            .map(|Permission { name, words }| AskView {
                granted: permissions::is_granted(&granted, &name),
                forbidden: policy.denies(&name),
                name,
                words,
            })
            .collect();
        let names = |may: bool| -> Vec<String> {
            let those = asks.iter().filter(|one| (one.granted && !one.forbidden) == may);
            those.map(|one| one.name.clone()).collect()
        };
        let trial = self.store().running_rollout(&connection.id).await?;
        let may = permissions::hosts(&manifest, &policy.leaves(granted));
        let hosts = self.outbound().hosts_of(&connection.connector, &may);
        let webhook_path = self.webhook_path(&connection).await?;
        Ok(ConnectionView {
            version: installed.version,
            publisher: installed.publisher,
            repeatable: repeatable(&manifest),
            newly_granted: Vec::new(),
            grants: names(true),
            withheld: names(false),
            asks,
            on_trial: trial.map(|one| OnTrial {
                digest: one.candidate.digest,
                mode: one.mode,
                share: one.share,
            }),
            settings: manifest
                .settings
                .iter()
                .map(|setting| SettingView {
                    name: setting.name.clone(),
                    title: setting.title.clone(),
                    value: settings.get(&setting.name).cloned().unwrap_or_default(),
                })
                .collect(),
            webhook_path,
            links: counts.links,
            waiting: counts.dirty,
            parked: counts.parked,
            rests,
            not_kept,
            last_run_at,
            under_review: review.is_some_and(|review| review.ended_at.is_none()),
            warnings: lacks.into_iter().map(|one| one.warning).collect(),
            id: connection.id,
            workspace: connection.workspace,
            connector: connection.connector,
            digest: connection.digest,
            state: connection.state,
            state_reason: connection.state_reason,
            base_url: connection.base_url,
            hosts,
            auth_scheme: connection.auth_scheme,
            mapping: connection.mapping,
            schedule: connection.schedule,
        })
    }

    /// The connection behind an unguessable webhook path.
    ///
    /// # Errors
    /// [`IngestError::UnknownToken`] when there is none; or the store or the connection's component cannot be read.
    pub async fn endpoint(&self, token: &str) -> Result<Endpoint, IngestError> {
        let hash = secret::hash(token);
        let connection = self.store().connection_by_webhook(hash).await?.ok_or(IngestError::UnknownToken)?;
        self.endpoint_of(connection).await
    }

    /// Where the webhooks of a connection come.
    pub(super) async fn endpoint_of(&self, connection: Connection) -> Result<Endpoint, IngestError> {
        let unavailable = |error: EngineError| IngestError::Unavailable(error.to_string());
        let active = self.active(&connection.id).await.map_err(unavailable)?;
        let webhook = active.manifest.webhook.clone().ok_or(IngestError::UnknownToken)?;
        let secret = self.credentials().get(&connection.workspace, &webhook_name(&connection.id)).await;
        let secret = secret.map_err(unavailable)?;
        Ok(Endpoint { connection, webhook, secret, partner: Arc::clone(&active.partner) })
    }
}

/// Seconds between polls or sweeps of one connection: faster than that costs a quota for nothing, slower than that is off.
const CADENCES: std::ops::RangeInclusive<u32> = 10..=30 * 86_400;

fn schedule(
    manifest: &Manifest,
    request: &EnableConnection,
    present: Option<&Connection>,
) -> Result<Schedule, EngineError> {
    let stored = || present.map(|connection| connection.schedule.clone()).unwrap_or_default();
    let schedule = request.schedule.clone().unwrap_or_else(stored);
    let within = |what: &str, seconds: u32| {
        if CADENCES.contains(&seconds) {
            return Ok(());
        }
        let (least, most) = (CADENCES.start(), CADENCES.end());
        Err(EngineError::Invalid(format!("schedule: {what} is {seconds} s; it has to be {least} to {most}")))
    };
    if let Some(seconds) = schedule.sweep_seconds {
        within("sweep_seconds", seconds)?;
    }
    for (stream, seconds) in &schedule.poll_seconds {
        if manifest.stream(stream).is_none() {
            let known: Vec<_> = manifest.streams.iter().map(|stream| stream.name.as_str()).collect();
            return Err(EngineError::Invalid(format!(
                "schedule: {} has no stream `{stream}`; it has {}",
                request.connector,
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )));
        }
        within(&format!("poll_seconds of `{stream}`"), *seconds)?;
    }
    Ok(schedule)
}

fn auth_scheme(
    manifest: &Manifest,
    request: &EnableConnection,
    present: Option<&Connection>,
) -> Result<String, EngineError> {
    let chosen = request.auth_scheme.clone().or_else(|| present.map(|c| c.auth_scheme.clone()));
    match chosen.or_else(|| manifest.auth.first().map(|auth| auth.id.clone())) {
        Some(scheme) => Ok(scheme),
        None => Err(EngineError::Invalid(format!("{} declares no authentication", manifest.connector.id))),
    }
}

fn kept(given: serde_json::Value, present: Option<&serde_json::Value>) -> serde_json::Value {
    match (given, present) {
        (serde_json::Value::Null, Some(present)) => present.clone(),
        (given, _) => given,
    }
}

#[cfg(test)]
mod tests {
    use contactor_store::SecretHash;

    use super::*;
    use crate::capabilities::testing::Bench;

    #[tokio::test]
    async fn whoever_waited_for_an_admin_to_begin_a_connection_does_not_move_it() {
        let bench = Bench::new().await;
        let (engine, id) = (bench.engine(), ConnectionId::new("acme/other"));
        let moves = |keeps_address| EnableConnection {
            workspace: "acme".to_owned(),
            connector: "other".to_owned(),
            base_url: Some("https://elsewhere.example.com".to_owned()),
            keeps_address,
            ..EnableConnection::default()
        };
        // There is none when the author asks, and one with a credential when its turn comes.
        let changing = engine.changing(&id).await;
        let begun = async {
            let test = engine.stored(&ConnectionId::new("acme/test")).await.unwrap();
            let other = Connection {
                id: id.clone(),
                connector: "other".to_owned(),
                webhook_hash: SecretHash([7; 32]),
                ..test
            };
            engine.store().put_connection(other).await.unwrap();
            drop(changing);
        };
        let (asked, ()) = tokio::join!(engine.enable_connection(moves(true)), begun);
        let refused = asked.unwrap_err();
        assert!(matches!(&refused, EngineError::Forbidden(why) if why.contains("acme/other")), "{refused}");
        // Whoever may move it comes further: here nothing is installed.
        let other = engine.enable_connection(moves(false)).await.unwrap_err();
        assert!(matches!(other, EngineError::NotFound { what: "connector", .. }), "{other}");
    }
}
