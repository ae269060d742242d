//! Threads that stand behind all others: where a guest goes on that has computed for longer than a tick, and where what strangers upload
//! is looked at and compiled.
//!
//! Yielding alone is not fair enough: two guests that loop would hold both workers of a small machine, and whoever else needs one waits
//! for a tick at each of its steps. A well-behaved connector maps a record in a fraction of a millisecond and never comes here.
//!
//! They have two ranks. What is idle leaves the core to whoever wakes up, and would not come to its end on a machine that is busy; it goes
//! on with a low priority there.
//!
//! Rejected: a thread for every call, which would double the price of the short ones; and pausing whoever overruns, which leaves the
//! machine idle while somebody waits for a large page to be read.

use std::{
    future::poll_fn,
    io,
    panic::resume_unwind,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::Poll,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

use crate::{clock, priority};

/// For guests half of the cores, of each rank.
#[derive(Debug)]
pub(crate) struct Overrun {
    /// None only while it is dropped.
    idle: Option<Runtime>,
    /// None only while it is dropped.
    low: Option<Runtime>,
    starved: Starved,
}

/// Behind whom work stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// It has what nobody else uses, and starves on a busy machine.
    Idle,
    /// It has a tenth of the core beside somebody who is busy.
    Low,
}

/// A machine that was too busy for what is idle will be so for a while.
const BUSY: Duration = Duration::from_secs(1);

/// When work of the rank [`Rank::Idle`] was last found starved.
#[derive(Debug)]
struct Starved {
    begun: Instant,
    /// Milliseconds since `begun`, plus one; 0 is never.
    at: AtomicU64,
}

impl Starved {
    fn note(&self) {
        self.at.store(millis(self.begun.elapsed()).saturating_add(1), Relaxed);
    }

    fn lately(&self) -> bool {
        let at = self.at.load(Relaxed);
        at > 0 && millis(self.begun.elapsed()) < at.saturating_add(millis(BUSY))
    }
}

/// What a thread does without leaving it.
struct Turn {
    begun: Instant,
    spent: u64,
}

impl Turn {
    fn begin() -> Self {
        Self { begun: Instant::now(), spent: clock::now() }
    }

    fn is_starved(&self) -> bool {
        let spent = Duration::from_nanos(clock::now().saturating_sub(self.spent));
        priority::is_starved(self.begun.elapsed(), spent)
    }
}

/// Half of the cores, for compilers as well.
pub(crate) fn threads() -> usize {
    available_parallelism().map_or(1, usize::from).div_ceil(2)
}

impl Overrun {
    pub(crate) fn start() -> io::Result<Self> {
        let threads = |name: &'static str, lower: fn()| {
            Builder::new_multi_thread()
                .worker_threads(threads())
                .thread_name(name)
                .on_thread_start(lower)
                .build()
                .map(Some)
        };
        Ok(Self {
            idle: threads("guest-idle", priority::idle)?,
            low: threads("guest-overrun", priority::lower)?,
            starved: Starved { begun: Instant::now(), at: AtomicU64::new(0) },
        })
    }

    /// Work that blocks a thread, on one of these. It keeps its rank to its end, so it is short, or gives up by itself.
    pub(crate) fn block<T: Send + 'static>(
        &self,
        rank: Rank,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.threads(rank).spawn_blocking(work)
    }

    /// The rank that work should begin with that can go on with another one.
    pub(crate) fn rank(&self) -> Rank {
        if self.starved.lately() { Rank::Low } else { Rank::Idle }
    }

    /// Notes that the machine is too busy for what is idle.
    pub(crate) fn note_starved(&self) {
        self.starved.note();
    }

    /// Takes a call that is under way to its end. Dropping the future ends the call at its next `await` or tick.
    pub(crate) async fn finish<F>(&self, mut call: Pin<Box<F>>) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        if self.rank() == Rank::Idle {
            let mut waiting = Some(call);
            let idle = poll_fn(move |context| {
                let Some(mut call) = waiting.take() else { unreachable!("it is polled after its end") };
                let turn = Turn::begin();
                if let Poll::Ready(output) = call.as_mut().poll(context) {
                    return Poll::Ready(Ok(output));
                }
                if turn.is_starved() {
                    return Poll::Ready(Err(call));
                }
                waiting = Some(call);
                Poll::Pending
            });
            match self.on(Rank::Idle, Box::pin(idle)).await {
                Ok(output) => return output,
                Err(starved) => {
                    self.note_starved();
                    call = starved;
                }
            }
        }
        self.on(Rank::Low, call).await
    }

    async fn on<F>(&self, rank: Rank, mut call: Pin<Box<F>>) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        // What the host's functions begin (connections, timers) belongs to the runtime that they would otherwise have run on: the next one
        // to use a pooled connection may be anybody.
        let home = Handle::current();
        let at_home = poll_fn(move |context| {
            let _home = home.enter();
            call.as_mut().poll(context)
        });
        let mut task = Aborting(self.threads(rank).spawn(at_home));
        match (&mut task.0).await {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Nobody but the drop of this future cancels it.
                Err(_cancelled) => std::future::pending().await,
            },
        }
    }

    fn threads(&self, rank: Rank) -> &Runtime {
        let threads = match rank {
            Rank::Idle => &self.idle,
            Rank::Low => &self.low,
        };
        let Some(threads) = threads else { unreachable!("it is being dropped, so nobody holds it") };
        threads
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Overrun {
    fn drop(&mut self) {
        // The last holder may be a task of an async runtime, which must not wait for threads to end.
        for threads in [self.idle.take(), self.low.take()].into_iter().flatten() {
            threads.shutdown_background();
        }
    }
}

/// A task that ends with its handle.
struct Aborting<T>(JoinHandle<T>);

impl<T> Drop for Aborting<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::getpriority_process;
    use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_runs_on_threads_of_low_priority_and_with_the_callers_timers() {
        let overrun = Overrun::start().unwrap();
        overrun.note_starved();
        assert_eq!(overrun.rank(), Rank::Low, "for a while");
        // Without the caller's runtime there would be no timer here.
        let (name, priority) = overrun
            .finish(Box::pin(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                // Of none in particular is of this thread.
                (std::thread::current().name().map(str::to_owned), getpriority_process(None).unwrap())
            }))
            .await;
        assert_eq!(name.as_deref(), Some("guest-overrun"));
        assert!(priority > getpriority_process(None).unwrap(), "{priority}");
    }

    #[tokio::test]
    async fn what_blocks_a_thread_does_so_at_a_low_priority_as_well() {
        let overrun = Overrun::start().unwrap();
        for rank in [Rank::Idle, Rank::Low] {
            let priority = overrun.block(rank, || getpriority_process(None).unwrap()).await.unwrap();
            assert!(priority > getpriority_process(None).unwrap(), "{priority}");
        }
    }

    #[tokio::test]
    async fn on_a_machine_that_has_room_it_leaves_the_core_to_whoever_wakes_up() {
        let overrun = Overrun::start().unwrap();
        let policy = async { thread_priority::thread_schedule_policy().unwrap() };
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        assert_eq!(overrun.finish(Box::pin(policy)).await, idle);
    }

    /// A thread that sleeps has no core either, as one that waits for its turn.
    #[tokio::test]
    async fn one_that_gets_no_core_goes_on_with_a_low_priority_and_others_begin_with_it() {
        let overrun = Overrun::start().unwrap();
        let (_nobody, nothing) = std::sync::mpsc::channel::<()>();
        let mut turns = 0;
        let name = overrun
            .finish(Box::pin(poll_fn(move |context| {
                turns += 1;
                if turns > 1 {
                    return Poll::Ready(std::thread::current().name().map(str::to_owned));
                }
                let _elapsed = nothing.recv_timeout(Duration::from_millis(100));
                context.waker().wake_by_ref();
                Poll::Pending
            })))
            .await;
        assert_eq!(name.as_deref(), Some("guest-overrun"));
        assert_eq!(overrun.rank(), Rank::Low);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_ends() {
        let overrun = Overrun::start().unwrap();
        let (held, ended) = oneshot::channel::<()>();
        let call = overrun.finish(Box::pin(async move {
            let _held = held;
            std::future::pending::<()>().await;
        }));
        assert!(tokio::time::timeout(Duration::from_millis(1), call).await.is_err());
        assert!(ended.await.is_err(), "what it held was dropped");
    }

    #[tokio::test]
    async fn a_panic_is_the_callers() {
        let overrun = Overrun::start().unwrap();
        let call = tokio::spawn(async move { overrun.finish(Box::pin(async { panic!("made up") })).await });
        assert!(call.await.unwrap_err().is_panic());
    }
}
