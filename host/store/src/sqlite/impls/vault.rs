//! Sealed credentials, and the data keys that seal them and everything else that is secret.

use async_trait::async_trait;

use crate::model::{
    DataKeys, KeyUse, Resealed, Rewrapped, SealedAt, SealedKind, SealedRow, StoredDataKey, WorkspaceId,
};
use crate::sqlite::{Result, SqliteStore, configuration, data_keys, sealed};
use crate::store::VaultStore;
use crate::vault::{KeyId, Sealed, WrappedKey};

#[async_trait]
impl VaultStore for SqliteStore {
    async fn put_credential(&self, name: &str, sealed: Sealed) -> Result<()> {
        let name = name.to_owned();
        self.write(move |db| configuration::put_credential(db, &name, &sealed)).await
    }

    async fn credential(&self, name: &str) -> Result<Option<Sealed>> {
        let name = name.to_owned();
        self.read(move |db| configuration::credential(db, &name)).await
    }

    async fn data_keys(&self) -> Result<DataKeys> {
        self.read(data_keys::all).await
    }

    async fn data_key(&self, id: &KeyId) -> Result<Option<StoredDataKey>> {
        let id = id.clone();
        self.read(move |db| data_keys::find(db, &id)).await
    }

    async fn data_key_of(&self, workspace: &WorkspaceId) -> Result<Option<StoredDataKey>> {
        let workspace = workspace.clone();
        self.read(move |db| data_keys::in_use(db, &workspace)).await
    }

    async fn add_data_key(&self, key: WrappedKey) -> Result<StoredDataKey> {
        let now = self.now();
        self.write(move |db| data_keys::add(db, &key, now)).await
    }

    async fn replace_data_key(&self, retired: &KeyId, key: WrappedKey) -> Result<StoredDataKey> {
        let (retired, now) = (retired.clone(), self.now());
        self.write(move |db| data_keys::replace(db, &retired, &key, now)).await
    }

    async fn rewrap_data_keys(&self, keys: Vec<Rewrapped>) -> Result<u64> {
        self.write(move |db| data_keys::rewrap(db, &keys)).await
    }

    async fn begin_key_generation(&self) -> Result<u64> {
        self.write(data_keys::begin_key_generation).await
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>> {
        self.read(sealed::uses).await
    }

    async fn sealed_with(
        &self,
        key: &KeyId,
        kind: SealedKind,
        after: Option<SealedAt>,
        limit: u32,
    ) -> Result<Vec<SealedRow>> {
        let key = key.clone();
        self.read(move |db| sealed::page(db, kind, &key, after.as_ref(), limit)).await
    }

    async fn reseal(&self, rows: Vec<Resealed>) -> Result<u64> {
        self.write(move |db| sealed::reseal(db, &rows)).await
    }
}
