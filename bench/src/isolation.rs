//! The same connector as a component and linked natively, end to end: two engines in this process, each with doubles,
//! database and vault of its own, that differ in nothing but how their connector is called.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use contactor_engine::{
    Clock, ConnectorsConfig, EnableConnection, Engine, EngineConfig, EngineParts, NewWorkspace, Outbound,
    OutboundConfig,
};
use contactor_highlevel::webhook::{Verifier, VerifierConfig};
use contactor_runtime::RuntimeConfig;
use contactor_sandbox::Sandbox;
use contactor_store::sqlite::SqliteStore;
use contactor_store::{ConnectionId, Vault};
use contactor_tests::artefacts;
use http::{HeaderMap, HeaderValue};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::machine::own_cpu_time;
use crate::native::Native;
use crate::report::{Bar, Figure, median};
use crate::size::{CONNECTIONS, Size};
use crate::stage::{named, new_contacts, rename, unlimited};

pub(crate) async fn measure(size: &Size, scratch: &Path) -> Result<Vec<Figure>> {
    let component = InProcess::start(scratch, size.contacts).await?;
    let native = InProcess::start(scratch, size.contacts).await?;
    native.engine.replace_guest(&native.connection, Arc::new(Native));
    component.round("Warm").await?;
    native.round("Warm").await?;
    let (mut components, mut natives): (Vec<Round>, Vec<Round>) = (Vec::new(), Vec::new());
    for round in 0..size.reconcile_rounds {
        let name = format!("Round {round}");
        // Who goes first changes, so that neither always finds the machine as the other left it.
        let (one, other) = if round % 2 == 0 { (&component, &native) } else { (&native, &component) };
        let (first, second) = (one.round(&name).await?, other.round(&name).await?);
        let (with, without) = if round % 2 == 0 { (first, second) } else { (second, first) };
        components.push(with);
        natives.push(without);
    }
    let figure = |name, of: fn(&Round) -> f64| {
        let each = |rounds: &[Round]| median(rounds.iter().map(of)) * 1e6 / size.contacts as f64;
        let ratios = components.iter().zip(&natives).map(|(with, without)| of(with) / of(without));
        Figure::new(name, each(&components), "µs", size.contacts * size.reconcile_rounds)
            .over(each(&natives))
            .ratio(median(ratios))
    };
    Ok(vec![
        figure("reconcile, as a component", |round| round.time.as_secs_f64())
            .bar(Bar::RatioAtMost(1.1))
            .note("floor: the same connector linked natively; both in this process, doubles included"),
        figure("reconcile, as a component, computing", |round| round.cpu.as_secs_f64())
            .bar(Bar::RatioAtMost(1.1))
            .note(
                "CPU time: on a machine with other work the native threads get a larger share of the cores",
            ),
    ])
}

/// What one round took.
struct Round {
    time: Duration,
    cpu: Duration,
}

/// An engine without HTTP in front, with its doubles.
struct InProcess {
    engine: Engine,
    sandbox: Sandbox,
    connection: ConnectionId,
    contacts: Vec<String>,
    _dir: TempDir,
}

impl InProcess {
    /// With linked contacts.
    async fn start(scratch: &Path, count: usize) -> Result<Self> {
        let sandbox = unlimited().await?;
        let dir = tempfile::tempdir_in(scratch)?;
        let engine = Engine::start(parts(&sandbox, dir.path())?)?;
        let connection = connect(&engine, &sandbox).await?;
        let location = sandbox.highlevel().first_location();
        let contacts = new_contacts(&sandbox, &location, "Person", count)?;
        for contact in &contacts {
            let record = contactor_store::RecordId::new(contact.as_str());
            engine.sync_record(&connection, "contact", contactor_store::Side::Highlevel, &record).await?;
        }
        engine.run_until_idle().await?;
        let links = engine.sync_progress(&connection).await?.links;
        ensure!(links == count as u64, "{links} of {count} contacts were linked");
        Ok(Self { engine, sandbox, connection, contacts, _dir: dir })
    }

    /// Changes every contact once and brings the changes over: the time from the first webhook to the last commit.
    async fn round(&self, name: &str) -> Result<Round> {
        let location = self.sandbox.highlevel().first_location();
        let webhooks: Vec<(HeaderMap, Bytes)> = rename(&self.sandbox, &location, &self.contacts, name)?
            .into_iter()
            .map(|body| Ok((self.headers(&body)?, body)))
            .collect::<Result<_>>()?;
        let (begun, computed) = (Instant::now(), own_cpu_time());
        self.ingest(webhooks).await?;
        self.engine.run_until_idle().await?;
        let round = Round { time: begun.elapsed(), cpu: own_cpu_time().saturating_sub(computed) };
        let written = named(&self.sandbox, self.sandbox.prefinery().first_project(), name);
        ensure!(
            written == self.contacts.len(),
            "{written} of {} changes reached the partner",
            self.contacts.len()
        );
        Ok(round)
    }

    fn headers(&self, body: &[u8]) -> Result<HeaderMap> {
        let signature = HeaderValue::from_str(&self.sandbox.highlevel().sign(body))?;
        Ok(HeaderMap::from_iter([(http::HeaderName::from_static("x-ghl-signature"), signature)]))
    }

    /// As many at once as the accepts are measured with, so that they share commits.
    async fn ingest(&self, webhooks: Vec<(HeaderMap, Bytes)>) -> Result<()> {
        let mut tasks = JoinSet::new();
        for share in webhooks.chunks(webhooks.len().div_ceil(CONNECTIONS).max(1)) {
            let (engine, share) = (self.engine.clone(), share.to_vec());
            tasks.spawn(async move {
                for (headers, body) in share {
                    engine.ingest_highlevel(&headers, body).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(())
    }
}

fn parts(sandbox: &Sandbox, dir: &Path) -> Result<EngineParts> {
    let artefacts = dir.join("artefacts");
    std::fs::create_dir(&artefacts)?;
    let keys = VerifierConfig {
        ed25519_keys: vec![sandbox.highlevel().webhook_public_key_pem()],
        ..VerifierConfig::default()
    };
    Ok(EngineParts {
        config: EngineConfig { sweep_interval: 0, concurrency_per_workspace: 64, ..EngineConfig::default() },
        clock: Clock::system(),
        store: Arc::new(SqliteStore::open(&dir.join("contactor.db"))?),
        vault: Arc::new(Vault::create_key(&dir.join("vault.key"))?),
        highlevel: contactor_highlevel::Config {
            base_url: sandbox.highlevel_url(),
            ..contactor_highlevel::Config::default()
        },
        verifier: Verifier::new(keys)?,
        runtime: RuntimeConfig::default(),
        outbound: Outbound::new(OutboundConfig {
            // As many as there are runs: what is measured is not the wait for one another.
            requests_per_connection: 64,
            ..OutboundConfig::default().with_this_machine()
        })?,
        connectors: ConnectorsConfig::allowing_unsigned(),
        artefacts: Dir::open_ambient_dir(&artefacts, ambient_authority())
            .context("the artefact directory")?,
    })
}

async fn connect(engine: &Engine, sandbox: &Sandbox) -> Result<ConnectionId> {
    let (highlevel, prefinery) = (sandbox.highlevel(), sandbox.prefinery());
    let workspace = NewWorkspace {
        id: "acme".to_owned(),
        name: None,
        location: highlevel.first_location(),
        token: Some(highlevel.private_token().into()),
        country: None,
        timezone: None,
    };
    engine.create_workspace(workspace).await?;
    engine.install_connector(artefacts::component("prefinery")?).await?;
    let enable = EnableConnection {
        workspace: "acme".to_owned(),
        connector: "prefinery".to_owned(),
        base_url: Some(sandbox.prefinery_url()),
        credentials: [("key".to_owned(), prefinery.api_key().to_owned().into())].into(),
        settings: json!({ "beta_id": prefinery.first_project().to_string() }),
        ..EnableConnection::default()
    };
    Ok(engine.enable_connection(enable).await?.id)
}
