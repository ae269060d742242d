//! Requests at one time: so many to one host, so many of one connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hosts that are remembered before those that nobody asks at the moment are forgotten.
const HOSTS: usize = 256;

/// The places of each host. A host exists only while somebody has or awaits a place there.
pub(super) struct Places {
    each: usize,
    hosts: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Places {
    pub(super) fn new(each: u32) -> Self {
        Self { each: places(each), hosts: Mutex::default() }
    }

    /// Waits for a place at a host.
    pub(super) async fn at(&self, host: &str) -> Option<OwnedSemaphorePermit> {
        // The permit keeps the host's places alive.
        self.of(host).acquire_owned().await.ok()
    }

    fn of(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = hosts.get(host).and_then(Weak::upgrade) {
            return places;
        }
        if hosts.len() >= HOSTS {
            hosts.retain(|_, places| places.strong_count() > 0);
        }
        let places = Arc::new(Semaphore::new(self.each));
        hosts.insert(host.to_owned(), Arc::downgrade(&places));
        places
    }
}

/// The places of one connection.
#[derive(Clone)]
pub(crate) struct Lane(Arc<Semaphore>);

impl Lane {
    pub(super) fn new(each: u32) -> Self {
        Self(Arc::new(Semaphore::new(places(each))))
    }

    /// Waits for a place.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

fn places(each: u32) -> usize {
    usize::try_from(each).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_host_has_so_many_places_and_another_host_its_own() {
        let places = Places::new(2);
        let (first, _second) = (places.at("a:443").await, places.at("a:443").await);
        let mut third = Box::pin(places.at("a:443"));
        assert!((&mut third).now_or_never().is_none());
        assert!(places.at("b:443").now_or_never().is_some() && places.at("a:8443").now_or_never().is_some());
        drop(first);
        assert!(third.now_or_never().flatten().is_some());
    }

    #[tokio::test]
    async fn hosts_that_nobody_asks_are_forgotten_and_those_in_use_are_not() {
        let places = Places::new(1);
        let _held = places.at("held:443").await;
        for host in 0..10 * HOSTS {
            drop(places.at(&format!("h{host}:443")).await);
        }
        assert!(places.hosts.lock().unwrap().len() <= HOSTS);
        assert!(places.at("held:443").now_or_never().is_none());
    }
}
