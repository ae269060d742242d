//! Threads that stand behind all others.

use std::time::Duration;

use rustix::process::nice;

/// How much lower: one such thread beside a busy one of the host's gets a tenth of the core.
const NICE: i32 = 10;

/// Lowers the priority of the thread that calls this. For good: only root may raise it again.
pub(crate) fn lower() {
    // On Linux a thread has a priority of its own.
    if let Err(error) = nice(NICE) {
        tracing::warn!(%error, "a thread keeps its priority; guests that compute for long may slow others down");
    }
}

/// Lowers the priority of the thread that calls this further: it has what nobody else uses, and leaves it at once to whoever wakes up. A
/// lower priority alone does not: Linux lets a thread have the rest of its slice, some milliseconds.
///
/// For good. On a machine that is busy such a thread hardly goes on at all, see [`is_starved`].
pub(crate) fn idle() {
    // Other systems know no such thing.
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        // It sets the priority anew, which nobody may raise who lowered it.
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy) {
            tracing::warn!(
                ?error,
                "a thread does not stand back; guests that compute for long may slow others down"
            );
        }
    }
    lower();
}

/// Whether a thread that is [`idle`] got too little of a core to go on so: less than one that is [`lower`] gets beside a busy one.
///
/// `wall`: how long it wanted one. `cpu`: how long it had one.
pub(crate) fn is_starved(wall: Duration, cpu: Duration) -> bool {
    wall > Duration::from_millis(50) && cpu.saturating_mul(12) < wall
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_got_a_tenth_is_not_starved_and_nothing_is_said_of_a_moment() {
        let millis = Duration::from_millis;
        assert!(!is_starved(millis(1_000), millis(100)));
        assert!(is_starved(millis(1_000), millis(50)));
        assert!(!is_starved(millis(50), millis(0)));
    }
}
