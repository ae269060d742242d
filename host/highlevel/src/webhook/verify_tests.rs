use std::sync::OnceLock;

use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::{Signer, SigningKey};
use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const NOW: &str = "2026-11-21T09:00:00Z";
const BODY: &[u8] =
    br#"{ "type":"ContactUpdate","id":"c","timestamp":"2026-11-21T08:59:30.000Z","webhookId":"w" }"#;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A key of this test; nobody else's.
fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn pem(key: &SigningKey) -> String {
    key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap()
}

fn sign(key: &SigningKey, body: &[u8]) -> String {
    STANDARD.encode(key.sign(body).to_bytes())
}

struct Rsa {
    private: ring::signature::RsaKeyPair,
    public_pem: String,
}

/// One RSA key for all tests, because making one takes a while.
fn rsa() -> &'static Rsa {
    static KEY: OnceLock<Rsa> = OnceLock::new();
    KEY.get_or_init(|| {
        use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
        let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        let der = private.to_pkcs8_der().unwrap();
        Rsa {
            public_pem: private.to_public_key().to_public_key_pem(LineEnding::LF).unwrap(),
            private: ring::signature::RsaKeyPair::from_pkcs8(der.as_bytes()).unwrap(),
        }
    })
}

fn sign_rsa(body: &[u8]) -> String {
    let key = &rsa().private;
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    key.sign(&ring::signature::RSA_PKCS1_SHA256, &random, body, &mut signature).unwrap();
    STANDARD.encode(signature)
}

fn config() -> VerifierConfig {
    VerifierConfig { ed25519_keys: vec![pem(&signing_key(1))], ..VerifierConfig::default() }
}

fn verifier() -> Verifier {
    Verifier::new(config()).unwrap()
}

fn with_legacy(accept_until: &str) -> Verifier {
    let legacy = LegacyRsa { keys: vec![rsa().public_pem.clone()], accept_until: at(accept_until) };
    Verifier::new(VerifierConfig { legacy_rsa: Some(legacy), ..config() }).unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn ghl(signature: &str) -> HeaderMap {
    headers(&[("x-ghl-signature", signature)])
}

const WRONG: Result<Verified, VerifyError> = Err(VerifyError::WrongSignature(Scheme::Ed25519));

#[test]
fn the_published_key_is_the_documented_one() {
    let der = keys::ed25519(PUBLISHED_ED25519).unwrap().to_public_key_der().unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, der.as_bytes());
    assert_eq!(hex::encode(digest), "5a2c1b2749d3efcc233fb27d4ab43d56b8d20818c42cd226f6c9a3ff20d3097c");
    assert!(Verifier::published().is_ok());
}

#[test]
fn a_genuine_event_is_accepted() {
    let verified = verifier().verify(&ghl(&sign(&signing_key(1), BODY)), BODY, at(NOW)).unwrap();
    assert_eq!(verified, Verified { scheme: Scheme::Ed25519, timestamp: Some(at("2026-11-21T08:59:30Z")) });
}

#[test]
fn while_a_key_rotates_either_is_accepted() {
    let both = VerifierConfig { ed25519_keys: vec![pem(&signing_key(1)), pem(&signing_key(2))], ..config() };
    let verifier = Verifier::new(both).unwrap();
    for seed in [1, 2] {
        assert!(verifier.verify(&ghl(&sign(&signing_key(seed), BODY)), BODY, at(NOW)).is_ok());
    }
    assert_eq!(verifier.verify(&ghl(&sign(&signing_key(3), BODY)), BODY, at(NOW)), WRONG);
}

#[test]
fn forged_truncated_and_malformed_signatures_are_refused() {
    let good = sign(&signing_key(1), BODY);
    let forged = sign(&signing_key(9), BODY);
    let truncated = STANDARD.encode(&STANDARD.decode(&good).unwrap()[..63]);
    let url_safe = good.replace('+', "-").replace('/', "_").replace('=', "");
    let hex = hex::encode(STANDARD.decode(&good).unwrap());
    for signature in [forged.as_str(), &truncated, &good[..40], &url_safe, &hex, "sha256=00", "%%%"] {
        assert_eq!(verifier().verify(&ghl(signature), BODY, at(NOW)), WRONG, "{signature}");
    }
}

#[test]
fn a_body_that_was_parsed_and_written_again_is_refused() {
    let signature = sign(&signing_key(1), BODY);
    let again = serde_json::from_slice::<serde_json::Value>(BODY).unwrap().to_string();
    assert_eq!(verifier().verify(&ghl(&signature), again.as_bytes(), at(NOW)), WRONG);
}

#[test]
fn an_unsigned_event_is_refused() {
    for unsigned in [headers(&[]), ghl(""), ghl("N/A"), ghl(" n/a ")] {
        assert_eq!(verifier().verify(&unsigned, BODY, at(NOW)), Err(VerifyError::NotSigned));
    }
}

#[test]
fn the_age_of_an_event_is_judged_by_the_timestamp_that_everybody_reads() {
    let key = signing_key(1);
    let body = br#"{"timestamp":"2026-11-21T08:59:30.000Z","type":"ContactUpdate","timestamp":"2020-01-01T00:00:00.000Z"}"#;
    let headers = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-ghl-signature"),
        HeaderValue::from_str(&sign(&key, body)).unwrap(),
    )]);
    let refused = Verifier::new(config()).unwrap().verify(&headers, body, at(NOW));
    assert!(matches!(refused, Err(VerifyError::TooOld { .. })), "{refused:?}");
}

#[test]
fn a_wrong_new_signature_is_not_excused_by_a_right_old_one() {
    let both =
        headers(&[("x-ghl-signature", &sign(&signing_key(9), BODY)), ("x-wh-signature", &sign_rsa(BODY))]);
    assert_eq!(with_legacy("2027-01-01T00:00:00Z").verify(&both, BODY, at(NOW)), WRONG);
    let garbage = headers(&[("x-ghl-signature", "garbage"), ("x-wh-signature", &sign_rsa(BODY))]);
    assert_eq!(with_legacy("2027-01-01T00:00:00Z").verify(&garbage, BODY, at(NOW)), WRONG);
}

#[test]
fn the_old_signature_counts_only_when_switched_on_and_until_its_date() {
    let old = headers(&[("x-wh-signature", &sign_rsa(BODY))]);
    let legacy = Ok(Scheme::LegacyRsa);
    let scheme = |verifier: Verifier| verifier.verify(&old, BODY, at(NOW)).map(|verified| verified.scheme);
    assert_eq!(scheme(with_legacy("2026-11-21T09:00:01Z")), legacy);
    assert_eq!(scheme(with_legacy(NOW)), Err(VerifyError::LegacyNotAccepted));
    assert_eq!(scheme(verifier()), Err(VerifyError::LegacyNotAccepted));
}

#[test]
fn a_literal_na_in_the_new_header_leaves_the_old_one_to_count() {
    let headers = headers(&[("x-ghl-signature", "N/A"), ("x-wh-signature", &sign_rsa(BODY))]);
    let verified = with_legacy("2027-01-01T00:00:00Z").verify(&headers, BODY, at(NOW)).unwrap();
    assert_eq!(verified.scheme, Scheme::LegacyRsa);
}

#[test]
fn a_wrong_old_signature_is_refused() {
    let verifier = with_legacy("2027-01-01T00:00:00Z");
    let other_body = headers(&[("x-wh-signature", &sign_rsa(b"{}"))]);
    let wrong = Err(VerifyError::WrongSignature(Scheme::LegacyRsa));
    assert_eq!(verifier.verify(&other_body, BODY, at(NOW)), wrong);
    let in_wrong_header = ghl(&sign_rsa(BODY));
    assert_eq!(verifier.verify(&in_wrong_header, BODY, at(NOW)), WRONG);
}

#[test]
fn late_retries_pass_and_replays_do_not() {
    let stamped = |timestamp: &str| {
        let body = format!(r#"{{"type":"ContactUpdate","timestamp":"{timestamp}"}}"#);
        verifier().verify(&ghl(&sign(&signing_key(1), body.as_bytes())), body.as_bytes(), at(NOW)).map(|_| ())
    };
    assert_eq!(stamped("2026-11-21T07:50:00Z"), Ok(()), "70 minutes late");
    assert_eq!(stamped("2026-11-18T08:00:00Z"), Ok(()), "three days late");
    assert_eq!(stamped("2026-11-17T09:00:00Z"), Ok(()), "exactly four days");
    assert!(matches!(stamped("2026-11-17T08:59:59Z"), Err(VerifyError::TooOld { .. })));
    assert_eq!(stamped("2026-11-21T09:05:00Z"), Ok(()), "five minutes ahead");
    assert!(matches!(stamped("2026-11-21T09:05:01Z"), Err(VerifyError::FromTheFuture { .. })));
}

#[test]
fn an_event_without_a_timestamp_is_tolerated() {
    for body in [&b"{}"[..], br#"{"timestamp":null}"#, br#"{"timestamp":"now"}"#, b"no json"] {
        let verified = verifier().verify(&ghl(&sign(&signing_key(1), body)), body, at(NOW)).unwrap();
        assert_eq!(verified.timestamp, None);
    }
}

#[test]
fn without_usable_keys_there_is_no_verifier() {
    let ed25519 = |keys: &[&str]| VerifierConfig {
        ed25519_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        ..VerifierConfig::default()
    };
    assert_eq!(Verifier::new(ed25519(&[])).unwrap_err(), KeyError::NoKeys);
    let rsa_in_wrong_list = rsa().public_pem.clone();
    for bad in ["", "shared-secret", &rsa_in_wrong_list] {
        let error = Verifier::new(ed25519(&[PUBLISHED_ED25519, bad])).unwrap_err();
        assert!(matches!(error, KeyError::Unusable { scheme: Scheme::Ed25519, number: 2, .. }), "{error}");
    }
    let legacy = |keys: Vec<String>| {
        let legacy_rsa = Some(LegacyRsa { keys, accept_until: at(NOW) });
        Verifier::new(VerifierConfig { legacy_rsa, ..VerifierConfig::default() }).unwrap_err()
    };
    assert_eq!(legacy(Vec::new()), KeyError::NoKeys);
    assert!(matches!(legacy(vec![PUBLISHED_ED25519.to_owned()]), KeyError::Unusable { number: 1, .. }));
}

proptest! {
    #[test]
    fn whatever_arrives_is_refused_without_a_panic(signature in "[ -~]{0,120}", body in prop::collection::vec(any::<u8>(), 0..200)) {
        let headers = headers(&[("x-ghl-signature", &signature), ("x-wh-signature", &signature)]);
        prop_assert!(with_legacy("2027-01-01T00:00:00Z").verify(&headers, &body, at(NOW)).is_err());
    }

    #[test]
    fn a_key_of_any_bytes_is_refused_without_a_panic(der in prop::collection::vec(any::<u8>(), 0..64)) {
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(der));
        prop_assert!(RsaKey::from_pem(&pem).is_err());
    }
}
