//! Credentials at rest: sealed with XChaCha20-Poly1305 before they reach the store.
//!
//! A [`Vault`] seals and opens; a [`KeySource`] says with which keys. Today's source is a [`KeyFile`] with one key. Two
//! layers of keys, or a rotation during which old rows still open, are other sources behind the same two calls: every
//! sealed row names its key.
//!
//! The nonce is 192 random bits, so no counter has to survive a restored backup. Workspace, name and key id are bound in
//! as associated data: a row that somebody copies to another workspace or another name does not open.

mod key_file;

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::model::WorkspaceId;

pub use key_file::KeyFile;

const NONCE_BYTES: usize = 24;

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
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// A new key from the operating system's randomness.
    pub fn random() -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new([0; 32]);
        random(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// The key's id: the first half of a hash of it, in a domain of its own.
    pub fn id(&self) -> KeyId {
        let hash =
            Sha256::new().chain_update(b"contactor vault key 1").chain_update(self.0.as_slice()).finalize();
        KeyId(hex::encode(&hash[..8]))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id())
    }
}

/// Where a vault's keys come from.
pub trait KeySource: Send + Sync + 'static {
    /// The key that seals from now on.
    fn current(&self) -> &SecretKey;
    /// The key with this id, to open what it sealed.
    fn key(&self, id: &KeyId) -> Option<&SecretKey>;
}

/// A credential as it is stored.
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

/// Seals credentials and opens them again.
pub struct Vault {
    keys: Box<dyn KeySource>,
}

impl Vault {
    /// A vault with keys of any source.
    pub fn new(keys: impl KeySource) -> Self {
        Self { keys: Box::new(keys) }
    }

    /// Makes a key file with a new key; fails when the file exists already. See [`KeyFile::create`].
    pub fn create_key(path: &std::path::Path) -> Result<Self, VaultError> {
        Ok(Self::new(KeyFile::create(path)?))
    }

    /// Opens a key file. See [`KeyFile::open`].
    pub fn open(path: &std::path::Path) -> Result<Self, VaultError> {
        Ok(Self::new(KeyFile::open(path)?))
    }

    /// The key that seals from now on.
    pub fn key_id(&self) -> KeyId {
        self.keys.current().id()
    }

    /// Seals a secret for one workspace and one name.
    pub fn seal(
        &self,
        workspace: &WorkspaceId,
        name: &str,
        secret: &SecretString,
    ) -> Result<Sealed, VaultError> {
        let key = self.keys.current();
        let key_id = key.id();
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let message =
            Payload { msg: secret.expose_secret().as_bytes(), aad: &binding(workspace, name, &key_id) };
        let ciphertext = cipher(key).encrypt(&XNonce::from(nonce), message).map_err(|_| {
            VaultError::Unusable { name: name.to_owned(), problem: "it is too large to be sealed" }
        })?;
        Ok(Sealed { key_id, bytes: [nonce.as_slice(), &ciphertext].concat() })
    }

    /// Opens a secret that was sealed for this workspace and this name.
    pub fn unseal(
        &self,
        workspace: &WorkspaceId,
        name: &str,
        sealed: &Sealed,
    ) -> Result<SecretString, VaultError> {
        let key = self.keys.key(&sealed.key_id).ok_or_else(|| VaultError::OtherKey {
            name: name.to_owned(),
            key_id: sealed.key_id.clone(),
            current: self.key_id(),
        })?;
        let unusable = |problem| VaultError::Unusable { name: name.to_owned(), problem };
        let (nonce, ciphertext) =
            sealed.bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| unusable("it is too short"))?;
        let message = Payload { msg: ciphertext, aad: &binding(workspace, name, &sealed.key_id) };
        let plain = cipher(key)
            .decrypt(&XNonce::from(*nonce), message)
            .map_err(|_| unusable("it was altered, or belongs to another workspace or name"))?;
        match String::from_utf8(plain) {
            Ok(text) => Ok(SecretString::from(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(unusable("it is no text"))
            }
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.key_id())
    }
}

/// Why a credential could not be sealed or opened. Never holds any part of a secret.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file cannot be read or written.
    #[error("the key file {} cannot be {action}: {source}", path.display())]
    KeyFile {
        /// The key file.
        path: std::path::PathBuf,
        /// `created` or `read`.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than its owner can read the key file.
    #[error(
        "the key file {} is open to others (mode {mode:03o}); run `chmod 600` on it, and consider the key known to them",
        path.display()
    )]
    KeyFileExposed {
        /// The key file.
        path: std::path::PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file holds something else than a key.
    #[error("the key file {} is no key file: {problem}; restore it from a backup", path.display())]
    KeyFileUnreadable {
        /// The key file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A credential was sealed with a key that is not at hand.
    #[error(
        "the credential `{name}` was sealed with key {key_id}, but the key at hand is {current}: restore that key, or enter the credential again"
    )]
    OtherKey {
        /// The credential.
        name: String,
        /// The key that sealed it.
        key_id: KeyId,
        /// The key at hand.
        current: KeyId,
    },
    /// A stored credential does not open.
    #[error("the credential `{name}` cannot be used: {problem}; enter it again")]
    Unusable {
        /// The credential.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness: {0}")]
    NoRandomness(String),
}

fn cipher(key: &SecretKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*key.0))
}

fn random(bytes: &mut [u8]) -> Result<(), VaultError> {
    SysRng.try_fill_bytes(bytes).map_err(|error| VaultError::NoRandomness(error.to_string()))
}

/// The associated data. Each part is preceded by its length, so that no two lists of parts read the same.
fn binding(workspace: &WorkspaceId, name: &str, key: &KeyId) -> Vec<u8> {
    let mut data = b"contactor credential 1".to_vec();
    for part in [workspace.as_str(), name, key.as_str()] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OneKey(SecretKey);

    impl KeySource for OneKey {
        fn current(&self) -> &SecretKey {
            &self.0
        }

        fn key(&self, id: &KeyId) -> Option<&SecretKey> {
            (self.0.id() == *id).then_some(&self.0)
        }
    }

    const SECRET: &str = "pit-00000000-fake-0000";

    fn vault() -> Vault {
        Vault::new(OneKey(SecretKey::random().unwrap()))
    }

    fn acme() -> WorkspaceId {
        WorkspaceId::new("acme")
    }

    #[test]
    fn a_sealed_secret_opens_again() {
        let vault = vault();
        let sealed = vault.seal(&acme(), "acme", &SECRET.into()).unwrap();
        assert_eq!(vault.unseal(&acme(), "acme", &sealed).unwrap().expose_secret(), SECRET);
    }

    #[test]
    fn a_row_copied_to_another_workspace_name_or_key_does_not_open() {
        let vault = vault();
        let sealed = vault.seal(&acme(), "acme", &SECRET.into()).unwrap();
        for (workspace, name) in [("other", "acme"), ("acme", "acme/prefinery/auth"), ("acmea", "cme")] {
            let error = vault.unseal(&WorkspaceId::new(workspace), name, &sealed).unwrap_err();
            assert!(matches!(error, VaultError::Unusable { .. }), "{error}");
        }
        let error = self::vault().unseal(&acme(), "acme", &sealed).unwrap_err();
        assert!(matches!(error, VaultError::OtherKey { .. }), "{error}");
    }

    #[test]
    fn any_altered_bit_is_noticed() {
        let vault = vault();
        let sealed = vault.seal(&acme(), "acme", &SECRET.into()).unwrap();
        for position in 0..sealed.bytes.len() {
            let mut altered = sealed.clone();
            altered.bytes[position] ^= 1;
            assert!(vault.unseal(&acme(), "acme", &altered).is_err(), "byte {position}");
        }
        let cut = Sealed { bytes: sealed.bytes[..10].to_vec(), ..sealed };
        assert!(vault.unseal(&acme(), "acme", &cut).is_err());
    }

    #[test]
    fn the_same_secret_is_sealed_differently_every_time() {
        let vault = vault();
        let [one, two] = [0, 1].map(|_| vault.seal(&acme(), "acme", &SECRET.into()).unwrap());
        assert_ne!(one.bytes, two.bytes);
    }

    #[test]
    fn neither_debug_nor_errors_nor_sealed_bytes_show_the_secret() {
        let vault = vault();
        let sealed = vault.seal(&acme(), "acme", &SECRET.into()).unwrap();
        let error = vault.unseal(&acme(), "else", &sealed).unwrap_err();
        let key = hex::encode(vault.keys.current().0.as_slice());
        for text in [format!("{vault:?} {sealed:?} {:?}", vault.keys.current()), format!("{error} {error:?}")]
        {
            assert!(!text.contains(SECRET) && !text.contains(&key), "{text}");
        }
        assert!(!sealed.bytes.windows(8).any(|window| window == &SECRET.as_bytes()[..8]));
    }
}
