//! Sealed credentials, and the data keys that seal them and everything else that is secret.

use async_trait::async_trait;

use super::Result;
use crate::model::{
    DataKeys, KeyUse, Resealed, Rewrapped, SealedAt, SealedKind, SealedRow, StoredDataKey, WorkspaceId,
};
use crate::vault::{KeyId, Sealed, WrappedKey};

/// The part of a [`Store`](crate::Store) about credentials and data keys.
#[async_trait]
pub trait VaultStore: Send + Sync + 'static {
    /// Writes a sealed credential under its name (`<workspace>` for HighLevel, `<connection>/<field>` for a partner). `KeyRetired` when
    /// its key is no data key that is in use: it has to be sealed anew.
    async fn put_credential(&self, name: &str, sealed: Sealed) -> Result<()>;
    /// Reads a sealed credential.
    async fn credential(&self, name: &str) -> Result<Option<Sealed>>;

    /// Every data key, those in use and the retired ones.
    async fn data_keys(&self) -> Result<DataKeys>;
    /// The data key with this id; `None` once it was retired, nothing was sealed with it any more, and it was forgotten.
    async fn data_key(&self, id: &KeyId) -> Result<Option<StoredDataKey>>;
    /// The data key that seals what is a workspace's. The workspace need not exist yet.
    async fn data_key_of(&self, workspace: &WorkspaceId) -> Result<Option<StoredDataKey>>;
    /// Takes a data key into use, unless its workspace has one by now. Answers the one in use: of several that are made at the same
    /// time one counts.
    async fn add_data_key(&self, key: WrappedKey) -> Result<StoredDataKey>;
    /// Takes a data key into use in the place of another one, which only opens from then on; unless something else took that place
    /// meanwhile. Answers the one in use.
    async fn replace_data_key(&self, retired: &KeyId, key: WrappedKey) -> Result<StoredDataKey>;
    /// Exchanges the wrapping of data keys that are still wrapped as they were found. Answers how many were.
    async fn rewrap_data_keys(&self, keys: Vec<Rewrapped>) -> Result<u64>;
    /// Asks for new data keys: those in use are of an earlier generation from then on. Answers the new generation.
    async fn begin_key_generation(&self) -> Result<u64>;
    /// How much of everything is sealed with each key.
    async fn key_uses(&self) -> Result<Vec<KeyUse>>;
    /// What of a kind is sealed with a key, at most `limit` rows behind `after`; fewer when they are large. Empty at the end.
    async fn sealed_with(
        &self,
        key: &KeyId,
        kind: SealedKind,
        after: Option<SealedAt>,
        limit: u32,
    ) -> Result<Vec<SealedRow>>;
    /// Puts what was sealed anew in the place of what it was made from; what was changed meanwhile is left alone. Answers how much was
    /// exchanged. `KeyRetired`, and nothing is, when a new key is not in use.
    async fn reseal(&self, rows: Vec<Resealed>) -> Result<u64>;
}
