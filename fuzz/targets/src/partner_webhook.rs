//! Partners' webhooks, under every scheme that a manifest can declare: what is signed with the connection's secret is accepted, and
//! nothing else is, whatever stands in the header.
//!
//! Input: lines with the header's format, the signed text, the encoding (`hex` or `base64`), where the event's id is (`body`, a header's
//! name, or a JSON pointer), and a header as a stranger would send it; then the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contactor_engine::untrusted::{event_key, sign_webhook, verify_webhook};
use contactor_manifest::{EventId, Manifest, Webhook};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use ring::hmac;
use secrecy::SecretString;

use crate::input::lines;

const NOW: Timestamp = Timestamp::constant(1_795_251_600, 0);
const SECRET: &str = "fake-webhook-secret";

const HEAD: &str = r#"
[connector]
id = "acme"
name = "Acme"
version = "1.0.0"
minimum_host = "0.1.0"
summary = "For fuzzing."

[partner]
name = "Acme"
base_url = "https://api.acme.example/v1"

[[auth]]
id = "token"
title = "Token"
kind = "bearer"
token = "{token}"
credential = [{ name = "token", title = "Token" }]
"#;

/// The scheme as a manifest would declare it, if one could.
fn declared(format: &str, signed: &str, encoding: &str, id: &str) -> Option<Webhook> {
    let text = |text: &str| toml::Value::from(text).to_string();
    let (id, header) = match id {
        "body" => ("\"body\"".to_owned(), None),
        pointer if pointer.starts_with('/') => (format!("{{ pointer = {} }}", text(pointer)), None),
        header => ("\"body\"".to_owned(), Some(header)),
    };
    let toml = format!(
        "{HEAD}\n[webhook]\nevent_id = {id}\nsignature = {{ kind = \"hmac-sha256\", header = \"x-signature\", format = {}, \
         signed = {}, encoding = {} }}\n",
        text(format),
        text(signed),
        text(encoding),
    );
    let mut webhook = Manifest::parse(&toml).ok()?.webhook?;
    // A manifest takes the id from a header only without a signature; the key has to be sound all the same.
    if let Some(header) = header {
        webhook.event_id = EventId::Header(header.to_owned());
    }
    Some(webhook)
}

pub(crate) fn run(input: &[u8]) {
    let ([format, signed, encoding, id, strange], body) = lines::<5>(input);
    let texts = [format, signed, encoding, id].map(std::str::from_utf8);
    let [Ok(format), Ok(signed), Ok(encoding), Ok(id)] = texts else { return };
    let Some(webhook) = declared(format, signed, encoding, id) else { return };
    let secret = SecretString::from(SECRET);
    let verify =
        |headers: &HeaderMap, body: &[u8]| verify_webhook(&webhook, Some(&secret), headers, body, NOW);

    let (name, value) = sign_webhook(&webhook, &secret, body, NOW).expect("a scheme with a signature");
    let header = |value: HeaderValue| {
        HeaderMap::from_iter([(HeaderName::from_bytes(name.as_bytes()).unwrap(), value)])
    };
    if let Ok(value) = HeaderValue::from_str(&value)
        && value.to_str().is_ok()
    {
        let headers = header(value);
        assert!(verify(&headers, body).is_ok(), "what is signed is accepted: {headers:?}");
        let mut other = body.to_vec();
        other.push(b' ');
        assert!(verify(&headers, &other).is_err(), "the signature is of another body");
        let stranger = SecretString::from("another-fake-secret");
        assert!(verify_webhook(&webhook, Some(&stranger), &headers, body, NOW).is_err());
        assert!(verify_webhook(&webhook, None, &headers, body, NOW).is_err());
    }
    if let Ok(value) = HeaderValue::from_bytes(strange) {
        let headers = header(value);
        if verify(&headers, body).is_ok() {
            let text = headers[&*name].to_str().expect("what is accepted is a text");
            assert!(
                proves(&webhook, signed, encoding, text, body),
                "a stranger's signature was accepted: {text}"
            );
        }
        let key = event_key(&webhook, &headers, body);
        assert_eq!(event_key(&webhook, &headers, body), key);
        assert!(key.starts_with("id:") || key.starts_with("sha256:"));
        assert!((4..=260).contains(&key.len()), "{key}");
    }
    assert!(verify(&HeaderMap::new(), body).is_err(), "without a signature");
}

/// Whether a header holds a signature of the body: computed by other code than the host's.
fn proves(webhook: &Webhook, signed: &str, encoding: &str, text: &str, body: &[u8]) -> bool {
    let parts = webhook.signature.read(text).expect("what is accepted has its elements");
    let around = |text: &str| text.replace("{timestamp}", parts.timestamp.unwrap_or_default()).into_bytes();
    let (before, after) = signed.split_once("{body}").expect("the body is signed");
    let message = [around(before), body.to_vec(), around(after)].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let genuine = hmac::sign(&key, &message);
    let decode = |text: &&str| match encoding {
        "base64" => STANDARD.decode(text).ok(),
        _ => hex::decode(text).ok(),
    };
    parts.signatures.iter().filter_map(decode).any(|bytes| bytes == genuine.as_ref())
}
