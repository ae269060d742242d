//! `contactor backup`: a copy of the database, while the host works.

use std::path::PathBuf;

use contactor_store::StoreError;
use contactor_store::sqlite;

use super::{Context, store};
use crate::exit::{Exit, Failure};
use crate::output::or_dash;

/// Write a copy of the database to a file: all that is committed at this moment, while the host works or when it is stopped. The file
/// belongs to its owner alone. The keys of the vault are not in it: keep them apart, and try both together with `contactor vault drill`.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  contactor backup --to /backup/contactor.db
  contactor store check --database /backup/contactor.db
  contactor vault drill --backup /backup/contactor.db")]
pub(crate) struct Args {
    /// A file that does not exist yet; on another disk.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Reads the database by itself, so it takes as long as it takes.
pub(crate) fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let config = context.config()?;
    let backup = sqlite::backup(&config.path(&config.store.path), &args.to).map_err(failure)?;
    let lines = [
        ("backup", backup.file.display().to_string()),
        ("bytes", backup.bytes.to_string()),
        ("last commit", or_dash(backup.commit)),
    ];
    context.out.one(&backup, &lines)?;
    Ok(context.out.note(&format!(
        "next: `contactor vault drill --backup {}` says whether your keys open it",
        backup.file.display()
    ))?)
}

fn failure(error: StoreError) -> Failure {
    match error {
        taken @ StoreError::Conflict { .. } => Failure::new(Exit::Usage, taken),
        other => store::failure(other),
    }
}
