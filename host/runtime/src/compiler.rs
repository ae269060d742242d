//! Compiling: away from the requests, few at a time, within a time limit, and each component once.
//!
//! Wasmtime promises nothing about the time that a hostile component takes to compile. A compilation cannot be stopped from
//! outside, so one that takes too long goes on behind our back; it keeps its permit until it ends, so that a stream of such
//! components never occupies more than the permitted threads. Cranelift would compile on all cores, so these threads are the compiler's
//! own, leave half of the cores alone, and stand behind all others.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use wasmtime::{Engine, component::Component};

use crate::{
    CacheConfig, Digest, HostFault, LoadError, RuntimeError,
    cache::{Cache, Found},
    overrun::{self, Overrun},
    priority,
};

pub(crate) struct Compiler {
    work: Arc<Work>,
    permits: Arc<Semaphore>,
    time: Duration,
    overrun: Arc<Overrun>,
    /// Components that a connector still holds: thousands of connections share a few of them.
    alive: Mutex<HashMap<Digest, Weak<Component>>>,
}

/// What a compilation needs, on whichever thread it runs.
struct Work {
    engine: Engine,
    threads: ThreadPool,
    cache: Option<Cache>,
    compiled: AtomicU64,
    from_cache: AtomicU64,
    quarantined: AtomicU64,
}

/// How components were compiled so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompileCounts {
    /// Compiled from their WebAssembly.
    pub compiled: u64,
    /// Taken from the cache on disk.
    pub from_cache: u64,
    /// Entries of the cache that were not this host's own, and were moved aside.
    pub quarantined: u64,
}

impl Compiler {
    pub(crate) fn new(
        engine: &Engine,
        permits: usize,
        time: Duration,
        cache: Option<CacheConfig>,
        overrun: Arc<Overrun>,
    ) -> Result<Self, RuntimeError> {
        let cache =
            cache.map(|config| Cache::open(config, engine)).transpose().map_err(RuntimeError::Cache)?;
        let threads = ThreadPoolBuilder::new()
            .num_threads(overrun::threads())
            .thread_name(|number| format!("compiler-{number}"))
            .start_handler(|_| priority::lower())
            .build()
            .map_err(|error| RuntimeError::Threads(io::Error::other(error)))?;
        let work = Work {
            engine: engine.clone(),
            threads,
            cache,
            compiled: AtomicU64::new(0),
            from_cache: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
        };
        Ok(Self {
            work: Arc::new(work),
            permits: Arc::new(Semaphore::new(permits)),
            time,
            overrun,
            alive: Mutex::new(HashMap::new()),
        })
    }

    /// Compiles bytes whose digest the caller has checked.
    pub(crate) async fn compile(
        &self,
        id: &str,
        digest: Digest,
        bytes: Vec<u8>,
    ) -> Result<Arc<Component>, LoadError> {
        if let Some(component) = self.alive(&digest) {
            return Ok(component);
        }
        // What was compiled once waits for no compiler: another component may keep it busy for as long as it takes to give that up.
        let work = Arc::clone(&self.work);
        if let Ok(Some(component)) = spawn_blocking(move || work.cached(&digest)).await {
            return Ok(self.keep(digest, component));
        }
        let connector = || id.to_owned();
        let busy = HostFault::CompilerBusy { waited: self.time };
        let Ok(Ok(permit)) = timeout(self.time, Arc::clone(&self.permits).acquire_owned()).await else {
            return Err(LoadError::Host { connector: connector(), fault: busy });
        };
        // Another load may have compiled the same component meanwhile.
        if let Some(component) = self.alive(&digest) {
            return Ok(component);
        }
        let work = Arc::clone(&self.work);
        // What it writes into the cache is many times as large as the component.
        let job = self.overrun.block(move || {
            let _permit = permit;
            work.run(&digest, &bytes)
        });
        let component = match timeout(self.time, job).await {
            Ok(Ok(Ok(component))) => component,
            Ok(Ok(Err(error))) => {
                return Err(LoadError::Compile { connector: connector(), reason: format!("{error:#}") });
            }
            Ok(Err(_panic)) => {
                return Err(LoadError::Host { connector: connector(), fault: HostFault::Panicked });
            }
            Err(_elapsed) => {
                return Err(LoadError::CompileTimeout { connector: connector(), after: self.time });
            }
        };
        Ok(self.keep(digest, component))
    }

    /// Remembers a component as long as somebody has it.
    fn keep(&self, digest: Digest, component: Component) -> Arc<Component> {
        let component = Arc::new(component);
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        alive.retain(|_, component| component.strong_count() > 0);
        alive.insert(digest, Arc::downgrade(&component));
        component
    }

    /// Authenticates what lies in the cache with another key from now on.
    pub(crate) async fn change_cache_key(&self, key: [u8; 32]) {
        let Some(cache) = &self.work.cache else { return };
        cache.change_key(key);
        let work = Arc::clone(&self.work);
        let swept = spawn_blocking(move || work.cache.as_ref().map_or(Ok(()), Cache::sweep)).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "compiled components of the former key are not read any more, and could not be removed");
        }
    }

    pub(crate) fn counts(&self) -> CompileCounts {
        CompileCounts {
            compiled: self.work.compiled.load(Relaxed),
            from_cache: self.work.from_cache.load(Relaxed),
            quarantined: self.work.quarantined.load(Relaxed),
        }
    }

    fn alive(&self, digest: &Digest) -> Option<Arc<Component>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).get(digest)?.upgrade()
    }
}

impl Work {
    /// From the cache. One that fails costs time and is reported; it does not stop a connector.
    fn cached(&self, digest: &Digest) -> Option<Component> {
        match self.cache.as_ref()?.get(&self.engine, digest) {
            Ok(Found::Hit(component)) => {
                self.from_cache.fetch_add(1, Relaxed);
                return Some(component);
            }
            Ok(Found::Miss) => {}
            Ok(Found::Quarantined) => {
                self.quarantined.fetch_add(1, Relaxed);
                tracing::error!(%digest, "a compiled component in the cache was not written by this host; moved aside, compiling again");
            }
            Err(error) => {
                tracing::warn!(%digest, %error, "the cache of compiled components cannot be read");
            }
        }
        None
    }

    /// From the bytes.
    fn run(&self, digest: &Digest, bytes: &[u8]) -> wasmtime::Result<Component> {
        // `from_binary` takes no text and looks at no file.
        let component = self.threads.install(|| Component::from_binary(&self.engine, bytes))?;
        self.compiled.fetch_add(1, Relaxed);
        if let Some(cache) = &self.cache
            && let Err(error) = cache.put(digest, &component)
        {
            tracing::warn!(%digest, %error, "a compiled component could not be cached");
        }
        Ok(component)
    }
}
