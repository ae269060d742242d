//! The host's own secrets at start: what to say when one is missing or does not fit.

use std::path::Path;

use contactor_store::{Store, StoreError, Vault, VaultError};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::exit::{Exit, Failure};
use crate::secrets::{SecretError, read_private_file};

/// Opens the vault. A missing key is told apart from a lost one: beside a database a new key would be of no use.
pub(super) fn open_vault(key_file: &Path, database: &Path) -> Result<Vault, Failure> {
    if key_file.exists() {
        return Vault::open(key_file).map_err(|error| Failure::new(Exit::Usage, error));
    }
    let key_file = key_file.display();
    if database.exists() {
        return Err(Failure::say(
            Exit::Usage,
            format_args!(
                "there is no vault key at {key_file}, but there is a database at {}\n\
                 restore the key that its credentials were sealed with from your copy, or move the database away",
                database.display()
            ),
        ));
    }
    let dir = std::path::absolute(Path::new("."))?;
    Err(Failure::say(
        Exit::Usage,
        format_args!(
            "there is no vault key at {key_file}, so no credential could be stored\n\
             run `contactor init --dir DIR` for a new host, then `contactor serve --config DIR/contactor.toml` \
             (you are in {})",
            dir.display()
        ),
    ))
}

/// Refuses a key that does not open what is stored; otherwise the first run of every connection would fail instead.
pub(super) async fn check_vault(vault: &Vault, store: &dyn Store) -> Result<(), Failure> {
    let failed = |error: StoreError| Failure::new(Exit::Failed, error);
    for workspace in store.workspaces().await.map_err(failed)? {
        let name = workspace.id.as_str();
        if let Some(sealed) = store.credential(name).await.map_err(failed)?
            && let Err(error @ VaultError::OtherKey { .. }) = vault.unseal(&workspace.id, name, &sealed)
        {
            return Err(Failure::new(Exit::Usage, error));
        }
    }
    Ok(())
}

pub(super) fn no_admin_token(error: &SecretError) -> Failure {
    Failure::say(
        Exit::Usage,
        format_args!(
            "the admin API has no token: {error}\n\
             `contactor init` writes one; or put 32 or more random characters into that file and `chmod 600` it"
        ),
    )
}

/// The key that authenticates compiled components. Derived from the vault's key file, so that there is one file to keep; a
/// different file only means that everything is compiled again.
pub(super) fn cache_key(key_file: &Path) -> Result<[u8; 32], Failure> {
    derive(read_private_file(key_file)?.expose_secret())
}

fn derive(secret: &str) -> Result<[u8; 32], Failure> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|error| {
        Failure::say(Exit::Failed, format_args!("the cache key cannot be derived: {error}"))
    })?;
    Ok(mac.chain_update(b"contactor compiled components 1").finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_key_is_stable_and_follows_the_vaults_key() {
        assert_eq!(derive("fake-key-a").unwrap(), derive("fake-key-a").unwrap());
        assert_ne!(derive("fake-key-a").unwrap(), derive("fake-key-b").unwrap());
    }

    #[test]
    fn a_lost_key_is_told_apart_from_a_host_that_was_never_set_up() {
        let dir = tempfile::tempdir().unwrap();
        let (key, database) = (dir.path().join("vault.key"), dir.path().join("contactor.db"));
        assert!(open_vault(&key, &database).unwrap_err().to_string().contains("contactor init"));
        std::fs::write(&database, "").unwrap();
        let lost = open_vault(&key, &database).unwrap_err().to_string();
        assert!(lost.contains("restore the key") && !lost.contains("contactor init"), "{lost}");
    }
}
