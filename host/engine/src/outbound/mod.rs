//! Everything that this host sends to others than HighLevel: requests of connectors and messages.
//!
//! Whoever may set an address (the admin of a workspace, the author of a connector, the owner of a name in the DNS) must not make the
//! host speak with what only the host can reach. So an address is decided about where it is connected to and nowhere earlier: each
//! connection looks its name up once, every address that is answered is checked, and exactly these are connected to. A check before the
//! request, with a second look-up at the connection, would be one that a name passes which answers differently the next time.
//!
//! Only this module has the client, so there is no way around it. Redirects are answers like any other: whoever wants to follow one
//! makes a request of its own, which is checked like the first. No proxy of the environment is asked; it would resolve the name itself.

mod answer;
mod config;
mod places;
mod ranges;
mod resolve;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use contactor_highlevel::http as client;
use contactor_manifest::HostPattern;
use http::{HeaderMap, Method};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

pub use answer::Answer;
pub use config::{OpenHost, OutboundConfig};
pub(crate) use places::Lane;
use places::Places;
pub use ranges::OpenRange;
use ranges::{Closed, Ranges, is_this_machine};
use resolve::{Checked, Unresolved};
pub use resolve::{Lookup, SystemLookup};

use crate::error::EngineError;

/// The way out. Cheap to clone; clones share connections and places.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    config: OutboundConfig,
    client: reqwest::Client,
    checked: Checked,
    hosts: Places,
}

/// A request on its way out, with its credential in it.
pub(crate) struct Outgoing<'r> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    /// For all of it: the wait for a place, the connection, the answer to its last byte.
    pub(crate) timeout: Duration,
    /// The most bytes of an answer's body; none reads no body.
    pub(crate) cap: Option<usize>,
    /// Whose request it is.
    pub(crate) lane: Option<&'r Lane>,
}

/// A host that stands for an address which is not open.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}{}, {}; the operator can open it: `{}` in the section `outbound` of the configuration",
    .host.as_deref().map(|host| format!("the host {host} stands for ")).unwrap_or_default(),
    .closed.address, .closed.kind, .closed.opened_by())]
pub(crate) struct ClosedHost {
    /// Its name; none when the address was given as it is.
    host: Option<String>,
    closed: Closed,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// The host is not open. Nothing was sent, and nobody was connected to.
    #[error(transparent)]
    Closed(#[from] ClosedHost),
    /// Nothing was sent: too much else was on its way there.
    #[error("no place for it in time: too many requests are under way there")]
    NoPlace,
    /// Nobody was reached, so nothing was sent.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// It was sent, perhaps.
    #[error("no answer in time")]
    TimedOut,
    /// It was sent, perhaps.
    #[error("the exchange broke off: {0}")]
    BrokeOff(String),
    /// It was sent and answered.
    #[error("the answer is larger than {cap} bytes")]
    TooLarge {
        /// How much is taken.
        cap: usize,
    },
    /// It was sent and answered.
    #[error("the answer has more than {count} headers, or more than {bytes} bytes of them")]
    Headers {
        /// How many are taken.
        count: usize,
        /// How much of them.
        bytes: usize,
    },
}

impl Failed {
    /// The innermost cause tells: the outer ones only say that something was sent. `error` must not have its URL any more.
    fn of(error: &reqwest::Error) -> Self {
        let mut innermost: &(dyn std::error::Error + 'static) = error;
        let mut closed = None;
        loop {
            if let Some(Unresolved::Closed(found)) = innermost.downcast_ref::<Unresolved>() {
                closed = Some(found.clone());
            }
            match innermost.source() {
                Some(source) => innermost = source,
                None => break,
            }
        }
        match closed {
            Some(closed) => Self::Closed(closed),
            None if error.is_connect() => Self::NoConnection(innermost.to_string()),
            None if error.is_timeout() => Self::TimedOut,
            None => Self::BrokeOff(innermost.to_string()),
        }
    }
}

impl Outbound {
    /// The way out by an operator's settings.
    ///
    /// # Errors
    /// A setting is out of its range, or the machine's certificates cannot be read.
    pub fn new(config: OutboundConfig) -> Result<Self, EngineError> {
        Self::with_lookup(config, Arc::new(SystemLookup))
    }

    /// The same with another way to find the addresses of names.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_lookup(config: OutboundConfig, lookup: Arc<dyn Lookup>) -> Result<Self, EngineError> {
        config.check()?;
        let checked = Checked { lookup, ranges: Arc::new(Ranges::new(&config.allow)) };
        let options =
            client::Options { resolver: Some(Arc::new(checked.clone())), ..client::Options::default() };
        let client = client::client(&options)
            .map_err(|error| EngineError::Invalid(format!("HTTP client: {error}")))?;
        let hosts = Places::new(config.requests_per_host);
        Ok(Self(Arc::new(Inner { config, client, checked, hosts })))
    }

    /// The places of one more connection.
    pub(crate) fn lane(&self) -> Lane {
        Lane::new(self.0.config.requests_per_connection)
    }

    /// Whether a request may go to a URL, as far as can be told without asking for its name: `https`, or `http` to this machine if that
    /// is open; no user and no password. The words do not repeat the URL, which may be a secret.
    ///
    /// # Errors
    /// Why it may not, in words.
    pub fn check_url(&self, url: &Url) -> Result<(), String> {
        let host = url.host().ok_or("it names no host")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user or a password".to_owned());
        }
        let literal = literal(&host);
        if let Some(address) = literal {
            self.check_address(address).map_err(|closed| closed.to_string())?;
        }
        let is_here = literal.is_some_and(is_this_machine)
            || matches!(host, Host::Domain(name) if name == "localhost" && self.is_here_open());
        match url.scheme() {
            "https" => Ok(()),
            "http" if is_here => Ok(()),
            _ => Err("expected https (http only for a double on this machine, if `allow` in the section `outbound` of the \
                      configuration opens that)"
                .to_owned()),
        }
    }

    /// Whether a connector's partner may be at a host: its manifest names it, or the operator does.
    pub(crate) fn check_host(&self, connector: &str, named: &[HostPattern], url: &Url) -> Result<(), String> {
        let Some(host) = url.host() else { return Err("it names no host".to_owned()) };
        let by_manifest =
            matches!(host, Host::Domain(name) if named.iter().any(|pattern| pattern.covers(name)));
        if by_manifest || self.0.config.hosts_of(connector).any(|open| open.covers(&host)) {
            return Ok(());
        }
        let setting = match host {
            Host::Ipv6(address) => address.to_string(),
            ref other => other.to_string(),
        };
        Err(format!(
            "{connector} may speak with {}, and not with {host}; the operator can open it: `{connector} = [\"{setting}\"]` in the \
             section `outbound.hosts` of the configuration",
            self.hosts_of(connector, named).join(", ")
        ))
    }

    /// Every host that a connector's partner may be at, for whoever approves it.
    pub(crate) fn hosts_of(&self, connector: &str, named: &[HostPattern]) -> Vec<String> {
        let mut hosts: Vec<String> = named.iter().map(ToString::to_string).collect();
        hosts.extend(self.0.config.hosts_of(connector).map(ToString::to_string));
        hosts
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn send(&self, outgoing: Outgoing<'_>) -> Result<Answer, Failed> {
        let deadline = Instant::now() + outgoing.timeout;
        // The client connects to an address in a URL without asking for it.
        if let Some(address) = outgoing.url.host().as_ref().and_then(literal) {
            self.check_address(address)?;
        }
        let places = async {
            let own = match outgoing.lane {
                Some(lane) => lane.place().await,
                None => None,
            };
            (own, self.0.hosts.at(&authority(&outgoing.url)).await)
        };
        let _places = timeout_at(deadline, places).await.map_err(|_| Failed::NoPlace)?;
        let mut request = reqwest::Request::new(outgoing.method, outgoing.url);
        *request.headers_mut() = outgoing.headers;
        *request.body_mut() = outgoing.body.map(Into::into);
        *request.timeout_mut() = Some(deadline.saturating_duration_since(Instant::now()));
        // `without_url`: the credential may be a query parameter, and a chat's address is a secret.
        let sent = self.0.client.execute(request).await;
        let response = sent.map_err(|error| Failed::of(&error.without_url()))?;
        answer::read(response, outgoing.cap).await
    }

    /// The addresses of a host, all of them open, for a client that connects by itself.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Failed> {
        self.0.checked.addresses(host).await.map_err(|unresolved| match unresolved {
            Unresolved::Closed(closed) => Failed::Closed(closed),
            unknown @ Unresolved::Unknown(_) => Failed::NoConnection(unknown.to_string()),
        })
    }

    fn check_address(&self, address: IpAddr) -> Result<(), ClosedHost> {
        self.0.checked.ranges.check(address).map_err(|closed| ClosedHost { host: None, closed })
    }

    fn is_here_open(&self) -> bool {
        self.check_address(IpAddr::from([127, 0, 0, 1])).is_ok()
    }
}

/// The address that a host is written as.
fn literal(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
    }
}

/// Host and port.
fn authority(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests;
