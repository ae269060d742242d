//! The one HTTP client builder of the product: for HighLevel and, from the engine, for the partners.

use std::sync::Arc;
use std::time::Duration;

/// How a client connects. The defaults suit HighLevel and the partners.
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
    /// Finds the addresses of names, and may refuse some; the system's own way unless given. Addresses in a URL are not asked for.
    pub resolver: Option<Arc<dyn reqwest::dns::Resolve>>,
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

/// Why a request has no answer, without its address: that can hold a person's phone or email.
pub struct Unanswered {
    /// What happened, in words.
    pub problem: String,
    /// Whether it may have been carried out. Only a failed connection proves that nothing was sent.
    pub sent: bool,
}

impl Unanswered {
    /// What an error of the client says: its innermost cause, as the outer ones only repeat that something was sent.
    pub fn of(error: &reqwest::Error) -> Self {
        let sent = !(error.is_connect() || error.is_builder());
        let mut innermost = std::error::Error::source(error);
        while let Some(source) = innermost.and_then(std::error::Error::source) {
            innermost = Some(source);
        }
        let problem = match innermost {
            _ if error.is_timeout() => "timed out".to_owned(),
            Some(cause) => cause.to_string(),
            None => "the connection failed".to_owned(),
        };
        Self { problem, sent }
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
    let builder = reqwest::Client::builder()
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
    match &options.resolver {
        Some(resolver) => builder.dns_resolver(Arc::clone(resolver)).build(),
        None => builder.build(),
    }
}
