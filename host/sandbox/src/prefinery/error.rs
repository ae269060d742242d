//! Prefinery's errors: `{"errors":[{"code", "message"}]}`.
//!
//! Known codes: 2310 (email exists in the project) and those of points, 2801 to 2804. All others here are made up,
//! since the vendor's are unknown; a client must not depend on them.

use serde_json::json;

use super::config::Guesses;
use crate::http::Reply;

/// A request that is not carried out.
#[derive(Debug)]
pub(super) enum Fault {
    /// Missing or wrong key.
    BadKey,
    /// The data is refused.
    Invalid { code: u32, message: &'static str },
    /// No such path or record.
    NotFound(&'static str),
    /// Too many requests.
    Limited,
    /// The vendor's own failure, e.g. for a wrong content type.
    Broken,
}

pub(super) type Answer = Result<Reply, Fault>;

impl Fault {
    pub(super) fn invalid(code: u32, message: &'static str) -> Self {
        Self::Invalid { code, message }
    }

    pub(super) fn not_found(message: &'static str) -> Self {
        Self::NotFound(message)
    }

    /// The text, for a person.
    pub(super) fn message(&self) -> &'static str {
        match self {
            Self::BadKey => "Invalid API key",
            Self::Invalid { message, .. } | Self::NotFound(message) => message,
            Self::Limited => "Rate limit exceeded",
            Self::Broken => "Internal Server Error",
        }
    }

    pub(super) fn into_reply(self, guesses: &Guesses) -> Reply {
        let (status, code) = match self {
            Self::BadKey => (guesses.bad_key_status, 1001),
            Self::Invalid { code, .. } => (guesses.invalid_status, code),
            Self::NotFound(_) => (404, 1004),
            Self::Limited => (guesses.limited_status, 1029),
            Self::Broken => {
                return Reply::html(
                    500,
                    "<html><body><h1>We're sorry, but something went wrong.</h1></body></html>".into(),
                );
            }
        };
        Reply::json(status, &json!({"errors": [{"code": code, "message": self.message()}]}))
    }
}
