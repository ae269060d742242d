//! What is searched for: canaries in every spelling in which somebody might have written them down.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A secret, and what it is called in a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Canary {
    pub(crate) name: String,
    pub(crate) secret: Vec<u8>,
}

impl Canary {
    pub(crate) fn new(name: impl Into<String>, secret: impl AsRef<[u8]>) -> Self {
        Self { name: name.into(), secret: secret.as_ref().to_vec() }
    }
}

/// All canaries, ready to be searched for in one pass.
pub(crate) struct Needles {
    all: AhoCorasick,
    /// Whose spelling each pattern is, and which.
    names: Vec<String>,
}

impl Needles {
    pub(crate) fn of<'c>(canaries: impl IntoIterator<Item = &'c Canary>) -> Self {
        let (mut patterns, mut names) = (Vec::new(), Vec::new());
        for canary in canaries {
            assert!(canary.secret.len() >= 8, "{} could occur by chance", canary.name);
            for (spelling, pattern) in spellings(&canary.secret) {
                names.push(format!("{} ({spelling})", canary.name));
                patterns.push(pattern);
            }
        }
        Self { all: AhoCorasick::new(patterns).unwrap(), names }
    }

    /// The same with what stands before each, to tell where it comes from.
    pub(crate) fn told(&self, bytes: &[u8]) -> BTreeSet<String> {
        let told = |found: aho_corasick::Match| {
            let before = &bytes[found.start().saturating_sub(200)..found.start()];
            format!("{} after `{}`", self.names[found.pattern().as_usize()], before.escape_ascii())
        };
        self.all.find_overlapping_iter(bytes).map(told).collect()
    }

    /// The canaries that are in these bytes, each with its spelling.
    pub(crate) fn within(&self, bytes: &[u8]) -> BTreeSet<&str> {
        self.all
            .find_overlapping_iter(bytes)
            .map(|found| self.names[found.pattern().as_usize()].as_str())
            .collect()
    }
}

fn spellings(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![("plain", secret.to_vec())];
    for before in 0..3 {
        all.push(("base64", within_base64(secret, before, |bytes| STANDARD_NO_PAD.encode(bytes))));
        all.push(("base64url", within_base64(secret, before, |bytes| URL_SAFE_NO_PAD.encode(bytes))));
    }
    all.push(("hexadecimal", hex::encode(secret).into_bytes()));
    all.push(("hexadecimal", hex::encode(secret).to_uppercase().into_bytes()));
    all.push(("every byte percent-encoded", percent(secret).into_bytes()));
    all.push(("a list of numbers", numbers(secret).into_bytes()));
    if let Ok(text) = std::str::from_utf8(secret) {
        let form: String = url::form_urlencoded::byte_serialize(secret).collect();
        let json = serde_json::to_string(text).unwrap();
        let json = json[1..json.len() - 1].to_owned();
        let page =
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        // As a client shows its secret by HTTP's basic authentication (RFC 6749, 2.3.1).
        for before in 0..3 {
            let form = form.as_bytes();
            all.push((
                "percent-encoded in base64",
                within_base64(form, before, |bytes| STANDARD_NO_PAD.encode(bytes)),
            ));
            all.push((
                "percent-encoded in base64url",
                within_base64(form, before, |bytes| URL_SAFE_NO_PAD.encode(bytes)),
            ));
        }
        all.push(("percent-encoded", form.replace('+', "%20").into_bytes()));
        all.push(("JSON", json.replace('/', "\\/").into_bytes()));
        // As JSON within JSON, such as a recorded body in an answer of the API.
        let twice = serde_json::to_string(&json).unwrap();
        all.push(("JSON in JSON", twice.as_bytes()[1..twice.len() - 1].to_vec()));
        all.push(("percent-encoded", form.into_bytes()));
        all.push(("JSON", json.into_bytes()));
        all.push(("HTML", page.into_bytes()));
    }
    // Most secrets are spelt the same in several ways.
    let mut seen = BTreeSet::new();
    all.retain(|(_, pattern)| seen.insert(pattern.clone()));
    all
}

fn percent(secret: &[u8]) -> String {
    secret.iter().flat_map(|byte| ["%".to_owned(), hex::encode([*byte])]).collect()
}

/// As Rust's `Debug` shows bytes.
fn numbers(secret: &[u8]) -> String {
    secret.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}

/// The letters that stand for these bytes and nothing else, when so many bytes stand before them.
fn within_base64(secret: &[u8], before: usize, encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let bytes = [&[0; 2][..before], secret].concat();
    let mut text = encode(&bytes);
    if bytes.len() % 3 != 0 {
        text.pop();
    }
    text.split_off((before * 8).div_ceil(6)).into_bytes()
}

#[test]
fn a_canary_is_found_in_every_spelling_wherever_it_stands() {
    let secret = "cnry/of+the=search&<>\"'";
    let needles = Needles::of([&Canary::new("one", secret)]);
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::json!({ "body": serde_json::json!({ "key": secret }).to_string() }).to_string();
    for written in [
        format!("before{secret}after"),
        STANDARD_NO_PAD.encode(format!("a{secret}b")),
        URL_SAFE_NO_PAD.encode(format!("ab{secret}b")),
        STANDARD_NO_PAD.encode(secret),
        STANDARD_NO_PAD.encode(format!("id:{form}")),
        hex::encode(secret),
        hex::encode(secret).to_uppercase(),
        percent(secret.as_bytes()),
        format!("{:?}", secret.as_bytes()),
        url::form_urlencoded::Serializer::new(String::new()).append_pair("key", secret).finish(),
        json,
        serde_json::json!([secret]).to_string().replace('/', "\\/"),
    ] {
        assert!(!needles.within(written.as_bytes()).is_empty(), "{written}");
    }
    assert!(needles.within(b"cnry/of+the=search&<>\"").is_empty());
}
