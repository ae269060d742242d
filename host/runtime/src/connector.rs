//! A loaded connector, and one isolated call of it.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, Instant},
};

use contactor_manifest::Manifest;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use wasmtime::{Engine, PoolConcurrencyLimitError, Trap, component::Component};

use crate::{
    CallError, Digest, Grants, GuestFault, HostFault, Inspection, Invocation, Limits, Reply,
    bindings::{ConnectorPre, HostImports},
    clock::CpuClock,
    dispatch::{self, Failure},
    engine::Ticker,
    meters::Meters,
    overrun::Overrun,
    store::{self, CallState, Stop},
};

/// A component that was checked, compiled and linked with what it was granted. Cheap to clone; every call is on its own.
pub struct Connector<H: HostImports> {
    inner: Arc<Inner<H>>,
}

pub(crate) struct Inner<H: HostImports> {
    pub(crate) component: ConnectorPre<CallState<H>>,
    /// Keeps the component in the compiler's list of those that are alive.
    #[expect(dead_code, reason = "held, not read")]
    pub(crate) compiled: Arc<Component>,
    pub(crate) engine: Engine,
    pub(crate) inspection: Inspection,
    pub(crate) grants: Grants,
    pub(crate) limits: Limits,
    pub(crate) meters: Meters,
    pub(crate) slots: Slots,
    pub(crate) behind: Behind,
}

/// How many calls more begin behind all others.
///
/// What a guest does within its first tick, and what is lifted out of its memory in one go, keeps a worker that somebody else may need. One that
/// took long will do so again.
#[derive(Default)]
pub(crate) struct Behind(AtomicU32);

impl Behind {
    /// After one that took long.
    const CALLS: u32 = 16;

    /// Whether this call does.
    fn begins(&self) -> bool {
        self.0.load(Relaxed) > 0
    }

    /// Notes how a call was.
    fn note(&self, took_long: bool) {
        let after = |left: u32| Some(if took_long { Self::CALLS } else { left.saturating_sub(1) });
        // It always changes it.
        let _ = self.0.fetch_update(Relaxed, Relaxed, after);
    }
}

/// Places in the pool. The pool itself does not queue: it fails when it is full.
#[derive(Clone)]
pub(crate) struct Slots {
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) total: u32,
    /// How long a call waits for one.
    pub(crate) wait: Duration,
    /// Length of an epoch.
    pub(crate) tick: Duration,
    /// Without it no guest would ever be interrupted, so whoever can call holds it.
    #[expect(dead_code, reason = "held, not read")]
    pub(crate) ticker: Arc<Ticker>,
    /// Where calls go on that have computed for longer than an epoch.
    pub(crate) overrun: Arc<Overrun>,
}

/// What became of a call.
#[derive(Debug)]
pub struct CallOutcome<H> {
    /// The host's value with whatever it recorded, also after a trap, a timeout or a panic. It is lost only when the caller
    /// drops the future of the call; records that must survive that belong behind an `Arc`.
    pub host: H,
    /// The connector's answer, or why there is none.
    pub result: Result<Reply, CallError>,
    /// What it used.
    pub usage: Usage,
}

/// What a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time in all, without waiting for a free slot.
    pub wall: Duration,
    /// Time in the guest's own code and in host code that did not wait.
    pub cpu: Duration,
    /// Calls that reached the host.
    pub host_calls: u32,
    /// Bytes from the guest: arguments of host calls and the reply.
    pub bytes_sent: u64,
    /// Bytes to the guest: the invocation and results of host calls.
    pub bytes_received: u64,
    /// The most linear memory in bytes that the guest had.
    pub peak_memory: u64,
}

impl<H: HostImports> Connector<H> {
    pub(crate) fn new(inner: Inner<H>) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Its id, from the manifest.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// The digest of its component.
    pub fn digest(&self) -> &Digest {
        &self.inner.inspection.digest
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.inner.inspection.manifest
    }

    /// What its file says: imports, exports, size.
    pub fn inspection(&self) -> &Inspection {
        &self.inner.inspection
    }

    /// What it was granted.
    pub fn grants(&self) -> &Grants {
        &self.inner.grants
    }

    /// The limits of each of its calls.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Runs one invocation in a fresh store and a fresh instance, which nothing else ever sees.
    ///
    /// Waits for a free slot first, then holds the call to its [`Limits`]. A guest that computes for longer than a tick goes on behind
    /// all others, and its next calls begin there. Dropping the future ends the call and frees the slot, at the guest's next tick at the latest. A host function that
    /// is running is dropped at its next `await`, so host functions have to be cancel-safe.
    pub async fn call(&self, host: H, invocation: Invocation) -> CallOutcome<H> {
        let inner = &self.inner;
        let (export, slots) = (invocation.export(), &inner.slots);
        let permit = Arc::clone(&slots.permits).acquire_owned();
        let Ok(Ok(slot)) = timeout(slots.wait, permit).await else {
            let fault = HostFault::PoolBusy { slots: slots.total, waited: slots.wait };
            let error = inner.host_error(export, fault);
            inner.meters.record(Some(&error), Duration::ZERO, Duration::ZERO);
            return CallOutcome { host, result: Err(error), usage: Usage::default() };
        };
        let clock = CpuClock::new();
        let mut call = Box::pin(Arc::clone(inner).run(host, invocation, clock.clone(), slot));
        let ended = poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if clock.has_overrun() => {
                // Whoever asked may not wait for the end of it.
                inner.behind.note(true);
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        });
        let ended = if inner.behind.begins() { None } else { ended.await };
        let outcome = match ended {
            Some(outcome) => outcome,
            None => slots.overrun.finish(call).await,
        };
        inner.behind.note(clock.longest_turn() > slots.tick);
        inner.meters.record(outcome.result.as_ref().err(), outcome.usage.wall, outcome.usage.cpu);
        if let Err(error) = &outcome.result {
            tracing::warn!(connector = self.id(), export, %error, "connector call failed");
        }
        outcome
    }
}

impl<H: HostImports> Inner<H> {
    /// The call itself. It owns all that it needs, so that it can change threads.
    async fn run(
        self: Arc<Self>,
        host: H,
        invocation: Invocation,
        clock: CpuClock,
        // Dropped after everything else, wherever this future ends.
        _slot: OwnedSemaphorePermit,
    ) -> CallOutcome<H> {
        let begin = Instant::now();
        let export = invocation.export();
        let mut store = store::new(&self.engine, host, &self.limits, &clock, self.slots.tick);
        let result = {
            let call = pin!(dispatch::run(&self.component, &mut store, &invocation));
            timeout(self.limits.timeout, clock.measure(call)).await
        };
        let result = match result {
            Ok(Ok(Ok(reply))) => Ok(reply),
            Ok(Ok(Err(failure))) => Err(self.judge(export, failure, store.data().ran)),
            Ok(Err(_panic)) => Err(self.host_error(export, HostFault::Panicked)),
            Err(_elapsed) => {
                Err(self.guest_error(export, GuestFault::Timeout { limit: self.limits.timeout }))
            }
        };
        // Frees the slot in the pool.
        let state = store.into_data();
        let usage = Usage {
            wall: begin.elapsed(),
            cpu: clock.spent(),
            host_calls: state.budget.calls,
            bytes_sent: state.budget.sent as u64,
            bytes_received: state.budget.received as u64,
            peak_memory: state.limiter.peak_memory() as u64,
        };
        CallOutcome { host: state.host, result, usage }
    }

    /// Whose fault is it, and which one? An instance that cannot be made is the host's fault, but for what its start function does.
    fn judge(&self, export: &'static str, failure: Failure, ran: bool) -> CallError {
        let limits = &self.limits;
        let (error, starting) = match failure {
            Failure::Start(error) => (error, !ran),
            Failure::Call(error) => (error, false),
        };
        let fault = if let Some(stop) = error.downcast_ref::<Stop>() {
            match *stop {
                Stop::Memory { wanted, limit } => GuestFault::Memory { wanted, limit },
                Stop::Table { wanted, limit } => GuestFault::Table { wanted, limit },
                Stop::Cpu => GuestFault::Cpu { limit: limits.cpu },
                Stop::HostCalls => GuestFault::HostCalls { limit: limits.host_calls },
                Stop::Traffic => GuestFault::Traffic { limit: limits.traffic_bytes() },
                Stop::OutOfMemory => return self.host_error(export, HostFault::Internal(stop.to_string())),
            }
        } else if let Some(trap) = error.downcast_ref::<Trap>() {
            GuestFault::Trap { reason: trap.to_string().trim_start_matches("wasm trap: ").to_owned() }
        } else if error.is::<PoolConcurrencyLimitError>() {
            let fault = HostFault::PoolBusy { slots: self.slots.total, waited: Duration::ZERO };
            return self.host_error(export, fault);
        } else if starting {
            return self.host_error(export, HostFault::Internal(format!("{error:#}")));
        } else if error.root_cause().to_string().contains(FUEL_EXHAUSTED) {
            GuestFault::Message { limit: limits.message_bytes() }
        } else {
            GuestFault::BadData { reason: error.root_cause().to_string() }
        };
        self.guest_error(export, fault)
    }

    fn id(&self) -> &str {
        self.inspection.manifest.connector.id.as_str()
    }

    fn guest_error(&self, export: &'static str, fault: GuestFault) -> CallError {
        CallError::Guest { connector: self.id().to_owned(), export, fault }
    }

    fn host_error(&self, export: &'static str, fault: HostFault) -> CallError {
        CallError::Host { connector: self.id().to_owned(), export, fault }
    }
}

/// Wasmtime's error type for a message that is too large is private; its words are all there is. A test holds them.
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

impl<H: HostImports> Clone for Connector<H> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<H: HostImports> fmt::Debug for Connector<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("id", &self.id())
            .field("digest", self.digest())
            .field("grants", &self.inner.grants)
            .field("limits", &self.inner.limits)
            .finish_non_exhaustive()
    }
}
