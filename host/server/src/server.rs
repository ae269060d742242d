//! The server as its caller sees it: bind, then serve until told to stop.

use std::net::SocketAddr;

use contactor_engine::Engine;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::{self, App};
use crate::config::ServerConfig;
use crate::listen::{self, Limits};

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be used.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A server that holds its address and has not answered anything yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    config: ServerConfig,
    engine: Engine,
}

impl Server {
    /// Takes the address. Clients can connect from now on; they are answered once [`serve`](Self::serve) runs.
    ///
    /// # Errors
    /// When the address is in use or not this machine's.
    pub async fn bind(config: ServerConfig, engine: Engine) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Bind { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, config, engine })
    }

    /// The address that was taken; with the real port where port 0 was asked for.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `stop` is cancelled; then accepts nothing more, lets the requests in flight end within the
    /// configured time, and returns.
    pub async fn serve(self, stop: CancellationToken) {
        let limits = Limits {
            max_connections: self.config.max_connections,
            header_timeout: self.config.header_timeout,
            write_timeout: self.config.write_timeout,
            drain_timeout: self.config.drain_timeout,
        };
        let app = App::new(self.config, self.engine);
        let router = app::router(app.clone());
        listen::serve(self.listener, router, limits, app.gate.at_rest(), stop).await;
    }
}
