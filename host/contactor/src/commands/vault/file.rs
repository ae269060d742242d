//! `contactor vault new-key` and `drop-former`: the lines of the key file.

use std::path::PathBuf;

use contactor_server::dto::VaultStatus;
use contactor_store::{KeyFile, KeyId, StoreError, VaultError, sqlite};
use serde::Serialize;

use super::{ids, key_file};
use crate::client::ClientError;
use crate::commands::{Context, store};
use crate::exit::{Exit, Failure};

/// Put a new key before those in the key file, which still open what they wrapped. The host uses it from its next rotation, or start,
/// on.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  contactor vault new-key && contactor vault rotate
  contactor vault new-key --key-file new.key      a file of its own, for a variable or a key management service")]
pub(crate) struct NewKeyArgs {
    /// Another key file than the configuration's; made if it is missing.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Take former keys out of the key file. Those that the database needs still are kept. Backups from before the rotation need them:
/// copy the file to where those backups' keys lie, first.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  contactor vault drop-former")]
pub(crate) struct DropFormerArgs {}

/// What lies in a key file: ids alone.
#[derive(Serialize)]
struct Keys {
    key_file: PathBuf,
    current: KeyId,
    former: Vec<KeyId>,
}

impl Keys {
    fn of(file: &KeyFile) -> Result<Self, VaultError> {
        let ring = file.open()?;
        Ok(Self {
            key_file: file.path().to_owned(),
            current: ring.current().id().clone(),
            former: ring.former().cloned().collect(),
        })
    }

    fn show(&self, context: &Context) -> std::io::Result<()> {
        let lines = [
            ("key file", self.key_file.display().to_string()),
            ("current key", self.current.to_string()),
            ("former keys", ids(&self.former)),
        ];
        context.out.one(self, &lines)
    }
}

pub(super) fn new_key(context: &Context, args: &NewKeyArgs) -> Result<(), Failure> {
    let file = match &args.key_file {
        Some(path) => KeyFile::at(path),
        None => key_file(context)?,
    };
    // Without --key-file a missing file is a lost key, and not one to be made.
    if args.key_file.is_some() && !file.path().exists() {
        KeyFile::create(file.path()).map_err(failure)?;
    } else {
        file.add_key().map_err(failure)?;
    }
    Keys::of(&file).map_err(failure)?.show(context)?;
    let next = if args.key_file.is_some() {
        "next: put the new line first where the host's keys come from; the former ones stay below it"
    } else {
        "next: copy the key file to where you keep its copy, then `contactor vault rotate`"
    };
    Ok(context.out.note(next)?)
}

pub(super) async fn drop_former(context: &Context, _: &DropFormerArgs) -> Result<(), Failure> {
    let file = key_file(context)?;
    let keys = Keys::of(&file).map_err(failure)?;
    let needed = needed(context, &keys).await?;
    let (kept, unneeded): (Vec<_>, Vec<_>) =
        keys.former.iter().cloned().partition(|key| needed.contains(key));
    if unneeded.is_empty() {
        if kept.is_empty() {
            keys.show(context)?;
            return Ok(context.out.note("there is no former key")?);
        }
        return Err(Failure::say(
            Exit::Refused,
            format_args!(
                "the database still needs {}; nothing was changed\n\
                 `contactor vault rotate` wraps everything with {}",
                ids(&kept),
                keys.current
            ),
        ));
    }
    file.drop_keys(&unneeded).map_err(failure)?;
    Keys::of(&file).map_err(failure)?.show(context)?;
    Ok(context
        .out
        .note(&format!("taken out: {}; backups that were made under them need them", ids(&unneeded)))?)
}

/// The keys that the database needs, as the running host says; without one, as the database itself says.
async fn needed(context: &Context, keys: &Keys) -> Result<Vec<KeyId>, Failure> {
    match context.client()?.vault().await {
        Ok(status) => needed_by(&status, &keys.current),
        Err(ClientError::Unreachable { .. }) => {
            let config = context.config()?;
            match sqlite::needed_keys(&config.path(&config.store.path)) {
                Ok(needed) => Ok(needed.into_keys().collect()),
                Err(StoreError::NotFound { .. }) => Ok(Vec::new()),
                // A host is there that does not answer here: it may still wrap with a former key.
                Err(other) => Err(store::failure(other)),
            }
        }
        Err(other) => Err(other.into()),
    }
}

fn needed_by(status: &VaultStatus, current: &KeyId) -> Result<Vec<KeyId>, Failure> {
    // A host that has not read the file again wraps new data keys with what it knows.
    if status.current != current.as_str() {
        return Err(Failure::say(
            Exit::Refused,
            format_args!(
                "the host still wraps with {}, and the key file begins with {current}; nothing was changed\n\
                 `contactor vault rotate --keys wrapping` makes it use that one",
                status.current
            ),
        ));
    }
    let needed = status.former.iter().filter(|former| former.data_keys + former.rows > 0);
    Ok(needed.map(|former| KeyId::from_stored(former.key.as_str())).collect())
}

fn failure(error: VaultError) -> Failure {
    Failure::new(Exit::Usage, error)
}
