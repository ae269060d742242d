//! Threads that stand behind all others.

use rustix::process::nice;

/// How much lower: one such thread beside a busy one of the host's gets a tenth of the core, and one that the host needs is served at
/// once. Not the lowest: what it holds (a lock of the allocator) others may wait for, so it has to go on.
const NICE: i32 = 10;

/// Lowers the priority of the thread that calls this. For good: only root may raise it again.
pub(crate) fn lower() {
    // On Linux a thread has a priority of its own.
    if let Err(error) = nice(NICE) {
        tracing::warn!(%error, "a thread keeps its priority; guests that compute for long may slow others down");
    }
}
