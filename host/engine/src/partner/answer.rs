//! What a connector is answered: what the partner said, or why there is nothing of it.

use contactor_runtime::bindings::partner::{Pair, Response};
use contactor_runtime::bindings::types::Error;
use contactor_store::FailureClass;

use super::request::is_private_header;
use crate::capabilities::not_done;
use crate::failure;
use crate::outbound::{Answer, Failed};

/// Why a connector has no answer of its partner.
pub(super) enum Unsent {
    /// The host is not open: a fault of the connection's setup, which nobody but an admin or operator can mend.
    Closed(Error),
    /// Anything else, as the connector is told.
    Answered(Error),
}

impl Unsent {
    pub(super) fn as_connector(&self) -> &Error {
        match self {
            Self::Closed(error) | Self::Answered(error) => error,
        }
    }

    pub(super) fn into_connector(self) -> Error {
        match self {
            Self::Closed(error) | Self::Answered(error) => error,
        }
    }

    pub(super) fn class(&self) -> FailureClass {
        match self {
            Self::Closed(_) => FailureClass::Config,
            Self::Answered(error) => failure::of_connector("", "", error).class,
        }
    }
}

impl From<Error> for Unsent {
    fn from(error: Error) -> Self {
        Self::Answered(error)
    }
}

impl From<Failed> for Unsent {
    fn from(failed: Failed) -> Self {
        Self::Answered(match failed {
            Failed::Closed(closed) => return Self::Closed(Error::Denied(closed.to_string())),
            // The reason is the operating system's, and of no use to a connector.
            Failed::NoConnection(_) => Error::Unavailable(not_done("no connection")),
            Failed::NoPlace => Error::Unavailable(not_done(&failed.to_string())),
            Failed::BrokeOff(_) => Error::Unavailable("the exchange broke off".to_owned()),
            Failed::TimedOut => Error::Unavailable(failed.to_string()),
            Failed::TooLarge { .. } | Failed::Headers { .. } => {
                Error::Other(format!("the partner: {failed}"))
            }
        })
    }
}

/// An answer as a connector may read it. Nobody could tell whether one that is compressed repeats the credential: of a `write`, which
/// was done, the status is answered without the body.
///
/// # Errors
/// [`Error::Other`] when the body is compressed.
pub fn response(answer: Answer, write: bool) -> Result<Response, Error> {
    let Answer { status, headers, mut body } = answer;
    let coded = headers.get(http::header::CONTENT_ENCODING);
    let is_coded = coded.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_coded && write {
        body.clear();
    }
    if is_coded && !body.is_empty() {
        return Err(Error::Other(
            "the partner's answer is compressed, which it was not asked for".to_owned(),
        ));
    }
    let headers = headers
        .iter()
        .filter(|(name, _)| !is_private_header(name.as_str()))
        .filter_map(|(name, value)| {
            Some(Pair { name: name.as_str().to_owned(), value: value.to_str().ok()?.to_owned() })
        })
        .collect();
    Ok(Response { status: status.as_u16(), headers, body })
}
