//! Names to addresses, once for each connection: what was checked is what is connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::ClosedHost;
use super::ranges::Ranges;

/// Addresses of one name that are tried; a name with more is cut, after all of them were checked.
const TRIED: usize = 16;

/// Finds the addresses of names.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses that a name stands for at this moment.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the system, as every program on this machine does.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        // A look-up asks for a port; none is of interest.
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unresolved {
    #[error(transparent)]
    Closed(#[from] ClosedHost),
    #[error("its host is not found: {0}")]
    Unknown(#[source] io::Error),
}

/// Answers open addresses only. A client that is built with it connects to the very addresses that were checked: it looks up
/// nothing itself, so that a name that stands for a public address at one look and for this machine at the next gets nobody in.
#[derive(Clone)]
pub(super) struct Checked {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) ranges: Arc<Ranges>,
}

impl Checked {
    /// The addresses of a name, all of them open. One closed address among open ones refuses the name: whoever answers so is
    /// trying something, or is set up wrongly, and which one is connected to would be a matter of chance.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let mut found = self.lookup.addresses(name).await.map_err(Unresolved::Unknown)?;
        if found.is_empty() {
            return Err(Unresolved::Unknown(io::Error::new(io::ErrorKind::NotFound, "no address")));
        }
        for address in &found {
            let checked = self.ranges.check(*address);
            checked.map_err(|closed| ClosedHost { host: Some(name.to_owned()), closed })?;
        }
        found.truncate(TRIED);
        Ok(found)
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let checked = self.clone();
        Box::pin(async move {
            let found = checked.addresses(name.as_str()).await?;
            // The port is the client's to set.
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
