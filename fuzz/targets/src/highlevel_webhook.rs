//! HighLevel's webhooks: what is genuine is accepted, nothing else is, and every body is an event or none.
//!
//! Input: a line with a signature as a stranger would send it, a line with a number that says where to spoil the genuine one, then the
//! body. The keys are the target's own.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contactor_highlevel::webhook::{
    Envelope, LegacyRsa, Scheme, Verifier, VerifierConfig, VerifyError, delivery_id,
};
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};

use crate::input::lines;

const NOW: Timestamp = Timestamp::constant(1_795_251_600, 0);

struct Keys {
    ed25519: SigningKey,
    rsa: RsaKeyPair,
    verifier: Verifier,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let ed25519 = SigningKey::from_bytes(&[7; 32]);
    let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let public = private.to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
    let private = RsaKeyPair::from_pkcs8(private.to_pkcs8_der().unwrap().as_bytes()).unwrap();
    let verifier = Verifier::new(VerifierConfig {
        ed25519_keys: vec![ed25519.verifying_key().to_public_key_pem(LineEnding::LF).unwrap()],
        legacy_rsa: Some(LegacyRsa { keys: vec![public], accept_until: Timestamp::MAX }),
        ..VerifierConfig::default()
    })
    .unwrap();
    Keys { ed25519, rsa: private, verifier }
});

fn header(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Ed25519 => "x-ghl-signature",
        Scheme::LegacyRsa => "x-wh-signature",
    }
}

/// The genuine signature of a body.
fn genuine(scheme: Scheme, body: &[u8]) -> Vec<u8> {
    match scheme {
        Scheme::Ed25519 => KEYS.ed25519.sign(body).to_bytes().to_vec(),
        Scheme::LegacyRsa => {
            let mut signature = vec![0; KEYS.rsa.public().modulus_len()];
            let random = ring::rand::SystemRandom::new();
            KEYS.rsa.sign(&RSA_PKCS1_SHA256, &random, body, &mut signature).unwrap();
            signature
        }
    }
}

/// Whether the signature counts as genuine; its event may be too old all the same.
fn is_genuine(headers: &HeaderMap, body: &[u8]) -> bool {
    match KEYS.verifier.verify(headers, body, NOW) {
        Ok(_) | Err(VerifyError::TooOld { .. } | VerifyError::FromTheFuture { .. }) => true,
        Err(_) => false,
    }
}

fn signed(scheme: Scheme, signature: &[u8]) -> HeaderMap {
    HeaderMap::from_iter([(
        http::HeaderName::from_static(header(scheme)),
        HeaderValue::from_str(&STANDARD.encode(signature)).unwrap(),
    )])
}

pub(crate) fn run(input: &[u8]) {
    let ([strange, place], body) = lines::<2>(input);
    let place: usize = std::str::from_utf8(place).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    // An RSA signature costs as much as a hundred of the other kind.
    let scheme = if place % 64 == 63 { Scheme::LegacyRsa } else { Scheme::Ed25519 };

    let signature = genuine(scheme, body);
    let headers = signed(scheme, &signature);
    assert!(is_genuine(&headers, body), "a genuine event is one");
    if let Ok(verified) = KEYS.verifier.verify(&headers, body, NOW) {
        assert_eq!(verified.scheme, scheme);
        if let Ok(envelope) = Envelope::parse(body) {
            assert_eq!(
                verified.timestamp, envelope.timestamp,
                "its age was judged by the instant that counts"
            );
        }
    }
    let mut spoilt = signature.clone();
    let at = place % spoilt.len();
    spoilt[at] ^= 1 << (place % 8);
    assert!(!is_genuine(&signed(scheme, &spoilt), body), "a spoilt signature is none");
    let mut other = body.to_vec();
    match other.len() {
        0 => other.push(b' '),
        length => other[place % length] ^= 1 << (place % 8),
    }
    assert!(!is_genuine(&headers, &other), "it is none of another body");

    if let Ok(value) = HeaderValue::from_bytes(strange) {
        for scheme in [Scheme::Ed25519, Scheme::LegacyRsa] {
            let headers =
                HeaderMap::from_iter([(http::HeaderName::from_static(header(scheme)), value.clone())]);
            // A second signature never excuses a wrong one.
            let mut both = headers.clone();
            both.extend(signed(Scheme::LegacyRsa, b"x"));
            let own = || STANDARD.encode(genuine(scheme, body)).into_bytes() == strange.trim_ascii();
            assert!(!is_genuine(&headers, body) || own(), "a stranger's signature was accepted");
            assert!(!is_genuine(&both, body) || own());
            let _ = delivery_id(&headers);
        }
    }
    event(body);
}

fn event(body: &[u8]) {
    let Ok(envelope) = Envelope::parse(body) else { return };
    assert_eq!(Envelope::parse(body).as_ref(), Ok(&envelope));
    let event = envelope.event();
    let _ = (event.contact(), event.change(), envelope.snapshot());
    assert!(!envelope.dedupe_key(body).is_empty());
}
