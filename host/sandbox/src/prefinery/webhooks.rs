//! Prefinery's webhooks: `X-Prefinery-Signature` and the retry rules
//! (<https://www.prefinery.com/api/docs/webhooks/signatures>, <https://www.prefinery.com/api/docs/webhooks/events>).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::config::Envelope;
use crate::clock::{Millis, iso_seconds};
use crate::outbox::{Dialect, Outcome, Verdict, Webhook};
use crate::recorder::lock;

/// Retries after a failed connection or a 429.
const RETRIES: u32 = 15;

/// Signing secrets by project id.
pub(super) type Secrets = Arc<Mutex<BTreeMap<String, String>>>;

/// Signs and retries as Prefinery does.
pub(super) struct PrefineryDialect {
    pub(super) secrets: Secrets,
}

impl Dialect for PrefineryDialect {
    fn signature(&self, target: &str, body: &[u8], now: Millis) -> Vec<(&'static str, String)> {
        let secret = lock(&self.secrets).get(target).cloned().unwrap_or_default();
        let seconds = now.div_euclid(1000);
        // HMAC takes a key of any length, so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        let signature = hex::encode(mac.finalize().into_bytes());
        vec![("x-prefinery-signature", format!("t={seconds},v1={signature}"))]
    }

    fn headers(&self, _webhook: &Webhook) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Only 200 and 201 count; 204 or 404 lose the event, 410 removes the endpoint.
    fn verdict(&self, attempt: u32, _age: Duration, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Status(200 | 201) => Verdict::Delivered,
            Outcome::Status(410) => Verdict::Unsubscribed,
            Outcome::Status(429) | Outcome::NoAnswer if attempt <= RETRIES => {
                Verdict::RetryIn(Duration::from_secs(5 + u64::from(attempt).pow(4)))
            }
            Outcome::Status(_) | Outcome::NoAnswer => Verdict::Failed,
        }
    }
}

/// The body of one webhook, in the configured shape: the vendor's own is unknown.
pub(super) fn body(
    envelope: Envelope,
    id: &str,
    event: &str,
    project: u64,
    kind: &str,
    object: &Value,
    now: Millis,
) -> Value {
    let created_at = iso_seconds(now);
    match envelope {
        Envelope::Named => {
            json!({"id": id, "event": event, "created_at": created_at, "beta_id": project, kind: object})
        }
        Envelope::TypeAndData => json!({"id": id, "type": event, "created_at": created_at, "data": object}),
        Envelope::Flat => {
            let mut body = object.clone();
            body["event"] = json!(event);
            body
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_covers_the_time_and_the_raw_body() {
        let secrets = Secrets::default();
        lock(&secrets).insert("1".into(), "secret".into());
        let headers = PrefineryDialect { secrets }.signature("1", b"{}", 1_492_774_577_999);
        // `printf '1492774577.{}' | openssl dgst -sha256 -hmac secret`
        let expected = "2ddb0fdc1ad242a0eece9d964270ad86442b7381d25d1f99cd41a46999919e32";
        assert_eq!(headers, [("x-prefinery-signature", format!("t=1492774577,v1={expected}"))]);
    }

    #[test]
    fn only_200_and_201_count_and_410_unsubscribes() {
        let dialect = PrefineryDialect { secrets: Secrets::default() };
        let verdict = |attempt, outcome| dialect.verdict(attempt, Duration::ZERO, outcome);
        assert_eq!(verdict(1, Outcome::Status(201)), Verdict::Delivered);
        assert_eq!(verdict(1, Outcome::Status(204)), Verdict::Failed);
        assert_eq!(verdict(1, Outcome::Status(410)), Verdict::Unsubscribed);
        assert_eq!(verdict(3, Outcome::NoAnswer), Verdict::RetryIn(Duration::from_secs(86)));
        assert_eq!(verdict(16, Outcome::NoAnswer), Verdict::Failed);
    }
}
