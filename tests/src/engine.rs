//! An engine in this process beside the doubles: what needs no command line is tested here, without starting a program.
//! Nothing runs by itself: a test calls the engine and looks at the doubles.
//!
//! [`Stand::start`] has an engine alone. [`Stand::serve`] puts the real HTTP server before it, so that the doubles' webhooks
//! arrive as they do in production; [`Stand::settle`] then delivers them, runs what is due, and lets time pass only when
//! something waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use contactor_engine::{
    Clock, ConnectionView, ConnectorsConfig, EnableConnection, Engine, EngineConfig, EngineError,
    EngineParts, NewWorkspace, Outbound, OutboundConfig,
};
use contactor_highlevel::webhook::{Verifier, VerifierConfig};
use contactor_runtime::{CacheConfig, RuntimeConfig};
use contactor_sandbox::outbox::Order;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_server::{Server, ServerConfig};
use contactor_store::sqlite::{SqliteOptions, SqliteStore};
use contactor_store::{ConnectionId, Run, RunFilter, Vault};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::artefacts;

/// The one workspace.
pub const WORKSPACE: &str = "acme";

/// The admin token of a stand's server.
pub const ADMIN_TOKEN: &str = "fake-admin-token";

/// Longest time that [`Stand::settle`] lets pass at once: retries and timers of the near future become due, whole days do
/// not.
const PATIENCE: SignedDuration = SignedDuration::from_hours(2);

/// A partner's double as a connection sees it.
#[derive(Clone, Debug, Default)]
pub struct Partner {
    /// The component, which is also the connector's id.
    pub component: String,
    /// Where the double answers.
    pub base_url: String,
    /// The manifest's authentication; its first unless given.
    pub auth: Option<String>,
    /// Parts of the credential by name.
    pub credentials: BTreeMap<String, String>,
    /// The secret that the double signs its webhooks with.
    pub webhook_secret: Option<String>,
    /// A template of the manifest; settings and mapping rows lie over it.
    pub template: Option<String>,
    /// The connection's settings.
    pub settings: Value,
    /// The admin's mapping rows.
    pub mapping: Value,
    /// Granted scopes; all that the manifest asks for unless given.
    pub grants: Option<Vec<String>>,
}

/// An engine, its doubles and its directory. Dropping it stops the doubles and removes the directory.
pub struct Stand {
    /// The doubles. Their time stands still, and their webhooks leave only when flushed.
    pub sandbox: Sandbox,
    /// The engine, with the workspace [`WORKSPACE`] bound to the doubles' first location. Its time stands still at the
    /// doubles' own.
    pub engine: Engine,
    /// The engine's clock.
    pub clock: Clock,
    server: Option<(String, DropGuard)>,
    // Removed when the stand is dropped.
    dir: TempDir,
}

impl Stand {
    /// Starts both and creates the workspace.
    ///
    /// # Errors
    /// When a part cannot be built; that is a fault of this machine or of the parts.
    pub async fn start() -> Result<Self> {
        Self::start_with(SandboxConfig::for_tests()).await
    }

    /// The same with a sandbox of one's own; its clock has to stand still.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(config: SandboxConfig) -> Result<Self> {
        Self::start_engine(config, EngineConfig::default()).await
    }

    async fn start_engine(config: SandboxConfig, own: EngineConfig) -> Result<Self> {
        // The doubles are on this machine.
        let outbound = Outbound::new(OutboundConfig::default().with_this_machine())?;
        Self::start_outbound(config, own, outbound).await
    }

    /// An engine whose way out is a test's own.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_outbound(
        config: SandboxConfig,
        own: EngineConfig,
        outbound: Outbound,
    ) -> Result<Self> {
        let limited = config.highlevel.limits.is_some();
        let sandbox = Sandbox::start(config).await?;
        let dir = tempfile::tempdir()?;
        let clock = Clock::manual(sandbox.clock().now());
        let engine = engine(&sandbox, &dir, &clock, limited, &own, outbound)?;
        engine
            .create_workspace(NewWorkspace {
                id: WORKSPACE.to_owned(),
                name: None,
                location: sandbox.highlevel().first_location(),
                token: Some(sandbox.highlevel().private_token().into()),
                country: None,
                timezone: None,
            })
            .await?;
        Ok(Self { sandbox, engine, clock, server: None, dir })
    }

    /// The real server before the engine, on a sandbox whose limits do not stand in the way of a long story. HighLevel's
    /// webhooks go to it.
    ///
    /// # Errors
    /// As [`start`](Self::start), or when no port is free.
    pub async fn serve() -> Result<Self> {
        let mut config = SandboxConfig::for_tests();
        config.highlevel.limits = None;
        Self::serve_with(config).await
    }

    /// The same with a sandbox of one's own.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_with(config: SandboxConfig) -> Result<Self> {
        Self::serve_engine(config, EngineConfig::default()).await
    }

    /// The same with engine settings of one's own.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_engine(config: SandboxConfig, own: EngineConfig) -> Result<Self> {
        let mut stand = Self::start_engine(config, own).await?;
        let config = ServerConfig::new("127.0.0.1:0".parse()?, ADMIN_TOKEN.to_owned().into());
        let server = Server::bind(config, stand.engine.clone()).await?;
        let url = format!("http://{}", server.addr());
        let stop = CancellationToken::new();
        tokio::spawn(server.serve(stop.clone()));
        stand.sandbox.highlevel().set_webhook_target(Some(format!("{url}/webhooks/highlevel").parse()?));
        stand.server = Some((url, stop.drop_guard()));
        Ok(stand)
    }

    /// Where the server answers.
    ///
    /// # Errors
    /// When the stand has no server.
    pub fn url(&self) -> Result<&str> {
        let (url, _) = self.server.as_ref().context("the stand has no server: use Stand::serve")?;
        Ok(url)
    }

    /// Where a connection's partner sends its webhooks.
    ///
    /// # Errors
    /// When the stand has no server.
    pub fn webhook_url(&self, connection: &ConnectionView) -> Result<String> {
        Ok(format!("{}{}", self.url()?, connection.webhook_path))
    }

    /// Installs a partner's component and enables it.
    ///
    /// # Errors
    /// When the component was not built or is refused.
    pub async fn connect(&self, partner: Partner) -> Result<ConnectionView> {
        let connector = self.engine.install_connector(artefacts::component(&partner.component)?).await?;
        let secret = |text: String| text.into();
        let request = EnableConnection {
            workspace: WORKSPACE.to_owned(),
            connector: connector.id,
            base_url: Some(partner.base_url),
            auth_scheme: partner.auth,
            credentials: partner.credentials.into_iter().map(|(name, value)| (name, secret(value))).collect(),
            webhook_secret: partner.webhook_secret.map(secret),
            template: partner.template,
            settings: partner.settings,
            mapping: partner.mapping,
            grants: partner.grants,
            ..EnableConnection::default()
        };
        Ok(self.engine.enable_connection(request).await?)
    }

    /// Installs a built component and enables it with everything that its manifest asks for, or with these grants only. The
    /// partner is the Prefinery double.
    ///
    /// # Errors
    /// When the component was not built or is refused.
    pub async fn enable(&self, component: &str, grants: Option<&[&str]>) -> Result<ConnectionView> {
        let prefinery = self.sandbox.prefinery();
        // Prefinery's credential is a `key`, that of the guests made for tests a `token`.
        let (part, settings) = match component {
            "prefinery" => ("key", json!({ "beta_id": prefinery.first_project().to_string() })),
            _ => ("token", json!({})),
        };
        let partner = Partner {
            component: component.to_owned(),
            base_url: self.sandbox.prefinery_url(),
            credentials: BTreeMap::from([(part.to_owned(), prefinery.api_key().to_owned())]),
            settings,
            grants: grants.map(|grants| grants.iter().map(ToString::to_string).collect()),
            ..Partner::default()
        };
        self.connect(partner).await
    }

    /// Lets time pass for the engine and the doubles alike.
    pub fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
        self.sandbox.advance(by);
    }

    /// Delivers every webhook in the order in which they were queued, walks and runs all that is due, until nothing is left.
    ///
    /// # Errors
    /// When it does not come to rest.
    pub async fn settle(&self) -> Result<()> {
        self.settle_in(Order::Queued).await
    }

    /// The same with the webhooks of each round in another order.
    ///
    /// # Errors
    /// As [`settle`](Self::settle).
    pub async fn settle_in(&self, order: Order) -> Result<()> {
        // A loop of two connectors that feed each other would never end.
        for _ in 0..5_000 {
            for outbox in self.sandbox.outboxes() {
                outbox.flush(order).await;
            }
            let runs = self.engine.run_until_idle().await?;
            let pending: usize = self.sandbox.outboxes().iter().map(|outbox| outbox.pending()).sum();
            if runs > 0 {
                continue;
            }
            let wait = match self.engine.store().next_due().await? {
                Some(due) => Some(due.duration_since(self.engine.now())).filter(|wait| *wait <= PATIENCE),
                None => None,
            };
            match wait {
                Some(wait) => self.advance(wait.max(SignedDuration::from_millis(1))),
                // A webhook that was refused is sent again after the vendor's pause.
                None if pending > 0 => self.advance(SignedDuration::from_mins(1)),
                None => return Ok(()),
            }
        }
        let counts = self.engine.store().counts(None).await?;
        let newest = self.engine.store().runs(RunFilter { limit: 10, ..RunFilter::default() }).await?;
        let newest: Vec<_> =
            newest.iter().map(|run| format!("{}: {}", run.connection, run.summary)).collect();
        bail!("the stand does not come to rest: {counts:?}\n  {}", newest.join("\n  "))
    }

    /// Looks at every walk that is due (backfill, sweep, polls) until each rests and nothing is left of what it found.
    ///
    /// # Errors
    /// When what they found does not come to rest.
    pub async fn walk(&self) -> Result<()> {
        for _ in 0..1_000 {
            self.engine.walk_until_rest().await;
            let found = self.engine.run_until_idle().await?;
            self.settle().await?;
            // A stream that met enough waiting records goes on when they are worked off.
            if found == 0 {
                return Ok(());
            }
        }
        bail!("the walks find something each time")
    }

    /// Runs an action of a connection.
    ///
    /// # Errors
    /// What the engine answers, as it is: tests look at it.
    pub async fn run(
        &self,
        connection: &ConnectionId,
        action: &str,
        input: &Value,
    ) -> Result<Value, EngineError> {
        self.engine.run_action(connection, action, input, false).await
    }

    /// What the newest run of a connection left behind.
    ///
    /// # Errors
    /// When there was no run.
    pub async fn last_run(&self, connection: &ConnectionId) -> Result<Run> {
        let filter = RunFilter { connection: Some(connection.clone()), limit: 1, ..RunFilter::default() };
        let newest = self.engine.store().runs(filter).await?.into_iter().next().context("no run")?;
        // A list leaves the calls and the log out.
        Ok(self.engine.run_detail(&newest.id).await?)
    }

    /// Whether a file of the engine's (its database and that one's log) holds a text as it is.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn keeps(&self, text: &str) -> Result<bool> {
        for entry in std::fs::read_dir(self.dir.path())? {
            let path = entry?.path();
            if path.is_file() && std::fs::read(&path)?.windows(text.len()).any(|part| part == text.as_bytes())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every record of both doubles, to tell that nothing was changed.
    pub fn records(&self) -> Value {
        json!([self.sandbox.highlevel().snapshot(), self.sandbox.prefinery().snapshot()])
    }
}

fn engine(
    sandbox: &Sandbox,
    dir: &TempDir,
    clock: &Clock,
    limited: bool,
    own: &EngineConfig,
    outbound: Outbound,
) -> Result<Engine> {
    let mut highlevel = contactor_highlevel::Config {
        base_url: sandbox.highlevel_url(),
        ..contactor_highlevel::Config::default()
    };
    if !limited {
        highlevel.limits.burst = 1_000_000;
        highlevel.limits.daily = 1_000_000_000;
    }
    let key = sandbox.highlevel().webhook_public_key_pem();
    let verifier = Verifier::new(VerifierConfig { ed25519_keys: vec![key], ..VerifierConfig::default() })?;
    // As a real host has one: without it, installing, enabling and the first call would each compile the component.
    let cache = CacheConfig { dir: compiled()?, key: [7; 32] };
    let parts = EngineParts {
        config: EngineConfig { partner_quotas: limited, ..own.clone() },
        clock: clock.clone(),
        store: Arc::new(open_store(&dir.path().join("contactor.db"), clock)?),
        vault: Arc::new(Vault::create_key(&dir.path().join("key"))?),
        highlevel,
        verifier,
        // A few calls at once are enough; each slot reserves address space, and many tests run beside each other.
        runtime: RuntimeConfig { max_instances: 4, cache: Some(cache), ..RuntimeConfig::default() },
        outbound,
        connectors: ConnectorsConfig::allowing_unsigned(),
        artefacts: subdirectory(dir, "artefacts")?,
    };
    Ok(Engine::start(parts)?)
}

/// Compiled components, kept from one stand to the next: compiling them anew would be most of what a test does.
fn compiled() -> Result<Dir> {
    let path = artefacts::profile_dir()?.join("compiled-components");
    std::fs::create_dir_all(&path)?;
    Ok(Dir::open_ambient_dir(path, ambient_authority())?)
}

/// The store tells the engine's time, or what is due now would be due at another time.
fn open_store(path: &std::path::Path, clock: &Clock) -> Result<SqliteStore> {
    let clock = clock.clone();
    let options = SqliteOptions { clock: Arc::new(move || clock.now()), ..SqliteOptions::default() };
    Ok(SqliteStore::open_with(path, options)?)
}

fn subdirectory(dir: &TempDir, name: &str) -> Result<Dir> {
    let path = dir.path().join(name);
    std::fs::create_dir(&path)?;
    Ok(Dir::open_ambient_dir(path, ambient_authority())?)
}
