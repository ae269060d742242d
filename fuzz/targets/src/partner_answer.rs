//! What partners answer: a connector is given nothing of the credential, wherever and however it is repeated, nothing compressed and no
//! private header; no header makes the host wait for longer than a day; and a login's token is a text.
//!
//! Input: a line with the status, lines of headers up to an empty one, then the body. `@@` stands for the credential.

use std::sync::LazyLock;

use contactor_engine::untrusted::{
    Answer, Hidden, Secrets, answer_for_connector, blank_secrets, login_token, out_of_order_until,
    quota_left, retry_after,
};
use contactor_manifest::{Auth, Login, Manifest, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::input::lines;

const NOW: Timestamp = Timestamp::constant(1_795_251_600, 0);
/// With characters that each writer of texts escapes in a way of its own.
const SECRET: &str = "fake+secret/\"0123\"<&>=";

const MANIFEST: &str = r#"
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
id = "login"
title = "Login"
kind = "login"
credential = [{ name = "key", title = "Key" }]
login = { path = "/login", fields = { key = "{key}" }, token = "/token", lifetime_seconds = 60, placement = "bearer" }
"#;

static AUTH: LazyLock<Auth> = LazyLock::new(|| Manifest::parse(MANIFEST).unwrap().auth.remove(0));

fn login() -> &'static Login {
    match &AUTH.scheme {
        Scheme::Login { login } => login,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn run(input: &[u8]) {
    let ([status], rest) = lines::<1>(input);
    let Ok(status) = StatusCode::from_bytes(status) else { return };
    let (headers, body) = headers(rest);
    let body = replaced(body);
    let coded = headers
        .get("content-encoding")
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));

    let text = String::from_utf8_lossy(&body).into_owned();
    let _ = blank_secrets(&text);
    let answer = Answer { status, headers, body };
    let Ok(answer) = answer_for_connector(answer, false) else {
        assert!(coded, "only what is compressed is refused");
        return;
    };
    assert!(!coded || answer.body.is_empty());
    assert!(
        !answer.headers.iter().any(|header| header.name == "set-cookie" || header.name == "www-authenticate")
    );
    let _ = quota_left(&answer.headers);
    let day = SignedDuration::from_hours(24);
    assert!(out_of_order_until(&answer, NOW).is_none_or(|until| until.duration_since(NOW) <= day));
    for header in &answer.headers {
        let _ = retry_after(&header.value, NOW);
    }
    let _ = login_token(login(), &answer);

    let secrets = Secrets::from([("key".to_owned(), SecretString::from(SECRET))]);
    let hidden = Hidden::new(&AUTH, &secrets, None);
    let kept = hidden.kept(text);
    assert!(!kept.contains(SECRET), "{kept}");
    let given = hidden.given_answer(answer);
    let given = given.headers.iter().map(|header| header.value.as_bytes()).chain([given.body.as_slice()]);
    for bytes in given {
        let repeated = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!repeated, "{:?}", String::from_utf8_lossy(bytes));
    }
}

fn replaced(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"@@") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(SECRET.as_bytes());
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
    out
}

fn headers(mut rest: &[u8]) -> (HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    for _ in 0..64 {
        let ([line], after) = lines::<1>(rest);
        rest = after;
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(&replaced(line[colon + 1..].trim_ascii()));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    (headers, rest)
}
