//! The host's own secrets at start: what to say when one is missing or does not fit.

use std::path::Path;

use contactor_store::{KeyFile, Store, StoreError, Vault, VaultError, check_keys};

use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::keys::ConfiguredKeys;
use crate::secrets::SecretError;

/// Opens the vault. A missing key is told apart from a lost one: beside a database a new key would be of no use.
pub(super) async fn open_vault(config: &Config, database: &Path) -> Result<Vault, Failure> {
    let keys = ConfiguredKeys::of(config);
    if let Some(file) = keys.file().filter(|file| !file.path().exists()) {
        return Err(no_key_file(file, database)?);
    }
    Vault::open(keys).await.map_err(failed)
}

fn no_key_file(file: &KeyFile, database: &Path) -> std::io::Result<Failure> {
    let key_file = file.path().display();
    if database.exists() {
        return Ok(Failure::say(
            Exit::Usage,
            format_args!(
                "there is no vault key at {key_file}, but there is a database at {}\n\
                 restore the key that its credentials were sealed with from your copy, or move the database away",
                database.display()
            ),
        ));
    }
    let dir = std::path::absolute(Path::new("."))?;
    Ok(Failure::say(
        Exit::Usage,
        format_args!(
            "there is no vault key at {key_file}, so no credential could be stored\n\
             run `contactor init --dir DIR` for a new host, then `contactor serve --config DIR/contactor.toml` \
             (you are in {})",
            dir.display()
        ),
    ))
}

/// Refuses keys that do not open what is stored; otherwise the first run of every connection would fail instead.
pub(super) async fn check_vault(vault: &Vault, store: &dyn Store) -> Result<(), Failure> {
    let unread = |error: StoreError| Failure::new(Exit::Failed, error);
    let (keys, uses) = (store.data_keys().await.map_err(unread)?, store.key_uses().await.map_err(unread)?);
    check_keys(&vault.ring(), &keys, &uses).map_err(failed)
}

fn failed(error: VaultError) -> Failure {
    Failure::new(Exit::Usage, error)
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

/// The key that authenticates compiled components until the vault's key is exchanged.
pub(super) fn cache_key(vault: &Vault) -> Result<[u8; 32], Failure> {
    contactor_engine::cache_key(&vault.ring()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_cache_key_is_stable_and_follows_the_vaults_current_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vault.key");
        let vault = Vault::create_key(&path).unwrap();
        let key = cache_key(&vault).unwrap();
        assert_eq!(cache_key(&Vault::open(KeyFile::at(&path)).await.unwrap()).unwrap(), key);
        KeyFile::at(&path).add_key().unwrap();
        assert_ne!(cache_key(&Vault::open(KeyFile::at(&path)).await.unwrap()).unwrap(), key);
    }

    #[test]
    fn a_lost_key_is_told_apart_from_a_host_that_was_never_set_up() {
        let dir = tempfile::tempdir().unwrap();
        let (key, database) = (KeyFile::at(dir.path().join("vault.key")), dir.path().join("contactor.db"));
        assert!(no_key_file(&key, &database).unwrap().to_string().contains("contactor init"));
        std::fs::write(&database, "").unwrap();
        let lost = no_key_file(&key, &database).unwrap().to_string();
        assert!(lost.contains("restore the key") && !lost.contains("contactor init"), "{lost}");
    }
}
