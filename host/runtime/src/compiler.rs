//! Compiling: away from the requests, few at a time, within a time limit, and each component once.
//!
//! Wasmtime promises nothing about the time and the memory that a hostile component takes to compile, so a host has it done by a process
//! of its own ([`crate::worker`]), which is ended when it takes too long or nobody waits for it any more. Without one, a compilation that
//! takes too long goes on behind our back; it keeps its permit until it ends, so that a stream of such components never occupies more than
//! the permitted threads. These are the compiler's own, leave half of the cores alone, and stand behind all others.
//!
//! What was compiled here before waits only for its like: strangers who keep the compiler busy with what is new keep nobody from what is
//! installed.

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
    Digest, HostFault, LoadError, RuntimeConfig, RuntimeError,
    cache::{self, Cache, Found},
    overrun::{self, Overrun, Rank},
    priority,
    worker::{Ending, Running, WorkerConfig, WorkerError},
};

pub(crate) struct Compiler {
    work: Arc<Work>,
    permits: Permits,
    time: Duration,
    overrun: Arc<Overrun>,
    /// Components that a connector still holds: thousands of connections share a few of them.
    alive: Mutex<HashMap<Digest, Weak<Component>>>,
}

/// Where a component comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was compiled here before, so it is compiled again in good time.
    Installed,
    /// Nobody knows what it does to a compiler.
    New,
}

/// Who may compile.
struct Permits {
    installed: Arc<Semaphore>,
    new: Arc<Semaphore>,
}

/// What a compilation needs, on whichever thread it runs.
struct Work {
    engine: Engine,
    by: By,
    cache: Option<Cache>,
    compiled: AtomicU64,
    from_cache: AtomicU64,
    quarantined: AtomicU64,
}

/// Who compiles.
enum By {
    /// This process.
    Threads(ThreadPool),
    /// A process for each component.
    Worker(WorkerConfig),
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
        config: RuntimeConfig,
        overrun: Arc<Overrun>,
    ) -> Result<Self, RuntimeError> {
        let cache =
            config.cache.map(|cache| Cache::open(cache, engine)).transpose().map_err(RuntimeError::Cache)?;
        let by = match config.worker {
            Some(worker) => By::Worker(worker),
            None => By::Threads(threads()?),
        };
        let permits = || Arc::new(Semaphore::new(config.compile_permits));
        let work = Work {
            engine: engine.clone(),
            by,
            cache,
            compiled: AtomicU64::new(0),
            from_cache: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
        };
        Ok(Self {
            work: Arc::new(work),
            permits: Permits { installed: permits(), new: permits() },
            time: config.compile_timeout,
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
        origin: Origin,
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
        let permits = match origin {
            Origin::Installed => &self.permits.installed,
            Origin::New => &self.permits.new,
        };
        let Ok(Ok(permit)) = timeout(self.time, Arc::clone(permits).acquire_owned()).await else {
            return Err(LoadError::Host { connector: connector(), fault: busy });
        };
        // Another load may have compiled the same component meanwhile.
        if let Some(component) = self.alive(&digest) {
            return Ok(component);
        }
        let work = Arc::clone(&self.work);
        // Whoever stops waiting ends it.
        let ending = Ending::default();
        let running = ending.running();
        let rank = match origin {
            // It is waited for by whatever the connector does.
            Origin::Installed => Rank::Low,
            Origin::New => self.overrun.rank(),
        };
        // The permit is given back when nobody compiles it any more.
        let given = Arc::new((bytes, permit));
        // What it writes into the cache is many times as large as the component.
        let job = async {
            let run = |rank| {
                let (work, running, given) = (Arc::clone(&work), Arc::clone(&running), Arc::clone(&given));
                move || work.run(&digest, &given.0, rank, &running)
            };
            let ran = self.overrun.block(rank, run(rank)).await;
            if !matches!(ran, Ok(Err(Failed::Starved))) {
                return ran;
            }
            self.overrun.note_starved();
            self.overrun.block(Rank::Low, run(Rank::Low)).await
        };
        let component = match timeout(self.time, job).await {
            Ok(Ok(Ok(component))) => component,
            Ok(Ok(Err(failed))) => return Err(failed.of(connector(), origin)),
            Ok(Err(_panic)) => {
                return Err(LoadError::Host { connector: connector(), fault: HostFault::Panicked });
            }
            Err(_elapsed) => {
                return Err(LoadError::CompileTimeout { connector: connector(), after: self.time });
            }
        };
        Ok(self.keep(digest, component))
    }

    /// Remembers a component as long as somebody has it. Of two that were made at the same time the first one stays.
    fn keep(&self, digest: Digest, component: Component) -> Arc<Component> {
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = alive.get(&digest).and_then(Weak::upgrade) {
            return first;
        }
        let component = Arc::new(component);
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
    fn run(&self, digest: &Digest, bytes: &[u8], rank: Rank, running: &Running) -> Result<Component, Failed> {
        let artefact = self.artefact(bytes, rank, running)?;
        // What is more than the pool has is only seen here.
        let component = cache::revive(&self.engine, &artefact)
            .map_err(|error| Failed::Component(format!("{error:#}")))?;
        self.compiled.fetch_add(1, Relaxed);
        if let Some(cache) = &self.cache
            && let Err(error) = cache.put(digest, &artefact)
        {
            tracing::warn!(%digest, %error, "a compiled component could not be cached");
        }
        Ok(component)
    }

    fn artefact(&self, bytes: &[u8], rank: Rank, running: &Running) -> Result<Vec<u8>, Failed> {
        match &self.by {
            By::Threads(threads) => threads
                .install(|| self.engine.precompile_component(bytes))
                .map_err(|error| Failed::Component(format!("{error:#}"))),
            By::Worker(config) => running.compile(config, rank, bytes).map_err(|error| match error {
                WorkerError::Refused(words) => Failed::Component(words),
                WorkerError::Died(how) => Failed::Died(format!(
                    "the compiler died of it ({how}), most often because it takes more than {} MiB of memory; make it smaller or raise \
                     compile-memory-mib",
                    config.memory_mib
                )),
                WorkerError::Starved => Failed::Starved,
                WorkerError::Lost(error) => Failed::Host(format!("the process that compiles: {error}")),
            }),
        }
    }
}

/// Why a component was not compiled.
enum Failed {
    /// It cannot be.
    Component(String),
    /// The process died of it.
    Died(String),
    /// The process got too little of a core.
    Starved,
    /// It may be the next time.
    Host(String),
}

impl Failed {
    fn of(self, connector: String, origin: Origin) -> LoadError {
        match (self, origin) {
            (Self::Component(reason), _) | (Self::Died(reason), Origin::New) => {
                LoadError::Compile { connector, reason }
            }
            (Self::Starved, _) => {
                LoadError::Host { connector, fault: HostFault::Internal("the compiler gave up".to_owned()) }
            }
            // What was compiled before can be compiled: the machine lacks something.
            (Self::Died(what), Origin::Installed) | (Self::Host(what), _) => {
                LoadError::Host { connector, fault: HostFault::Internal(what) }
            }
        }
    }
}

/// Of low priority.
fn threads() -> Result<ThreadPool, RuntimeError> {
    ThreadPoolBuilder::new()
        .num_threads(overrun::threads())
        .thread_name(|number| format!("compiler-{number}"))
        .start_handler(|_| priority::lower())
        .build()
        .map_err(|error| RuntimeError::Threads(io::Error::other(error)))
}
