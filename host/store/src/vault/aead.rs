//! The one place that encrypts and decrypts.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::key::random;
use super::{KeyId, Sealed, SecretKey, VaultError};

const NONCE_BYTES: usize = 24;

/// Associated data. Each part is preceded by its length, so that no two lists of parts read the same.
pub(super) struct Binding(Vec<u8>);

impl Binding {
    /// Begins with the kind of thing that is sealed and the version of its format.
    pub(super) fn of(kind: &str) -> Self {
        Self(kind.as_bytes().to_vec())
    }

    pub(super) fn and(mut self, part: &str) -> Self {
        self.0.extend_from_slice(&(part.len() as u64).to_be_bytes());
        self.0.extend_from_slice(part.as_bytes());
        self
    }

    /// A part that may be missing, which is something else than an empty one.
    pub(super) fn and_perhaps(mut self, part: Option<&str>) -> Self {
        self.0.push(u8::from(part.is_some()));
        match part {
            Some(part) => self.and(part),
            None => self,
        }
    }

    pub(super) fn and_key(self, key: &KeyId) -> Self {
        self.and(key.as_str())
    }
}

/// Seals bytes with a key.
pub(super) fn seal(key: &SecretKey, binding: &Binding, plain: &[u8]) -> Result<Sealed, VaultError> {
    let mut nonce = [0; NONCE_BYTES];
    random(&mut nonce)?;
    let ciphertext = cipher(key)
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &binding.0 })
        .map_err(|_| VaultError::Key { id: key.id().clone(), problem: "it seals nothing so large" })?;
    Ok(Sealed { key_id: key.id().clone(), bytes: [nonce.as_slice(), &ciphertext].concat() })
}

/// Opens what was sealed with this key and this associated data; otherwise says what is wrong.
pub(super) fn open(
    key: &SecretKey,
    binding: &Binding,
    bytes: &[u8],
) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or("it is too short")?;
    cipher(key)
        .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: &binding.0 })
        .map(Zeroizing::new)
        .map_err(|_| "it was altered, or belongs somewhere else")
}

/// The key is read where it lies: a copy of it on the stack would not be wiped.
fn cipher(key: &SecretKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}
