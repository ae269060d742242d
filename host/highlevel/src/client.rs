//! One app's access to HighLevel, and the handle that binds it to a location.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::{Host, Url};

use crate::auth::TokenProvider;
use crate::http;
use crate::ids::LocationId;
use crate::limiter::{BudgetState, Daily, Limiter, Limits, Priority};
use crate::recorder::Recorder;
use crate::version::ApiVersion;

/// Where every documented operation lives.
pub const BASE_URL: &str = "https://services.leadconnectorhq.com";

/// How to reach HighLevel.
#[derive(Clone, Debug)]
pub struct Config {
    /// The vendor's address; [`BASE_URL`] unless a double stands in for it.
    pub base_url: String,
    /// The API version.
    pub version: ApiVersion,
    /// Longest time for one exchange.
    pub timeout: Duration,
    /// The quota to start from; answers correct it.
    pub limits: Limits,
    /// Longest wait for the quota of the first in line; a longer one is reported as rate limited.
    pub max_wait: Duration,
    /// Longest answer that is read, in bytes.
    pub max_answer: usize,
    /// Allows `http` to a host that is not this machine. Tokens then travel in the clear: only for a double on a
    /// private network.
    pub allow_plain_http: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: BASE_URL.to_owned(),
            version: ApiVersion::default(),
            timeout: Duration::from_secs(30),
            limits: Limits::default(),
            max_wait: Duration::from_secs(30),
            max_answer: 16 * 1024 * 1024,
            allow_plain_http: false,
        }
    }
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address is no URL.
    #[error("the HighLevel base URL `{url}` is not usable: {reason}")]
    BaseUrl {
        /// The address as configured.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Http(#[from] reqwest::Error),
}

/// One app's access to HighLevel. Cheap to clone; clones share connections and quotas.
#[derive(Clone)]
pub struct HighLevel {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) http: reqwest::Client,
    pub(crate) base_url: Url,
    pub(crate) config: Config,
    pub(crate) tokens: Arc<dyn TokenProvider>,
    limiters: Mutex<HashMap<LocationId, Arc<Limiter>>>,
    waiting: Arc<AtomicUsize>,
}

impl HighLevel {
    /// Makes a client of its own.
    ///
    /// # Errors
    /// When the base URL is unusable or would send tokens in the clear, or the HTTP client cannot be made.
    pub fn new(config: Config, tokens: Arc<dyn TokenProvider>) -> Result<Self, ConfigError> {
        let client = http::client(&http::Options { timeout: config.timeout, ..http::Options::default() })?;
        Self::with_client(config, tokens, client)
    }

    /// Uses an HTTP client that exists already; it should come from [`http::client`].
    ///
    /// # Errors
    /// As [`HighLevel::new`].
    pub fn with_client(
        config: Config,
        tokens: Arc<dyn TokenProvider>,
        client: reqwest::Client,
    ) -> Result<Self, ConfigError> {
        let base_url = base_url(&config)?;
        let shared = Shared {
            http: client,
            base_url,
            config,
            tokens,
            limiters: Mutex::default(),
            waiting: Arc::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The handle for one location. Handles of the same location share its quota.
    pub fn at(&self, location: LocationId) -> Location {
        let limiter = self.limiter(&location);
        Location {
            shared: Arc::clone(&self.shared),
            limiter,
            id: location,
            recorder: None,
            priority: Priority::default(),
            holding: false,
        }
    }

    /// What is left of a location's day, to be kept over a restart. None when nothing was sent to it yet.
    pub fn daily(&self, location: &LocationId) -> Option<Daily> {
        self.limiters().get(location).map(|limiter| limiter.daily())
    }

    /// How a location's quota stands, as far as this process has seen; as documented when nothing was sent to it yet.
    pub fn budget(&self, location: &LocationId) -> BudgetState {
        self.limiter(location).budget()
    }

    /// Requests that wait for their location's quota at this moment.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// Takes up what was left of a location's day before a restart.
    pub fn restore_daily(&self, location: &LocationId, daily: Daily) {
        self.limiter(location).restore_daily(daily);
    }

    fn limiter(&self, location: &LocationId) -> Arc<Limiter> {
        let Shared { config, waiting, .. } = &*self.shared;
        let mut limiters = self.limiters();
        let limiter = limiters
            .entry(location.clone())
            .or_insert_with(|| Limiter::new(config.limits, config.max_wait, Arc::clone(waiting)));
        Arc::clone(limiter)
    }

    fn limiters(&self) -> MutexGuard<'_, HashMap<LocationId, Arc<Limiter>>> {
        self.shared.limiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HighLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HighLevel").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

pub(crate) fn base_url(config: &Config) -> Result<Url, ConfigError> {
    let fail = |reason: String| ConfigError::BaseUrl { url: config.base_url.clone(), reason };
    let url: Url = config.base_url.parse().map_err(|error: url::ParseError| fail(error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        // Not repeated in the error: it may be a secret.
        let reason = "it carries a user name or a password".to_owned();
        return Err(ConfigError::BaseUrl { url: url.host_str().unwrap_or_default().to_owned(), reason });
    }
    match url.scheme() {
        "https" => {}
        "http" if config.allow_plain_http || is_this_machine(&url) => {}
        "http" => return Err(fail("tokens would travel in the clear; use https".to_owned())),
        scheme => return Err(fail(format!("the scheme `{scheme}` is not supported"))),
    }
    Ok(url)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// One location's records. Every operation is a method; see the `api` folder for one file per resource.
#[derive(Clone)]
pub struct Location {
    pub(crate) shared: Arc<Shared>,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) id: LocationId,
    pub(crate) recorder: Option<Arc<dyn Recorder>>,
    pub(crate) priority: Priority,
    pub(crate) holding: bool,
}

impl Location {
    /// Holds writes back: one that would be sent is checked and recorded, and ends in
    /// [`HeldBack`](crate::ErrorKind::HeldBack) instead. Reads go out as ever.
    #[must_use]
    pub fn holding_back(mut self) -> Self {
        self.holding = true;
        self
    }

    /// Takes note of every exchange made through this handle.
    #[must_use]
    pub fn recorded(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// How urgent the calls through this handle are; interactive unless said otherwise.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// The location's id.
    pub fn id(&self) -> &LocationId {
        &self.id
    }

    /// The API version in use.
    pub fn version(&self) -> ApiVersion {
        self.shared.config.version
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Location")
            .field("id", &self.id)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> Result<Url, ConfigError> {
        base_url(&Config { base_url: url.to_owned(), ..Config::default() })
    }

    #[test]
    fn tokens_never_travel_in_the_clear_to_another_machine() {
        for good in [BASE_URL, "http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in
            ["http://example.com", "http://127.0.0.1.example.com", "ftp://localhost", "example.com", ""]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
        let config =
            Config { base_url: "http://double:80".into(), allow_plain_http: true, ..Config::default() };
        assert!(base_url(&config).is_ok());
    }

    #[test]
    fn a_password_in_the_base_url_is_refused_and_not_repeated() {
        let error = check("https://user:fake-password@example.com").unwrap_err();
        assert!(!error.to_string().contains("fake-password"));
    }
}
