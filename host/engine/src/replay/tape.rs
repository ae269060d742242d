//! The calls of one guest call: written down as they are answered, or answered from what was written down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contactor_runtime::Weight;
use contactor_runtime::bindings::types::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::given::{packed, unpacked};

/// One call of a guest and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exchange {
    /// `tasks.create`, `partner.send`, ….
    pub(crate) operation: String,
    /// Its arguments in their order.
    pub(crate) arguments: Value,
    /// What it was answered.
    pub(crate) answer: Value,
}

impl Exchange {
    pub(crate) fn is(&self, operation: &str, arguments: &Value) -> bool {
        self.operation == operation && self.arguments == *arguments
    }
}

/// What becomes of the calls of one guest call.
#[derive(Clone, Default)]
pub(crate) enum Tape {
    /// They are made, and forgotten.
    #[default]
    Off,
    /// They are made, and written down.
    Record(Arc<Recorder>),
    /// They are answered from what was written down; none is made.
    Play(Arc<Player>),
}

/// Writes calls down, up to so many bytes.
pub(crate) struct Recorder {
    cap: usize,
    inner: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    calls: Vec<Exchange>,
    bytes: usize,
}

impl Recorder {
    pub(crate) fn new(cap: usize) -> Self {
        Self { cap, inner: Mutex::default() }
    }

    /// Whether so much more may be written down. It is asked before anything is packed; what is too much ends the recording.
    fn has_room(&self, weight: usize) -> bool {
        let mut inner = lock(&self.inner);
        let fits = inner.bytes.saturating_add(weight) <= self.cap;
        if !fits {
            inner.bytes = inner.bytes.saturating_add(weight);
            inner.calls.clear();
        }
        fits
    }

    fn note(&self, exchange: Exchange, bytes: usize) {
        let mut inner = lock(&self.inner);
        inner.bytes = inner.bytes.saturating_add(bytes);
        if inner.bytes > self.cap {
            inner.calls.clear();
        } else {
            inner.calls.push(exchange);
        }
    }

    /// The calls, and their bytes; without them when they were too many.
    pub(crate) fn take(&self) -> (Vec<Exchange>, usize) {
        let written = std::mem::take(&mut *lock(&self.inner));
        (written.calls, written.bytes)
    }
}

/// Answers calls in the order in which they were written down.
pub(crate) struct Player {
    calls: Vec<Exchange>,
    inner: Mutex<Played>,
}

#[derive(Default)]
struct Played {
    next: usize,
    parted: Option<(String, Value)>,
}

impl Player {
    pub(crate) fn new(calls: Vec<Exchange>) -> Self {
        Self { calls, inner: Mutex::default() }
    }

    fn answer(&self, operation: &str, arguments: Value) -> Option<Value> {
        let mut inner = lock(&self.inner);
        if inner.parted.is_some() {
            return None;
        }
        if let Some(known) = self.calls.get(inner.next).filter(|call| call.is(operation, &arguments)) {
            inner.next += 1;
            return Some(known.answer.clone());
        }
        inner.parted = Some((operation.to_owned(), arguments));
        None
    }

    /// How many calls were as they were written down.
    pub(crate) fn matched(&self) -> usize {
        lock(&self.inner).next
    }

    /// The first call that was not, if there was one.
    pub(crate) fn parted(&self) -> Option<(String, Value)> {
        lock(&self.inner).parted.clone()
    }
}

/// How a call goes on.
pub(crate) enum Taped<T> {
    /// The tape answers.
    Answered(Result<T, Error>),
    /// It is made; its arguments, if it is written down.
    Make(Option<Value>),
}

impl Tape {
    /// A call begins.
    pub(crate) fn begin<T: DeserializeOwned>(
        &self,
        operation: &str,
        arguments: &(impl Serialize + Weight),
    ) -> Taped<T> {
        match self {
            Self::Off => Taped::Make(None),
            Self::Record(recorder) => {
                let has_room = recorder.has_room(operation.len() + arguments.weight());
                Taped::Make(has_room.then(|| packed(arguments)))
            }
            Self::Play(player) => Taped::Answered(match player.answer(operation, packed(arguments)) {
                Some(answer) => serde_json::from_value(unpacked(answer)).unwrap_or_else(|error| {
                    Err(Error::Other(format!("the recorded answer of {operation} cannot be read: {error}")))
                }),
                None => Err(Error::Other(
                    "the replay parted from what was recorded; nothing can be answered from here on"
                        .to_owned(),
                )),
            }),
        }
    }

    /// A call was answered.
    pub(crate) fn end(&self, operation: &str, arguments: Option<Value>, answer: &(impl Serialize + Weight)) {
        let Self::Record(recorder) = self else { return };
        let has_room = recorder.has_room(answer.weight());
        let Some(arguments) = arguments.filter(|_| has_room) else { return };
        let answer = packed(answer);
        let bytes = operation.len() + arguments.to_string().len() + answer.to_string().len();
        recorder.note(Exchange { operation: operation.to_owned(), arguments, answer }, bytes);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(calls: &[(&str, u64)], cap: usize) -> (Vec<Exchange>, usize) {
        let recorder = Arc::new(Recorder::new(cap));
        let tape = Tape::Record(Arc::clone(&recorder));
        for (operation, argument) in calls {
            let Taped::<u64>::Make(arguments) = tape.begin(operation, &(argument,)) else {
                panic!("answered")
            };
            tape.end(operation, arguments, &Ok::<u64, Error>(argument + 1));
        }
        recorder.take()
    }

    fn play(player: &Arc<Player>, operation: &str, argument: u64) -> Result<u64, Error> {
        match Tape::Play(Arc::clone(player)).begin(operation, &(argument,)) {
            Taped::Answered(answer) => answer,
            Taped::Make(_) => panic!("a replay makes no call"),
        }
    }

    #[test]
    fn the_same_calls_get_the_same_answers() {
        let (calls, bytes) = record(&[("a", 1), ("b", 2)], 1_000);
        assert!(bytes > 0);
        let player = Arc::new(Player::new(calls));
        assert_eq!((play(&player, "a", 1), play(&player, "b", 2)), (Ok(2), Ok(3)));
        assert_eq!((player.matched(), player.parted()), (2, None));
    }

    #[test]
    fn the_first_call_that_differs_is_kept_and_nothing_is_answered_after_it() {
        for (operation, argument) in [("b", 3), ("c", 2)] {
            let player = Arc::new(Player::new(record(&[("a", 1), ("b", 2)], 1_000).0));
            assert_eq!(play(&player, "a", 1), Ok(2));
            assert!(play(&player, operation, argument).is_err());
            assert!(play(&player, "b", 2).is_err());
            assert_eq!(player.matched(), 1);
            assert_eq!(player.parted(), Some((operation.to_owned(), serde_json::json!([argument]))));
        }
        let player = Arc::new(Player::new(Vec::new()));
        assert!(play(&player, "a", 1).is_err(), "a call too many");
    }

    #[test]
    fn what_is_too_large_is_counted_and_not_kept() {
        let many: Vec<_> = (0..100).map(|number| ("tasks.create", number)).collect();
        let (calls, bytes) = record(&many, 200);
        assert!(calls.is_empty() && bytes > 2_000, "{} calls, {bytes} bytes", calls.len());
    }

    #[test]
    fn what_has_no_room_is_not_even_packed() {
        /// Weighs much, and nobody may write it.
        #[derive(Clone, Copy)]
        struct Large;

        impl Weight for Large {
            fn weight(&self) -> usize {
                1 << 30
            }
        }

        impl Serialize for Large {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                panic!("it was written")
            }
        }

        let recorder = Arc::new(Recorder::new(1_000));
        let tape = Tape::Record(Arc::clone(&recorder));
        let Taped::<u64>::Make(None) = tape.begin("a", &(Large,)) else { panic!("packed") };
        tape.end("a", Some(Value::Null), &Large);
        let (calls, bytes) = recorder.take();
        assert!(calls.is_empty() && bytes >= 2 << 30, "{bytes}");
    }
}
