//! The one thread that writes, with group commit.
//!
//! Requests arrive as closures. The thread takes what is queued, runs each in a savepoint of one transaction, commits, and
//! only then answers them: `fsync` is paid once for all. A request that fails rolls back its own savepoint and nobody
//! else's. A commit that fails is the answer to every request in it.
//!
//! Each commit is counted in the database and then noted in the [mark](super::mark), still before the answers.
//!
//! After the disk has refused a commit the writer refuses every request: until a probe has opened the database afresh and
//! committed to it, or for good. Which of the two, [`super::disk`] says.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::Result;
use super::disk::Disk;
use super::file::{FOLD_PAGES, Fold, Locked, fold, open_writer};
use super::mark::Position;
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
    pub(super) fn start(locked: Locked, connection: Connection, disk: Arc<Disk>) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let mut state = State { locked, connection: None, log_pages: Arc::default(), disk };
        state.adopt(connection)?;
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || state.serve(jobs))
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

    /// Commits something, even if the writer waits for the disk; a success ends that state.
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

/// The smallest change there is.
pub(super) fn write_probe(connection: &Connection) -> Result<()> {
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
    /// Its closure's type, which tells in which operation it stands.
    fn closure(&self) -> &'static str;
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
    fn closure(&self) -> &'static str {
        std::any::type_name::<F>()
    }

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
    /// Pages in the log after the last commit.
    log_pages: Arc<AtomicI32>,
    disk: Arc<Disk>,
}

impl State {
    fn serve(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut batch = Vec::new();
            let mut probe = admit(first, &mut batch);
            while probe.is_none() && batch.len() < BATCH {
                let Ok(next) = jobs.try_recv() else { break };
                probe = admit(next, &mut batch);
            }
            if let Some(probe) = probe {
                self.try_disk(batch, probe);
            } else {
                self.commit_all(batch);
            }
        }
        self.close();
    }

    /// Commits a batch with a probe at its end. While the store waits, the batch is refused still, and only the probe tries
    /// the disk, on the database opened afresh.
    fn try_disk(&mut self, mut batch: Vec<Box<dyn Request>>, probe: Box<dyn Request>) {
        if self.disk.refusal().is_none() {
            batch.push(probe);
            return self.commit_all(batch);
        }
        self.commit_all(batch);
        if self.disk.loss().is_none() {
            if let Err(error) = self.reopen() {
                return probe.refused(as_failure(error));
            }
            let mut batch = vec![probe];
            // The mark belongs to the proof: without it the next commit would fail again.
            let outcome = self.transact(&mut batch);
            let outcome = outcome.and_then(|commit| self.disk.mark.advance(commit).map(|()| commit));
            if outcome.is_ok() {
                self.disk.recovered();
            }
            self.answer(batch, outcome);
        } else {
            self.commit_all(vec![probe]);
        }
    }

    fn reopen(&mut self) -> Result<()> {
        self.connection = None;
        let connection = open_writer(self.locked.path())?;
        // Somebody may have exchanged the file meanwhile.
        let judged = self.disk.mark.judge(self.locked.path(), Position::of(&connection)?);
        judged.map_err(StoreError::from).inspect_err(|error| self.disk.report(error))?;
        self.adopt(connection)
    }

    fn adopt(&mut self, mut connection: Connection) -> Result<()> {
        let log_pages = Arc::clone(&self.log_pages);
        log_pages.store(0, Ordering::Relaxed);
        connection.wal_hook(Some(move |_: &mut _, pages| {
            log_pages.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        self.connection = Some(connection);
        Ok(())
    }

    fn commit_all(&mut self, mut batch: Vec<Box<dyn Request>>) {
        if batch.is_empty() {
            return;
        }
        if torture::breaks(torture::EARLY_ANSWER)
            && let Some(connection) = &self.connection
        {
            return answer_early(connection, batch);
        }
        let outcome = match self.disk.refusal() {
            Some(failure) => Err(failure),
            None => self.transact(&mut batch),
        };
        self.answer(batch, outcome);
    }

    /// Runs a batch and commits it. `Err` means that its requests must not believe in it.
    fn transact(&self, batch: &mut [Box<dyn Request>]) -> Result<u64> {
        let began = Instant::now();
        let connection = self.connection.as_ref().ok_or(StoreError::Closed)?;
        let commit = transact(connection, batch)?;
        metrics::histogram!("contactor_store_commit_seconds").record(began.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "a batch has at most a few hundred requests")]
        metrics::histogram!("contactor_store_commit_requests").record(batch.len() as f64);
        torture::point("after-commit");
        torture::points("after-commit", batch.iter().map(|request| request.closure()));
        Ok(commit)
    }

    fn answer(&mut self, batch: Vec<Box<dyn Request>>, outcome: Result<u64>) {
        match outcome {
            Ok(commit) => {
                // The commit stands, whatever becomes of the mark; but there is no next one without it.
                let marked = self.disk.mark.advance(commit);
                torture::point("after-mark");
                for request in batch {
                    request.committed();
                }
                let folded = marked.and_then(|()| self.fold_when_due());
                if let Err(error) = folded.map_err(as_failure) {
                    self.disk.report(&error);
                }
            }
            Err(error) => {
                self.disk.report(&error);
                metrics::counter!("contactor_store_refused_requests").increment(batch.len() as u64);
                for request in batch {
                    request.refused(error.clone());
                }
            }
        }
    }

    /// After the answers: nobody waits for it, except those who come next.
    fn fold_when_due(&self) -> Result<()> {
        match &self.connection {
            Some(connection) if self.log_pages.load(Ordering::Relaxed) >= FOLD_PAGES => {
                fold(connection, Fold::Some)
            }
            _ => Ok(()),
        }
    }

    /// Folds the log into the database, so that the file alone is a complete backup. Not on a disk that has failed: the
    /// next start does so, after it has looked.
    fn close(mut self) {
        let Some(connection) = self.connection.take() else { return };
        if self.disk.refusal().is_none() {
            let ended = fold(&connection, Fold::All).and_then(|()| self.disk.mark.settle());
            if let Err(error) = ended {
                // Nothing is lost: the next open reads the log.
                tracing::warn!(%error, "the write-ahead log was not folded into the database");
            }
        }
        drop(connection);
    }
}

/// Adds a request to the batch, or answers that it is a probe, which ends its batch.
fn admit(job: Job, batch: &mut Vec<Box<dyn Request>>) -> Option<Box<dyn Request>> {
    match job {
        Job::Request(request) => {
            batch.push(request);
            None
        }
        Job::Probe(request) => Some(request),
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

/// Runs the batch in one transaction; answers the commit's number. `Err` means that nothing of it was written.
fn transact(connection: &Connection, batch: &mut [Box<dyn Request>]) -> Result<u64> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let ran = batch.iter_mut().try_for_each(|request| run_in_savepoint(connection, &mut **request));
    let counted = ran.and_then(|()| Position::advance(connection));
    // Whatever stops a commit, the caller must not believe in it, and the disk is the likely reason.
    torture::point("before-commit");
    torture::points("before-commit", batch.iter().map(|request| request.closure()));
    let ended = counted.and_then(|commit| execute(connection, "COMMIT").map(|()| commit).map_err(as_failure));
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
        Err(failure) if failure.is_of_the_disk() => Err(failure),
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
        failure if failure.is_of_the_disk() || matches!(failure, StoreError::Busy(_)) => failure,
        other => StoreError::Failed { reason: other.to_string() },
    }
}
