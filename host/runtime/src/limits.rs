//! What one call may use, and the limiter that holds its memory to it.

use std::time::Duration;

use contactor_manifest::Limits as Asked;
use wasmtime::ResourceLimiter;

use crate::store::Stop;

const MIB: usize = 1 << 20;

/// Core instances per component: the guest's module and the two small modules that `wit-component` puts beside it.
pub(crate) const CORE_INSTANCES: u32 = 4;
/// Tables per component: the guest's own and the one of its import shims.
pub(crate) const TABLES: u32 = 4;
/// Linear memories per component: connectors are never composed.
pub(crate) const MEMORIES: u32 = 1;

/// What one call of a connector may use.
///
/// What its manifest asks for, capped by the host's own maxima ([`crate::RuntimeConfig::max_limits`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory in MiB, summed over all memories of the instance.
    pub memory_mib: u32,
    /// Table elements, summed over all tables of the instance. Not in the manifest: no connector needs more.
    pub table_elements: u32,
    /// Time in the guest's own code; waiting for the host does not count.
    pub cpu: Duration,
    /// Time in all, waiting included.
    pub timeout: Duration,
    /// Number of calls to the host.
    pub host_calls: u32,
    /// Data that crosses the boundary in one call, in MiB: arguments and results of the export and of all host calls.
    pub traffic_mib: u32,
    /// Largest single message from the guest, in KiB: the arguments of one host call, or the result of the export.
    /// Not in the manifest: it bounds what the host allocates before it can look.
    pub message_kib: u32,
}

impl Default for Limits {
    /// The most that a manifest may ask for.
    fn default() -> Self {
        let most = Asked::MAXIMUM;
        Self {
            memory_mib: most.memory_mib,
            // A connector with a megabyte of code has some 2,000 function pointers.
            table_elements: 20_000,
            cpu: Duration::from_millis(most.cpu_ms.into()),
            timeout: Duration::from_millis(most.call_timeout_ms.into()),
            host_calls: most.host_calls,
            traffic_mib: most.traffic_mib,
            // Twice the largest legal body of a partner's answer.
            message_kib: 8 << 10,
        }
    }
}

impl Limits {
    /// What a manifest asks for, as far as the host allows it.
    pub fn of(asked: &Asked, most: &Self) -> Self {
        Self {
            memory_mib: asked.memory_mib.min(most.memory_mib),
            table_elements: most.table_elements,
            cpu: Duration::from_millis(asked.cpu_ms.into()).min(most.cpu),
            timeout: Duration::from_millis(asked.call_timeout_ms.into()).min(most.timeout),
            host_calls: asked.host_calls.min(most.host_calls),
            traffic_mib: asked.traffic_mib.min(most.traffic_mib),
            message_kib: most.message_kib.min(asked.traffic_mib.saturating_mul(1 << 10)),
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_mib as usize * MIB
    }

    pub(crate) fn traffic_bytes(&self) -> usize {
        self.traffic_mib as usize * MIB
    }

    pub(crate) fn message_bytes(&self) -> usize {
        self.message_kib as usize * 1024
    }
}

/// Counts memory and tables of one store.
///
/// Wasmtime asks for each memory apart; a limit per memory would double with a second memory, so the sum is what counts.
/// A growth beyond the limit ends the call at once, with a typed error, instead of answering −1: what a Rust guest
/// makes of −1 is a bare `unreachable` that tells nobody why.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: Gauge,
    tables: Gauge,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { memory: Gauge::new(limits.memory_bytes()), tables: Gauge::new(limits.table_elements as usize) }
    }

    /// The most memory in bytes that the instance had; memories never shrink.
    pub(crate) fn peak_memory(&self) -> usize {
        self.memory.used
    }
}

#[derive(Debug)]
struct Gauge {
    limit: usize,
    used: usize,
    /// The last growth allowed, taken back should wasmtime not manage it.
    last: usize,
}

impl Gauge {
    fn new(limit: usize) -> Self {
        Self { limit, used: 0, last: 0 }
    }

    /// The new sum, or what it would have been.
    fn grow(&mut self, current: usize, desired: usize) -> Result<(), usize> {
        let growth = desired.saturating_sub(current);
        let wanted = self.used.saturating_add(growth);
        if wanted > self.limit {
            return Err(wanted);
        }
        (self.used, self.last) = (wanted, growth);
        Ok(())
    }

    fn failed(&mut self) {
        self.used -= std::mem::take(&mut self.last);
    }
}

/// Whether a growth is beyond a maximum that the module declared itself: −1 is what it asked for. A maximum at the limit or beyond is
/// the pool's, which wasmtime hands over in the same place, and the limit is what ends the call.
fn is_own(maximum: Option<usize>, desired: usize, limit: usize) -> bool {
    maximum.is_some_and(|maximum| desired > maximum && maximum < limit)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.memory.limit;
        if is_own(maximum, desired, limit) {
            return Ok(false);
        }
        self.memory.grow(current, desired).map_err(|wanted| Stop::Memory { wanted, limit })?;
        Ok(true)
    }

    /// The limit and the maximum allowed it, so it is the system that has no memory left.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory.failed();
        Err(Stop::OutOfMemory.into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.tables.limit;
        if is_own(maximum, desired, limit) {
            return Ok(false);
        }
        self.tables.grow(current, desired).map_err(|wanted| Stop::Table { wanted, limit })?;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.tables.failed();
        Err(Stop::OutOfMemory.into())
    }

    // Wasmtime's defaults are 10,000 of each.
    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 65_536;

    fn limiter(memory_mib: u32, table_elements: u32) -> Limiter {
        Limiter::new(&Limits { memory_mib, table_elements, ..Limits::default() })
    }

    #[test]
    fn memory_is_counted_as_the_sum_over_all_memories() {
        let mut limiter = limiter(1, 10);
        assert!(limiter.memory_growing(0, 8 * PAGE, None).unwrap());
        assert!(limiter.memory_growing(0, 8 * PAGE, None).unwrap());
        let error = limiter.memory_growing(8 * PAGE, 9 * PAGE, None).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Stop::Memory { wanted: 17 * PAGE, limit: MIB }));
        assert_eq!(limiter.peak_memory(), MIB);
    }

    #[test]
    fn a_memory_may_grow_up_to_its_limit_page_by_page() {
        let mut limiter = limiter(1, 10);
        for page in 0..16 {
            assert!(limiter.memory_growing(page * PAGE, (page + 1) * PAGE, None).unwrap());
        }
        assert!(limiter.memory_growing(16 * PAGE, 17 * PAGE, None).is_err());
    }

    #[test]
    fn a_growth_that_the_system_did_not_manage_is_taken_back_and_is_not_the_guests_fault() {
        let mut limiter = limiter(1, 10);
        assert!(limiter.memory_growing(0, 16 * PAGE, None).unwrap());
        let error = limiter.memory_grow_failed(wasmtime::Error::msg("no memory left")).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Stop::OutOfMemory));
        assert_eq!(limiter.peak_memory(), 0);
        assert!(limiter.memory_growing(0, 16 * PAGE, None).unwrap());
    }

    #[test]
    fn a_guest_may_bump_into_its_own_maximum() {
        let mut limiter = limiter(1, 10);
        assert!(!limiter.memory_growing(0, 2 * PAGE, Some(PAGE)).unwrap());
        assert!(!limiter.table_growing(0, 2, Some(1)).unwrap());
        assert_eq!(limiter.peak_memory(), 0);
    }

    #[test]
    fn a_maximum_that_is_the_pools_ends_the_call_like_the_limit_that_it_is() {
        let mut limiter = limiter(1, 10);
        let error = limiter.memory_growing(0, 17 * PAGE, Some(16 * PAGE)).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Stop::Memory { wanted: 17 * PAGE, limit: MIB }));
        assert!(limiter.table_growing(0, 11, Some(10)).is_err());
    }

    #[test]
    fn an_absurd_size_does_not_wrap_around() {
        let mut limiter = limiter(1, 10);
        assert!(limiter.memory_growing(0, PAGE, None).unwrap());
        assert!(limiter.memory_growing(0, usize::MAX, None).is_err());
        assert!(limiter.table_growing(0, 5, None).unwrap());
        assert!(limiter.table_growing(0, usize::MAX, None).is_err());
    }

    #[test]
    fn tables_are_counted_as_the_sum_over_all_tables() {
        let mut limiter = limiter(1, 10);
        assert!(limiter.table_growing(0, 6, None).unwrap());
        let error = limiter.table_growing(0, 5, None).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Stop::Table { wanted: 11, limit: 10 }));
    }

    #[test]
    fn a_store_holds_few_instances_tables_and_one_memory() {
        let limiter = limiter(1, 10);
        assert_eq!((limiter.instances(), limiter.tables(), limiter.memories()), (4, 4, 1));
    }

    #[test]
    fn a_manifest_gets_what_it_asks_for_up_to_the_hosts_maximum() {
        let most =
            Limits { memory_mib: 16, host_calls: 100, timeout: Duration::from_secs(2), ..Limits::default() };
        let asked =
            Asked { memory_mib: 64, cpu_ms: 50, call_timeout_ms: 9_000, host_calls: 7, traffic_mib: 1 };
        let limits = Limits::of(&asked, &most);
        assert_eq!(limits.memory_mib, 16);
        assert_eq!(limits.cpu, Duration::from_millis(50));
        assert_eq!(limits.timeout, Duration::from_secs(2));
        assert_eq!(limits.host_calls, 7);
        assert_eq!(limits.traffic_mib, 1);
        assert_eq!(limits.message_kib, 1024, "one message is never larger than all traffic");
    }
}
