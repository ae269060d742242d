//! `contactor catalog`: every trigger and action.

use std::path::PathBuf;

use clap::ValueEnum;
use contactor_engine::catalogue;
use contactor_server::dto::{CatalogueEntry, CatalogueKind};

use super::{Context, connector};
use crate::exit::Failure;
use crate::output::{self, word};

/// List every trigger and action: HighLevel's operations and webhook events, what the host finds by itself, and the triggers and
/// actions of connectors. Actions are run with `contactor run`, triggers sent into the sandbox with `contactor emit`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  contactor catalog                            what the host and all installed connectors offer
  contactor catalog --workspace acme --json    with the schema and an example of each
  contactor catalog --manifest plugins/prefinery/connector.toml    without a host")]
pub(crate) struct Args {
    /// Only the connectors that are enabled in this workspace.
    #[arg(long, conflicts_with = "manifest")]
    workspace: Option<String>,
    /// Only triggers, or only actions.
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// As a page of documentation.
    #[arg(long)]
    markdown: bool,
    /// Ask no host: its own entries, and those of this component or `connector.toml`. May be given several times.
    #[arg(long, value_name = "FILE")]
    manifest: Vec<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KindArg {
    Trigger,
    Action,
}

pub(crate) async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let mut entries: Vec<CatalogueEntry> = if args.manifest.is_empty() {
        context.client()?.catalogue(args.workspace.as_deref()).await?
    } else {
        of_files(&args.manifest)?.into_iter().map(Into::into).collect()
    };
    if let Some(kind) = args.kind {
        let kind = if kind == KindArg::Trigger { CatalogueKind::Trigger } else { CatalogueKind::Action };
        entries.retain(|entry| entry.kind == kind);
    }
    if args.markdown {
        let entries: Vec<_> = entries.into_iter().map(Into::into).collect();
        return Ok(context.out.text(catalogue::markdown(&entries).trim_end())?);
    }
    if context.out.json {
        return Ok(output::json(&entries)?);
    }
    let headings = ["ID", "KIND", "HOW", "NAME", "TITLE"];
    context.out.list(&entries, headings, |entry| {
        [entry.id.clone(), word(&entry.kind), word(&entry.way), entry.name.clone(), entry.title.clone()]
    })?;
    Ok(context
        .out
        .note(&format!("{} entries; --json shows parameters and an example of each", entries.len()))?)
}

fn of_files(files: &[PathBuf]) -> Result<Vec<contactor_engine::CatalogueEntry>, Failure> {
    let mut entries = catalogue::of_host();
    for file in files {
        entries.extend(catalogue::of_connector(&connector::manifest(file)?));
    }
    Ok(entries)
}
