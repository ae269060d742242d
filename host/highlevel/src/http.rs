//! The one HTTP client builder of the product: for HighLevel and, from the engine, for the partners.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;

/// How a client connects. The defaults suit HighLevel; a partner's client usually adds a resolver that refuses private
/// addresses.
#[derive(Clone)]
pub struct Options {
    /// Longest time to connect, TLS included.
    pub connect_timeout: Duration,
    /// Longest time for a whole exchange, body included. A single request may ask for less.
    pub timeout: Duration,
    /// How long an unused connection stays open.
    pub idle_timeout: Duration,
    /// Unused connections kept per host.
    pub idle_per_host: usize,
    /// A name resolver in place of the system's.
    pub resolver: Option<Arc<dyn Resolve>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(1),
            idle_per_host: 32,
            resolver: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("idle_per_host", &self.idle_per_host)
            .field("resolver", &self.resolver.is_some())
            .finish()
    }
}

/// The product's name and version, as sent with every request.
pub const USER_AGENT: &str = concat!("contactor/", env!("CARGO_PKG_VERSION"));

/// Builds a client: rustls with the ring provider, HTTP/1.1 and HTTP/2, no redirects (a redirect would carry a
/// credential to a host that nobody granted), no proxy from the environment, no automatic retries of its own.
///
/// # Errors
/// When the machine's certificate store cannot be read.
#[expect(clippy::disallowed_methods, reason = "this is the one builder that everybody else must use")]
pub fn client(options: &Options) -> Result<reqwest::Client, reqwest::Error> {
    // The first installation in a process wins; a second one reports an error that means "there is one already".
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(options.connect_timeout)
        .timeout(options.timeout)
        .pool_idle_timeout(options.idle_timeout)
        .pool_max_idle_per_host(options.idle_per_host)
        .tcp_nodelay(true);
    if let Some(resolver) = &options.resolver {
        builder = builder.dns_resolver(Arc::clone(resolver));
    }
    builder.build()
}
