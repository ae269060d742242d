//! Referrizer's errors: `{"errorCode", "message"}`, where the code is a constant in capitals.
//!
//! The nine codes of 400 are the vendor's. Those of 401 are known by the first letters of one of them, those of 404, 429 and
//! 500 not at all: a client must not depend on them.

use serde_json::json;

use crate::http::Reply;

/// A request that is not carried out.
#[derive(Debug)]
pub(super) enum Fault {
    /// No token.
    MissingToken,
    /// A token that is not in force.
    BadToken,
    /// The data is refused: one of the documented codes, and words.
    Refused(&'static str, String),
    /// No such path or record.
    NotFound(&'static str),
    /// Too many requests.
    Limited,
}

pub(super) type Answer = Result<Reply, Fault>;

impl Fault {
    pub(super) fn missing(field: &str) -> Self {
        Self::Refused("MISSING_REQUIRED_FIELD", format!("{field} is required"))
    }

    pub(super) fn illegal(message: impl Into<String>) -> Self {
        Self::Refused("ILLEGAL_ARGUMENT", message.into())
    }

    pub(super) fn message(&self) -> String {
        match self {
            Self::MissingToken => "Authorization token is missing".into(),
            Self::BadToken => "Authorization token is invalid".into(),
            Self::Refused(code, message) => format!("{code}: {message}"),
            Self::NotFound(what) => format!("{what} not found"),
            Self::Limited => "Too many requests".into(),
        }
    }

    pub(super) fn into_reply(self) -> Reply {
        let message = match &self {
            Self::Refused(_, message) => message.clone(),
            other => other.message(),
        };
        let (status, code) = match self {
            Self::MissingToken => (401, "MISSING_TOKEN"),
            Self::BadToken => (401, "INVALID_TOKEN"),
            Self::Refused(code, _) => (400, code),
            Self::NotFound(_) => (404, "RESOURCE_NOT_FOUND"),
            Self::Limited => (429, "TOO_MANY_REQUESTS"),
        };
        Reply::json(status, &json!({"errorCode": code, "message": message}))
    }
}
