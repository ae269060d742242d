//! The one thread that writes, with group commit.
//!
//! Requests arrive as closures. The thread takes what is queued, runs each in a savepoint of one transaction, commits, and
//! only then answers them: `fsync` is paid once for all. A request that fails rolls back its own savepoint and nobody
//! else's. A commit that fails is the answer to every request in it.
//!
//! After the disk has refused a commit nobody knows what it holds, so the writer is **failed**: it refuses every request,
//! until a probe has opened the database afresh and committed to it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::Result;
use super::file::{Locked, open_writer};
use crate::error::StoreError;
use crate::torture;

/// Requests in one commit. Bounds how long the first of them waits for the last: some 20 ms at 30 µs each.
const BATCH: usize = 512;
/// Requests that may queue. Beyond it callers wait, so that a slow disk slows the senders down instead of filling memory.
const QUEUE: usize = 2 * BATCH;

pub(super) struct Writer {
    /// `None` only while the store is being dropped.
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. It owns the connection and the file's lock, and gives both up when it ends.
    pub(super) fn start(locked: Locked, connection: Connection) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || State { locked, connection: Some(connection), failed: None }.serve(jobs))
            .map_err(|error| StoreError::Failed { reason: format!("no thread for the writer: {error}") })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs a change and answers after its commit. A caller that stops waiting does not undo it.
    pub(super) async fn run<T, F>(&self, change: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.send(change, Job::Request).await
    }

    /// Commits something, even if the writer is failed; a success ends that state.
    pub(super) async fn probe(&self) -> Result<()> {
        self.send(write_probe, Job::Probe).await
    }

    async fn send<T, F>(&self, change: F, job: fn(Box<dyn Request>) -> Job) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let request = Box::new(Change { work: Some(change), result: None, answer });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(job(request)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer thread panicked");
        }
    }
}

fn write_probe(connection: &Connection) -> Result<()> {
    let sql = "UPDATE meta SET value = value + 1 WHERE key = 'probe'";
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

enum Job {
    Request(Box<dyn Request>),
    Probe(Box<dyn Request>),
}

/// A change whose type of answer is forgotten.
trait Request: Send {
    /// Runs it and keeps the result.
    fn run(&mut self, connection: &Connection) -> Result<()>;
    /// Answers with the kept result: the commit is done.
    fn committed(self: Box<Self>);
    /// Answers that nothing was written.
    fn refused(self: Box<Self>, error: StoreError);
}

struct Change<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Request for Change<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        // A fault in one request must not end the thread that serves all.
        let result = catch_unwind(AssertUnwindSafe(|| work(connection))).unwrap_or_else(|panic| {
            Err(StoreError::Engine(format!("a request panicked: {}", words(&*panic))))
        });
        let ended = result.as_ref().map(|_| ()).map_err(Clone::clone);
        self.result = Some(result);
        ended
    }

    fn committed(self: Box<Self>) {
        // Nobody may be waiting any more; the change stands all the same.
        let _ = self.answer.send(self.result.unwrap_or(Err(StoreError::Closed)));
    }

    fn refused(self: Box<Self>, error: StoreError) {
        let _ = self.answer.send(Err(error));
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}

/// What the thread owns.
struct State {
    locked: Locked,
    /// `None` after a failed attempt to open the database afresh.
    connection: Option<Connection>,
    /// Why nothing can be written.
    failed: Option<StoreError>,
}

impl State {
    fn serve(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut batch = Vec::new();
            let mut probe = self.admit(first, &mut batch);
            while !probe && batch.len() < BATCH {
                let Ok(next) = jobs.try_recv() else { break };
                probe = self.admit(next, &mut batch);
            }
            self.commit_all(batch);
        }
        self.close();
    }

    /// Adds a job to the batch. A probe of a failed store first opens it afresh; it ends its batch. Answers whether the
    /// batch is complete.
    fn admit(&mut self, job: Job, batch: &mut Vec<Box<dyn Request>>) -> bool {
        match job {
            Job::Request(request) => {
                batch.push(request);
                false
            }
            Job::Probe(request) => {
                if self.failed.is_some() {
                    // Whoever queued before the probe is refused still; only the probe itself tries the disk.
                    self.commit_all(std::mem::take(batch));
                    self.reopen();
                }
                batch.push(request);
                true
            }
        }
    }

    fn reopen(&mut self) {
        self.connection = None;
        match open_writer(self.locked.path()) {
            Ok(connection) => {
                self.connection = Some(connection);
                self.failed = None;
            }
            Err(error) => self.failed = Some(as_failure(error)),
        }
    }

    fn commit_all(&mut self, mut batch: Vec<Box<dyn Request>>) {
        if batch.is_empty() {
            return;
        }
        let began = Instant::now();
        if torture::breaks(torture::EARLY_ANSWER)
            && let Some(connection) = &self.connection
        {
            return answer_early(connection, batch);
        }
        let outcome = match (&self.failed, &self.connection) {
            (Some(failure), _) => Err(failure.clone()),
            (None, None) => Err(StoreError::Closed),
            (None, Some(connection)) => transact(connection, &mut batch),
        };
        match outcome {
            Ok(()) => {
                metrics::histogram!("contactor_store_commit_seconds").record(began.elapsed());
                #[expect(clippy::cast_precision_loss, reason = "a batch has at most a few hundred requests")]
                metrics::histogram!("contactor_store_commit_requests").record(batch.len() as f64);
                torture::point("after-commit");
                for request in batch {
                    request.committed();
                }
            }
            Err(error) => {
                if matches!(error, StoreError::Failed { .. }) && self.failed.is_none() {
                    tracing::error!(%error, "the store stops writing");
                    self.failed = Some(error.clone());
                }
                metrics::counter!("contactor_store_refused_requests").increment(batch.len() as u64);
                for request in batch {
                    request.refused(error.clone());
                }
            }
        }
    }

    /// Folds the log into the database, so that the file alone is a complete backup.
    fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            let folded = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            if let Err(error) = folded {
                // Nothing is lost: the next open reads the log.
                tracing::warn!(%error, "the write-ahead log was not folded into the database");
            }
            drop(connection);
        }
    }
}

/// What must never be done: answers before the commit. Only when it was told to break that rule, to show that it is noticed.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no event to wait for: the point is that nobody waits"
)]
fn answer_early(connection: &Connection, mut batch: Vec<Box<dyn Request>>) {
    let ran = execute(connection, "BEGIN IMMEDIATE")
        .and_then(|()| batch.iter_mut().try_for_each(|request| run_in_savepoint(connection, &mut **request)));
    for request in batch {
        request.committed();
    }
    // A commit that nobody waits for comes when it comes.
    std::thread::sleep(std::time::Duration::from_millis(20));
    torture::point("before-commit");
    if let Err(error) = ran.and_then(|()| execute(connection, "COMMIT")) {
        tracing::error!(%error, "a commit failed that was answered already");
    }
}

/// Runs the batch in one transaction. `Err` means that nothing of it was written.
fn transact(connection: &Connection, batch: &mut [Box<dyn Request>]) -> Result<()> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let ran = batch.iter_mut().try_for_each(|request| run_in_savepoint(connection, &mut **request));
    // Whatever stops a commit, the caller must not believe in it, and the disk is the likely reason.
    torture::point("before-commit");
    let ended = ran.and_then(|()| execute(connection, "COMMIT").map_err(as_failure));
    if ended.is_err() && !connection.is_autocommit() {
        execute(connection, "ROLLBACK").map_err(as_failure)?;
    }
    ended
}

/// Runs one request. Its own failure is kept as its answer; `Err` is a failure of all.
fn run_in_savepoint(connection: &Connection, request: &mut dyn Request) -> Result<()> {
    execute(connection, "SAVEPOINT request")?;
    match request.run(connection) {
        Ok(()) => execute(connection, "RELEASE request"),
        Err(failure @ StoreError::Failed { .. }) => Err(failure),
        // SQLite gives up the whole transaction for some errors; what ran before in it is gone as well.
        Err(error) if connection.is_autocommit() => Err(as_failure(error)),
        Err(_) => {
            execute(connection, "ROLLBACK TO request")?;
            execute(connection, "RELEASE request")
        }
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn as_failure(error: StoreError) -> StoreError {
    match error {
        failure @ (StoreError::Failed { .. } | StoreError::Busy(_)) => failure,
        other => StoreError::Failed { reason: other.to_string() },
    }
}
