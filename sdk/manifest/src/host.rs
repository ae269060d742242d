//! Hosts that a connector may speak with.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A host by its name, `api.acme.example`, or every host below a name, `*.acme.example`. On all ports; never an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

impl HostPattern {
    /// The host of an `https://` address, without its port. None when that is no name.
    pub(crate) fn of_url(url: &str) -> Option<Self> {
        let authority = url.strip_prefix("https://")?.split('/').next()?;
        let name = authority.split(':').next()?;
        if name.starts_with('*') {
            return None;
        }
        name.to_ascii_lowercase().try_into().ok()
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it covers a host, which is written as in a parsed URL: lower case, other scripts in their ASCII form.
    pub fn covers(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            // The point belongs to what has to match: `*.acme.example` is not `evil-acme.example`, nor `acme.example` itself.
            Some(below) => host.len() > below.len() && host.ends_with(below),
            None => host == self.0,
        }
    }

    /// Whether the name has a domain: within a network, names without one may stand for anything.
    pub fn is_qualified(&self) -> bool {
        self.0.contains('.')
    }
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let below = text.strip_prefix("*.");
        let name = below.unwrap_or(&text);
        let labels: Vec<&str> = name.split('.').collect();
        let letters = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let is_label = |label: &&str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(letters)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // No top-level domain begins with a digit; what looks like that is an address in one of its spellings.
        let is_name = labels.last().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_lowercase()));
        // Everything below a top-level domain is nobody's.
        let is_owned = below.is_none() || labels.len() > 1;
        if labels.iter().all(is_label) && is_name && is_owned && text.len() <= 253 {
            return Ok(Self(text));
        }
        Err(format!(
            "invalid host `{text}`, expected a name such as api.acme.example, or *.acme.example for every host below it, in lower case \
             and without scheme, port and path"
        ))
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        text.to_owned().try_into().unwrap()
    }

    #[test]
    fn a_name_covers_itself_and_a_star_covers_what_is_below_and_nothing_else() {
        let exact = pattern("api.acme.example");
        assert!(exact.covers("api.acme.example"));
        for other in
            ["acme.example", "x.api.acme.example", "api.acme.example.", "api.acme.example.evil.example"]
        {
            assert!(!exact.covers(other), "{other}");
        }
        let below = pattern("*.acme.example");
        assert!(below.covers("eu.acme.example") && below.covers("a.b.acme.example"));
        for other in
            ["acme.example", ".acme.example", "evil-acme.example", "evilacme.example", "acme.example.evil"]
        {
            assert!(!below.covers(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_name_of_a_host_is_refused() {
        for bad in [
            "",
            "*",
            "*.",
            "*.example",
            "**.acme.example",
            "api.*.example",
            "api.acme.example.",
            ".acme.example",
            "API.acme.example",
            "https://api.acme.example",
            "api.acme.example:443",
            "api.acme.example/v1",
            "user@api.acme.example",
            "api acme.example",
            "-api.acme.example",
            "аpi.acme.example",
            "10.0.0.7",
            "127.1",
            "0x7f.1",
            "2130706433",
            "[::1]",
            "*.0.0.1",
        ] {
            assert!(HostPattern::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(HostPattern::try_from(format!("{}.example", "a".repeat(64))).is_err());
        assert!(pattern("xn--pi-7kc.example").is_qualified() && !pattern("localhost").is_qualified());
    }

    #[test]
    fn the_host_of_an_address_is_its_name_without_the_port() {
        let host = |url: &str| HostPattern::of_url(url).map(String::from);
        assert_eq!(host("https://API.acme.example:8443/v1").as_deref(), Some("api.acme.example"));
        for bad in [
            "http://acme.example",
            "https://10.0.0.7/v1",
            "https://[::1]/",
            "https://*.acme.example",
            "https:///x",
        ] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }
}
