//! What can go wrong, in kinds that a caller can act on.

mod classify;

use std::fmt;
use std::time::Duration;

use crate::auth::TokenError;
use crate::draft::FieldProblem;
use crate::ids::ContactId;
use crate::operation::Operation;

pub(crate) use classify::trace_id;
pub use classify::{Wait, classify};

/// A failed operation: what happened, and in which exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    kind: ErrorKind,
    exchange: Box<Exchange>,
}

/// Where an error happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exchange {
    pub(crate) operation: &'static str,
    pub(crate) write: bool,
    /// The path without its query, which can hold a person's address.
    pub(crate) path: String,
    pub(crate) trace_id: Option<String>,
}

impl Exchange {
    pub(crate) fn new(operation: &Operation, path: impl Into<String>) -> Self {
        Self { operation: operation.name, write: operation.is_write(), path: path.into(), trace_id: None }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Refused here, before any request: the vendor would not take it.
    #[error("not sent: {}", list(.0))]
    NotSendable(Vec<FieldProblem>),
    /// The handle holds writes back; this one would have been sent.
    #[error("held back: this is a preview")]
    HeldBack,
    /// There is no such record. For an unknown contact the vendor answers 400, not 404.
    #[error("HighLevel has no such record: {message}")]
    NotFound {
        /// The vendor's words.
        message: String,
    },
    /// The location allows a person only once, and this one exists.
    #[error("the contact exists already{}", match_of(existing.as_ref(), matching_field.as_ref()))]
    Duplicate {
        /// The existing contact, when the vendor names it. Link to it only if nothing else is linked to it.
        existing: Option<ContactId>,
        /// The field that matched: `email` or `phone`.
        matching_field: Option<String>,
    },
    /// The vendor refused values (422). Sending them again is pointless. There is one unconfirmed report of a create
    /// that was answered this way and still happened, so look before creating again.
    #[error("HighLevel refused the values: {}", list(.0))]
    Invalid(Vec<FieldProblem>),
    /// The vendor refused the request for another reason. Sending it again is pointless.
    #[error("HighLevel refused the request (status {status}): {message}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The vendor's words.
        message: String,
    },
    /// The vendor rejected the token as invalid, also after one renewal.
    #[error("HighLevel does not accept the token ({message}); an admin has to reconnect the location")]
    TokenExpired {
        /// The vendor's words.
        message: String,
    },
    /// Not authorised, for a reason that is not known here. The token is not renewed for it.
    #[error("HighLevel answered 401: {message}; an admin should check the connection")]
    Unauthorized {
        /// The vendor's words.
        message: String,
    },
    /// The grant lacks a scope. Renewing the token does not help; the customer has to consent again.
    #[error("the token lacks the scope `{scope}`; an admin has to connect the location again and grant it")]
    MissingScope {
        /// The scope that the operation needs.
        scope: &'static str,
    },
    /// The vendor did not like the `Version` header, which it reports as 401. A defect of this program.
    #[error(
        "HighLevel refused the API version ({message}); this is a defect of Contactor, not of the connection"
    )]
    VersionHeader {
        /// The vendor's words.
        message: String,
    },
    /// The token is for another location, or the app was uninstalled from this one.
    #[error(
        "the token has no access to this location: the app was uninstalled, or the credential is another location's"
    )]
    WrongLocation,
    /// Forbidden for another reason.
    #[error("HighLevel forbids it: {message}")]
    Forbidden {
        /// The vendor's words.
        message: String,
    },
    /// The location is suspended. The grant is kept; it works again when the location does.
    #[error("the location is not active at HighLevel; it resumes when HighLevel reactivates it")]
    LocationInactive,
    /// The vendor does not know the operation in this API version. A defect of this program, or an operation that the
    /// vendor withdrew; it says nothing about the record.
    #[error("HighLevel does not offer this operation: {message}")]
    NoSuchOperation {
        /// The vendor's words.
        message: String,
    },
    /// The quota is used up, by the vendor's account or by ours.
    #[error("the {} quota of this location is used up; it can continue in {} s", if *daily { "daily" } else { "burst" }, retry_after.as_secs())]
    RateLimited {
        /// When it is worth trying again.
        retry_after: Duration,
        /// The day's requests are used up, not just the interval's.
        daily: bool,
    },
    /// HighLevel, or something in front of it, is out of order.
    #[error("HighLevel is out of order (status {status}); it is tried again{}", wait_of(*retry_after))]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// When it says that it is worth trying again.
        retry_after: Option<Duration>,
    },
    /// No answer came.
    #[error("no answer from HighLevel ({problem}); {}", if *sent { "the request may have arrived" } else { "the request was not sent" })]
    Transport {
        /// What failed.
        problem: String,
        /// The request may have reached the vendor, so a write may have happened.
        sent: bool,
    },
    /// An answer came that cannot be understood. A write has happened.
    #[error("the answer of HighLevel cannot be understood: {problem}")]
    Decode {
        /// What is wrong with it.
        problem: String,
    },
    /// There is no usable token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

fn list(problems: &[FieldProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn wait_of(retry_after: Option<Duration>) -> String {
    retry_after.map(|wait| format!(" in {} s, as it asks", wait.as_secs())).unwrap_or_default()
}

fn match_of(id: Option<&ContactId>, field: Option<&String>) -> String {
    let id = id.map(|id| format!(" as {id}")).unwrap_or_default();
    let field = field.map(|field| format!(" (same {field})")).unwrap_or_default();
    format!("{id}{field}")
}

/// Who has to do what about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Goes away by itself: try again.
    Transient,
    /// Quota: try again later.
    Quota,
    /// The credential: somebody has to reconnect, or the vendor has to reactivate the location.
    Auth,
    /// A permission is missing.
    Denied,
    /// The record or its values: a person has to look at it.
    Data,
    /// Two records claim to be the same.
    Conflict,
    /// This program sent something wrong.
    Defect,
}

impl ErrorKind {
    /// Who has to do what about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Transport { .. } | Self::Unavailable { .. } | Self::Token(TokenError::Unavailable(_)) => {
                ErrorClass::Transient
            }
            Self::RateLimited { .. } => ErrorClass::Quota,
            Self::TokenExpired { .. }
            | Self::Unauthorized { .. }
            | Self::WrongLocation
            | Self::LocationInactive
            | Self::Token(_) => ErrorClass::Auth,
            Self::MissingScope { .. } | Self::Forbidden { .. } => ErrorClass::Denied,
            Self::NotSendable(_)
            | Self::HeldBack
            | Self::NotFound { .. }
            | Self::Invalid(_)
            | Self::Rejected { .. } => ErrorClass::Data,
            Self::Duplicate { .. } => ErrorClass::Conflict,
            Self::VersionHeader { .. } | Self::NoSuchOperation { .. } | Self::Decode { .. } => {
                ErrorClass::Defect
            }
        }
    }

    /// Whether the same request can succeed later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self.class(), ErrorClass::Transient | ErrorClass::Quota)
    }
}

impl Error {
    pub(crate) fn new(kind: impl Into<ErrorKind>, exchange: Exchange) -> Self {
        Self { kind: kind.into(), exchange: Box::new(exchange) }
    }

    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The operation that failed, for example `contacts.update`.
    pub fn operation(&self) -> &'static str {
        self.exchange.operation
    }

    /// The vendor's path without its query; it names the record.
    pub fn path(&self) -> &str {
        &self.exchange.path
    }

    /// The vendor's id of the exchange, for a support case.
    pub fn trace_id(&self) -> Option<&str> {
        self.exchange.trace_id.as_deref()
    }

    /// Who has to do what about it.
    pub fn class(&self) -> ErrorClass {
        self.kind.class()
    }

    /// Whether the same request can succeed later without anybody doing anything. Before a create is tried again, see
    /// [`Error::may_have_happened`].
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// Whether a write may have taken effect in spite of the error. Look for its result before writing again.
    pub fn may_have_happened(&self) -> bool {
        self.exchange.write
            && match &self.kind {
                ErrorKind::Transport { sent, .. } => *sent,
                ErrorKind::Unavailable { .. } | ErrorKind::Decode { .. } | ErrorKind::Invalid(_) => true,
                _ => false,
            }
    }

    /// Whether it is certain that a write had no effect.
    pub fn did_not_happen(&self) -> bool {
        self.exchange.write && !self.may_have_happened()
    }

    /// How long to wait before trying again, when it is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            ErrorKind::RateLimited { retry_after, .. } => Some(retry_after),
            _ => None,
        }
    }

    /// The record does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, ErrorKind::NotFound { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.exchange.operation, self.exchange.path, self.kind)?;
        match &self.exchange.trace_id {
            Some(trace) => write!(f, " [HighLevel trace {trace}]"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation;

    fn error(operation: &Operation, kind: ErrorKind) -> Error {
        Error::new(kind, Exchange::new(operation, "/contacts/c1"))
    }

    #[test]
    fn a_lost_answer_of_a_write_may_have_happened_and_that_of_a_read_has_not() {
        let lost = |sent| ErrorKind::Transport { problem: "reset".into(), sent };
        assert!(error(&operation::CONTACTS_CREATE, lost(true)).may_have_happened());
        assert!(!error(&operation::CONTACTS_CREATE, lost(false)).may_have_happened());
        assert!(error(&operation::CONTACTS_CREATE, lost(false)).did_not_happen());
        assert!(!error(&operation::CONTACTS_CREATE, lost(true)).did_not_happen());
        assert!(!error(&operation::CONTACTS_GET, lost(true)).may_have_happened());
        assert!(
            error(&operation::CONTACTS_CREATE, ErrorKind::Unavailable { status: 502, retry_after: None })
                .may_have_happened()
        );
        assert!(error(&operation::CONTACTS_CREATE, ErrorKind::Invalid(Vec::new())).may_have_happened());
        assert!(!error(&operation::CONTACTS_CREATE, ErrorKind::NotSendable(Vec::new())).may_have_happened());
        let limited = ErrorKind::RateLimited { retry_after: Duration::from_secs(9), daily: false };
        assert!(!error(&operation::CONTACTS_CREATE, limited.clone()).may_have_happened());
        assert_eq!(error(&operation::CONTACTS_CREATE, limited).retry_after(), Some(Duration::from_secs(9)));
    }

    #[test]
    fn the_message_says_what_which_record_and_whose_words() {
        let kind = ErrorKind::Invalid(vec![FieldProblem::new("gender", "property gender should not exist")]);
        let mut exchange = Exchange::new(&operation::CONTACTS_UPDATE, "/contacts/c1");
        exchange.trace_id = Some("t-9".into());
        assert_eq!(
            Error::new(kind, exchange).to_string(),
            "contacts.update (/contacts/c1): HighLevel refused the values: `gender`: property gender should not exist \
             [HighLevel trace t-9]"
        );
        let kind = ErrorKind::Duplicate { existing: Some("c9".into()), matching_field: Some("email".into()) };
        assert_eq!(kind.to_string(), "the contact exists already as c9 (same email)");
    }
}
