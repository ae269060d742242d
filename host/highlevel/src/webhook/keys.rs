//! Public keys in PEM. Only public keys are accepted: the vendor's signature is no HMAC with a shared secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

/// Reads an Ed25519 public key. A weak key, under which signatures can be made up, is refused.
pub(super) fn ed25519(pem: &str) -> Result<VerifyingKey, String> {
    let key = VerifyingKey::from_public_key_pem(pem.trim())
        .map_err(|_| "it is no Ed25519 public key in PEM".to_owned())?;
    if key.is_weak() { Err("it is a weak key".to_owned()) } else { Ok(key) }
}

/// An RSA public key of 2048 to 8192 bits.
#[derive(Clone, Debug)]
pub(super) struct RsaKey(UnparsedPublicKey<Vec<u8>>);

impl RsaKey {
    /// Reads a key in the usual PEM form (`BEGIN PUBLIC KEY`).
    pub(super) fn from_pem(pem: &str) -> Result<Self, String> {
        let der = pem_body(pem).ok_or("it is no PEM block `PUBLIC KEY`")?;
        let key = rsa_public_key(&der).ok_or("it is no RSA public key")?;
        Ok(Self(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.to_vec())))
    }

    /// PKCS#1 v1.5 with SHA-256.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(message, signature).is_ok()
    }
}

fn pem_body(pem: &str) -> Option<Vec<u8>> {
    let body =
        pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?.strip_suffix("-----END PUBLIC KEY-----")?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

/// Algorithm identifier of RSA: `rsaEncryption` and a NULL.
const RSA_ALGORITHM: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// The inner `RSAPublicKey`, which is what ring wants, of a `SubjectPublicKeyInfo`.
fn rsa_public_key(spki: &[u8]) -> Option<&[u8]> {
    let (content, rest) = der_value(0x30, spki)?;
    let bits = content.strip_prefix(RSA_ALGORITHM)?;
    let (bits, after) = der_value(0x03, bits)?;
    let key = bits.strip_prefix(&[0])?;
    let (_, trailing) = der_value(0x30, key)?;
    (rest.is_empty() && after.is_empty() && trailing.is_empty()).then_some(key)
}

/// The content of a DER value with this tag, and what follows it.
fn der_value(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (found == tag).then_some((content, rest))
}
