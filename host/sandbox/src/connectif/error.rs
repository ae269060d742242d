//! Connectif's errors: `{"status", "title", "detail", "code"}`, and `validationErrors: [{path, reason}]` for refused data.
//!
//! The codes E0101 to E0401 were seen in a client, their meanings were not: a client must not depend on them.

use serde_json::json;

use super::config::Guesses;
use crate::http::Reply;

/// A request that is not carried out.
#[derive(Debug)]
pub(super) enum Fault {
    /// Missing or wrong key.
    BadKey,
    /// The key lacks a scope.
    MissingScope(&'static str),
    /// The data is refused: path and reason of each.
    Invalid(Vec<(String, String)>),
    /// No such path or record.
    NotFound(String),
    /// Too many requests.
    Limited,
    /// Larger than an event may be.
    TooLarge,
}

pub(super) type Answer = Result<Reply, Fault>;

impl Fault {
    pub(super) fn invalid(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid(vec![(path.into(), reason.into())])
    }

    /// The text, for a person.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::BadKey => "The API key is missing or not valid".into(),
            Self::MissingScope(scope) => format!("The API key lacks the scope {scope}"),
            Self::Invalid(problems) => {
                let each = problems.iter().map(|(path, reason)| format!("{path}: {reason}"));
                each.collect::<Vec<_>>().join("; ")
            }
            Self::NotFound(what) => what.clone(),
            Self::Limited => "Too many requests".into(),
            Self::TooLarge => "An event is at most 512 KB".into(),
        }
    }

    pub(super) fn into_reply(self, guesses: &Guesses) -> Reply {
        let (status, title, code) = match &self {
            Self::BadKey => (guesses.bad_key_status, "Unauthorized", "E0101"),
            Self::MissingScope(_) => (guesses.missing_scope_status, "Forbidden", "E0102"),
            Self::Invalid(_) => (guesses.invalid_status, "Validation error", "E0201"),
            Self::NotFound(_) => (404, "Not found", "E0401"),
            Self::Limited => (guesses.limited_status, "Too many requests", "E0429"),
            Self::TooLarge => (413, "Payload too large", "E0413"),
        };
        let mut body = json!({"status": status, "title": title, "detail": self.detail(), "code": code});
        if let Self::Invalid(problems) = self {
            body["detail"] = json!("Some values are not valid");
            let problem = |(path, reason)| json!({"path": path, "reason": reason});
            body["validationErrors"] = problems.into_iter().map(problem).collect();
        }
        Reply::json(status, &body)
    }
}
