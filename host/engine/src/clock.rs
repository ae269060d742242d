//! The one clock. Tests set it; nothing else in the engine asks for the time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Tells the time, to the millisecond.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
    /// A file that somebody else writes: see `contactor_store::torture`.
    File(Arc<File>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The clock of a program: the machine's, unless a torture test gave it another.
    ///
    /// # Errors
    /// When that other clock is not there.
    pub fn of_process() -> std::io::Result<Self> {
        let Some(path) = contactor_store::torture::clock() else { return Ok(Self::system()) };
        Ok(Self(Source::File(Arc::new(File::open(path)?))))
    }

    /// A clock that stands still until [`advance`](Self::advance) is called.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.as_millisecond()))))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        let millis = match &self.0 {
            Source::System => Timestamp::now().as_millisecond(),
            Source::Manual(millis) => millis.load(Ordering::SeqCst),
            Source::File(file) => {
                let mut millis = [0; 8];
                file.read_exact_at(&mut millis, 0).map_or(0, |()| i64::from_le_bytes(millis))
            }
        };
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// Whether it moves by itself.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.0, Source::System)
    }

    /// Moves a manual clock; the machine's clock cannot be moved.
    pub fn advance(&self, by: SignedDuration) {
        if let Source::Manual(millis) = &self.0 {
            millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}
