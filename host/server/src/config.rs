//! What the server needs to know.

use std::net::SocketAddr;
use std::time::Duration;

use contactor_engine::LOGIN_REQUEST_TIMEOUT;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;

/// Address, admin token and limits. [`ServerConfig::new`] gives every limit its default.
#[derive(Clone)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The host's own bearer token of the admin API, which opens everything. Users have tokens of their own, in the store.
    pub admin_token: SecretString,
    /// Largest webhook body in bytes. HighLevel marks larger payloads instead of sending them.
    pub webhook_body_cap: usize,
    /// Bytes of webhook bodies that may be on their way in at once; who brings more is asked to come again. At least one body's.
    pub webhook_bodies_cap: usize,
    /// Largest JSON body of the admin API in bytes.
    pub json_body_cap: usize,
    /// Largest component that can be uploaded, in bytes. The runtime has a cap of its own.
    pub component_body_cap: usize,
    /// Bytes of JSON bodies that may be on their way in, or at work, at once, and of one user a quarter of them; who brings more is
    /// asked to come again. At least one body's.
    pub json_bodies_cap: usize,
    /// The same of components, so that who uploads keeps nobody from anything else.
    pub component_bodies_cap: usize,
    /// Connections open at once. Further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// Longest time for a request's head to arrive, and for an idle connection to stay open.
    pub header_timeout: Duration,
    /// Longest time for a request's body to arrive.
    pub body_timeout: Duration,
    /// Longest time that a client may leave an answer unread.
    pub write_timeout: Duration,
    /// Longest time to answer a webhook, its commit included.
    pub webhook_timeout: Duration,
    /// Longest time to answer a request of the admin API; a preview asks two vendors for many records.
    pub admin_timeout: Duration,
    /// Longest time to lead a browser to the identity provider, and to end a login that comes back: a little more than one request to the
    /// provider may take.
    pub login_timeout: Duration,
    /// Requests that a user may make in a minute, with all tokens and sessions together. The host's own admin token has no limit.
    pub admin_requests_per_minute: u32,
    /// For how long browsers shall ask for this host with TLS only (`Strict-Transport-Security`); `None` says nothing. For hosts whose
    /// name is reached through a proxy with TLS and in no other way.
    pub strict_transport: Option<Duration>,
    /// How long requests in flight may take to end after the server was told to stop.
    pub drain_timeout: Duration,
    /// What `GET /metrics` renders; `None` answers 404 there.
    pub metrics: Option<PrometheusHandle>,
}

impl ServerConfig {
    /// The given address and token, and the default for everything else.
    pub fn new(listen: SocketAddr, admin_token: SecretString) -> Self {
        Self {
            listen,
            admin_token,
            webhook_body_cap: 256 * 1024,
            webhook_bodies_cap: 64 * 1024 * 1024,
            json_body_cap: 1024 * 1024,
            component_body_cap: 16 * 1024 * 1024,
            json_bodies_cap: 32 * 1024 * 1024,
            component_bodies_cap: 128 * 1024 * 1024,
            max_connections: 4_096,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            webhook_timeout: Duration::from_secs(30),
            admin_timeout: Duration::from_mins(2),
            login_timeout: LOGIN_REQUEST_TIMEOUT + Duration::from_secs(5),
            admin_requests_per_minute: 1_200,
            strict_transport: None,
            drain_timeout: Duration::from_secs(15),
            metrics: None,
        }
    }
}

impl std::fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerConfig").field("listen", &self.listen).finish_non_exhaustive()
    }
}
