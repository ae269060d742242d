//! `contactor connector`: components, from an empty directory to a running host.

mod build;
mod check;
mod dev;
mod new;
mod sign;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use contactor_server::dto::{Connector, InspectReport, Repeatable};

use super::Context;
use crate::exit::{Exit, Failure};
use crate::output::{or_dash, when};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a connector's crate: it builds and passes its tests at once.
    New(new::NewArgs),
    /// Build a connector's crate into a component, with its manifest inside.
    Build(build::BuildArgs),
    /// Hold a component to what every connector has to keep, whatever its partner is. No host and no account are needed.
    Check(check::CheckArgs),
    /// Rebuild whenever its sources change, run it in a connection at once, and show what its runs do.
    Dev(dev::DevArgs),
    /// Show what a component says about itself. Nothing of it is run, and no host is needed.
    #[command(after_help = "Example:\n  contactor connector inspect prefinery.wasm")]
    Inspect(InspectArgs),
    /// Print a connector's page of documentation, out of its manifest.
    #[command(after_help = "Example:\n  contactor connector docs connector.toml")]
    Docs(InspectArgs),
    /// Make a publisher's pair of keys, with which components are signed.
    Keygen(sign::KeygenArgs),
    /// Sign a component: whoever trusts the key knows that it is the publisher's, and that nobody changed it.
    Sign(sign::SignArgs),
    /// Say who signed a component, and whether one of them is trusted. Nothing of it is run.
    Verify(sign::VerifyArgs),
    /// Install a component into the host.
    #[command(after_help = "Example:\n  contactor connector install prefinery.wasm\n\n\
                            Installing makes a component available and gives it nothing: an admin grants what it may do with\n\
                            `contactor connection enable`. The same bytes can be installed again without effect. A component that no\n\
                            publisher of the host's configuration signed is refused, unless the configuration allows those.")]
    Install {
        /// The component file.
        file: PathBuf,
    },
    /// List the installed components.
    #[command(after_help = "Example:\n  contactor connector list --json")]
    List,
    /// Show an installed component: what it asks for, who vouches for it, and why the host would not load it.
    #[command(after_help = "Example:\n  contactor connector show prefinery --json")]
    Show {
        /// The connector's id.
        connector: String,
        /// Which of its components, by the beginning of its digest; the newest unless given.
        #[arg(long, value_name = "DIGEST")]
        digest: Option<String>,
    },
}

#[derive(Args)]
pub(crate) struct InspectArgs {
    /// The component file.
    file: PathBuf,
}

impl Command {
    /// Whether it needs no host.
    pub(crate) fn is_local(&self) -> bool {
        !matches!(self, Self::Dev(_) | Self::Install { .. } | Self::List | Self::Show { .. })
    }
}

/// A command that needs no host.
pub(crate) fn run_locally(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::New(args) => new::run(context, args),
        Command::Build(args) => build::run(context, args),
        Command::Check(args) => check::run(context, args),
        Command::Inspect(args) => inspect(context, args),
        Command::Docs(args) => docs(context, args),
        Command::Keygen(args) => sign::keygen(context, args),
        Command::Sign(args) => sign::sign(context, args),
        Command::Verify(args) => sign::verify(context, args),
        Command::Dev(_) | Command::Install { .. } | Command::List | Command::Show { .. } => Ok(()),
    }
}

/// Reads a component file here, without a host.
fn inspect(context: &Context, args: &InspectArgs) -> Result<(), Failure> {
    let bytes = read(&args.file)?;
    let report = contactor_engine::inspect(&bytes)
        .map_err(|error| Failure::say(Exit::Failed, format_args!("{}: {error}", args.file.display())))?;
    let report = InspectReport::from(report);
    let text = |pointer: &str| {
        report.manifest.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let mut lines = vec![
        ("id", text("/connector/id")),
        ("version", text("/connector/version")),
        ("name", text("/connector/name")),
        ("summary", text("/connector/summary")),
        ("partner", format!("{} ({})", text("/partner/name"), text("/partner/base_url"))),
        ("speaks with", hosts(&report.manifest)),
        ("digest", report.digest.clone()),
        ("size", format!("{} bytes", report.size)),
        ("imports", report.imports.join(", ")),
        ("exports", report.exports.join(", ")),
        ("refused", report.refused.clone().unwrap_or_default()),
    ];
    lines.extend(report.signed_by.iter().map(|key| ("signed by", key.clone())));
    lines.extend(report.asks.iter().map(|one| ("asks for", format!("{}: {}", one.name, one.words))));
    let repeatable = report.manifest.get("repeatable").cloned().unwrap_or_default();
    let repeatable: Vec<Repeatable> = serde_json::from_value(repeatable).unwrap_or_default();
    lines.extend(repeatable.iter().map(repeats));
    let templates = report.manifest.pointer("/template").and_then(serde_json::Value::as_array);
    lines.extend(templates.into_iter().flatten().map(|template| {
        let part = |key: &str| template.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        ("template", format!("{}: {}. {}", part("name"), part("title"), part("help")))
    }));
    Ok(context.out.one(&report, &lines)?)
}

/// The hosts that a manifest names.
fn hosts(manifest: &serde_json::Value) -> String {
    let partner = manifest.get("partner").cloned().unwrap_or_default();
    let partner = serde_json::from_value::<contactor_engine::catalogue::Partner>(partner);
    let hosts = partner.map(|partner| partner.allowed_hosts()).unwrap_or_default();
    hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Prints a page of documentation; the file is a component or a `connector.toml`.
fn docs(context: &Context, args: &InspectArgs) -> Result<(), Failure> {
    let manifest = manifest(&args.file)?;
    if context.out.json {
        return Ok(crate::output::json(&manifest)?);
    }
    Ok(context.out.text(contactor_engine::catalogue::connector_page(&manifest).trim_end())?)
}

/// The manifest of a component, or of a `connector.toml` that is none yet.
pub(crate) fn manifest(file: &Path) -> Result<contactor_engine::catalogue::Manifest, Failure> {
    contactor_engine::catalogue::read_manifest(&read(file)?)
        .map_err(|error| Failure::say(Exit::Failed, format_args!("{}: {error}", file.display())))
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        local @ (Command::New(_)
        | Command::Build(_)
        | Command::Check(_)
        | Command::Inspect(_)
        | Command::Docs(_)
        | Command::Keygen(_)
        | Command::Sign(_)
        | Command::Verify(_)) => run_locally(context, &local),
        Command::Dev(args) => dev::run(context, &args).await,
        Command::Install { file } => {
            let connector = context.client()?.install_connector(read(&file)?).await?;
            show(context, &connector)?;
            Ok(context
                .out
                .note(&format!("next: `contactor connection enable WORKSPACE {}`", connector.id))?)
        }
        Command::List => {
            let connectors = context.client()?.connectors().await?;
            let headings =
                ["ID", "VERSION", "NAME", "ENTITIES", "INSTALLED", "DIGEST", "PUBLISHER", "REFUSED"];
            Ok(context.out.list(&connectors, headings, |c| {
                let digest = c.digest.chars().take(12).collect();
                [
                    c.id.clone(),
                    c.version.clone(),
                    c.name.clone(),
                    c.entities.join(" "),
                    when(c.installed_at),
                    digest,
                    or_dash(c.publisher.as_deref()),
                    if c.refused.is_some() { "yes" } else { "" }.to_owned(),
                ]
            })?)
        }
        Command::Show { connector, digest } => {
            let all = context.client()?.connectors().await?;
            let wanted = |c: &&Connector| {
                c.id == connector
                    && digest.as_ref().is_none_or(|begins| c.digest.starts_with(begins.as_str()))
            };
            let Some(found) = all.iter().find(wanted) else {
                let hint = "`contactor connector list` shows those there are";
                return Err(Failure::say(
                    Exit::NotFound,
                    format_args!("no such component of `{connector}`; {hint}"),
                ));
            };
            Ok(show(context, found)?)
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file)
        .map_err(|error| Failure::say(Exit::Usage, format_args!("{}: {error}", file.display())))
}

fn show(context: &Context, connector: &Connector) -> std::io::Result<()> {
    let mut lines = vec![
        ("id", connector.id.clone()),
        ("version", connector.version.clone()),
        ("name", connector.name.clone()),
        ("summary", connector.summary.clone()),
        ("partner", connector.base_url.clone()),
        ("speaks with", connector.hosts.join(", ")),
        ("entities", connector.entities.join(", ")),
        ("digest", connector.digest.clone()),
        ("size", format!("{} bytes", connector.size)),
        ("installed", when(connector.installed_at)),
        ("publisher", connector.publisher.clone().unwrap_or_else(|| "nobody vouches for it".to_owned())),
        ("refused", connector.refused.clone().unwrap_or_default()),
    ];
    lines.extend(connector.asks.iter().map(|one| ("asks for", format!("{}: {}", one.name, one.words))));
    lines.extend(connector.repeatable.iter().map(repeats));
    context.out.one(connector, &lines)
}

/// What is sent once more without asking anybody, for whoever approves it.
pub(super) fn repeats(one: &Repeatable) -> (&'static str, String) {
    ("repeats", format!("POST {}: {}", one.paths.join(", "), one.why))
}
