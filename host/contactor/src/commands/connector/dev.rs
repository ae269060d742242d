//! `contactor connector dev`: from a saved file to a connection that runs it.

mod sources;
mod tail;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use contactor_server::dto::{ConnectionState, EnableConnection};
use serde::Serialize;
use tokio::task::spawn_blocking;

use self::sources::Sources;
use self::tail::Tail;
use super::super::Context;
use super::sign::{secret_key, sign_bytes};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::duration;

/// How often sources and runs are looked at: soon enough for a person, cheap enough for a laptop.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor connector dev plugins/acme --workspace acme
  contactor connector dev --workspace acme --once      build and reload once, for a script

The connection has to be there already: `contactor connection enable`. It keeps its credentials, settings, mapping and grants; only
the component that it runs is another. Watched is the connector's own directory, without `tests` and what cargo makes. A build that
fails, or a component that the host refuses, leaves the one before running. Ctrl-C ends it.")]
pub(crate) struct DevArgs {
    /// The connector's directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The workspace whose connection runs it.
    #[arg(long, value_name = "ID")]
    workspace: String,
    /// The connector's id; that of its manifest unless given.
    #[arg(long, value_name = "ID")]
    connector: Option<String>,
    /// Sign each build with this publisher's secret key, for a host that refuses what nobody signs: a file, or env:NAME.
    #[arg(long, value_name = "KEYFILE")]
    key: Option<String>,
    /// Build and reload once, then end.
    #[arg(long)]
    once: bool,
}

/// A component that was built and is not running yet.
struct Built {
    connector: String,
    digest: String,
    bytes: Vec<u8>,
    took: Duration,
}

#[derive(Serialize)]
struct Reloaded {
    connection: String,
    version: String,
    digest: String,
    /// Whether the connection ran these bytes before.
    unchanged: bool,
    build_us: u64,
    reload_us: u64,
}

pub(crate) async fn run(context: &Context, args: &DevArgs) -> Result<(), Failure> {
    let client = context.client()?;
    if args.once {
        let built = build(args).await?;
        return reload(context, &client, args, &built).await;
    }
    tokio::select! {
        ended = watch(context, &client, args) => ended,
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}

/// Builds, reloads and shows runs until something is wrong that no change of a source can mend.
async fn watch(context: &Context, client: &Client, args: &DevArgs) -> Result<(), Failure> {
    let mut sources = Sources::of(&args.dir).map_err(|error| failed(&error))?;
    let mut connector = args.connector.clone();
    let mut tail: Option<Tail> = None;
    let mut waiting: Option<Built> = None;
    let mut said = String::new();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if sources.changed() {
            waiting = None;
            said.clear();
            match build(args).await {
                Ok(built) => {
                    connector = Some(built.connector.clone());
                    waiting = Some(built);
                }
                Err(failure) => {
                    context
                        .out
                        .note(&format!("{failure}\nthe component before stays; waiting for a change"))?;
                }
            }
        }
        if let (None, Some(connector)) = (&tail, &connector) {
            // Begun before the reload, so that the first run of the new component is not missed. Why it cannot begin yet, the
            // reload says.
            tail = Tail::begin(client, &args.workspace, connector).await.ok();
        }
        if let Some(built) = &waiting {
            match reload(context, client, args, built).await {
                Ok(()) => waiting = None,
                Err(failure) => {
                    let words = failure.to_string();
                    if words != said {
                        context.out.note(&format!("not reloaded: {words}"))?;
                        said = words;
                    }
                    // A host that comes back or a connection that is made needs no new component.
                    if !matches!(failure.exit, Exit::Unreachable | Exit::NotFound) {
                        context.out.note("the component before stays; waiting for a change")?;
                        waiting = None;
                    }
                }
            }
        }
        if let Some(tail) = &mut tail {
            match tail.news(client).await {
                Ok(runs) => {
                    for run in &runs {
                        tail::show(context, run)?;
                    }
                    if waiting.is_none() {
                        said.clear();
                    }
                }
                Err(error) => {
                    let words = error.to_string();
                    if words != said {
                        context.out.note(&format!("runs cannot be read: {words}"))?;
                        said = words;
                    }
                }
            }
        }
    }
}

/// Builds the crate, as `contactor connector build` does.
async fn build(args: &DevArgs) -> Result<Built, Failure> {
    let (begun, dir) = (Instant::now(), args.dir.clone());
    let component = spawn_blocking(move || contactor_build::build(&dir, None))
        .await
        .map_err(|error| Failure::new(Exit::Failed, error))?
        .map_err(|error| failed(&error))?;
    let mut bytes = std::fs::read(&component.path)?;
    if let Some(place) = &args.key {
        bytes = sign_bytes(&component.path, &bytes, &secret_key(place)?)?;
    }
    let manifest = contactor_engine::catalogue::read_manifest(&bytes)
        .map_err(|error| Failure::say(Exit::Failed, format_args!("{}: {error}", component.path.display())))?;
    let connector = manifest.connector.id.to_string();
    if let Some(expected) = args.connector.as_ref().filter(|expected| **expected != connector) {
        let problem = format!("connector.toml says that this is `{connector}`, and --connector `{expected}`");
        return Err(Failure::say(Exit::Usage, problem));
    }
    let digest = contactor_runtime::Digest::of(&bytes).to_string();
    Ok(Built { connector, digest, bytes, took: begun.elapsed() })
}

/// Installs a component and pins it for the connection, which keeps everything else.
async fn reload(context: &Context, client: &Client, args: &DevArgs, built: &Built) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut connection = client.connection(&args.workspace, &built.connector).await?;
    if connection.state == ConnectionState::Disabled {
        // An admin's decision, which pinning would undo. It may be taken back while this waits.
        let of = format!("{} {}", connection.workspace, connection.connector);
        let problem =
            format!("{} is switched off; `contactor connection enable {of}` switches it on", connection.id);
        return Err(Failure::say(Exit::NotFound, problem));
    }
    let unchanged = connection.digest == built.digest && connection.state == ConnectionState::Enabled;
    if !unchanged {
        client.install_connector(built.bytes.clone()).await?;
        // Whoever builds it is whoever approves of it; what is new is said below.
        let pin = EnableConnection {
            digest: Some(built.digest.clone()),
            approve: true,
            ..EnableConnection::default()
        };
        connection = client.enable(&args.workspace, &built.connector, &pin).await?;
        for one in &connection.newly_granted {
            context.out.note(&format!("newly granted: {}: {}", one.name, one.words))?;
        }
    }
    let reloaded = Reloaded {
        connection: connection.id,
        version: connection.version,
        digest: connection.digest,
        unchanged,
        build_us: micros(built.took),
        reload_us: micros(begun.elapsed()),
    };
    if context.out.json {
        return Ok(crate::output::json(&reloaded)?);
    }
    let build = duration(reloaded.build_us);
    let short: String = reloaded.digest.chars().take(12).collect();
    let connection = &reloaded.connection;
    Ok(context.out.text(&if unchanged {
        format!("built in {build}; {connection} runs this component ({short}) already")
    } else {
        let took = duration(reloaded.reload_us);
        format!("built in {build}, reloaded in {took}: {connection} runs {} ({short})", reloaded.version)
    })?)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn failed(error: &anyhow::Error) -> Failure {
    Failure::say(Exit::Failed, format_args!("{error:#}"))
}
