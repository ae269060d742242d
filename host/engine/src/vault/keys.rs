//! The workspaces' data keys as this process has them: unwrapped, in memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use contactor_store::{
    DataKey, KeyId, KeyRing, Purpose, Sealed, Store, StoreError, StoredDataKey, Vault, VaultError,
    WorkspaceId, open_as_before,
};
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::error::EngineError;

/// How often something is read again, or sealed again, because its key was replaced meanwhile. Keys are replaced by hand: twice
/// within one such step has not happened yet.
const ATTEMPTS: usize = 4;

/// Seals and opens with the workspaces' data keys.
///
/// A key that is in use is remembered until the store says that it was retired: the store refuses what was sealed with another one,
/// so that nothing is ever kept under a key that is about to be forgotten.
pub(crate) struct Keys {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    known: RwLock<Known>,
    /// Held while a key is made or the wrapping keys are exchanged, so that no data key is wrapped with a key that was just given up.
    making: Mutex<()>,
}

#[derive(Default)]
struct Known {
    in_use: HashMap<WorkspaceId, Arc<DataKey>>,
    all: HashMap<KeyId, Arc<DataKey>>,
}

impl Keys {
    pub(crate) fn new(store: Arc<dyn Store>, vault: Arc<Vault>) -> Self {
        Self { store, vault, known: RwLock::default(), making: Mutex::default() }
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Seals something with its workspace's key.
    pub(crate) async fn seal(&self, purpose: &Purpose, secret: &SecretString) -> Result<Sealed, EngineError> {
        Ok(self.of(purpose.workspace()).await?.seal(purpose, secret)?)
    }

    /// Seals something and stores it; again with a new key when the one that sealed it was replaced before it was stored.
    pub(crate) async fn keep<T, F, Kept>(
        &self,
        purpose: &Purpose,
        secret: &SecretString,
        store: F,
    ) -> Result<T, EngineError>
    where
        F: Fn(Sealed) -> Kept + Send,
        Kept: Future<Output = Result<T, StoreError>> + Send,
        T: Send,
    {
        let mut attempts = 1;
        loop {
            match store(self.seal(purpose, secret).await?).await {
                Err(StoreError::KeyRetired { key }) if attempts < ATTEMPTS => {
                    attempts += 1;
                    self.forget_use(&key);
                }
                kept => return Ok(kept?),
            }
        }
    }

    /// Opens something. When its key is gone it was sealed anew since it was read, and is read again; `None` when it is gone as well.
    pub(crate) async fn open<F, Read>(
        &self,
        purpose: &Purpose,
        sealed: Sealed,
        read: F,
    ) -> Result<Option<SecretString>, EngineError>
    where
        F: Fn() -> Read + Send,
        Read: Future<Output = Result<Option<Sealed>, StoreError>> + Send,
    {
        let mut sealed = sealed;
        for _ in 0..ATTEMPTS {
            if let Some(secret) = self.open_as_read(purpose, &sealed).await? {
                return Ok(Some(secret));
            }
            let Some(again) = read().await? else { return Ok(None) };
            if again == sealed {
                break;
            }
            sealed = again;
        }
        Err(self.lost(purpose, sealed.key_id).into())
    }

    /// Opens something as it was read; `None` when nobody has its key.
    pub(crate) async fn open_as_read(
        &self,
        purpose: &Purpose,
        sealed: &Sealed,
    ) -> Result<Option<SecretString>, EngineError> {
        match self.by_id(&sealed.key_id).await? {
            Some(key) => Ok(Some(key.open(purpose, sealed)?)),
            None => Ok(open_as_before(&self.vault.ring(), purpose, sealed).transpose()?),
        }
    }

    /// Why something does not open whose key is nowhere.
    pub(crate) fn lost(&self, purpose: &Purpose, key_id: KeyId) -> VaultError {
        let current = self.vault.ring().current().id().clone();
        VaultError::OtherKey { name: purpose.name().to_owned(), key_id, current }
    }

    /// The key of a workspace that is in use; made when there is none, and stored before it seals anything.
    async fn of(&self, workspace: &WorkspaceId) -> Result<Arc<DataKey>, EngineError> {
        if let Some(key) = self.known().in_use.get(workspace) {
            return Ok(Arc::clone(key));
        }
        let _making = self.making.lock().await;
        if let Some(key) = self.known().in_use.get(workspace) {
            return Ok(Arc::clone(key));
        }
        let stored = match self.store.data_key_of(workspace).await? {
            Some(stored) => stored,
            None => {
                let new = DataKey::random(workspace.clone())?.wrap(&self.vault.ring())?;
                self.store.add_data_key(new).await?
            }
        };
        self.take(&stored)
    }

    /// Puts a new key in the place of one that is in use.
    pub(crate) async fn replace(&self, stored: &StoredDataKey) -> Result<(), EngineError> {
        let _making = self.making.lock().await;
        let new = DataKey::random(stored.key.workspace.clone())?.wrap(&self.vault.ring())?;
        let in_use = self.store.replace_data_key(&stored.key.id, new).await?;
        self.take(&in_use).map(drop)
    }

    /// Wraps with other keys from now on.
    pub(crate) async fn wrap_with(&self, ring: KeyRing) {
        let _making = self.making.lock().await;
        self.vault.adopt(ring);
    }

    async fn by_id(&self, id: &KeyId) -> Result<Option<Arc<DataKey>>, EngineError> {
        if let Some(key) = self.known().all.get(id) {
            return Ok(Some(Arc::clone(key)));
        }
        let Some(stored) = self.store.data_key(id).await? else { return Ok(None) };
        let key = Arc::new(DataKey::unwrap(&stored.key, &self.vault.ring())?);
        self.known_mut().all.insert(id.clone(), Arc::clone(&key));
        Ok(Some(key))
    }

    /// Remembers a key that is in use.
    fn take(&self, stored: &StoredDataKey) -> Result<Arc<DataKey>, EngineError> {
        let known = self.known().all.get(&stored.key.id).cloned();
        let key = match known {
            Some(key) => key,
            None => Arc::new(DataKey::unwrap(&stored.key, &self.vault.ring())?),
        };
        let mut known = self.known_mut();
        known.all.insert(stored.key.id.clone(), Arc::clone(&key));
        known.in_use.insert(stored.key.workspace.clone(), Arc::clone(&key));
        Ok(key)
    }

    /// A key seals nothing any more.
    pub(crate) fn forget_use(&self, id: &KeyId) {
        self.known_mut().in_use.retain(|_, key| key.id() != id);
    }

    /// Wipes the keys that the store has forgotten.
    pub(crate) fn forget_all_but(&self, stored: &HashSet<KeyId>) {
        let mut known = self.known_mut();
        known.all.retain(|id, _| stored.contains(id));
        known.in_use.retain(|_, key| stored.contains(key.id()));
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
