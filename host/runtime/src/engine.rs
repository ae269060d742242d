//! The one place that makes an engine.
//!
//! Two engines with different settings would compile incompatible artefacts, and one that falls back to wasmtime's defaults
//! would be slow or open without anybody noticing. So there is one function, each setting has its reason beside it, and a setting
//! that the machine cannot give is an error.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use wasmparser::WasmFeatures;
use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    Strategy,
};

use crate::{RuntimeConfig, RuntimeError, limits};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Makes the engine that a [`crate::Runtime`] uses, without the thread that advances its epoch.
///
/// Public for benchmarks that compare a [`crate::Connector::call`] with bare wasmtime on the same settings.
///
/// # Errors
/// [`RuntimeError`] when a setting cannot work or the address space does not suffice.
pub fn engine(config: &RuntimeConfig) -> Result<Engine, RuntimeError> {
    config.check()?;
    made(InstanceAllocationStrategy::Pooling(pool(config)))
}

/// One that only compiles, for a [`crate::Runtime`] of another process: it reserves nothing.
pub(crate) fn compiling() -> Result<Engine, RuntimeError> {
    made(InstanceAllocationStrategy::OnDemand)
}

fn made(instances: InstanceAllocationStrategy) -> Result<Engine, RuntimeError> {
    let mut settings = Config::new();
    compiler(&mut settings);
    features(&mut settings);
    limits_of_execution(&mut settings);
    settings.allocation_strategy(instances);
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    Engine::new(&settings).map_err(|error| RuntimeError::Engine(format!("{error:#}")))
}

fn compiler(settings: &mut Config) {
    settings
        // Winch compiles faster; it is tier 2 and had sandbox escapes (RUSTSEC-2026-0095).
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        // A replay must compute what the first attempt computed, on any machine. Costs nothing in code that maps records.
        .cranelift_nan_canonicalization(true)
        .parallel_compilation(true)
        // Guests are stripped, so a back trace holds bare addresses; an attacker would only make us collect it.
        .wasm_backtrace_max_frames(None);
}

/// Connectors are built by `rustc` for `wasm32-unknown-unknown`; what that target does not emit is attack surface for nothing.
/// About five sixths of wasmtime's advisories of 2026 needed one of these. Threads, GC and component-model async are left
/// out at build time as well (Cargo features).
fn features(settings: &mut Config) {
    let unneeded = WasmFeatures::MEMORY64
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::SIMD
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::GC
        | WasmFeatures::GC_TYPES
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::LEGACY_EXCEPTIONS
        | WasmFeatures::FUNCTION_REFERENCES
        | WasmFeatures::STACK_SWITCHING
        | WasmFeatures::CUSTOM_PAGE_SIZES
        | WasmFeatures::WIDE_ARITHMETIC
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::THREADS
        | WasmFeatures::SHARED_EVERYTHING_THREADS
        | WasmFeatures::CM_ASYNC;
    settings
        .wasm_features(unneeded, false)
        .wasm_component_model(true)
        // Guests block, hosts are async: no concurrency inside a store. A call across the boundary costs a third of the time
        // without it, and it is the newest and most patched code of wasmtime.
        .concurrency_support(false);
}

fn limits_of_execution(settings: &mut Config) {
    settings
        // Ends endless loops. Fuel would cost more (13.6 µs against 12.4 µs for mapping 2 KB of JSON) and measure no better.
        .epoch_interruption(true)
        .consume_fuel(false)
        // The reservation is address space only, and lets the compiler leave out bounds checks: 25–30 % faster. What a
        // guest may really use is `max_memory_size` and the limiter.
        .memory_reservation(4 << 30)
        // Wasm gets half of the fiber's stack; the rest is for host functions, which run on it as well.
        .max_wasm_stack(512 * KIB)
        .async_stack_size(MIB)
        // Defence in depth: no call finds another's data on its host stack.
        .async_stack_zeroing(true);
}

/// The pool is sized for `max_instances` whole components, so that a call with a permit always finds a slot.
fn pool(config: &RuntimeConfig) -> PoolingAllocationConfig {
    let instances = config.max_instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_stacks(instances)
        .total_memories(instances * limits::MEMORIES)
        .total_tables(instances * limits::TABLES)
        .total_core_instances(instances * limits::CORE_INSTANCES)
        .max_core_instances_per_component(limits::CORE_INSTANCES)
        .max_memories_per_component(limits::MEMORIES)
        .max_tables_per_component(limits::TABLES)
        .max_memories_per_module(1)
        // Tables of a wit-component guest lie one in the module and one in the shim; none has two in one module.
        .max_tables_per_module(1)
        .table_elements(config.max_limits.table_elements as usize)
        .max_memory_size(config.max_limits.memory_bytes())
        // Resetting the first pages with memset instead of giving them back saves their page faults: 40.8 → 31 µs for an
        // isolated call.
        .linear_memory_keep_resident(128 * KIB)
        .table_keep_resident(8 * KIB)
        .async_stack_keep_resident(16 * KIB)
        // Whoever took memory gives it back: a batch would let the call that fills it pay for sixteen others.
        .decommit_batch_size(1)
        // Slots that stay warm keep their pages: 32 of them are 5 MiB.
        .max_unused_warm_slots(32)
        // Never with 48.x: its scan skips pages that were swapped out, so the next tenant of the slot could read them
        // (wasmtime issue 14357, mended in 50).
        .pagemap_scan(Enabled::No);
    pool
}

/// Advances the engine's epoch from its own thread, and ends when it is dropped or the engine is gone.
///
/// Not a task: guests that keep every worker of the async runtime busy would keep such a task from running, and it is the one that
/// stops them.
#[derive(Debug)]
pub(crate) struct Ticker {
    /// Never sent on; dropping it ends the thread.
    _stop: Sender<()>,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine, tick: Duration) -> Result<Self, RuntimeError> {
        let (stop, stopped) = channel();
        let engine = engine.weak();
        thread::Builder::new()
            .name("guest-epochs".into())
            .spawn(move || run(&engine, tick, &stopped))
            .map_err(RuntimeError::Ticker)?;
        Ok(Self { _stop: stop })
    }
}

fn run(engine: &EngineWeak, tick: Duration, stopped: &Receiver<()>) {
    while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
        match engine.upgrade() {
            Some(engine) => engine.increment_epoch(),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    #[test]
    fn the_same_settings_make_engines_that_read_each_others_artefacts() {
        let hash_of = |engine: Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        let hash = |config: &RuntimeConfig| hash_of(engine(config).unwrap());
        let small = || RuntimeConfig { max_instances: 2, ..RuntimeConfig::default() };
        assert_eq!(hash(&small()), hash(&small()));
        assert_eq!(hash(&small()), hash(&RuntimeConfig { max_instances: 3, ..RuntimeConfig::default() }));
        assert_eq!(hash(&small()), hash_of(compiling().unwrap()), "what a worker compiles");
    }

    #[test]
    fn the_ticker_ends_with_its_handle() {
        let engine = engine(&RuntimeConfig { max_instances: 1, ..RuntimeConfig::default() }).unwrap();
        let (stop, stopped) = channel();
        let thread = thread::spawn({
            let engine = engine.weak();
            move || run(&engine, Duration::from_hours(1), &stopped)
        });
        drop(stop);
        thread.join().unwrap();
    }

    #[test]
    fn the_ticker_ends_with_its_engine() {
        let engine = engine(&RuntimeConfig { max_instances: 1, ..RuntimeConfig::default() }).unwrap();
        let (_stop, stopped) = channel();
        let weak = engine.weak();
        drop(engine);
        run(&weak, Duration::from_millis(1), &stopped);
    }
}
