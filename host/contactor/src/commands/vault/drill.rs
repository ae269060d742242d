//! `contactor vault drill`: whether keys open a backup.

use std::path::PathBuf;

use contactor_store::sqlite::{self, Drill, Drilled};
use contactor_store::{KeyFile, KeyRing, KeySource as _};

use super::ids;
use crate::commands::{Context, store};
use crate::exit::{Exit, Failure};
use crate::keys::ConfiguredKeys;

/// Say whether keys open a backup: every data key, and every credential, recording and copy for an undo that is sealed. Needs no host,
/// changes nothing, and shows no secret.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  contactor vault drill --backup /backup/contactor.db
  contactor vault drill --backup /backup/contactor.db --key-file /safe/vault.key --json

Ends with 1 when anything does not open. Make a backup with `contactor backup --to /backup/contactor.db`.")]
pub(crate) struct Args {
    /// A backup, or a copy of the database of a stopped host.
    #[arg(long, value_name = "FILE")]
    backup: PathBuf,
    /// Keys to try in the place of the configuration's; several times for several files.
    #[arg(long, value_name = "FILE")]
    key_file: Vec<PathBuf>,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let ring = keys(context, args).await?;
    let drill = sqlite::drill(&args.backup, &ring).map_err(store::failure)?;
    context.out.one(&drill, &lines(&drill))?;
    if drill.is_complete() {
        return Ok(context.out.note("these keys open everything")?);
    }
    Err(Failure::say(
        Exit::Failed,
        format_args!(
            "{} things in {} do not open with {}; the backup needs other keys, or is damaged",
            drill.failed(),
            args.backup.display(),
            ids(&drill.keys)
        ),
    ))
}

async fn keys(context: &Context, args: &Args) -> Result<KeyRing, Failure> {
    let failed = |error| Failure::new(Exit::Usage, error);
    let rings = args.key_file.iter().map(|path| KeyFile::at(path).open());
    match KeyRing::joined(rings.collect::<Result<Vec<_>, _>>().map_err(failed)?) {
        Some(ring) => Ok(ring),
        None => ConfiguredKeys::of(&context.config()?).read().await.map_err(failed),
    }
}

fn lines(drill: &Drill) -> Vec<(&'static str, String)> {
    let of = |drilled: Drilled| format!("{} of {} open", drilled.opened, drilled.total);
    let mut lines = vec![
        ("backup", drill.backup.display().to_string()),
        ("keys", ids(&drill.keys)),
        ("data keys", of(drill.data_keys)),
        ("credentials", of(drill.credentials)),
        ("recordings", of(drill.recordings)),
        ("copies for an undo", of(drill.undos)),
    ];
    if drill.sealed_before > 0 {
        lines.push(("from before data keys", drill.sealed_before.to_string()));
    }
    lines
        .extend(drill.unopened.iter().map(|row| ("does not open", format!("{}: {}", row.name, row.problem))));
    lines
}
