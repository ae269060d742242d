//! Time that a guest spends in its own code.
//!
//! Wasmtime's epochs are wall-clock ticks: a guest that waited two seconds for the network would have used up two seconds of
//! "CPU" when it comes back. So the epoch only makes the guest look at this clock, and the clock runs only while the
//! call's future is being polled. Host code that runs without waiting counts as the guest's; it asked for it.
//!
//! The clock is the thread's own CPU time: on a machine that is busy with others a guest would be blamed for their time. A turn
//! begins and ends on one thread. The clock costs a system call of some 0.3 µs, twice in a turn.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// Shared between the call's future, which starts and stops the clock, and the epoch callback inside the store, which reads it.
#[derive(Clone, Debug)]
pub(crate) struct CpuClock(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Nanoseconds in finished turns.
    spent: AtomicU64,
    /// The thread's CPU time when the present turn began, in nanoseconds.
    turn: AtomicU64,
    /// The longest of the finished turns, in nanoseconds.
    longest: AtomicU64,
    /// A turn was longer than a tick.
    overrun: AtomicBool,
}

impl CpuClock {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Drives the future with the clock running only in its turns, and turns a panic into an error: a bug of the host or of
    /// wasmtime stays one failed call.
    pub(crate) async fn measure<F: Future>(
        &self,
        mut future: Pin<&mut F>,
    ) -> Result<F::Output, Box<dyn Any + Send>> {
        poll_fn(|context| {
            self.begin_turn();
            // The future is never polled again after a panic, so nobody sees what it left half done.
            let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
            self.end_turn();
            match polled {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
                Err(panic) => Poll::Ready(Err(panic)),
            }
        })
        .await
    }

    /// Time in finished turns.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.0.spent.load(Relaxed))
    }

    /// The longest of the finished turns.
    pub(crate) fn longest_turn(&self) -> Duration {
        Duration::from_nanos(self.0.longest.load(Relaxed))
    }

    /// Time in the present turn. Meaningful only from inside the future.
    pub(crate) fn in_turn(&self) -> Duration {
        Duration::from_nanos(now().saturating_sub(self.0.turn.load(Relaxed)))
    }

    /// Notes that the present turn was longer than one may be.
    pub(crate) fn overrun(&self) {
        self.0.overrun.store(true, Relaxed);
    }

    /// Whether any turn was.
    pub(crate) fn has_overrun(&self) -> bool {
        self.0.overrun.load(Relaxed)
    }

    fn begin_turn(&self) {
        self.0.turn.store(now(), Relaxed);
    }

    fn end_turn(&self) {
        let turn = now().saturating_sub(self.0.turn.load(Relaxed));
        self.0.spent.fetch_add(turn, Relaxed);
        self.0.longest.fetch_max(turn, Relaxed);
    }
}

/// CPU time of this thread, in nanoseconds.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(nanos.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn a_panic_inside_the_future_is_an_error_outside() {
        let clock = CpuClock::new();
        let mut future = pin!(async { panic!("made up") });
        assert!(clock.measure(future.as_mut()).await.is_err());
    }

    #[tokio::test]
    async fn work_counts_and_waiting_does_not() {
        let work = |amount: Duration| {
            let begin = now();
            while now() - begin < u64::try_from(amount.as_nanos()).unwrap() {}
            Duration::from_nanos(now() - begin)
        };
        let begin = now();
        let clock = CpuClock::new();
        let (start, wait) = tokio::sync::oneshot::channel();
        let mut future = pin!(async {
            let worked = work(Duration::from_micros(100));
            wait.await.unwrap();
            worked
        });
        // The other side works on the same thread while the future waits.
        let other = async {
            let worked = work(Duration::from_millis(5));
            start.send(()).unwrap();
            worked
        };
        let (own, others) = futures_util::future::join(clock.measure(future.as_mut()), other).await;
        assert!(clock.spent() >= own.unwrap());
        assert!(clock.longest_turn() <= clock.spent() && 2 * clock.longest_turn() >= clock.spent(), "of two");
        assert!(clock.spent() + others <= Duration::from_nanos(now() - begin));
    }
}
