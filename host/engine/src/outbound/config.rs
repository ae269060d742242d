//! What an operator opens.

use std::collections::BTreeMap;
use std::net::IpAddr;

use contactor_manifest::{ConnectorId, HostPattern};
use serde::{Deserialize, Serialize};
use url::Host;

use super::ranges::OpenRange;
use crate::error::EngineError;

/// Stands for every connector.
const EVERY: &str = "*";

/// Whom this host may speak with, beside HighLevel and the hosts that connectors name. Closed unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct OutboundConfig {
    /// Ranges of addresses that are open although they are not public.
    pub allow: Vec<OpenRange>,
    /// Further hosts that a connector's partner may be at, by the connector's id; `*` stands for every connector.
    pub hosts: BTreeMap<String, Vec<OpenHost>>,
    /// Requests at one time to one host and port, over all connections; the others wait.
    pub requests_per_host: u32,
    /// Requests at one time of one connection; the others wait.
    pub requests_per_connection: u32,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            hosts: BTreeMap::new(),
            // As many as runs are at work at one time: none waits unless an operator has more of them.
            requests_per_host: 64,
            requests_per_connection: 16,
        }
    }
}

impl OutboundConfig {
    /// Opens this machine to every connector and for messages: for doubles.
    #[must_use]
    pub fn with_this_machine(mut self) -> Self {
        let loopback = ["127.0.0.0/8", "::1/128"].map(str::parse::<OpenRange>);
        self.allow.extend(loopback.into_iter().flatten());
        let hosts = ["127.0.0.1", "::1", "localhost"].map(|host| OpenHost::try_from(host.to_owned()));
        self.hosts.entry(EVERY.to_owned()).or_default().extend(hosts.into_iter().flatten());
        self
    }

    /// Says what is wrong with a value, by the key of the configuration file.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] for the first value that is out of its range.
    pub fn check(&self) -> Result<(), EngineError> {
        let limits = [
            ("requests-per-host", self.requests_per_host),
            ("requests-per-connection", self.requests_per_connection),
        ];
        if let Some((key, value)) = limits.into_iter().find(|(_, value)| !(1..=10_000).contains(value)) {
            return Err(EngineError::Invalid(format!("outbound.{key} is {value}; it has to be 1 to 10000")));
        }
        let is_id = |id: &String| id == EVERY || ConnectorId::try_from(id.clone()).is_ok();
        match self.hosts.keys().find(|id| !is_id(id)) {
            Some(id) => Err(EngineError::Invalid(format!(
                "outbound.hosts: `{id}` is no connector's id; `{EVERY}` stands for all of them"
            ))),
            None => Ok(()),
        }
    }

    /// The further hosts of a connector's partner.
    pub(super) fn hosts_of(&self, connector: &str) -> impl Iterator<Item = &OpenHost> {
        [connector, EVERY].into_iter().filter_map(|id| self.hosts.get(id)).flatten()
    }
}

/// A host that an operator opens: a name, `*.` and a name for all below it, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OpenHost {
    /// An address, in whatever spelling a URL has it.
    Address(IpAddr),
    /// A name.
    Name(HostPattern),
}

impl OpenHost {
    pub(super) fn covers(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Name(pattern), Host::Domain(name)) => pattern.covers(name),
            (Self::Address(open), Host::Ipv4(address)) => open.to_canonical() == IpAddr::V4(*address),
            (Self::Address(open), Host::Ipv6(address)) => {
                open.to_canonical() == IpAddr::V6(*address).to_canonical()
            }
            _ => false,
        }
    }
}

impl TryFrom<String> for OpenHost {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => text.try_into().map(Self::Name),
        }
    }
}

impl From<OpenHost> for String {
    fn from(host: OpenHost) -> Self {
        host.to_string()
    }
}

impl std::fmt::Display for OpenHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(toml: &str) -> OutboundConfig {
        serde_json::from_value(serde_json::from_str(toml).unwrap()).unwrap()
    }

    #[test]
    fn nothing_is_open_by_default_and_this_machine_only_when_it_is_said() {
        assert!(OutboundConfig::default().allow.is_empty() && OutboundConfig::default().hosts.is_empty());
        OutboundConfig::default().check().unwrap();
        let opened = OutboundConfig::default().with_this_machine();
        assert_eq!((opened.allow.len(), opened.hosts["*"].len()), (2, 3));
        let written = serde_json::to_value(&opened).unwrap();
        assert_eq!(serde_json::from_value::<OutboundConfig>(written).unwrap(), opened);
    }

    #[test]
    fn a_connector_has_its_own_hosts_and_those_of_all() {
        let config = config(r#"{"hosts": {"acme": ["*.acme.example", "10.0.0.7"], "*": ["double"]}}"#);
        let shown = |id: &str| config.hosts_of(id).map(OpenHost::to_string).collect::<Vec<_>>();
        assert_eq!(shown("acme"), ["*.acme.example", "10.0.0.7", "double"]);
        assert_eq!(shown("other"), ["double"]);
        let covers = |host: Host<&str>| config.hosts_of("acme").any(|open| open.covers(&host));
        assert!(covers(Host::Domain("eu.acme.example")) && covers(Host::Ipv4([10, 0, 0, 7].into())));
        assert!(covers(Host::Ipv6("::ffff:10.0.0.7".parse().unwrap())));
        assert!(!covers(Host::Domain("acme.example")) && !covers(Host::Ipv4([10, 0, 0, 8].into())));
    }

    #[test]
    fn a_value_that_makes_no_sense_is_refused_by_its_key() {
        for (wrong, words) in [
            (r#"{"requests-per-host": 0}"#, "outbound.requests-per-host is 0"),
            (r#"{"requests-per-connection": 10001}"#, "outbound.requests-per-connection is 10001"),
            (r#"{"hosts": {"Acme Inc": []}}"#, "outbound.hosts: `Acme Inc`"),
        ] {
            let error = config(wrong).check().unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
        for wrong in
            [r#"{"allow": ["here"]}"#, r#"{"hosts": {"acme": ["https://acme.example"]}}"#, r#"{"open": 1}"#]
        {
            assert!(serde_json::from_str::<OutboundConfig>(wrong).is_err(), "{wrong}");
        }
    }
}
