//! Compiling in a process of its own.
//!
//! A compilation cannot be stopped from inside, takes memory as it pleases, and maps and unmaps so much of it that every call in the same
//! address space waits for the kernel meanwhile. A process can be killed, has a bound of memory and a low priority, knows no secret,
//! and what it does to its own memory nobody else feels.

use std::{
    ffi::OsString,
    io::{self, Read, Write},
    mem,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::PathBuf,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio, exit},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rayon::ThreadPoolBuilder;
use rustix::{
    process::{Resource, Rlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

use crate::{
    engine,
    overrun::{self, Rank},
    priority,
};

/// The compiler takes what it was given for no component that it can compile: its words are on standard error.
const REFUSED: i32 = 3;
/// It got too little of a core.
const STARVED: i32 = 4;
/// It could not be asked.
const FAILED: i32 = 1;
/// Tells it to end when it gets too little of a core.
const GIVES_UP: &str = "--gives-up";
/// How often it looks.
const LOOKS: Duration = Duration::from_millis(500);
/// Bytes of the compiler's words that are read: more than any of its messages has.
const WORDS: u64 = 16 << 10;

/// How a process is begun that compiles one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// The program: one that calls [`work`].
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// MiB of memory that it may take.
    pub memory_mib: u64,
}

impl WorkerConfig {
    /// With less, connectors that are not large would not compile.
    pub(crate) const LEAST_MIB: u64 = 128;
}

/// Why there is no artefact.
#[derive(Debug)]
pub(crate) enum WorkerError {
    /// The compiler refuses the component.
    Refused(String),
    /// The compiler died of the component: most often for want of memory.
    Died(ExitStatus),
    /// It gave up because it got too little of a core.
    Starved,
    /// The process could not be begun or talked to, or somebody else ended it.
    Lost(io::Error),
}

/// A worker that can be ended from elsewhere.
#[derive(Default)]
pub(crate) struct Running(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    NotBegun,
    Begun(Child),
    /// Nobody waits for it any more: it is not begun at all.
    Unwanted,
}

/// Ends the worker when it is dropped.
#[derive(Default)]
pub(crate) struct Ending(Arc<Running>);

impl Ending {
    /// What it ends.
    pub(crate) fn running(&self) -> Arc<Running> {
        Arc::clone(&self.0)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.0.state();
        match &mut *state {
            // Whoever reads its output sees the end of it and takes leave of it; it may have ended by itself.
            State::Begun(child) => drop(child.kill()),
            State::NotBegun => *state = State::Unwanted,
            State::Unwanted => {}
        }
    }
}

impl Running {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compiles a component; blocks until the worker has ended.
    pub(crate) fn compile(
        &self,
        config: &WorkerConfig,
        rank: Rank,
        bytes: &[u8],
    ) -> Result<Vec<u8>, WorkerError> {
        let (input, output, words) = self.begin(config, rank).map_err(WorkerError::Lost)?;
        let answered = converse(bytes, input, output, words);
        let State::Begun(mut child) = mem::take(&mut *self.state()) else {
            return Err(WorkerError::Lost(unwanted()));
        };
        let status = child.wait().map_err(WorkerError::Lost)?;
        let (artefact, words) = answered.map_err(WorkerError::Lost)?;
        match status.code() {
            Some(0) => Ok(artefact),
            Some(STARVED) => Err(WorkerError::Starved),
            Some(REFUSED) => Err(WorkerError::Refused(words)),
            _ if of_the_component(status) => Err(WorkerError::Died(status)),
            _ => Err(WorkerError::Lost(io::Error::other(format!("it ended with {status} {words}")))),
        }
    }

    fn begin(&self, config: &WorkerConfig, rank: Rank) -> io::Result<(ChildStdin, ChildStdout, ChildStderr)> {
        let mut state = self.state();
        if matches!(*state, State::Unwanted) {
            return Err(unwanted());
        }
        let mut child = spawn(config, rank)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        *state = State::Begun(child);
        let (Some(input), Some(output), Some(words)) = pipes else {
            return Err(io::Error::other("it has no pipes"));
        };
        Ok((input, output, words))
    }
}

fn unwanted() -> io::Error {
    io::Error::other("nobody waits for it any more")
}

/// Out of memory, a defect that the compiler found in itself (a panic), or one that the machine found.
fn of_the_component(status: ExitStatus) -> bool {
    const PANICKED: i32 = 101;
    const ABORTED: i32 = 6;
    const BUS: i32 = 7;
    const SEGMENT: i32 = 11;
    status.code() == Some(PANICKED) || matches!(status.signal(), Some(ABORTED | BUS | SEGMENT))
}

/// It has the priority of the thread that begins it.
fn spawn(config: &WorkerConfig, rank: Rank) -> io::Result<Child> {
    Command::new(&config.program)
        .args(&config.arguments)
        .arg(config.memory_mib.to_string())
        .args((rank == Rank::Idle).then_some(GIVES_UP))
        // Keys may be in the environment.
        .env_clear()
        // A terminal's interrupt is for the host.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// What a worker leaves, and what it says.
fn converse(
    bytes: &[u8],
    mut input: impl Write,
    mut output: impl Read,
    words: impl Read,
) -> io::Result<(Vec<u8>, String)> {
    match input.write_all(bytes) {
        // It died before it had read everything: how, its status says.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    drop(input);
    let (mut artefact, mut said) = (Vec::new(), Vec::new());
    // In this order: it says only what fits into a pipe that nobody reads, and after its output.
    output.read_to_end(&mut artefact)?;
    words.take(WORDS).read_to_end(&mut said)?;
    Ok((artefact, String::from_utf8_lossy(&said).trim().to_owned()))
}

/// What the program of a [`WorkerConfig`] does: compiles the component that comes on standard input, and writes the artefact to standard
/// output. Answers the exit code to end with.
///
/// `memory_mib` and `gives_up`: the arguments that it was begun with, after those of the [`WorkerConfig`]; the second one is the flag
/// `--gives-up`. The process ends in this function when it gets too little of a core and has the flag.
pub fn work(memory_mib: u64, gives_up: bool) -> i32 {
    if gives_up {
        let begun = Instant::now();
        thread::spawn(move || watch(begun));
    }
    let (why, code) = match artefact(memory_mib) {
        Ok(Ok(artefact)) => match io::stdout().lock().write_all(&artefact) {
            Ok(()) => return 0,
            Err(error) => (error.to_string(), FAILED),
        },
        Ok(Err(refused)) => (refused, REFUSED),
        Err(error) => (error.to_string(), FAILED),
    };
    // Nobody may be there to read it.
    let _ = io::stderr().lock().write_all(why.as_bytes());
    code
}

/// Ends the process when it gets too little of a core: whoever began it tries again with a higher priority.
#[expect(clippy::exit, reason = "the compiler cannot be stopped from inside")]
fn watch(begun: Instant) {
    loop {
        // Nobody wakes it.
        thread::park_timeout(LOOKS);
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        let spent = Duration::try_from(spent).unwrap_or_default();
        if priority::is_starved(begun.elapsed(), spent) {
            exit(STARVED);
        }
    }
}

fn artefact(memory_mib: u64) -> io::Result<Result<Vec<u8>, String>> {
    confine(memory_mib)?;
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let engine = engine::compiling().map_err(io::Error::other)?;
    let threads =
        ThreadPoolBuilder::new().num_threads(overrun::threads()).build().map_err(io::Error::other)?;
    Ok(threads.install(|| engine.precompile_component(&bytes)).map_err(|error| format!("{error:#}")))
}

/// Before anything is read.
fn confine(memory_mib: u64) -> io::Result<()> {
    // Whoever began it may be killed, and cannot end it then.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let bytes = memory_mib.saturating_mul(1 << 20);
    // What it may write to; address space that is only reserved costs nothing.
    setrlimit(Resource::Data, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker that does what a shell is told; `$0` is its bound of memory.
    fn shell(script: &str) -> WorkerConfig {
        WorkerConfig {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            memory_mib: 64,
        }
    }

    fn compiled(script: &str) -> Result<Vec<u8>, WorkerError> {
        Running::default().compile(&shell(script), Rank::Low, b"a component")
    }

    #[test]
    fn what_it_leaves_is_the_artefact_and_it_is_told_its_bound_and_nothing_else() {
        assert_eq!(compiled("cat").unwrap(), b"a component");
        assert_eq!(compiled("cat >/dev/null; echo $0").unwrap(), b"64\n");
        // What a shell sets by itself.
        let variables = compiled("cat >/dev/null; env").unwrap();
        let variables = String::from_utf8(variables).unwrap();
        let own = ["PWD=", "SHLVL=", "_=", "OLDPWD="];
        assert!(variables.lines().all(|line| own.iter().any(|own| line.starts_with(own))), "{variables}");
    }

    #[test]
    fn a_component_that_is_refused_one_that_it_dies_of_and_a_worker_that_fails_are_told_apart() {
        let error = compiled("cat >/dev/null; echo 'unknown section' >&2; exit 3").unwrap_err();
        assert!(matches!(&error, WorkerError::Refused(words) if words == "unknown section"), "{error:?}");
        for dies in ["kill -ABRT $$", "kill -SEGV $$", "exit 101"] {
            let error = compiled(&format!("cat >/dev/null; {dies}")).unwrap_err();
            assert!(matches!(error, WorkerError::Died(_)), "{dies}: {error:?}");
        }
        // A supervisor that stops everything, the kernel that needs memory for others.
        for fails in ["kill -TERM $$", "kill -KILL $$", "exit 1"] {
            let error = compiled(&format!("cat >/dev/null; {fails}")).unwrap_err();
            assert!(matches!(error, WorkerError::Lost(_)), "{fails}: {error:?}");
        }
        let nowhere = WorkerConfig { program: "/nowhere".into(), arguments: vec![], memory_mib: 64 };
        let error = Running::default().compile(&nowhere, Rank::Low, b"").unwrap_err();
        assert!(matches!(error, WorkerError::Lost(_)), "{error:?}");
    }

    #[test]
    fn one_that_dies_before_it_has_read_everything_is_told_by_how_it_ended() {
        let large = vec![0; 1 << 20];
        let error = Running::default().compile(&shell("echo no >&2; exit 3"), Rank::Low, &large).unwrap_err();
        assert!(matches!(&error, WorkerError::Refused(words) if words == "no"), "{error:?}");
    }

    #[test]
    fn one_that_nobody_waits_for_is_ended_and_is_not_begun() {
        let ending = Ending::default();
        let running = ending.running();
        // It never ends by itself: its input stays open as long as its own child has it.
        let worker = thread::spawn({
            let running = Arc::clone(&running);
            move || running.compile(&shell("exec sleep 3600"), Rank::Low, b"")
        });
        while !matches!(*running.state(), State::Begun(_)) {
            thread::yield_now();
        }
        drop(ending);
        let error = worker.join().unwrap().unwrap_err();
        assert!(matches!(error, WorkerError::Lost(_)), "{error:?}");

        let ending = Ending::default();
        let running = ending.running();
        drop(ending);
        let error = running.compile(&shell("cat"), Rank::Low, b"").unwrap_err();
        assert!(error_says(&error, "nobody waits"), "{error:?}");
    }

    fn error_says(error: &WorkerError, words: &str) -> bool {
        matches!(error, WorkerError::Lost(why) if why.to_string().contains(words))
    }
}
