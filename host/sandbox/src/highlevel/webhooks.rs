//! HighLevel's webhooks: the envelope, both signatures and the retry rules.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer, SigningKey};
use rsa::pkcs8::EncodePublicKey;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::config::{AppConfig, Habits};
use crate::clock::Millis;
use crate::outbox::{Dialect, Outcome, Verdict, Webhook};
use crate::random::Random;

/// Beyond this the payload is cut and flagged (help article 155000007071).
const PAYLOAD_MAX: usize = 256 * 1024;
/// 429 is retried ten minutes apart, six times.
const LIMITED_RETRY: Duration = Duration::from_mins(10);
const LIMITED_RETRIES: u32 = 6;
/// Anything else that is not 2xx is retried with growing pauses for three days; the schedule is not published, so the
/// double doubles from one minute up to six hours.
const FIRST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(6);
const LONGEST_RETRY: Duration = Duration::from_hours(72);
/// The vendor's key has 4096 bits; half of it keeps the double quick.
const RSA_BITS: usize = 2048;
/// ASN.1 prefix of a SHA-256 digest in PKCS#1 v1.5 (RFC 8017, section 9.2).
const SHA256_PREFIX: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// The sandbox's signing keys, made from its seed. They protect nothing.
pub(crate) struct Keys {
    current: SigningKey,
    legacy: OnceLock<Option<RsaPrivateKey>>,
    seed: u64,
}

impl Keys {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, "ed25519");
        let mut secret = [0; 32];
        for chunk in secret.chunks_mut(8) {
            chunk.copy_from_slice(&random.bits().to_le_bytes());
        }
        Self { current: SigningKey::from_bytes(&secret), legacy: OnceLock::new(), seed }
    }

    /// The Ed25519 public key: 32 raw bytes.
    pub(crate) fn current_public(&self) -> [u8; 32] {
        self.current.verifying_key().to_bytes()
    }

    /// The RSA public key as PEM; made on first use.
    pub(crate) fn legacy_public(&self) -> Option<String> {
        let key = self.legacy()?.to_public_key();
        key.to_public_key_pem(rsa::pkcs8::LineEnding::LF).ok()
    }

    fn legacy(&self) -> Option<&RsaPrivateKey> {
        let make = || RsaPrivateKey::new(&mut Random::new(self.seed, "rsa"), RSA_BITS).ok();
        self.legacy.get_or_init(make).as_ref()
    }

    pub(crate) fn sign(&self, body: &[u8]) -> String {
        BASE64.encode(self.current.sign(body).to_bytes())
    }

    fn sign_legacy(&self, body: &[u8]) -> Option<String> {
        let scheme = Pkcs1v15Sign { hash_len: Some(32), prefix: Box::new(SHA256_PREFIX) };
        let signature = self.legacy()?.sign(scheme, Sha256::digest(body).as_slice()).ok()?;
        Some(BASE64.encode(signature))
    }
}

/// Signs and retries as HighLevel does.
pub(crate) struct HighLevelDialect {
    pub(crate) keys: Arc<Keys>,
    pub(crate) habits: Arc<dyn Fn() -> Habits + Send + Sync>,
}

impl Dialect for HighLevelDialect {
    fn signature(&self, _target: &str, body: &[u8], _now: Millis) -> Vec<(&'static str, String)> {
        let habits = (self.habits)();
        let mut headers = Vec::new();
        if habits.signs {
            headers.push(("x-ghl-signature", self.keys.sign(body)));
        }
        if habits.signs_legacy {
            headers.extend(self.keys.sign_legacy(body).map(|signature| ("x-wh-signature", signature)));
        }
        headers
    }

    /// Every attempt carries the same `deliveryId`; its exact spelling on the wire was not seen.
    fn headers(&self, webhook: &Webhook) -> Vec<(&'static str, String)> {
        vec![("deliveryid", webhook.delivery_id.clone())]
    }

    fn verdict(&self, attempt: u32, age: Duration, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Status(200..=299) => Verdict::Delivered,
            Outcome::Status(429) if attempt <= LIMITED_RETRIES => {
                // Jitter without chance: it differs per attempt and is the same in every run.
                Verdict::RetryIn(LIMITED_RETRY + Duration::from_secs(u64::from(attempt) * 7 % 30))
            }
            Outcome::Status(429) => Verdict::Failed,
            _ => {
                let doubled = FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(20));
                let pause = doubled.min(LONGEST_PAUSE);
                if age + pause > LONGEST_RETRY { Verdict::Failed } else { Verdict::RetryIn(pause) }
            }
        }
    }
}

/// The body of one webhook: the envelope, and the event's own members flat beside it.
pub(crate) fn body(
    event: &str,
    members: &Map<String, Value>,
    location_id: &str,
    timestamp: &str,
    webhook_id: &str,
    app: &AppConfig,
) -> Vec<u8> {
    let envelope = || {
        let mut body = Map::new();
        body.insert("type".into(), json!(event));
        body.insert("locationId".into(), json!(location_id));
        body.insert("timestamp".into(), json!(timestamp));
        body.insert("webhookId".into(), json!(webhook_id));
        body.insert("appId".into(), json!(app.id));
        body.insert("versionId".into(), json!(app.version_id));
        body
    };
    let mut whole = envelope();
    whole.extend(members.clone());
    let bytes = serde_json::to_vec(&whole).unwrap_or_default();
    if bytes.len() <= PAYLOAD_MAX {
        return bytes;
    }
    let mut cut = envelope();
    cut.insert("payloadTooLarge".into(), json!(true));
    for name in ["id", "contactId"] {
        if let Some(value) = members.get(name) {
            cut.insert(name.into(), value.clone());
        }
    }
    serde_json::to_vec(&cut).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, Verifier, VerifyingKey};

    use super::*;

    fn dialect(habits: Habits) -> HighLevelDialect {
        HighLevelDialect { keys: Arc::new(Keys::new(1)), habits: Arc::new(move || habits) }
    }

    #[test]
    fn the_current_signature_verifies_over_the_exact_bytes() {
        let dialect = dialect(Habits::default());
        let headers = dialect.signature("app", b"{ \"a\": 1 }", 0);
        assert_eq!(headers.len(), 1);
        let key = VerifyingKey::from_bytes(&dialect.keys.current_public()).unwrap();
        let signature = Signature::from_slice(&BASE64.decode(&headers[0].1).unwrap()).unwrap();
        assert!(key.verify(b"{ \"a\": 1 }", &signature).is_ok());
        assert!(key.verify(b"{\"a\":1}", &signature).is_err());
    }

    #[test]
    fn the_legacy_signature_is_pkcs1_over_sha256() {
        let dialect = dialect(Habits { signs: false, signs_legacy: true, ..Habits::default() });
        let headers = dialect.signature("app", b"body", 0);
        assert_eq!(headers[0].0, "x-wh-signature");
        let key = dialect.keys.legacy().unwrap().to_public_key();
        let scheme = Pkcs1v15Sign { hash_len: Some(32), prefix: Box::new(SHA256_PREFIX) };
        let signature = BASE64.decode(&headers[0].1).unwrap();
        assert!(key.verify(scheme, Sha256::digest(b"body").as_slice(), &signature).is_ok());
    }

    #[test]
    fn a_429_is_retried_for_about_an_hour_and_anything_else_for_three_days() {
        let dialect = dialect(Habits::default());
        let limited: Vec<Verdict> =
            (1..=7).map(|attempt| dialect.verdict(attempt, Duration::ZERO, Outcome::Status(429))).collect();
        assert!(limited[..6].iter().all(|verdict| matches!(verdict, Verdict::RetryIn(_))));
        assert_eq!(limited[6], Verdict::Failed);

        let mut age = Duration::ZERO;
        let mut attempt = 1;
        while let Verdict::RetryIn(pause) = dialect.verdict(attempt, age, Outcome::Status(500)) {
            age += pause;
            attempt += 1;
        }
        assert!(age > Duration::from_hours(60) && age <= LONGEST_RETRY, "{age:?}");
        assert_eq!(dialect.verdict(1, Duration::ZERO, Outcome::Status(204)), Verdict::Delivered);
    }

    #[test]
    fn a_payload_over_256_kb_is_cut_and_flagged() {
        let mut members = Map::new();
        members.insert("id".into(), json!("n1"));
        members.insert("body".into(), json!("x".repeat(PAYLOAD_MAX)));
        let bytes = body("NoteCreate", &members, "l", "t", "w", &AppConfig::default());
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["payloadTooLarge"], true);
        assert_eq!((&value["id"], value.get("body")), (&json!("n1"), None));
    }
}
