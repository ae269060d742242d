//! What is sealed at rest: credentials, recordings, and what an undo needs.
//!
//! Two layers of keys. Whatever belongs to a workspace is sealed with that workspace's [`DataKey`]; data keys lie in the store,
//! each wrapped with a *key-encryption key*, which never does: a [`KeySource`] reads it from a file, a variable or a command.
//! So the operator's key can change without touching a single credential (the data keys are wrapped anew), and data keys can
//! change without the operator's key.
//!
//! Everything is sealed with XChaCha20-Poly1305. The nonce is 192 random bits, so no counter has to survive a restored backup.
//! Associated data binds workspace, connection, name and key id ([`Purpose`]): a row that somebody copies to another place, or
//! whose key id somebody exchanges, does not open. A wrapped data key is bound to its workspace, its own id and its wrapping key.
//!
//! Hosts before data keys sealed with the operator's key itself. Such rows are known by their key id and still open
//! ([`open_as_before`]); the engine seals them anew when it starts.

mod aead;
mod check;
mod data_key;
mod error;
mod file_key;
mod key;
mod key_command;
mod key_file;
mod purpose;
mod ring;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

pub use check::check_keys;
pub use data_key::{DataKey, WrappedKey, open_as_before};
pub use error::VaultError;
pub use file_key::{FileKey, random_secret};
pub use key::{KeyId, Sealed, SecretKey};
pub use key_command::KeyCommand;
pub use key_file::KeyFile;
pub use purpose::Purpose;
pub use ring::KeyRing;

/// Where key-encryption keys come from. Read at the start, and again when an operator asks for it.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// Reads the keys.
    async fn read(&self) -> Result<KeyRing, VaultError>;

    /// What it is, for people: never any part of a key.
    fn describe(&self) -> String;

    /// Whether it is a file, which can be read at any time just to say that there is a new key, and which this program can change.
    fn is_file(&self) -> bool {
        false
    }
}

/// The key-encryption keys at hand, and where they come from.
pub struct Vault {
    source: Box<dyn KeySource>,
    ring: RwLock<Arc<KeyRing>>,
}

impl Vault {
    /// Reads the keys of a source.
    pub async fn open(source: impl KeySource) -> Result<Self, VaultError> {
        let ring = source.read().await?;
        Ok(Self::with(source, ring))
    }

    /// Makes a key file with a new key; fails when the file exists already. See [`KeyFile::create`].
    pub fn create_key(path: &Path) -> Result<Self, VaultError> {
        let (file, ring) = KeyFile::create(path)?;
        Ok(Self::with(file, ring))
    }

    fn with(source: impl KeySource, ring: KeyRing) -> Self {
        Self { source: Box::new(source), ring: RwLock::new(Arc::new(ring)) }
    }

    /// The keys at hand. Whoever needs them for more than one step takes them once.
    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the source again, without using what it says: the caller checks it first.
    pub async fn read_again(&self) -> Result<KeyRing, VaultError> {
        self.source.read().await
    }

    /// Works with these keys from now on.
    pub fn adopt(&self, ring: KeyRing) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    /// Where the keys come from, for people.
    pub fn source(&self) -> String {
        self.source.describe()
    }

    /// Whether the keys come from a file.
    pub fn is_file(&self) -> bool {
        self.source.is_file()
    }

    /// The current key of a file, when that is another one than the one at hand.
    pub async fn offered(&self) -> Option<KeyId> {
        if !self.is_file() {
            return None;
        }
        let offered = self.source.read().await.ok()?.current().id().clone();
        (offered != *self.ring().current().id()).then_some(offered)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({}, {:?})", self.source(), self.ring())
    }
}
