//! A key, its id, and what it sealed.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret, SecretBox};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::VaultError;

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Which key sealed something: 16 hex digits derived from the key itself, so that a wrong key is recognised before it is
/// tried.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// A key id that was stored as text.
    pub fn from_stored(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A 256-bit key. Wiped from memory when dropped; never shown.
pub struct SecretKey {
    bytes: SecretBox<[u8; KEY_BYTES]>,
    id: KeyId,
}

impl SecretKey {
    /// A new key from the operating system's randomness.
    pub fn random() -> Result<Self, VaultError> {
        let mut filled = Ok(());
        let bytes = SecretBox::init_with_mut(|bytes: &mut [u8; KEY_BYTES]| filled = random(bytes));
        filled.map(|()| Self::new(bytes))
    }

    /// A key of these bytes, if there are as many as a key has.
    pub(super) fn from_bytes(given: &[u8]) -> Option<Self> {
        (given.len() == KEY_BYTES).then(|| {
            Self::new(SecretBox::init_with_mut(|bytes: &mut [u8; KEY_BYTES]| bytes.copy_from_slice(given)))
        })
    }

    /// The id is the first half of a hash of the key, in a domain of its own.
    fn new(bytes: SecretBox<[u8; KEY_BYTES]>) -> Self {
        let hash = Sha256::new()
            .chain_update(b"contactor vault key 1")
            .chain_update(bytes.expose_secret())
            .finalize();
        Self { bytes, id: KeyId(hex::encode(&hash[..8])) }
    }

    /// The key's id.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// A key for something else, which says nothing about this one.
    pub fn derive(&self, purpose: &[u8]) -> Result<[u8; 32], VaultError> {
        let mac = Hmac::<Sha256>::new_from_slice(self.bytes().as_slice()).map_err(|_| VaultError::Key {
            id: self.id.clone(),
            problem: "nothing can be derived from it",
        })?;
        Ok(mac.chain_update(purpose).finalize().into_bytes().into())
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        self.bytes.expose_secret()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id)
    }
}

/// Something sealed, as it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The key that sealed it.
    pub key_id: KeyId,
    /// Nonce, ciphertext and authentication tag.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes under {})", self.bytes.len(), self.key_id)
    }
}

/// Fills bytes from the operating system's randomness.
pub(super) fn random(bytes: &mut [u8]) -> Result<(), VaultError> {
    SysRng.try_fill_bytes(bytes).map_err(|error| VaultError::NoRandomness(error.to_string()))
}
