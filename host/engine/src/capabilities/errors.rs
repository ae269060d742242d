//! What a failure is to a connector: one case of the interface's `error`, which it can act on.

use contactor_highlevel as highlevel;
use contactor_highlevel::{ErrorKind, TokenError};
use contactor_runtime::bindings::types::{Error, FieldProblem};
use contactor_store::{FailureClass, StoreError};

use crate::failure::Failure;

/// How the text of an error ends when it is certain that the write was not done. The journal tells it so from an answer that was lost.
const NOT_DONE: &str = "; nothing was done";

/// Whether an error says for certain that a write was not done.
pub(crate) fn is_not_done(text: &str) -> bool {
    text.ends_with(NOT_DONE)
}

/// The text of an error, when it is certain that the write was not done.
pub(crate) fn not_done(text: &str) -> String {
    if is_not_done(text) { text.to_owned() } else { format!("{text}{NOT_DONE}") }
}

/// An error of HighLevel's client. Taken by value to fit `map_err`.
#[expect(clippy::needless_pass_by_value, reason = "fits `map_err`, of which there are many")]
pub(super) fn of_highlevel(error: highlevel::Error) -> Error {
    match of_kind(error.kind(), error.to_string()) {
        Error::Unavailable(said) if error.did_not_happen() => Error::Unavailable(not_done(&said)),
        Error::Other(said) if error.did_not_happen() => Error::Other(not_done(&said)),
        other => other,
    }
}

/// The case decides what a connector does; the text is for a person and names the operation and the record.
fn of_kind(kind: &ErrorKind, said: String) -> Error {
    match kind {
        ErrorKind::NotFound { message } => Error::NotFound(message.clone()),
        ErrorKind::NotSendable(problems) | ErrorKind::Invalid(problems) => of_problems(problems),
        ErrorKind::Duplicate { existing, .. } => {
            Error::Duplicate(existing.as_ref().map(ToString::to_string).unwrap_or_default())
        }
        ErrorKind::MissingScope { scope } => Error::Denied((*scope).to_owned()),
        ErrorKind::Forbidden { .. } => Error::Denied(said),
        ErrorKind::HeldBack => Error::Denied(kind.to_string()),
        ErrorKind::Token(TokenError::Unavailable(_))
        | ErrorKind::Unavailable { .. }
        | ErrorKind::Transport { .. } => Error::Unavailable(said),
        ErrorKind::TokenExpired { .. }
        | ErrorKind::Unauthorized { .. }
        | ErrorKind::WrongLocation
        | ErrorKind::LocationInactive
        | ErrorKind::Token(_) => Error::Unauthorized(said),
        ErrorKind::RateLimited { retry_after, .. } => {
            Error::Limited(Some(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX)))
        }
        ErrorKind::Decode { .. } | ErrorKind::VersionHeader { .. } | ErrorKind::NoSuchOperation { .. } => {
            Error::Other(format!(
                "{said}; neither the connector nor the record is at fault: this is a defect of the host"
            ))
        }
        // `Rejected`, and kinds that are newer than this table.
        _ => Error::Other(said),
    }
}

/// An error of the host's own store.
pub(super) fn of_store(error: StoreError) -> Error {
    match error {
        StoreError::NotFound { .. } => Error::NotFound(error.to_string()),
        StoreError::Conflict { .. } => Error::Conflict(error.to_string()),
        StoreError::Limited(why) => Error::Conflict(why),
        StoreError::Invalid(why) => invalid("", why),
        error => Error::Unavailable(format!("the host's store: {error}")),
    }
}

/// Values that were refused, by HighLevel or before they were sent there.
pub(super) fn of_problems(problems: &[highlevel::FieldProblem]) -> Error {
    let one =
        |p: &highlevel::FieldProblem| FieldProblem { field: p.field.clone(), problem: p.problem.clone() };
    Error::Invalid(problems.iter().map(one).collect())
}

/// One value that was refused here.
pub(super) fn invalid(field: &str, problem: impl Into<String>) -> Error {
    Error::Invalid(vec![FieldProblem { field: field.to_owned(), problem: problem.into() }])
}

/// A failure of something that the host did on the connector's behalf.
pub(super) fn of_failure(failure: Failure) -> Error {
    match failure.class {
        FailureClass::Transient | FailureClass::Host => Error::Unavailable(failure.message),
        FailureClass::Quota => {
            Error::Limited(failure.retry_after.and_then(|wait| u64::try_from(wait.as_millis()).ok()))
        }
        FailureClass::Auth => Error::Unauthorized(failure.message),
        FailureClass::Denied => Error::Denied(failure.message),
        FailureClass::Conflict | FailureClass::Unsure | FailureClass::Loop => {
            Error::Conflict(failure.message)
        }
        FailureClass::Config | FailureClass::Data | FailureClass::GuestBug | FailureClass::Guard => {
            Error::Other(failure.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SAID: &str = "contacts.update (/contacts/c1): why";

    fn said() -> String {
        SAID.to_owned()
    }

    #[test]
    fn every_answer_of_highlevel_is_a_case_that_a_connector_can_act_on() {
        let message = || "the vendor's words".to_owned();
        let problems = || vec![highlevel::FieldProblem::new("email", "must be an email")];
        let refused = || {
            Error::Invalid(vec![FieldProblem { field: "email".into(), problem: "must be an email".into() }])
        };
        let table = [
            (ErrorKind::NotFound { message: message() }, Error::NotFound(message())),
            (ErrorKind::NotSendable(problems()), refused()),
            (ErrorKind::Invalid(problems()), refused()),
            (
                ErrorKind::Duplicate { existing: Some("c9".into()), matching_field: Some("email".into()) },
                Error::Duplicate("c9".into()),
            ),
            (ErrorKind::Duplicate { existing: None, matching_field: None }, Error::Duplicate(String::new())),
            (ErrorKind::MissingScope { scope: "contacts.write" }, Error::Denied("contacts.write".into())),
            (ErrorKind::Forbidden { message: message() }, Error::Denied(said())),
            (ErrorKind::TokenExpired { message: message() }, Error::Unauthorized(said())),
            (ErrorKind::Unauthorized { message: message() }, Error::Unauthorized(said())),
            (ErrorKind::WrongLocation, Error::Unauthorized(said())),
            (ErrorKind::LocationInactive, Error::Unauthorized(said())),
            (TokenError::NotConnected.into(), Error::Unauthorized(said())),
            (TokenError::NeedsReconnect(message()).into(), Error::Unauthorized(said())),
            (
                TokenError::LacksScope { company: message(), scope: "oauth.write" }.into(),
                Error::Unauthorized(said()),
            ),
            (TokenError::LocationInactive.into(), Error::Unauthorized(said())),
            (TokenError::Unavailable(message()).into(), Error::Unavailable(said())),
            (
                ErrorKind::RateLimited { retry_after: Duration::from_secs(7), daily: false },
                Error::Limited(Some(7_000)),
            ),
            (ErrorKind::Unavailable { status: 502, retry_after: None }, Error::Unavailable(said())),
            (ErrorKind::Transport { problem: "reset".into(), sent: true }, Error::Unavailable(said())),
            (ErrorKind::Rejected { status: 400, message: message() }, Error::Other(said())),
        ];
        for (kind, expected) in table {
            assert_eq!(of_kind(&kind, said()), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_defect_of_the_host_is_not_blamed_on_the_connector() {
        for kind in [
            ErrorKind::VersionHeader { message: "version header is invalid".into() },
            ErrorKind::NoSuchOperation { message: "Cannot GET /x".into() },
            ErrorKind::Decode { problem: "not JSON".into() },
        ] {
            let Error::Other(text) = of_kind(&kind, said()) else { panic!("{kind:?}") };
            assert!(text.starts_with(SAID) && text.contains("defect of the host"), "{text}");
        }
    }
}
