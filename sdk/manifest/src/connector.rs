//! Who a connector is and whom it speaks to.

use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::HostPattern;

/// `[connector]`: identity of the connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// Its id, the same for every version.
    pub id: ConnectorId,
    /// Its name for a person.
    pub name: String,
    /// Its semantic version.
    pub version: Version,
    /// The oldest host that it runs on.
    pub minimum_host: Version,
    /// One sentence: what it does.
    pub summary: String,
    /// Where to read more (`https://…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
}

/// A connector's id: 1 to 63 of `a-z`, `0-9` and `-`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectorId(String);

impl ConnectorId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ConnectorId {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        let letters = id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if letters && id.len() <= 63 && id.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Ok(Self(id));
        }
        Err(format!(
            "invalid id `{id}`, expected 1 to 63 lower-case letters, digits and hyphens that begin with a letter"
        ))
    }
}

impl From<ConnectorId> for String {
    fn from(id: ConnectorId) -> Self {
        id.0
    }
}

impl fmt::Display for ConnectorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `[partner]`: the application at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    /// Its name for a person.
    pub name: String,
    /// Default base URL below which every request goes; an admin can set another one for a connection.
    pub base_url: String,
    /// Hosts that its API may be at, for an admin who sets another base URL; that of `base_url` alone when none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostPattern>,
    /// What an admin should know about paths and accounts, for example an older host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_notes: Option<String>,
    /// How long a new record may be unfindable at the partner, in seconds. After a `duplicate` without an id the host looks
    /// the record up again when this time has passed.
    #[serde(default)]
    pub lag_seconds: u32,
}

impl Partner {
    /// Hosts that its API may be at.
    pub fn allowed_hosts(&self) -> Vec<HostPattern> {
        if self.hosts.is_empty() {
            HostPattern::of_url(&self.base_url).into_iter().collect()
        } else {
            self.hosts.clone()
        }
    }
}

/// `[[unverified]]`: something that could not be checked against the real partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unverified {
    /// What is assumed.
    pub what: String,
    /// Why it could not be checked, and what to do when it turns out wrong.
    pub why: String,
}
