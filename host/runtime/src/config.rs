//! What the operator decides about the runtime.

use std::{fmt, time::Duration};

use contactor_manifest::Version;

use crate::{Limits, WorkerConfig, error::RuntimeError};

/// Settings of a [`crate::Runtime`]. The defaults suit two cores and some thousand connections.
#[derive(Debug)]
pub struct RuntimeConfig {
    /// Version of this host, compared with what a manifest asks for.
    pub host_version: Version,
    /// Calls that may run at the same time. Each holds a slot of the pool, also while it waits for the network; a slot
    /// reserves 4 GiB of address space and costs some 60 KiB of memory once used.
    pub max_instances: u32,
    /// The most that any connector gets, whatever its manifest asks for.
    pub max_limits: Limits,
    /// How often a running guest looks at the clock. CPU limits are exact to about one tick.
    pub epoch_tick: Duration,
    /// How long a call waits for a free slot before it fails with [`crate::HostFault::PoolBusy`].
    pub pool_wait: Duration,
    /// Components that may be compiled at the same time: so many that are new here, and so many that were loaded before.
    pub compile_permits: usize,
    /// How long a load waits for its compilation.
    pub compile_timeout: Duration,
    /// Size of the largest component that is looked at, in bytes.
    pub max_component_bytes: usize,
    /// The process that compiles a component; none compiles in this one, on threads of low priority, and cannot end a compilation that
    /// takes too long: for tools and tests, which load what they made themselves.
    pub worker: Option<WorkerConfig>,
    /// Where compiled components are kept between starts; none keeps them in memory only.
    pub cache: Option<CacheConfig>,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            host_version: Version::parse(env!("CARGO_PKG_VERSION")).unwrap_or(Version::new(0, 0, 0)),
            max_instances: 128,
            max_limits: Limits::default(),
            // A busy guest keeps a worker from others for two ticks at the most; five hundred wake-ups of one thread in a second are
            // what that costs.
            epoch_tick: Duration::from_millis(2),
            pool_wait: Duration::from_secs(5),
            // One component is compiled on half of the cores already; the other half is for calls.
            compile_permits: 1,
            // A typical connector of 80 KB takes 31 ms.
            compile_timeout: Duration::from_secs(30),
            max_component_bytes: 16 << 20,
            worker: None,
            cache: None,
        }
    }
}

impl RuntimeConfig {
    pub(crate) fn check(&self) -> Result<(), RuntimeError> {
        let wrong = |what: &'static str| Err(RuntimeError::Config { what });
        if self.max_instances == 0 || self.max_instances > 10_000 {
            return wrong("max_instances is 1 to 10,000 (each reserves 4 GiB of address space)");
        }
        if self.max_limits.memory_mib == 0 || self.max_limits.memory_mib > 4096 {
            return wrong("max_limits.memory_mib is 1 to 4096");
        }
        if self.epoch_tick < Duration::from_millis(1) {
            return wrong("epoch_tick is at least 1 ms");
        }
        if self.compile_permits == 0 {
            return wrong("compile_permits is at least 1");
        }
        if self.worker.as_ref().is_some_and(|worker| worker.memory_mib < WorkerConfig::LEAST_MIB) {
            return wrong("the memory of a process that compiles is at least 128 MiB");
        }
        Ok(())
    }
}

/// The on-disk cache of compiled components.
///
/// What lies there is machine code that the process will run, so every entry carries an HMAC under `key` and is checked
/// before it is used. The directory should be writable for the host alone.
pub struct CacheConfig {
    /// The directory; the cache never looks outside it.
    pub dir: cap_std::fs::Dir,
    /// Key of the HMAC-SHA256. Whoever knows it can have the host run any code: keep it with the host's other keys.
    pub key: [u8; 32],
}

impl fmt::Debug for CacheConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheConfig").field("dir", &self.dir).field("key", &"[secret]").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert!(RuntimeConfig::default().check().is_ok());
    }

    #[test]
    fn a_setting_that_cannot_work_is_named() {
        let message = |config: RuntimeConfig| config.check().unwrap_err().to_string();
        assert!(message(RuntimeConfig { max_instances: 0, ..Default::default() }).contains("max_instances"));
        assert!(
            message(RuntimeConfig { compile_permits: 0, ..Default::default() }).contains("compile_permits")
        );
        assert!(
            message(RuntimeConfig { epoch_tick: Duration::ZERO, ..Default::default() })
                .contains("epoch_tick")
        );
        let max_limits = Limits { memory_mib: 0, ..Limits::default() };
        assert!(message(RuntimeConfig { max_limits, ..Default::default() }).contains("memory_mib"));
    }

    #[test]
    fn the_key_is_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let dir = cap_std::fs::Dir::open_ambient_dir(dir.path(), cap_std::ambient_authority()).unwrap();
        let text = format!("{:?}", CacheConfig { dir, key: [0xAB; 32] });
        assert!(
            text.contains("[secret]") && !text.contains("171") && !text.to_lowercase().contains("ab, ab"),
            "{text}"
        );
    }
}
