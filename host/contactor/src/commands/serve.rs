//! `contactor serve`: puts the parts together and runs them until it is told to stop.

mod keys;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Weak};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use contactor_engine::{Clock, Engine, EngineParts, Outbound};
use contactor_runtime::CacheConfig;
use contactor_server::{Server, ServerConfig};
use contactor_store::Store;
use contactor_store::sqlite::{DiskWatch, SqliteOptions, SqliteStore};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Context, store};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::logging;
use crate::secrets::read_private_file;

const DAY: std::time::Duration = std::time::Duration::from_hours(24);

/// How often the recorder folds what was measured; without it the histograms of an unread host would grow.
const METRICS_UPKEEP: std::time::Duration = std::time::Duration::from_secs(5);

/// How often a full disk is tried again; whoever asks for `/readyz` meanwhile tries it as well.
const DISK_RETRY: std::time::Duration = std::time::Duration::from_secs(5);

/// Upper bounds of the histograms in seconds; 15 ms is the promise for accepting a webhook.
const BUCKETS: [f64; 14] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Run a host: webhooks in, synchronisation, admin API. Stops on SIGINT or SIGTERM after the work in flight has ended, and
/// at once on a second signal.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  contactor init --dir acme
  contactor serve --config acme/contactor.toml

The first line on standard output is `listening on http://ADDRESS:PORT`; everything else goes to standard error.")]
pub(crate) struct Args {
    /// Address to listen on in place of the configuration's; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", env = "CONTACTOR_LISTEN")]
    listen: Option<SocketAddr>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let mut config = context.config()?;
    if let Some(listen) = args.listen {
        config.server.listen = listen;
    }
    logging::start(&config.log, context.louder())?;
    // More than cores: what a connector passes in one call is lifted out of its memory in one go, and a worker that does so keeps nobody
    // waiting as long as the kernel has another one to give the core to.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2 * cores).enable_all().build()?;
    let ended = runtime.block_on(serve(context, &config));
    if ended.is_err() {
        // A call that blocks somewhere must not keep a process alive that has to end; nothing it does could be kept.
        runtime.shutdown_background();
    }
    ended
}

async fn serve(context: &Context, config: &Config) -> Result<(), Failure> {
    // Before anything registers a metric: what is registered earlier is measured by nobody.
    let metrics = start_metrics()?;
    let (engine, mut disk) = start_engine(config).await?;
    let token = read_private_file(&config.path(&config.server.admin_token_file))
        .map_err(|error| keys::no_admin_token(&error))?;
    let server_config = ServerConfig {
        metrics: Some(metrics.clone()),
        // What the runtime takes has to arrive there first.
        component_body_cap: config.runtime.max_component_bytes(),
        strict_transport: config.server.strict_transport_days.map(|days| DAY * u32::from(days)),
        ..ServerConfig::new(config.server.listen, token)
    };
    engine.restore_budgets().await.map_err(|error| Failure::new(Exit::Failed, error))?;
    engine.seal_webhook_addresses().await.map_err(|error| Failure::new(Exit::Failed, error))?;
    let server = Server::bind(server_config, engine.clone())
        .await
        .map_err(|error| Failure::new(Exit::Failed, error))?;

    let stop = CancellationToken::new();
    let told_twice = told_twice(stop.clone())?;
    tokio::spawn(keep_up(metrics));
    context.out.text(&format!("listening on http://{}", server.addr()))?;
    tracing::info!(address = %server.addr(), version = env!("CARGO_PKG_VERSION"), "serving");
    tokio::select! {
        ended = work(engine, server, stop) => ended,
        // No orderly end: nothing in flight could be kept. The next start recovers as after kill -9.
        error = disk.lost() => Err(store::failure(error)),
        () = told_twice => Err(Failure::say(
            Exit::Failed,
            "stopped at once; what was in flight is done again after the next start",
        )),
    }
}

/// Serves and works. The server goes first when it is time to stop, so that nothing is accepted that this process would not
/// even begin to work on; what is accepted is committed and waits for the next start.
async fn work(engine: Engine, server: Server, stop: CancellationToken) -> Result<(), Failure> {
    let stop_work = CancellationToken::new();
    let working = {
        let (stop, stop_work) = (stop.clone(), stop_work.clone());
        tokio::spawn(async move {
            let ended = engine.run(stop_work).await;
            // Work that ended by itself has failed: better a restart by the supervisor than a host that only listens.
            stop.cancel();
            ended
        })
    };
    server.serve(stop).await;
    stop_work.cancel();
    match working.await {
        Ok(Ok(())) => {
            tracing::info!("stopped");
            Ok(())
        }
        Ok(Err(error)) => Err(Failure::new(Exit::Failed, error)),
        Err(panic) => {
            Err(Failure::say(Exit::Failed, format_args!("the scheduler ended unexpectedly: {panic}")))
        }
    }
}

fn start_metrics() -> Result<PrometheusHandle, Failure> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| Failure::new(Exit::Failed, error))
}

async fn keep_up(metrics: PrometheusHandle) {
    let mut interval = tokio::time::interval(METRICS_UPKEEP);
    loop {
        interval.tick().await;
        metrics.run_upkeep();
    }
}

/// Cancels `stop` at the first signal and ends at the second: a run in flight may take minutes, and an operator may not want
/// to wait. The signals are taken before the future is polled, so that none is missed.
fn told_twice(stop: CancellationToken) -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut told = async move || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    Ok(async move {
        told().await;
        tracing::info!(
            "stopping: no more requests are accepted, work in flight ends; a second signal stops at once"
        );
        stop.cancel();
        told().await;
    })
}

async fn start_engine(config: &Config) -> Result<(Engine, DiskWatch), Failure> {
    let database = config.path(&config.store.path);
    let vault = keys::open_vault(config, &database).await?;
    let clock = Clock::of_process()?;
    let own = clock.clone();
    let options = SqliteOptions { clock: Arc::new(move || own.now()), ..SqliteOptions::default() };
    let store = SqliteStore::open_with(&database, options).map_err(store::failure)?;
    let disk = store.disk();
    let store: Arc<dyn Store> = Arc::new(store);
    tokio::spawn(try_disk_again(Arc::downgrade(&store), disk.clone()));
    keys::check_vault(&vault, store.as_ref()).await?;
    let cache_dir = &config.runtime.aot_cache;
    let cache = if cache_dir.as_os_str().is_empty() {
        None
    } else {
        let key = keys::cache_key(&vault)?;
        Some(CacheConfig { dir: open_dir(&config.path(cache_dir))?, key })
    };
    let worker = config.runtime.worker().map_err(|error| Failure::new(Exit::Failed, error))?;
    let parts = EngineParts {
        config: config.engine.clone(),
        clock,
        store,
        vault: Arc::new(vault),
        highlevel: config.highlevel.api(),
        verifier: config.highlevel.verifier()?,
        runtime: config.runtime.runtime(worker, cache),
        outbound: Outbound::new(config.outbound.clone()).map_err(|error| Failure::new(Exit::Usage, error))?,
        connectors: config.connectors.clone(),
        artefacts: open_dir(&config.path(&config.artefacts.dir))?,
    };
    let engine = Engine::start(parts).map_err(|error| Failure::new(Exit::Usage, error))?;
    engine.notify_by(config.notifications()?);
    if let Some(app) = config.highlevel.app(config)? {
        engine.grant_by(app).map_err(|error| Failure::new(Exit::Usage, error))?;
    }
    if let Some(setup) = config.login.setup(config)? {
        engine.log_in_by(setup).map_err(|error| Failure::new(Exit::Usage, error))?;
    }
    Ok((engine, disk))
}

/// While the store waits for a full disk, only a probe finds out that there is room again, and perhaps nobody asks for the
/// host's health.
async fn try_disk_again(store: Weak<dyn Store>, disk: DiskWatch) {
    let mut interval = tokio::time::interval(DISK_RETRY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let Some(store) = store.upgrade() else { return };
        if disk.waits() {
            // What it answers, the store itself has logged.
            let _ = store.probe().await;
        }
    }
}

/// A directory of the host's own, made if it is missing, that nobody else can enter.
fn open_dir(path: &Path) -> Result<Dir, Failure> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| Dir::open_ambient_dir(path, ambient_authority()))
        .map_err(|error| {
            Failure::say(Exit::Failed, format_args!("{} cannot be used: {error}", path.display()))
        })
}
