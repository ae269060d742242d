//! The little HTTP that every double speaks: a parsed request, a reply, and the trait of a vendor.
//!
//! Doubles are synchronous functions from a [`Call`] to a [`Reply`]. The server around them does the I/O, the faults
//! and the recording, so a double contains nothing but the vendor's behaviour.

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

/// One request as a double sees it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path below the vendor's base, percent-decoded per segment.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    /// A query parameter; empty counts as absent.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The token of `Authorization: Bearer …`.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// True when the body is declared as JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.trim_start().starts_with("application/json"))
    }
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { status, headers: Vec::new(), content_type: "application/json; charset=utf-8", body }
    }

    pub(crate) fn html(status: u16, body: String) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "text/html; charset=utf-8",
            body: body.into_bytes(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// What the server needs of a double.
pub(crate) trait Vendor: Send + Sync {
    /// The operation's full name, for faults and counters.
    fn operation(&self, call: &Call) -> &'static str;
    /// Carries the request out.
    fn answer(&self, call: &Call) -> Reply;
    /// The vendor's answer when its burst limit is used up.
    fn too_many_requests(&self, call: &Call) -> Reply;
    /// Withdraws the credential that this request carries.
    fn revoke_credential(&self, call: &Call);
}

/// Decodes `%41` and, in a query, `+`.
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], pair.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (b'+', _) if plus_is_space => {
                out.push(b' ');
                at += 1;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Splits a query string or a form body into decoded pairs.
pub(crate) fn parse_query(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(name, true), percent_decode(value, true))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unencoded_plus_in_a_query_arrives_as_a_space() {
        let query = parse_query("number=+14155550100&email=a%2Bb%40example.com&x");
        assert_eq!(query[0].1, " 14155550100");
        assert_eq!(query[1].1, "a+b@example.com");
        assert_eq!(query[2], ("x".to_owned(), String::new()));
    }

    #[test]
    fn a_broken_escape_is_left_as_it_is() {
        assert_eq!(percent_decode("100%", false), "100%");
        assert_eq!(percent_decode("a%20b+c", false), "a b+c");
    }
}
