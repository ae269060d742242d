//! How a noted call ended.

use contactor_runtime::bindings::types::Error;
use contactor_store::JournalEntry;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::unreadable;
use crate::capabilities::is_not_done;

/// The call that reaches the partner.
const SEND: &str = "partner.send";

/// Calls that change the host's own store: one that failed was undone with its note.
const LOCAL: [&str; 3] = ["state.", "timers.", "notifications."];

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It was done.
    Done,
    /// It was refused, or never sent.
    Refused,
    /// HighLevel refused it, in a way that it was seen to refuse what it did all the same.
    Doubtful,
    /// Nobody knows.
    Unknown,
}

impl Settled {
    /// How a noted call ended.
    pub(super) fn of(entry: &JournalEntry) -> Self {
        let Some(result) = entry.result.as_deref() else { return Self::Unknown };
        let is_local = LOCAL.iter().any(|of| entry.operation.starts_with(of));
        match (entry.operation.as_str(), is_local) {
            (SEND, _) => of_partner(result),
            (_, true) => of_store(result),
            (_, false) => of_highlevel(result),
        }
    }

    /// It has led to nothing.
    pub(super) fn is_refused(self) -> bool {
        self == Self::Refused
    }

    /// It may have taken effect although nothing says so.
    pub(super) fn may_have_happened(self) -> bool {
        matches!(self, Self::Doubtful | Self::Unknown)
    }
}

/// A kept answer but for its bytes, which nobody looks at here.
fn answer<T: DeserializeOwned>(kept: &str) -> Result<T, Error> {
    serde_json::from_str(kept).unwrap_or_else(|error| Err(unreadable(&error)))
}

fn of_store(result: &str) -> Settled {
    if answer::<IgnoredAny>(result).is_ok() { Settled::Done } else { Settled::Refused }
}

fn of_highlevel(result: &str) -> Settled {
    match answer::<IgnoredAny>(result) {
        Ok(_) => Settled::Done,
        Err(Error::Unavailable(why) | Error::Other(why)) if !is_not_done(&why) => Settled::Unknown,
        Err(Error::Other(_) | Error::Invalid(_)) => Settled::Doubtful,
        Err(_) => Settled::Refused,
    }
}

/// Every answer of the partner is a success of the call, so its status decides. An error means that there was no answer, or that the
/// host did not send the request.
fn of_partner(result: &str) -> Settled {
    #[derive(Deserialize)]
    struct Response {
        status: u16,
    }
    match answer::<Response>(result) {
        Ok(Response { status: 500.. }) => Settled::Unknown,
        Ok(Response { status: 400.. }) => Settled::Refused,
        Ok(_) => Settled::Done,
        Err(Error::Unavailable(why) | Error::Other(why)) if !is_not_done(&why) => Settled::Unknown,
        Err(_) => Settled::Refused,
    }
}
