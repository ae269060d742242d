//! The engine's parts and how they hang together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use contactor_highlevel::oauth::OAuthClient;
use contactor_highlevel::webhook::Verifier;
use contactor_highlevel::{CustomFields, HighLevel, Location, LocationId as HlLocationId};
use contactor_manifest::{HostPattern, Manifest};
use contactor_runtime::{Runtime, RuntimeConfig};
use contactor_store::{
    Connection, ConnectionId, Digest, KEPT_ROLLOUTS, LocationId, Pinned, RecordId, Rollout, Seen, SeenPage,
    Store, StoreError, Vault, Workspace, WorkspaceId,
};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use crate::active::{Active, Guest, Reviewed};
use crate::alerts::Watch;
use crate::artefacts::Artefacts;
use crate::capabilities::Capabilities;
use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::credentials::{Credentials, Tokens, webhook_name};
use crate::error::EngineError;
use crate::failure::{self, Failure};
use crate::guard::Guard;
use crate::locks::KeyedLocks;
use crate::login::{Login, LoginSetup};
use crate::notify::NotificationConfig;
use crate::oauth::{OAuth, OAuthSetup};
use crate::outbound::Outbound;
use crate::partner::{PartnerApi, PartnerSetup, Quotas};
use crate::permissions;
use crate::publishers::{ConnectorsConfig, Publishers};
use crate::rests::Breakers;
use crate::rollout::{Standing, Trial, Trials};
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

/// Which count of what is used of the partner's quotas a loaded connection has.
enum QuotaView {
    /// The connection's own.
    Shared,
    /// That of another version of it.
    Of(Arc<Quotas>),
    /// One apart: it is only looked at, and asks the partner nothing.
    Apart,
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

    // ---------------------------------------------------------------------------------------------------- connections

    /// A connection ready to work, loaded on first use and again whenever its row changed.
    pub(crate) async fn active(&self, id: &ConnectionId) -> Result<Arc<Active>, EngineError> {
        if let Some(active) = self.cached(id) {
            return Ok(active);
        }
        let before = self.0.forgotten.load(Ordering::SeqCst);
        let connection = self.store().connection(id).await?.ok_or_else(|| EngineError::no_connection(id))?;
        let active = Arc::new(self.load(connection).await?);
        let mut all = self.0.active.write().unwrap_or_else(PoisonError::into_inner);
        // Who asked while it was changed works with what it was; nobody after that does.
        if self.0.forgotten.load(Ordering::SeqCst) == before {
            all.insert(id.clone(), Arc::clone(&active));
        }
        Ok(active)
    }

    fn cached(&self, id: &ConnectionId) -> Option<Arc<Active>> {
        self.0.active.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Held while a connection is changed by an admin, or its rollout is decided by the host: what was read is still so when it is
    /// written.
    pub(crate) async fn changing(&self, id: &ConnectionId) -> OwnedMutexGuard<()> {
        self.locks().lock(&format!("changing {id}")).await
    }

    /// Forgets a loaded connection, so that its next run sees the stored one.
    pub(crate) fn forget(&self, id: &ConnectionId) {
        {
            let mut all = self.0.active.write().unwrap_or_else(PoisonError::into_inner);
            self.0.forgotten.fetch_add(1, Ordering::SeqCst);
            all.remove(id);
        }
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner).retain(|(told, _)| told != id);
        self.0.subscriptions.forget(id);
    }

    async fn load(&self, connection: Connection) -> Result<Active, EngineError> {
        let secrets = self.credentials().partner(&connection.workspace, &connection.id).await?;
        let review = match self.store().review(&connection.id).await? {
            None => Reviewed::No,
            Some(review) if review.ended_at.is_none() => Reviewed::Open,
            Some(_) => Reviewed::Over,
        };
        let mut active = self.load_connection(connection.clone(), secrets.clone(), QuotaView::Shared).await?;
        active.review = review;
        let Some(rollout) = self.store().running_rollout(&connection.id).await? else { return Ok(active) };
        // A version on trial that cannot be loaded keeps the pinned one from nothing.
        match self.load_trial(&active, &rollout.candidate, secrets).await {
            Ok(mut trial) => {
                trial.review = review;
                trial.standing = Standing::OnTrial(rollout.id);
                let Rollout { id, mode, share, .. } = rollout;
                active.standing =
                    Standing::Pinned(Trial { rollout: id, mode, share, active: Arc::new(trial) });
            }
            Err(error) if error.is_of_the_host() => return Err(error),
            Err(error) => self.take_back(&rollout, &format!("it cannot be loaded: {error}")).await?,
        }
        Ok(active)
    }

    /// Loads another version for a connection. It shares the pinned one's view of the partner's quotas: the partner counts both.
    pub(crate) async fn load_trial(
        &self,
        pinned: &Active,
        other: &Pinned,
        secrets: BTreeMap<String, SecretString>,
    ) -> Result<Active, EngineError> {
        let Pinned { digest, grants, settings } = other.clone();
        let connection = Connection { digest, grants, settings, ..pinned.connection.clone() };
        let quotas = pinned.partner.shared_quotas();
        self.load_connection(connection, secrets, QuotaView::Of(quotas)).await
    }

    /// The connection with another component of its connector, which a handler was begun with, and the settings that it had then. It
    /// has nothing that was withheld from the present one since, and no scope that the present one has not.
    pub(crate) async fn former(&self, pinned: &Active, digest: &Digest) -> Result<Arc<Active>, EngineError> {
        let Connection { id, workspace, grants, settings, .. } = &pinned.connection;
        let secrets = self.credentials().partner(workspace, id).await?;
        let known = self.store().rollouts(id, KEPT_ROLLOUTS).await?;
        let was = known.into_iter().flat_map(|one| [one.former, one.candidate]);
        let other = was.into_iter().find(|was| was.digest == *digest).unwrap_or_else(|| Pinned {
            digest: digest.clone(),
            grants: grants.clone(),
            settings: settings.clone(),
        });
        let Connection { connector, digest: present, .. } = &pinned.connection;
        let present = self.installed(connector, Some(present.as_str())).await?;
        let present = Manifest::parse(&present.manifest)
            .map_err(|error| EngineError::Invalid(format!("manifest: {error}")))?;
        let given = permissions::whole(grants, &present);
        let asked = permissions::asked(&present);
        let is_withheld = |name: &str| {
            let is_asked = permissions::is_scope(name) || asked.iter().any(|asked| asked.name == name);
            is_asked && !permissions::is_granted(&given, name)
        };
        let mut granted = other.grants;
        granted.retain(|name| !is_withheld(name));
        Ok(Arc::new(self.load_trial(pinned, &Pinned { grants: granted, ..other }, secrets).await?))
    }

    /// Loads a connection with a credential that need not be stored yet: the check of everything at once.
    pub(crate) async fn load_with(
        &self,
        connection: Connection,
        secrets: BTreeMap<String, SecretString>,
    ) -> Result<Active, EngineError> {
        self.load_connection(connection, secrets, QuotaView::Apart).await
    }

    async fn load_connection(
        &self,
        connection: Connection,
        secrets: BTreeMap<String, SecretString>,
        quotas: QuotaView,
    ) -> Result<Active, EngineError> {
        let workspace = self
            .store()
            .workspace(&connection.workspace)
            .await?
            .ok_or_else(|| EngineError::no_workspace(&connection.workspace))?;
        if !workspace.policy.lets(&connection.connector) {
            return Err(EngineError::Invalid(format!(
                "the policy of {} does not let {} be used there; a platform admin can change it with `contactor workspace policy`",
                workspace.id, connection.connector
            )));
        }
        let bytes = self.artefacts().get(&connection.digest)?;
        let digest: contactor_runtime::Digest = connection
            .digest
            .as_str()
            .parse()
            .map_err(|error: contactor_runtime::DigestError| EngineError::Invalid(error.to_string()))?;
        let invalid = |error: &dyn std::fmt::Display| EngineError::Invalid(format!("manifest: {error}"));
        let text = contactor_manifest::extract(&bytes).map_err(|error| invalid(&error))?.unwrap_or_default();
        let asked = Manifest::parse(&text).map_err(|error| invalid(&error))?;
        // What a manifest asks for, what an admin granted of it, and what the policy leaves: nothing else is known of from here on.
        let granted = workspace.policy.leaves(permissions::whole(&connection.grants, &asked));
        let grants = crate::manage::interfaces(&granted);
        let (connector, _) = self.load_component(bytes, &digest, &grants).await?;
        crate::publishers::is_of(&connection.connector, connector.manifest())?;
        let manifest = Arc::new(permissions::effective(&asked, &granted));
        let hosts = permissions::hosts(&asked, &granted);
        let quotas = match quotas {
            QuotaView::Of(quotas) => quotas,
            QuotaView::Shared => self.quotas_of_partner(&connection.id, &manifest).await?,
            QuotaView::Apart => Arc::new(Quotas::new(manifest.quotas.clone())),
        };
        let webhook = self.credentials().get(&connection.workspace, &webhook_name(&connection.id)).await?;
        let partner = self.partner_api(&connection, &manifest, hosts, secrets, webhook, quotas)?;
        let overridden =
            self.0.guests.lock().unwrap_or_else(PoisonError::into_inner).get(&connection.id).cloned();
        let guest = overridden.unwrap_or_else(|| Arc::new(connector));
        let events = permissions::Events::of(&asked, &granted, &workspace.policy);
        Active::new(connection, workspace, manifest, guest, partner, permissions::scopes(&granted), events)
    }

    /// The quotas that a connector declares, with what is used of them: by the connection as it was loaded before, or in an
    /// earlier process.
    async fn quotas_of_partner(
        &self,
        id: &ConnectionId,
        manifest: &Manifest,
    ) -> Result<Arc<Quotas>, EngineError> {
        let declared = if self.config().partner_quotas { manifest.quotas.clone() } else { Vec::new() };
        let stored = self.store().partner_windows(id).await?;
        let mut all = self.quotas_of_partners();
        let before = all.get(id).cloned();
        if let Some(before) = before.as_ref().filter(|before| before.declared() == declared) {
            return Ok(Arc::clone(before));
        }
        let quotas = Arc::new(Quotas::new(declared));
        quotas.restore(&before.map_or(stored, |before| before.kept(id, self.now())));
        all.insert(id.clone(), Arc::clone(&quotas));
        Ok(quotas)
    }

    /// What is used of the quotas of every partner that was asked for anything.
    pub(crate) fn quotas_of_partners(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Quotas>>> {
        self.0.partner_quotas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn partner_api(
        &self,
        connection: &Connection,
        manifest: &Manifest,
        hosts: Vec<HostPattern>,
        secrets: BTreeMap<String, SecretString>,
        webhook_secret: Option<SecretString>,
        quotas: Arc<Quotas>,
    ) -> Result<PartnerApi, EngineError> {
        let auth = manifest.auth(&connection.auth_scheme).ok_or_else(|| {
            EngineError::Invalid(format!(
                "{} has no authentication `{}`; it has {}",
                connection.connector,
                connection.auth_scheme,
                manifest.auth.iter().map(|auth| auth.id.as_str()).collect::<Vec<_>>().join(", ")
            ))
        })?;
        PartnerApi::new(PartnerSetup {
            out: self.outbound().clone(),
            connector: connection.connector.clone(),
            hosts,
            base_url: connection.base_url.clone(),
            auth: auth.clone(),
            secrets,
            webhook_secret,
            quotas,
            timeout: Duration::from_secs(self.config().partner_timeout),
            log_cap: self.config().log_body_cap,
        })
    }

    /// Runs a connection's connector by other means than its component, for measuring what isolation costs. Its component is
    /// still loaded, checked and pinned.
    #[doc(hidden)]
    pub fn replace_guest(&self, id: &ConnectionId, guest: Arc<dyn Guest>) {
        self.0.guests.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), guest);
        self.forget(id);
    }
}
