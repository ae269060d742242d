//! Signatures and age.
//!
//! The vendor signs the raw body with Ed25519 (`X-GHL-Signature`). Until some date in 2026 (first announced for 1 July,
//! later for 1 September) it also sent an RSA signature (`X-WH-Signature`). The rules:
//!
//! - The bytes that arrived are verified, before any parsing.
//! - When `X-GHL-Signature` is there, only it counts. A wrong one is never excused by a right legacy one. The vendor has
//!   been seen to send the literal `N/A`, which counts as absent.
//! - The legacy signature counts only if an operator switched it on, and until the date that they set.
//! - Without keys there is no verifier.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::envelope::signed_timestamp;
use super::keys::{self, RsaKey};

/// The vendor's published Ed25519 key (SHA-256 of its DER form
/// `5a2c1b2749d3efcc233fb27d4ab43d56b8d20818c42cd226f6c9a3ff20d3097c`), as quoted from the webhook integration guide by
/// many independent code bases.
pub const PUBLISHED_ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=
-----END PUBLIC KEY-----
";

/// How old an event may be unless configured: retries arrive up to three days late with their original timestamp.
pub const DEFAULT_MAX_AGE: Duration = Duration::from_hours(4 * 24);

/// How far in the future an event may be unless configured.
pub const DEFAULT_MAX_FUTURE_SKEW: Duration = Duration::from_mins(5);

/// The old RSA signature, for those who still receive it.
#[derive(Clone, Debug)]
pub struct LegacyRsa {
    /// Public keys in PEM, 2048 to 8192 bits.
    pub keys: Vec<String>,
    /// From this instant on the legacy signature is worth nothing.
    pub accept_until: Timestamp,
}

/// What to accept.
#[derive(Clone, Debug)]
pub struct VerifierConfig {
    /// Ed25519 public keys in PEM; several while a key rotates.
    pub ed25519_keys: Vec<String>,
    /// The old RSA signature; off unless given.
    pub legacy_rsa: Option<LegacyRsa>,
    /// How old an event may be. Keep the memory of seen events at least as long.
    pub max_age: Duration,
    /// How far in the future an event may be.
    pub max_future_skew: Duration,
}

impl Default for VerifierConfig {
    /// The published Ed25519 key; no legacy key. The vendor's published RSA key is not built in, because its signature
    /// is announced to be gone: an operator who still needs it configures the key and an end date.
    fn default() -> Self {
        Self {
            ed25519_keys: vec![PUBLISHED_ED25519.to_owned()],
            legacy_rsa: None,
            max_age: DEFAULT_MAX_AGE,
            max_future_skew: DEFAULT_MAX_FUTURE_SKEW,
        }
    }
}

/// Why there is no verifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No key at all; webhooks are not served without one.
    #[error("no public key is configured to verify HighLevel's webhooks with")]
    NoKeys,
    /// A key cannot be read.
    #[error("the {scheme} key number {number} is not usable: {reason}")]
    Unusable {
        /// Which list it is in.
        scheme: Scheme,
        /// Its place in the list, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// How an event was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `X-GHL-Signature`.
    Ed25519,
    /// `X-WH-Signature`.
    LegacyRsa,
}

impl Scheme {
    fn header(self) -> &'static str {
        match self {
            Self::Ed25519 => "x-ghl-signature",
            Self::LegacyRsa => "x-wh-signature",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519 => "Ed25519",
            Self::LegacyRsa => "legacy RSA",
        })
    }
}

/// A genuine event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How it was signed; worth counting, to see the old scheme fade.
    pub scheme: Scheme,
    /// When the vendor says it happened; none when it does not say.
    pub timestamp: Option<Timestamp>,
}

/// Why an event is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not signed at all.
    #[error("the webhook carries no signature")]
    NotSigned,
    /// Signed with the old scheme only, which is switched off or past its date.
    #[error("the webhook carries only the old RSA signature, which is not accepted")]
    LegacyNotAccepted,
    /// The signature does not fit the body under any configured key.
    #[error("the {0} signature of the webhook is wrong")]
    WrongSignature(Scheme),
    /// Genuine, and older than accepted: possibly replayed.
    #[error("the webhook is {} hours old, which is older than accepted", .age.as_secs() / 3600)]
    TooOld {
        /// Its age.
        age: Duration,
    },
    /// Genuine, and too far in the future: somebody's clock is wrong.
    #[error("the webhook is {} seconds in the future; check this machine's clock", .ahead.as_secs())]
    FromTheFuture {
        /// How far.
        ahead: Duration,
    },
}

/// Tells genuine events from others.
#[derive(Clone, Debug)]
pub struct Verifier {
    ed25519: Vec<VerifyingKey>,
    legacy: Option<(Vec<RsaKey>, Timestamp)>,
    max_age: SignedDuration,
    max_future_skew: SignedDuration,
}

impl Verifier {
    /// Reads the keys.
    ///
    /// # Errors
    /// When there is no key, or one that cannot be read. A legacy scheme without keys is an error too.
    pub fn new(config: VerifierConfig) -> Result<Self, KeyError> {
        let ed25519 = read_keys(Scheme::Ed25519, &config.ed25519_keys, keys::ed25519)?;
        let legacy = match config.legacy_rsa {
            Some(legacy) if legacy.keys.is_empty() => return Err(KeyError::NoKeys),
            Some(legacy) => {
                Some((read_keys(Scheme::LegacyRsa, &legacy.keys, RsaKey::from_pem)?, legacy.accept_until))
            }
            None => None,
        };
        if ed25519.is_empty() && legacy.is_none() {
            return Err(KeyError::NoKeys);
        }
        let limit = |duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        Ok(Self {
            ed25519,
            legacy,
            max_age: limit(config.max_age),
            max_future_skew: limit(config.max_future_skew),
        })
    }

    /// The verifier for the vendor's published key, with default limits.
    ///
    /// # Errors
    /// Never in practice; the key is part of the program and covered by a test.
    pub fn published() -> Result<Self, KeyError> {
        Self::new(VerifierConfig::default())
    }

    /// Verifies the raw body against the headers, then the age of the event.
    ///
    /// # Errors
    /// When the event is not to be accepted. Answer 401, keep nothing.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Verified, VerifyError> {
        let scheme = self.verify_signature(headers, body, now)?;
        let timestamp = signed_timestamp(body);
        if let Some(timestamp) = timestamp {
            self.verify_age(timestamp, now)?;
        }
        Ok(Verified { scheme, timestamp })
    }

    fn verify_signature(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Scheme, VerifyError> {
        if let Some(signature) = signature(headers, Scheme::Ed25519) {
            let genuine =
                signature.parsed().and_then(|bytes| Signature::from_slice(&bytes).ok()).is_some_and(
                    |signature| self.ed25519.iter().any(|key| key.verify_strict(body, &signature).is_ok()),
                );
            return if genuine {
                Ok(Scheme::Ed25519)
            } else {
                Err(VerifyError::WrongSignature(Scheme::Ed25519))
            };
        }
        let Some(signature) = signature(headers, Scheme::LegacyRsa) else {
            return Err(VerifyError::NotSigned);
        };
        let Some((keys, _)) = self.legacy.as_ref().filter(|(_, until)| now < *until) else {
            return Err(VerifyError::LegacyNotAccepted);
        };
        let genuine = signature.parsed().is_some_and(|bytes| keys.iter().any(|key| key.verify(body, &bytes)));
        if genuine { Ok(Scheme::LegacyRsa) } else { Err(VerifyError::WrongSignature(Scheme::LegacyRsa)) }
    }

    fn verify_age(&self, timestamp: Timestamp, now: Timestamp) -> Result<(), VerifyError> {
        let age = now.duration_since(timestamp);
        if age > self.max_age {
            return Err(VerifyError::TooOld { age: age.unsigned_abs() });
        }
        if -age > self.max_future_skew {
            return Err(VerifyError::FromTheFuture { ahead: age.unsigned_abs() });
        }
        Ok(())
    }
}

fn read_keys<K>(
    scheme: Scheme,
    pems: &[String],
    read: fn(&str) -> Result<K, String>,
) -> Result<Vec<K>, KeyError> {
    let read_one = |(index, pem): (usize, &String)| {
        read(pem).map_err(|reason| KeyError::Unusable { scheme, number: index + 1, reason })
    };
    pems.iter().enumerate().map(read_one).collect()
}

/// A signature header that is there; it need not be well formed.
struct SignatureHeader<'a>(&'a [u8]);

impl SignatureHeader<'_> {
    fn parsed(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.0).ok()
    }
}

/// An empty header and the literal `N/A` count as absent. A header that is sent twice counts as its first value that
/// counts.
fn signature(headers: &HeaderMap, scheme: Scheme) -> Option<SignatureHeader<'_>> {
    let values = headers.get_all(scheme.header()).iter();
    let mut present = values
        .map(|value| value.as_bytes().trim_ascii())
        .filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case(b"n/a"));
    present.next().map(SignatureHeader)
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
