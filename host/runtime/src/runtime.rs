//! The runtime: one engine, its clock, its pool, and the way of a component from bytes to a [`Connector`].

use std::{fmt, marker::PhantomData, sync::Arc};

use contactor_manifest::Version;
use tokio::sync::Semaphore;
use wasmtime::Engine;

use crate::{
    Connector, Digest, Grants, HostFault, Inspection, Limits, LoadError, RuntimeConfig, RuntimeError,
    bindings::HostImports,
    compiler::{CompileCounts, Compiler, Origin},
    connector::{Behind, Inner, Slots},
    engine::{self, Ticker},
    inspect::{self, INTERFACE_VERSION},
    linker,
    meters::Meters,
    overrun::Overrun,
};

/// One per process. Cheap to clone; the engine lives as long as the runtime or any connector of it.
pub struct Runtime<H: HostImports> {
    shared: Arc<Shared>,
    host: PhantomData<fn(H)>,
}

struct Shared {
    engine: Engine,
    compiler: Compiler,
    slots: Slots,
    max_limits: Limits,
    max_component_bytes: usize,
    host_version: Version,
}

/// How much of the pool is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// Calls that may run at the same time.
    pub slots: u32,
    /// Slots that are free for a call.
    pub free: u32,
    /// Component instances that are alive; 0 when nothing runs.
    pub instances: u64,
}

impl<H: HostImports> Runtime<H> {
    /// Starts the engine, its pool and its clock.
    ///
    /// # Errors
    /// [`RuntimeError`] when a setting cannot work, the address space does not suffice, or the cache directory cannot be read. There
    /// is no slower mode to fall back to.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let engine = engine::engine(&config)?;
        Meters::describe();
        let slots = Slots {
            permits: Arc::new(Semaphore::new(config.max_instances as usize)),
            total: config.max_instances,
            wait: config.pool_wait,
            tick: config.epoch_tick,
            ticker: Arc::new(Ticker::start(&engine, config.epoch_tick)?),
            overrun: Arc::new(Overrun::start().map_err(RuntimeError::Threads)?),
        };
        let overrun = Arc::clone(&slots.overrun);
        let (max_limits, max_component_bytes) = (config.max_limits, config.max_component_bytes);
        let host_version = config.host_version.clone();
        let compiler = Compiler::new(&engine, config, overrun)?;
        let shared = Shared { engine, compiler, slots, max_limits, max_component_bytes, host_version };
        Ok(Self { shared: Arc::new(shared), host: PhantomData })
    }

    /// Takes the bytes that were approved under `expected`, checks all that can be checked without running them, and makes
    /// them ready to be called.
    ///
    /// In this order: size, digest, format, manifest, structure, host version, imports against `grants`, exports; only then is anything
    /// compiled, or taken from the cache.
    ///
    /// # Errors
    /// [`LoadError`], which names what was refused and why.
    pub async fn load(
        &self,
        bytes: Vec<u8>,
        expected: &Digest,
        grants: &Grants,
    ) -> Result<Connector<H>, LoadError> {
        self.load_from(Origin::Installed, bytes, expected, grants).await
    }

    /// [`load`](Self::load) of a component that may be a stranger's: a new one waits for a compiler behind others that are new, and keeps
    /// it from none that is installed.
    ///
    /// # Errors
    /// [`LoadError`], which names what was refused and why.
    pub async fn load_from(
        &self,
        origin: Origin,
        bytes: Vec<u8>,
        expected: &Digest,
        grants: &Grants,
    ) -> Result<Connector<H>, LoadError> {
        let shared = &*self.shared;
        let (inspection, bytes) = self.approve(bytes, expected, grants).await?;
        let id = inspection.manifest.connector.id.as_str().to_owned();
        let compiled = shared.compiler.compile(&id, *expected, bytes, origin).await?;
        let component = linker::link(&shared.engine, &compiled, grants).map_err(|error| LoadError::Link {
            connector: id.clone(),
            reason: format!("{error:#}"),
            offered: INTERFACE_VERSION,
        })?;
        Ok(Connector::new(Inner {
            component,
            compiled,
            engine: shared.engine.clone(),
            grants: grants.clone(),
            limits: Limits::of(&inspection.manifest.limits, &shared.max_limits),
            inspection,
            meters: Meters::of(&id),
            slots: shared.slots.clone(),
            behind: Behind::default(),
        }))
    }

    /// Everything that [`load`](Self::load) checks before it compiles anything: size, digest, format, manifest, structure, host version,
    /// imports against `grants`, exports. Bytes that a stranger may have made, megabytes of them, are looked at where nobody waits for it; they
    /// are given back.
    ///
    /// # Errors
    /// [`LoadError`], which names what was refused and why.
    pub async fn approve(
        &self,
        bytes: Vec<u8>,
        expected: &Digest,
        grants: &Grants,
    ) -> Result<(Inspection, Vec<u8>), LoadError> {
        let (shared, expected, grants) = (Arc::clone(&self.shared), *expected, grants.clone());
        let overrun = &self.shared.slots.overrun;
        let approve = move || Ok((shared.approve(&bytes, &expected, &grants)?, bytes));
        let approving = overrun.block(overrun.rank(), approve);
        approving.await.unwrap_or_else(|_panic| {
            Err(LoadError::Host { connector: "a component".to_owned(), fault: HostFault::Panicked })
        })
    }

    /// Work on what a stranger may have made, megabytes of it, where nobody waits for it.
    ///
    /// # Errors
    /// It panicked.
    pub async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HostFault> {
        let overrun = &self.shared.slots.overrun;
        overrun.block(overrun.rank(), work).await.map_err(|_panic| HostFault::Panicked)
    }

    /// Authenticates compiled components with another key from now on. What the former one authenticated is taken no more, and is removed;
    /// what is loaded stays so.
    pub async fn change_cache_key(&self, key: [u8; 32]) {
        self.shared.compiler.change_cache_key(key).await;
    }

    /// How much of the pool is in use.
    pub fn pool_use(&self) -> PoolUse {
        let slots = &self.shared.slots;
        PoolUse {
            slots: slots.total,
            free: u32::try_from(slots.permits.available_permits()).unwrap_or(u32::MAX),
            instances: self
                .shared
                .engine
                .pooling_allocator_metrics()
                .map_or(0, |pool| pool.component_instances()),
        }
    }

    /// How components were compiled so far.
    pub fn compile_counts(&self) -> CompileCounts {
        self.shared.compiler.counts()
    }
}

impl Shared {
    fn approve(&self, bytes: &[u8], expected: &Digest, grants: &Grants) -> Result<Inspection, LoadError> {
        let (size, max) = (bytes.len(), self.max_component_bytes);
        if size > max {
            return Err(LoadError::TooLarge { size, max });
        }
        let actual = Digest::of(bytes);
        if actual != *expected {
            return Err(LoadError::WrongDigest { expected: *expected, actual });
        }
        let inspection = inspect::inspect(bytes)?;
        inspection.manifest.supports(&self.host_version).map_err(|error| LoadError::HostVersion {
            connector: inspection.manifest.connector.id.as_str().to_owned(),
            reason: Box::new(error),
        })?;
        inspection.check(grants)?;
        Ok(inspection)
    }
}

impl<H: HostImports> Clone for Runtime<H> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), host: PhantomData }
    }
}

impl<H: HostImports> fmt::Debug for Runtime<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("pool", &self.pool_use()).finish_non_exhaustive()
    }
}
