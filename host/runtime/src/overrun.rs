//! Threads that stand behind all others: where a guest goes on that has computed for longer than a tick, and where what strangers upload
//! is looked at and compiled.
//!
//! Yielding alone is not fair enough: two guests that loop would hold both workers of a small machine, and whoever else needs one waits
//! for a tick at each of its steps. A well-behaved connector maps a record in a fraction of a millisecond and never comes here.
//!
//! Rejected: a thread for every call, which would double the price of the short ones; and pausing whoever overruns, which leaves the
//! machine idle while somebody waits for a large page to be read.

use std::{future::poll_fn, io, panic::resume_unwind, pin::Pin, thread::available_parallelism};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

use crate::priority;

/// For guests half of the cores, at a low priority.
#[derive(Debug)]
pub(crate) struct Overrun {
    /// None only while it is dropped.
    threads: Option<Runtime>,
}

/// Half of the cores, for compilers as well.
pub(crate) fn threads() -> usize {
    available_parallelism().map_or(1, usize::from).div_ceil(2)
}

impl Overrun {
    pub(crate) fn start() -> io::Result<Self> {
        let threads = Builder::new_multi_thread()
            .worker_threads(threads())
            .thread_name("guest-overrun")
            .on_thread_start(priority::lower)
            .build()?;
        Ok(Self { threads: Some(threads) })
    }

    /// Work that blocks a thread, on one of these.
    pub(crate) fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let Some(threads) = &self.threads else { unreachable!("it is being dropped, so nobody holds it") };
        threads.spawn_blocking(work)
    }

    /// Takes a call that is under way to its end. Dropping the future ends the call at its next `await` or tick.
    pub(crate) async fn finish<F>(&self, mut call: Pin<Box<F>>) -> F::Output
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
        let Some(threads) = &self.threads else { unreachable!("it is being dropped, so nobody holds it") };
        let mut task = Aborting(threads.spawn(at_home));
        match (&mut task.0).await {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Nobody but the drop of this future cancels it.
                Err(_cancelled) => std::future::pending().await,
            },
        }
    }
}

impl Drop for Overrun {
    fn drop(&mut self) {
        // The last holder may be a task of an async runtime, which must not wait for threads to end.
        if let Some(threads) = self.threads.take() {
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
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_runs_on_threads_of_low_priority_and_with_the_callers_timers() {
        let overrun = Overrun::start().unwrap();
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
        let priority = overrun.block(|| getpriority_process(None).unwrap()).await.unwrap();
        assert!(priority > getpriority_process(None).unwrap(), "{priority}");
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
