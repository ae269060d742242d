//! The engine's parts and how they hang together.

mod loading;
mod turns;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use contactor_highlevel::oauth::OAuthClient;
use contactor_highlevel::webhook::Verifier;
use contactor_highlevel::{CustomFields, HighLevel, Location, LocationId as HlLocationId};
use contactor_runtime::{Runtime, RuntimeConfig};
use contactor_store::{
    Connection, ConnectionId, ConnectionState, LocationId, RecordId, Seen, SeenPage, Store, StoreError,
    Vault, Workspace, WorkspaceId,
};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use self::turns::Turns;
use crate::active::{Active, Guest};
use crate::alerts::Watch;
use crate::artefacts::Artefacts;
use crate::capabilities::Capabilities;
use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::credentials::{Credentials, Tokens};
use crate::error::EngineError;
use crate::failure::{self, Failure};
use crate::guard::Guard;
use crate::locks::KeyedLocks;
use crate::login::{Login, LoginSetup};
use crate::notify::NotificationConfig;
use crate::oauth::{OAuth, OAuthSetup};
use crate::outbound::Outbound;
use crate::partner::Quotas;
use crate::publishers::{ConnectorsConfig, Publishers};
use crate::rests::Breakers;
use crate::rollout::Trials;
use crate::scheduler::Wake;
use crate::seats::Seats;
use crate::subscriptions::Subscriptions;
use crate::task_walk::TaskWalk;
use crate::usage::Meters;
use crate::vault::Turning;

/// How long the definitions of a location's custom fields are trusted; no webhook tells that they changed.
const CUSTOM_FIELDS_TTL: Duration = Duration::from_mins(10);

/// Everything an engine is made of. The binary reads it from the configuration, a test builds it by hand.
pub struct EngineParts {
    /// Limits and intervals.
    pub config: EngineConfig,
    /// The time.
    pub clock: Clock,
    /// The store, opened and migrated.
    pub store: Arc<dyn Store>,
    /// Opens and seals credentials.
    pub vault: Arc<Vault>,
    /// Where HighLevel is and how its API is spoken.
    pub highlevel: contactor_highlevel::Config,
    /// Which webhook signatures count.
    pub verifier: Verifier,
    /// How components run.
    pub runtime: RuntimeConfig,
    /// The way to everybody but HighLevel.
    pub outbound: Outbound,
    /// Which components are loaded, and who vouches for them.
    pub connectors: ConnectorsConfig,
    /// Where component bytes lie.
    pub artefacts: cap_std::fs::Dir,
}

/// The engine. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// A workspace's definitions of custom fields, and when they were read.
type CachedFields = Option<(tokio::time::Instant, Arc<CustomFields>)>;

struct Inner {
    config: EngineConfig,
    clock: Clock,
    store: Arc<dyn Store>,
    credentials: Credentials,
    tokens: Arc<Tokens>,
    highlevel: HighLevel,
    highlevel_config: contactor_highlevel::Config,
    verifier: Verifier,
    highlevel_client: reqwest::Client,
    outbound: Outbound,
    publishers: Publishers,
    runtime: Runtime<Capabilities>,
    artefacts: Artefacts,
    owner: String,
    locks: KeyedLocks,
    seats: Seats,
    turns: Turns,
    breakers: Breakers,
    guards: Guard,
    trials: Trials,
    watch: Watch,
    meters: Arc<Meters>,
    wake: Wake,
    walk_wake: Wake,
    active: RwLock<HashMap<ConnectionId, Arc<Active>>>,
    /// Grows whenever a loaded connection is forgotten, so that what was read before is not kept after it.
    forgotten: AtomicU64,
    guests: Mutex<HashMap<ConnectionId, Arc<dyn Guest>>>,
    partner_quotas: Mutex<HashMap<ConnectionId, Arc<Quotas>>>,
    workspaces: RwLock<HashMap<LocationId, WorkspaceId>>,
    subscriptions: Subscriptions,
    turning: Turning,
    login: OnceLock<Login>,
    notifications: RwLock<Arc<NotificationConfig>>,
    custom_fields: Mutex<HashMap<WorkspaceId, Arc<tokio::sync::Mutex<CachedFields>>>>,
    task_walks: Mutex<HashMap<WorkspaceId, TaskWalk>>,
    told: Mutex<HashSet<(ConnectionId, String)>>,
    last_webhook: Mutex<Option<Timestamp>>,
    last_expiry: Mutex<Option<Timestamp>>,
    stop: Mutex<CancellationToken>,
}

impl Engine {
    /// Puts the parts together. Nothing runs until [`run`](Self::run) is called.
    pub fn start(parts: EngineParts) -> Result<Self, EngineError> {
        let credentials = Credentials::new(Arc::clone(&parts.store), parts.vault);
        let tokens = Arc::new(Tokens::new(Arc::clone(&parts.store), credentials.clone()));
        let mut highlevel_config = parts.highlevel;
        if contactor_store::torture::clock().is_some() {
            // A quota passes in real time, of which a torture test has little.
            highlevel_config.limits.burst = 1_000_000;
            highlevel_config.limits.interval = Duration::from_millis(50);
        }
        let options = contactor_highlevel::http::Options {
            timeout: highlevel_config.timeout,
            ..contactor_highlevel::http::Options::default()
        };
        let highlevel_client = contactor_highlevel::http::client(&options)
            .map_err(|error| EngineError::Invalid(format!("HTTP client: {error}")))?;
        let highlevel = HighLevel::with_client(
            highlevel_config.clone(),
            Arc::clone(&tokens) as _,
            highlevel_client.clone(),
        )
        .map_err(|error| EngineError::Invalid(error.to_string()))?;
        let runtime =
            Runtime::new(parts.runtime).map_err(|error| EngineError::Invalid(format!("runtime: {error}")))?;
        let artefacts = Artefacts::new(parts.artefacts);
        Ok(Self(Arc::new(Inner {
            seats: Seats::new(parts.config.concurrency_per_workspace),
            turns: Turns::default(),
            config: parts.config,
            clock: parts.clock,
            store: parts.store,
            credentials,
            tokens,
            highlevel,
            highlevel_config,
            verifier: parts.verifier,
            highlevel_client,
            outbound: parts.outbound,
            publishers: Publishers::new(parts.connectors, &artefacts)?,
            runtime,
            artefacts,
            // A restart is another owner: its predecessor's claims are free once the lease is taken over.
            owner: format!("contactor-{}", uuid::Uuid::new_v4()),
            locks: KeyedLocks::default(),
            breakers: Breakers::default(),
            guards: Guard::default(),
            trials: Trials::default(),
            watch: Watch::default(),
            meters: Arc::default(),
            wake: Wake::default(),
            walk_wake: Wake::default(),
            active: RwLock::default(),
            forgotten: AtomicU64::default(),
            guests: Mutex::default(),
            partner_quotas: Mutex::default(),
            workspaces: RwLock::default(),
            subscriptions: Subscriptions::default(),
            turning: Turning::default(),
            login: OnceLock::new(),
            notifications: RwLock::default(),
            custom_fields: Mutex::default(),
            task_walks: Mutex::default(),
            told: Mutex::default(),
            last_webhook: Mutex::default(),
            last_expiry: Mutex::default(),
            stop: Mutex::default(),
        })))
    }

    pub(crate) fn config(&self) -> &EngineConfig {
        &self.0.config
    }

    /// The present instant, by the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Whether waiting makes the engine's time pass.
    pub(crate) fn time_passes(&self) -> bool {
        self.0.clock.is_running()
    }

    /// The store, for reading what happened.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Makes this host an app of HighLevel's marketplace. Until then only private integration tokens open locations.
    ///
    /// # Errors
    /// The courier's directory cannot be used, or the app is set already.
    pub fn grant_by(&self, setup: OAuthSetup) -> Result<(), EngineError> {
        let invalid = |error: &dyn std::fmt::Display| EngineError::Invalid(error.to_string());
        let http = self.0.highlevel_client.clone();
        let client = OAuthClient::new(http, &self.0.highlevel_config, setup.app.clone())
            .map_err(|error| invalid(&error))?;
        let (store, credentials) = (Arc::clone(self.store()), self.credentials().clone());
        let oauth = OAuth::new(setup, client, store, credentials, self.0.clock.clone())?;
        self.tokens().grant_by(Arc::new(oauth))
    }

    /// What this host knows of grants, if it is an app.
    pub(crate) fn oauth(&self) -> Result<&Arc<OAuth>, EngineError> {
        self.tokens().oauth().ok_or_else(crate::oauth::no_app)
    }

    /// Lets users log in by an identity provider. Until then only tokens open the admin API.
    ///
    /// # Errors
    /// A setting cannot work, or a provider is set already.
    pub fn log_in_by(&self, setup: LoginSetup) -> Result<(), EngineError> {
        let login = Login::new(setup, self.outbound().clone(), self.0.clock.clone())?;
        let set = self.0.login.set(login);
        set.map_err(|_| EngineError::Invalid("an identity provider is set already".to_owned()))
    }

    /// The identity provider, if there is one.
    pub(crate) fn login(&self) -> Option<&Login> {
        self.0.login.get()
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    pub(crate) fn runtime(&self) -> &Runtime<Capabilities> {
        &self.0.runtime
    }

    pub(crate) fn artefacts(&self) -> &Artefacts {
        &self.0.artefacts
    }

    pub(crate) fn owner(&self) -> &str {
        &self.0.owner
    }

    /// Sets how messages leave this host. Until then there is no mail server.
    pub fn notify_by(&self, config: NotificationConfig) {
        *self.0.notifications.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    pub(crate) fn notifications(&self) -> Arc<NotificationConfig> {
        Arc::clone(&self.0.notifications.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The way to everybody but HighLevel.
    pub(crate) fn outbound(&self) -> &Outbound {
        &self.0.outbound
    }

    /// Who vouches for components.
    pub(crate) fn publishers(&self) -> &Publishers {
        &self.0.publishers
    }

    pub(crate) fn subscriptions(&self) -> &Subscriptions {
        &self.0.subscriptions
    }

    pub(crate) fn turning(&self) -> &Turning {
        &self.0.turning
    }

    pub(crate) fn locks(&self) -> &KeyedLocks {
        &self.0.locks
    }

    pub(crate) fn seats(&self) -> &Seats {
        &self.0.seats
    }

    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.0.meters
    }

    pub(crate) fn highlevel(&self) -> &HighLevel {
        &self.0.highlevel
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.0.watch
    }

    pub(crate) fn guards(&self) -> &Guard {
        &self.0.guards
    }

    pub(crate) fn trials(&self) -> &Trials {
        &self.0.trials
    }

    /// The connections that are at work with another version on trial, as far as they are loaded.
    pub(crate) fn on_trial(&self) -> Vec<ConnectionId> {
        let all = self.0.active.read().unwrap_or_else(PoisonError::into_inner);
        let connections = all.values().filter(|active| active.on_trial().is_some());
        let connections = connections.map(|active| &active.connection);
        connections.filter(|one| one.state == ConnectionState::Enabled).map(|one| one.id.clone()).collect()
    }

    pub(crate) fn breakers(&self) -> &Breakers {
        &self.0.breakers
    }

    pub(crate) fn wake(&self) -> &Wake {
        &self.0.wake
    }

    pub(crate) fn walk_wake(&self) -> &Wake {
        &self.0.walk_wake
    }

    /// From now on, work that cannot be written down is given up when this stops.
    pub(crate) fn ends_with(&self, stop: CancellationToken) {
        *self.0.stop.lock().unwrap_or_else(PoisonError::into_inner) = stop;
    }

    /// Waits until this process is told to end.
    pub(crate) async fn end(&self) {
        let stop = self.0.stop.lock().unwrap_or_else(PoisonError::into_inner).clone();
        stop.cancelled().await;
    }

    /// Whether a remark about something of a connection is due: what ten thousand records would repeat is told once, and again
    /// when the mapping was changed. The store remembers it, so that a restart is no reason to repeat it.
    pub(crate) async fn tells_once(&self, connection: &Connection, about: &str) -> bool {
        let is_new = {
            let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.insert((connection.id.clone(), about.to_owned()))
        };
        if !is_new {
            return false;
        }
        let remark = Seen {
            record: RecordId::new(about),
            parent: RecordId::new(connection.id.as_str()),
            fingerprint: hex::encode(crate::journal::digest(&connection.mapping)),
        };
        let stream = format!("told:{}", connection.id);
        let known = self.store().seen_of(&connection.workspace, &stream, &remark.record).await;
        if matches!(&known, Ok(Some(known)) if *known == remark) {
            return false;
        }
        let page = SeenPage { seen: vec![remark], ..SeenPage::default() };
        if let Err(error) = self.store().put_seen(&connection.workspace, &stream, page).await {
            tracing::warn!(connection = %connection.id, %error, "a remark may be repeated after a restart");
        }
        true
    }

    /// Takes the walk over a workspace's tasks that is under way, if one is. A restart begins anew.
    pub(crate) fn take_task_walk(&self, workspace: &WorkspaceId) -> Option<TaskWalk> {
        self.0.task_walks.lock().unwrap_or_else(PoisonError::into_inner).remove(workspace)
    }

    /// Keeps a walk for its next page.
    pub(crate) fn keep_task_walk(&self, workspace: &WorkspaceId, walk: TaskWalk) {
        self.0.task_walks.lock().unwrap_or_else(PoisonError::into_inner).insert(workspace.clone(), walk);
    }

    pub(crate) fn note_webhook(&self, at: Timestamp) {
        *self.0.last_webhook.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    pub(crate) fn last_webhook(&self) -> Option<Timestamp> {
        *self.0.last_webhook.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether retention is due; if so it counts as done.
    pub(crate) fn expiry_due(&self, now: Timestamp, interval: jiff::SignedDuration) -> bool {
        let mut last = self.0.last_expiry.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|at| now.duration_since(at) >= interval);
        if due {
            *last = Some(now);
        }
        due
    }

    /// HighLevel, bound to a workspace's location.
    pub(crate) fn location(&self, workspace: &Workspace) -> Location {
        self.0.highlevel.at(HlLocationId::new(workspace.location.as_str()))
    }

    /// Requests that wait for the quota of their location, over all workspaces.
    pub(crate) fn waiting_for_quota(&self) -> usize {
        self.0.highlevel.waiting()
    }

    /// HighLevel with a credential that is not stored yet.
    pub(crate) fn highlevel_with(&self, token: &SecretString) -> Result<HighLevel, EngineError> {
        let token = contactor_highlevel::StaticToken::new(token.clone().into());
        HighLevel::with_client(
            self.0.highlevel_config.clone(),
            Arc::new(token),
            self.0.highlevel_client.clone(),
        )
        .map_err(|error| EngineError::Invalid(error.to_string()))
    }

    /// How a location's quota at HighLevel stands, as far as this process has seen.
    pub(crate) fn budget(&self, workspace: &Workspace) -> contactor_highlevel::BudgetState {
        self.0.highlevel.budget(&HlLocationId::new(workspace.location.as_str()))
    }

    /// What is left of a location's day at HighLevel, as far as this process has seen.
    pub(crate) fn daily_remaining(&self, workspace: &Workspace) -> Option<u32> {
        Some(self.0.highlevel.daily(&HlLocationId::new(workspace.location.as_str()))?.remaining)
    }

    /// The workspace bound to a location. A location keeps its workspace, so what was found once is remembered.
    pub(crate) async fn workspace_id(
        &self,
        location: &LocationId,
    ) -> Result<Option<WorkspaceId>, StoreError> {
        if let Some(id) = self.0.workspaces.read().unwrap_or_else(PoisonError::into_inner).get(location) {
            return Ok(Some(id.clone()));
        }
        let Some(workspace) = self.store().workspace_of(location).await? else { return Ok(None) };
        let mut known = self.0.workspaces.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(location.clone(), workspace.id.clone());
        Ok(Some(workspace.id))
    }

    /// The same, read now: an admin may just have defined the field that a row names.
    pub(crate) async fn custom_fields_anew(
        &self,
        workspace: &Workspace,
        location: &Location,
    ) -> Result<Arc<CustomFields>, Failure> {
        self.0.custom_fields.lock().unwrap_or_else(PoisonError::into_inner).remove(&workspace.id);
        self.custom_fields(workspace, location).await
    }

    /// The definitions of a workspace's custom fields.
    pub(crate) async fn custom_fields(
        &self,
        workspace: &Workspace,
        location: &Location,
    ) -> Result<Arc<CustomFields>, Failure> {
        let slot = {
            let mut slots = self.0.custom_fields.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(workspace.id.clone()).or_default())
        };
        // Held over the request: a burst of runs of one workspace asks once, and no other workspace waits.
        let mut slot = slot.lock().await;
        if let Some((read_at, fields)) = &*slot
            && read_at.elapsed() < CUSTOM_FIELDS_TTL
        {
            return Ok(Arc::clone(fields));
        }
        let fields = Arc::new(location.custom_fields().await.map_err(|error| failure::of_highlevel(&error))?);
        *slot = Some((tokio::time::Instant::now(), Arc::clone(&fields)));
        Ok(fields)
    }
}
