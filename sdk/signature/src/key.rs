//! Keys of publishers: the public one as a line for a configuration, the secret one as PKCS#8 in PEM.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::ed25519::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::ed25519::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand::TryRng as _;
use rand::rngs::SysRng;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Stands before a public key, so that nobody takes another kind of key for one.
const PREFIX: &str = "ed25519:";

pub(crate) const SIGNATURE_BYTES: usize = 64;

/// Why something is no key. What was given is not repeated: it may be the other half.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no public key.
    #[error(
        "no public key: it is `{PREFIX}` and 44 characters of base64, as `contactor connector keygen` prints it"
    )]
    Public,
    /// It is no secret key.
    #[error("no secret key: it is an Ed25519 key in PKCS#8 PEM, as `contactor connector keygen` writes it")]
    Secret,
    /// The machine gives no randomness.
    #[error("the machine gives no randomness: {0}")]
    NoRandomness(String),
}

/// A publisher's public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; Self::BYTES]);

impl PublicKey {
    pub(crate) const BYTES: usize = 32;

    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Public)?;
        // With a key of small order some signatures fit every message.
        if key.is_weak() { Err(KeyError::Public) } else { Ok(Self(bytes)) }
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The strict check: a signature has one form, so nobody makes a second one out of it.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        VerifyingKey::from_bytes(&self.0)
            .and_then(|key| key.verify_strict(message, &Signature::from_bytes(signature)))
            .is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(KeyError::Public)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| KeyError::Public)?;
        Self::from_bytes(bytes.try_into().map_err(|_| KeyError::Public)?)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A publisher's secret key. It is wiped when it is dropped, and shows nothing of itself.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A new key, of the machine's randomness.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        SysRng
            .try_fill_bytes(bytes.as_mut_slice())
            .map_err(|error| KeyError::NoRandomness(error.to_string()))?;
        Ok(Self(SigningKey::from_bytes(&bytes)))
    }

    /// Reads PKCS#8 PEM.
    ///
    /// # Errors
    /// [`KeyError::Secret`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        SigningKey::from_pkcs8_pem(pem).map(Self).map_err(|_| KeyError::Secret)
    }

    /// PKCS#8 PEM.
    ///
    /// # Errors
    /// [`KeyError::Secret`] when it cannot be written so.
    pub fn to_pem(&self) -> Result<SecretString, KeyError> {
        let pem = self.0.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Secret)?;
        Ok(SecretString::from(pem.as_str()))
    }

    /// The other half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The same key each time: what a test finds can be found again.
    #[cfg(test)]
    pub(crate) fn of_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written_and_two_are_never_the_same() {
        let (one, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        assert_ne!(one.public(), other.public());
        let line = one.public().to_string();
        assert_eq!((line.len(), line.parse()), (52, Ok(one.public())));
        let pem = one.to_pem().unwrap();
        assert!(pem.expose_secret().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert_eq!(SecretKey::from_pem(pem.expose_secret()).unwrap().public(), one.public());
        let shown = format!("{one:?}");
        assert!(shown.contains(&line) && !pem.expose_secret().contains(&shown), "{shown}");
    }

    #[test]
    fn a_key_of_openssl_is_read() {
        // RFC 8410, 10.3: without the public key, as `openssl genpkey -algorithm ed25519` writes it.
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        let public = SecretKey::from_pem(pem).unwrap().public();
        assert_eq!(public.to_string(), "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let weak = format!("{PREFIX}{}", STANDARD.encode([0_u8; 32]));
        let one = SecretKey::generate().unwrap();
        let line = one.public().to_string();
        let pem = one.to_pem().unwrap();
        let bare = &line[PREFIX.len()..];
        for wrong in [
            "",
            "ed25519:",
            "ed25519:AAAA",
            bare,
            &line[..51],
            &format!("{line} "),
            &weak,
            pem.expose_secret(),
        ] {
            let error = wrong.parse::<PublicKey>().unwrap_err();
            assert!(error == KeyError::Public && !error.to_string().contains(bare), "{wrong}");
        }
        for wrong in ["", line.as_str(), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert_eq!(SecretKey::from_pem(wrong).unwrap_err(), KeyError::Secret);
        }
    }
}
