//! What an identity provider answers to a login, and what a browser brings: nobody is believed but the provider's key, about this login, to
//! this host, now; an address counts when it is said to be verified, of the claim of which that is said; a login ends with the cookie that
//! began it and no other, and leads to this host.
//!
//! Input: lines with the head of a token that the target signs, a token as a stranger would write it, a provider's keys (`@@` in them
//! stands for the target's), a cookie, a path to go to after the login, and a number that says where to spoil what is genuine; then the
//! claims.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contactor_engine::LoginAlgorithm;
use contactor_engine::untrusted::login::{
    Expected, Flows, KeySet, Reading, SESSION, Shown, Token, own_path, read,
};
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use url::Url;

use crate::input::lines;

const NOW: Timestamp = Timestamp::constant(1_795_251_600, 0);
/// The same for what JSON has of it.
const SECONDS: f64 = 1_795_251_600.0;
const ISSUER: &str = "https://id.example.com";
const CLIENT: &str = "contactor";
const NONCE: &str = "fake-nonce";
/// The head of a token that is signed as it should be.
const HEAD: &[u8] = br#"{"alg":"EdDSA","kid":"own"}"#;
/// Bytes of a token that are taken.
const LONGEST: usize = 32 * 1024;
/// Bytes of a refusal that a person reads.
const WORDS: usize = 100;

struct Host {
    key: SigningKey,
    public: String,
    keys: KeySet,
    flows: Flows,
}

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = URL_SAFE_NO_PAD.encode(key.verifying_key().to_bytes());
    let published = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "own", "x": public }] });
    let keys = KeySet::parse(published.to_string().as_bytes()).unwrap();
    Host { key, public, keys, flows: Flows::new().unwrap() }
});

pub(crate) fn run(input: &[u8]) {
    let ([head, strange, keys, cookie, path, place], claims) = lines::<6>(input);
    let place: usize = std::str::from_utf8(place).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    signed(head, claims, place);
    let [Ok(strange), Ok(keys), Ok(cookie), Ok(path)] =
        [strange, keys, cookie, path].map(std::str::from_utf8)
    else {
        return;
    };
    stranger(strange);
    published(&keys.replace("@@", &HOST.public), claims);
    said(claims);
    brought(cookie);
    leads(path, place);
}

fn signature(signed: &str) -> String {
    URL_SAFE_NO_PAD.encode(HOST.key.sign(signed.as_bytes()).to_bytes())
}

/// A token that the target has signed.
fn token(head: &[u8], claims: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    format!("{signed}.{}", signature(&signed))
}

/// The claims of a token, if one of the keys has signed it.
fn verified(token: &str, keys: &KeySet) -> Option<Vec<u8>> {
    let token = Token::parse(token, &LoginAlgorithm::ALL).ok()?;
    token.verified(keys).ok().map(<[u8]>::to_vec)
}

/// With one character changed to another that could stand there.
fn spoilt(text: &str, place: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = place % bytes.len();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).expect("it is ASCII")
}

/// Whatever its head says, a token is believed by its key and its algorithm, without anything in it that is not understood.
fn signed(head: &[u8], claims: &[u8], place: usize) {
    let token = token(head, claims);
    let Some(read) = verified(&token, &HOST.keys) else { return };
    assert_eq!(read, claims, "what is read is what was signed");
    assert_eq!(verified(&spoilt(&token, place), &HOST.keys), None, "a spoilt token is none");
    assert!(head.trim_ascii_start().starts_with(b"{"), "a head is an object");
    // What is passed over in a head need not be a value that can be kept.
    let Ok(head) = serde_json::from_slice::<Map<String, Value>>(head) else { return };
    let is = |name: &str, value: &str| head.get(name).is_some_and(|said| said == value);
    let is_absent = |name: &str| head.get(name).is_none_or(Value::is_null);
    assert!(is("alg", "EdDSA") && (is("kid", "own") || is_absent("kid")) && is_absent("crit"), "{head:?}");
}

fn stranger(text: &str) {
    match Token::parse(text, &LoginAlgorithm::ALL) {
        Ok(token) if token.verified(&HOST.keys).is_ok() => {
            let (signed, shown) = text.rsplit_once('.').expect("what is believed has a signature");
            assert_eq!(shown, signature(signed), "a stranger's token was believed");
        }
        Ok(_) => {}
        Err(why) => assert!(why.to_string().len() <= WORDS, "{why}"),
    }
}

/// A token is believed by a set of keys when its own is in it, for what it is used for.
fn published(keys: &str, claims: &[u8]) {
    let token = token(HEAD, claims);
    let genuine = verified(&token, &HOST.keys).is_some_and(|read| read == claims);
    assert!(genuine || token.len() > LONGEST, "what the provider signed is believed");
    let Some(read) = KeySet::parse(keys.as_bytes()).and_then(|keys| verified(&token, &keys)) else { return };
    assert_eq!(read, claims);
    let Ok(published) = serde_json::from_str::<Map<String, Value>>(keys) else { return };
    let is_own = |key: &Value| {
        let is = |name: &str, value: &str| key[name] == value;
        let is_free = |name: &str, value: &str| key[name].is_null() || is(name, value);
        is("x", &HOST.public)
            && is("kty", "OKP")
            && is("crv", "Ed25519")
            && is("kid", "own")
            && is_free("use", "sig")
            && is_free("alg", "EdDSA")
    };
    assert!(
        published["keys"].as_array().expect("a list").iter().any(is_own),
        "another key was taken: {keys}"
    );
}

/// Claims that were signed: whom they name, they name to this host, for this login, now.
fn said(claims: &[u8]) {
    let expected = Expected { issuer: ISSUER, client_id: CLIENT, nonce: NONCE, now: NOW };
    let require = BTreeMap::new();
    let by = |email_claim| {
        read(claims, &expected, &Reading { email_claim, email_is_verified: false, require: &require })
    };
    let Ok(person) = by("email") else { return };
    let said: Map<String, Value> = serde_json::from_slice(claims).expect("claims are an object");
    let seconds = |name: &str| said[name].as_f64().expect("an instant is a number");
    assert_eq!(said["iss"], ISSUER);
    assert_eq!(said["nonce"], NONCE);
    let audience = &said["aud"];
    let several = || audience.as_array().is_some_and(|all| all.iter().any(|one| one == CLIENT));
    assert!(audience == CLIENT || several(), "{audience}");
    assert!(seconds("exp") > SECONDS - 60.0);
    assert!((SECONDS - 600.0..SECONDS + 61.0).contains(&seconds("iat")));
    assert_eq!(said["sub"], person.subject);
    assert!((1..=255).contains(&person.subject.chars().count()));
    if let Some(email) = &person.email {
        assert_eq!(said.get("email_verified"), Some(&Value::Bool(true)), "nobody vouches for {email}");
        assert_eq!(said["email"].as_str().map(str::to_lowercase).as_ref(), Some(email));
        assert!(!email.is_empty() && !person.unverified);
    }
    let other = by("preferred_username").expect("it is the same token");
    assert_eq!(
        (other.subject, other.email),
        (person.subject, None),
        "another claim is vouched for by nobody"
    );
}

/// A cookie that this host did not make, with the state that it would have to go with.
fn brought(cookie: &str) {
    let state = cookie.split('.').next().unwrap_or_default();
    assert!(HOST.flows.find(cookie, state, NOW).is_none(), "a login that nobody began");
    if let Some(session) = Shown::parse(SESSION, cookie) {
        assert!(cookie.starts_with(&format!("{SESSION}{}_", session.id)) && cookie.len() == 85, "{cookie}");
        assert!(!session.is(None), "a session that is not there");
    }
}

/// A path that is taken leads to this host, and the login that leads there ends with its own cookie and state.
fn leads(path: &str, place: usize) {
    let Some(to) = own_path(path) else { return };
    let here = Url::parse("https://contactor.example.com/login/callback").unwrap();
    assert_eq!(here.join(to).unwrap().origin(), here.origin(), "{to}");
    let begun = HOST.flows.begin(to, NOW).unwrap();
    let (cookie, state) = (begun.cookie.expose_secret(), begun.state.as_str());
    let returned = HOST.flows.find(cookie, state, NOW).expect("a login that was begun");
    assert_eq!((returned.to.as_str(), returned.nonce), (to, begun.nonce));
    assert!(HOST.flows.find(&spoilt(cookie, place), state, NOW).is_none(), "a spoilt cookie is none");
    assert!(HOST.flows.find(cookie, &spoilt(state, place), NOW).is_none(), "a spoilt state is none");
}
