//! What connectors ask of their partner: whatever path, query and headers they give, the request stays below the base URL, says what was
//! given and nothing more, and carries none of the host's own headers.
//!
//! Input: a line with the base URL, a line with the path, then lines of `name=value` (query) and `name: value` (headers).

use std::sync::LazyLock;

use contactor_engine::untrusted::{base_url, request_headers, request_url};
use contactor_engine::{Outbound, OutboundConfig};
use contactor_runtime::bindings::partner::{Method, Pair, Request};
use url::Url;

use crate::input::texts;

static CLOSED: LazyLock<Outbound> = LazyLock::new(|| Outbound::new(OutboundConfig::default()).unwrap());

pub(crate) fn run(input: &[u8]) {
    let Some(([base, path], rest)) = texts::<2>(input) else { return };
    let Ok(base) = base_url(base, &CLOSED) else { return };
    let (mut query, mut headers) = (Vec::new(), Vec::new());
    for line in rest.lines().take(80) {
        let pair = |(name, value): (&str, &str)| Pair { name: name.to_owned(), value: value.to_owned() };
        if let Some(header) = line.split_once(": ") {
            headers.push(pair(header));
        } else if let Some(parameter) = line.split_once('=') {
            query.push(pair(parameter));
        }
    }
    let request = Request { method: Method::Get, path: path.to_owned(), query, headers, body: None };
    if let Ok(url) = request_url(&base, &request) {
        below(&base, &url);
        says(&url, &request);
    }
    if let Ok(headers) = request_headers(&request) {
        assert_eq!(headers.len(), request.headers.len());
        for name in ["host", "authorization", "cookie", "content-length", "transfer-encoding", "connection"] {
            assert!(!headers.contains_key(name), "{name} is the host's");
        }
        assert!(!headers.keys().any(|name| name.as_str().starts_with("x-forwarded-")));
        let breaks =
            |value: &http::HeaderValue| value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        assert!(!headers.values().any(breaks));
    }
}

fn below(base: &Url, url: &Url) {
    assert_eq!((url.scheme(), url.host(), url.port()), (base.scheme(), base.host(), base.port()));
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    assert_eq!(Url::parse(url.as_str()).as_ref(), Ok(url), "who reads it reads the same");
    let root = base.path().trim_end_matches('/');
    let within = url.path().strip_prefix(root).unwrap_or_else(|| panic!("{url} is not below {base}"));
    assert!(within.starts_with('/'), "{url} is beside {base}");
    // However the partner's server resolves it: decoded once, with either slash, without what follows a `;`.
    let mut depth = 0_usize;
    for part in decoded(within).split(['/', '\\']) {
        match part.split(';').next().unwrap_or_default() {
            ".." => depth = depth.checked_sub(1).unwrap_or_else(|| panic!("{url} leaves {base}")),
            "" | "." => {}
            _ => depth += 1,
        }
    }
}

fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            pair.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u8::from_str_radix(pair, 16).ok())?
        });
        match hex {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn says(url: &Url, request: &Request) {
    let said: Vec<_> =
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let given: Vec<_> = request.query.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect();
    assert_eq!(said, given, "{url}");
}
