//! Verifies a partner's webhook by the scheme that the manifest declares. Over the raw bytes, before anything is parsed.

use contactor_manifest::{Encoding, EventId, Signature, Webhook};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::error::IngestError;

/// Checks the signature. A scheme without one passes: the unguessable path is all the proof there is, and the webhook is
/// only a hint that is read again.
///
/// # Errors
/// [`IngestError::Signature`] when it does not fit, [`IngestError::Stale`] when its timestamp is too far from `now`.
pub fn verify(
    webhook: &Webhook,
    secret: Option<&SecretString>,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), IngestError> {
    let Signature::HmacSha256 { header, signed, encoding, tolerance_seconds, .. } = &webhook.signature else {
        return Ok(());
    };
    let refuse = |why: &str| Err(IngestError::Signature(why.to_owned()));
    let Some(secret) = secret else {
        return refuse("no signing secret is stored for this connection; an admin has to enter it");
    };
    let Some(value) = headers.get(header.as_str()).and_then(|value| value.to_str().ok()) else {
        return Err(IngestError::Signature(format!("the header {header} is missing")));
    };
    let Some(parts) = webhook.signature.read(value) else {
        return Err(IngestError::Signature(format!("the header {header} is not of the declared format")));
    };
    if let Some(timestamp) = parts.timestamp {
        let Some(sent) = timestamp.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok())
        else {
            return refuse("its timestamp is no number of seconds");
        };
        if sent.duration_since(now).abs() > jiff::SignedDuration::from_secs(i64::from(*tolerance_seconds)) {
            return Err(IngestError::Stale(format!(
                "its timestamp lies more than {tolerance_seconds} s away from now"
            )));
        }
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .map_err(|_| IngestError::Signature("the stored signing secret is unusable".to_owned()))?;
    // The body is bytes, not text: only what stands around it is rendered.
    let around = |text: &str| text.replace("{timestamp}", parts.timestamp.unwrap_or_default());
    match signed.as_str().split_once("{body}") {
        Some((before, after)) => {
            mac.update(around(before).as_bytes());
            mac.update(body);
            mac.update(around(after).as_bytes());
        }
        // The manifest's check demands `{body}`; a signature that covers no body proves nothing.
        None => return refuse("the manifest's signed text does not cover the body"),
    }
    // `verify_slice` compares in constant time.
    let matches = parts.signatures.iter().any(|signature| {
        decode(*encoding, signature).is_some_and(|bytes| mac.clone().verify_slice(&bytes).is_ok())
    });
    if matches { Ok(()) } else { refuse("it does not match the body") }
}

/// The header that a sender puts on a body under the declared scheme; none where it has no signature.
pub fn sign(
    webhook: &Webhook,
    secret: &SecretString,
    body: &[u8],
    now: Timestamp,
) -> Option<(String, String)> {
    let Signature::HmacSha256 { header, format, signed, encoding, .. } = &webhook.signature else {
        return None;
    };
    let timestamp = now.as_second().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    let (before, after) = signed.as_str().split_once("{body}")?;
    mac.update(before.replace("{timestamp}", &timestamp).as_bytes());
    mac.update(body);
    mac.update(after.replace("{timestamp}", &timestamp).as_bytes());
    let bytes = mac.finalize().into_bytes();
    let signature = match encoding {
        Encoding::Hex => hex::encode(bytes),
        Encoding::Base64 => {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(bytes)
        }
    };
    let value = format.as_str().replace("{timestamp}", &timestamp).replace("{signature}", &signature);
    Some((header.clone(), value))
}

/// What tells a repeated delivery from a new event.
pub fn event_key(webhook: &Webhook, headers: &HeaderMap, body: &[u8]) -> String {
    let id = match &webhook.event_id {
        EventId::Body => None,
        EventId::Header(name) => headers.get(name.as_str()).and_then(|v| v.to_str().ok()).map(str::to_owned),
        EventId::Pointer(pointer) => {
            serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|json| {
                match json.pointer(pointer)? {
                    serde_json::Value::String(id) => Some(id.clone()),
                    serde_json::Value::Number(id) => Some(id.to_string()),
                    _ => None,
                }
            })
        }
    };
    match id.filter(|id| !id.is_empty() && id.len() <= 256) {
        Some(id) => format!("id:{id}"),
        None => body_key(body),
    }
}

/// The key of an event without an id: equal bodies are one event.
pub(crate) fn body_key(body: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(body)))
}

fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => base64::engine::general_purpose::STANDARD.decode(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use contactor_manifest::Template;

    use super::*;

    #[test]
    fn what_is_signed_here_is_accepted_here_and_nothing_else() {
        let now = Timestamp::from_second(1_795_248_000).unwrap();
        let secret = SecretString::from("fake-webhook-secret");
        for (format, signed, encoding) in [
            ("t={timestamp},v1={signature}", "{timestamp}.{body}", Encoding::Hex),
            ("sha256={signature}", "{body}", Encoding::Base64),
        ] {
            let webhook = Webhook {
                signature: Signature::HmacSha256 {
                    header: "x-signature".to_owned(),
                    format: Template::parse(format).unwrap(),
                    signed: Template::parse(signed).unwrap(),
                    encoding,
                    tolerance_seconds: 300,
                },
                event_id: EventId::Body,
                help: None,
            };
            let (name, value) = sign(&webhook, &secret, b"{}", now).unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            assert!(verify(&webhook, Some(&secret), &headers, b"{}", now).is_ok(), "{format}");
            assert!(verify(&webhook, Some(&secret), &headers, b"{ }", now).is_err(), "{format}");
            let other = SecretString::from("another-fake-secret");
            assert!(verify(&webhook, Some(&other), &headers, b"{}", now).is_err(), "{format}");
        }
    }
}
