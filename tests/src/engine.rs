//! An engine in this process beside the doubles: what needs neither the server nor the command line is tested here, without
//! starting a program. Nothing runs by itself: a test calls the engine and looks at the doubles.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use contactor_engine::{
    Clock, ConnectionView, EnableConnection, Engine, EngineConfig, EngineError, EngineParts, NewWorkspace,
};
use contactor_highlevel::webhook::{Verifier, VerifierConfig};
use contactor_runtime::{CacheConfig, RuntimeConfig};
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_store::sqlite::SqliteStore;
use contactor_store::{ConnectionId, Run, RunFilter, Vault};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::artefacts;

/// The one workspace.
pub const WORKSPACE: &str = "acme";

/// An engine, its doubles and its directory. Dropping it stops the doubles and removes the directory.
pub struct Stand {
    /// The doubles. Their time stands still, and their webhooks leave only when flushed.
    pub sandbox: Sandbox,
    /// The engine, with the workspace [`WORKSPACE`] bound to the doubles' first location. Its time stands still at the
    /// doubles' own.
    pub engine: Engine,
    /// The engine's clock.
    pub clock: Clock,
    // Removed when the stand is dropped.
    _dir: TempDir,
}

impl Stand {
    /// Starts both and creates the workspace.
    ///
    /// # Errors
    /// When a part cannot be built; that is a fault of this machine or of the parts.
    pub async fn start() -> Result<Self> {
        let sandbox = Sandbox::start(SandboxConfig::for_tests()).await?;
        let dir = tempfile::tempdir()?;
        let clock = Clock::manual(sandbox.clock().now());
        let engine = engine(&sandbox, &dir, clock.clone())?;
        engine
            .create_workspace(NewWorkspace {
                id: WORKSPACE.to_owned(),
                name: None,
                location: sandbox.highlevel().first_location(),
                token: sandbox.highlevel().private_token().into(),
                country: None,
                timezone: None,
            })
            .await?;
        Ok(Self { sandbox, engine, clock, _dir: dir })
    }

    /// Installs a built component and enables it with everything that its manifest asks for, or with these grants only. The
    /// partner is the Prefinery double.
    ///
    /// # Errors
    /// When the component was not built or is refused.
    pub async fn enable(&self, component: &str, grants: Option<&[&str]>) -> Result<ConnectionView> {
        let connector = self.engine.install_connector(artefacts::component(component)?).await?;
        // Prefinery's credential is a `key`, that of the guests made for tests a `token`.
        let (part, settings) = match component {
            "prefinery" => {
                ("key", json!({ "beta_id": self.sandbox.prefinery().first_project().to_string() }))
            }
            _ => ("token", json!({})),
        };
        let request = EnableConnection {
            workspace: WORKSPACE.to_owned(),
            connector: connector.id,
            base_url: Some(self.sandbox.prefinery_url()),
            credentials: BTreeMap::from([(
                part.to_owned(),
                self.sandbox.prefinery().api_key().to_owned().into(),
            )]),
            settings,
            grants: grants.map(|grants| grants.iter().map(ToString::to_string).collect()),
            ..EnableConnection::default()
        };
        Ok(self.engine.enable_connection(request).await?)
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

    /// Every record of both doubles, to tell that nothing was changed.
    pub fn records(&self) -> Value {
        json!([self.sandbox.highlevel().snapshot(), self.sandbox.prefinery().snapshot()])
    }
}

fn engine(sandbox: &Sandbox, dir: &TempDir, clock: Clock) -> Result<Engine> {
    let highlevel = contactor_highlevel::Config {
        base_url: sandbox.highlevel_url(),
        ..contactor_highlevel::Config::default()
    };
    // As a real host has one: without it, installing, enabling and the first call would each compile the component.
    let cache = CacheConfig { dir: subdirectory(dir, "cache")?, key: [7; 32] };
    let parts = EngineParts {
        config: EngineConfig::default(),
        clock,
        store: Arc::new(SqliteStore::open(&dir.path().join("contactor.db"))?),
        vault: Arc::new(Vault::create_key(&dir.path().join("key"))?),
        highlevel,
        verifier: Verifier::new(VerifierConfig {
            ed25519_keys: vec![sandbox.highlevel().webhook_public_key_pem()],
            ..VerifierConfig::default()
        })?,
        // A few calls at once are enough; each slot reserves address space, and many tests run beside each other.
        runtime: RuntimeConfig { max_instances: 4, cache: Some(cache), ..RuntimeConfig::default() },
        artefacts: subdirectory(dir, "artefacts")?,
    };
    Ok(Engine::start(parts)?)
}

fn subdirectory(dir: &TempDir, name: &str) -> Result<Dir> {
    let path = dir.path().join(name);
    std::fs::create_dir(&path)?;
    Ok(Dir::open_ambient_dir(path, ambient_authority())?)
}
