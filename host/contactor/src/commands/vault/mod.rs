//! `contactor vault`: the keys of what is sealed.

mod drill;
mod file;
mod rotate;

use clap::Subcommand;
use contactor_server::dto::VaultStatus;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::keys::ConfiguredKeys;
use crate::output::{or_dash, word};

#[derive(Subcommand)]
#[command(after_help = "\
Two layers of keys: each workspace has a data key, which seals what is the workspace's; data keys lie in the database, wrapped with
the key of the configuration's source. Both can be exchanged while the host works:
  contactor vault new-key            put a new key before the others
  contactor vault rotate             use it, give every workspace a new data key, seal everything anew
  contactor vault drop-former        take the former key away, when no backup needs it any more")]
pub(crate) enum Command {
    /// Show which keys there are, what is under which, and what comes next.
    #[command(after_help = "Examples:\n  contactor vault status\n  contactor vault status --json")]
    Status,
    /// Exchange keys while the host works.
    Rotate(rotate::Args),
    /// Put a new key before those in the key file. It is used from the next rotation, or start, on.
    NewKey(file::NewKeyArgs),
    /// Take former keys out of the key file that nothing needs any more.
    DropFormer(file::DropFormerArgs),
    /// Say whether keys open a backup: every data key and everything that is sealed. Needs no host; changes and shows nothing.
    Drill(drill::Args),
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Status => {
            let status = context.client()?.vault().await?;
            show(context, &status)?;
            Ok(note_next(context, &status)?)
        }
        Command::Rotate(args) => rotate::run(context, &args).await,
        Command::NewKey(args) => file::new_key(context, &args),
        Command::DropFormer(args) => file::drop_former(context, &args).await,
        Command::Drill(args) => drill::run(context, &args).await,
    }
}

fn show(context: &Context, status: &VaultStatus) -> std::io::Result<()> {
    context.out.one(status, &lines(status))
}

fn lines(status: &VaultStatus) -> Vec<(&'static str, String)> {
    let of = |what: u64, left: u64, to: &str| match left {
        0 => what.to_string(),
        left => format!("{what}, {left} of them to be {to}"),
    };
    let mut lines = vec![
        ("keys from", status.source.clone()),
        ("current key", status.current.clone()),
        ("not read yet", or_dash(status.offered.clone())),
    ];
    lines.extend(status.former.iter().map(|former| {
        let needed = match (former.data_keys, former.rows) {
            (0, 0) => "nothing needs it".to_owned(),
            (keys, 0) => format!("{keys} data keys need it"),
            (keys, rows) => format!("{keys} data keys and {rows} rows need it"),
        };
        ("former key", format!("{}: {needed}", former.key))
    }));
    lines.push(("data keys", of(status.data_keys, status.to_replace, "replaced")));
    lines.push(("retired data keys", status.retired.to_string()));
    lines.push(("to be wrapped anew", status.to_rewrap.to_string()));
    lines.extend(status.sealed.iter().map(|count| {
        let name = match count.kind {
            contactor_server::dto::SealedKind::Credential => "credentials",
            contactor_server::dto::SealedKind::Recording => "recordings",
            contactor_server::dto::SealedKind::Undo => "copies for an undo",
        };
        (name, of(count.current + count.older, count.older, "sealed anew"))
    }));
    let state = match (status.done, status.running, &status.stopped) {
        (true, _, _) => "everything is under the current keys".to_owned(),
        (false, _, Some(why)) => format!("stopped, and tried again by itself: {why}"),
        (false, true, None) => "exchanging keys".to_owned(),
        (false, false, None) => "about to exchange keys".to_owned(),
    };
    lines.push(("state", state));
    if status.unopenable > 0 {
        lines.push(("do not open", status.unopenable.to_string()));
    }
    lines.extend(status.examples.iter().map(|row| ("", format!("{}: {}", row.name, row.problem))));
    lines
}

fn note_next(context: &Context, status: &VaultStatus) -> std::io::Result<()> {
    use contactor_server::dto::KeyStep;
    let next = match (status.next, status.in_file) {
        (KeyStep::Nothing, _) => return Ok(()),
        (KeyStep::Wait, _) => "the host goes on by itself; `contactor vault status` shows how far it is",
        (KeyStep::Rotate, _) => "next: `contactor vault rotate` uses the new key",
        (KeyStep::Repair, _) => {
            "next: enter the credentials that do not open again; recordings and copies for an undo go with their time"
        }
        (KeyStep::DropFormer, true) => {
            "next: once no backup needs the former key, `contactor vault drop-former` takes it out of the key file"
        }
        (KeyStep::DropFormer, false) => {
            "next: once no backup needs the former key, take its line out of where the keys come from"
        }
    };
    context.out.note(next)
}

/// The key file of the configuration, or why there is none to change.
fn key_file(context: &Context) -> Result<contactor_store::KeyFile, Failure> {
    let keys = ConfiguredKeys::of(&context.config()?);
    keys.file().cloned().ok_or_else(|| {
        use contactor_store::KeySource as _;
        Failure::say(
            Exit::Usage,
            format_args!(
                "the keys come from {}: change them there (the new line first), or name a file with --key-file",
                keys.describe()
            ),
        )
    })
}

/// A key as a line says it.
fn ids<'a>(keys: impl IntoIterator<Item = &'a contactor_store::KeyId>) -> String {
    let ids: Vec<_> = keys.into_iter().map(word).collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}
