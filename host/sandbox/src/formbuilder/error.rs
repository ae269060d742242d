//! 123FormBuilder's errors: `{"error": {"message", "status_code"}}`, where the message of a 422 is an array with an array
//! for each field. The texts are made up.

use serde_json::{Value, json};

use crate::http::Reply;

/// A request that is not carried out.
#[derive(Debug)]
pub(super) enum Fault {
    /// No token, or one that was never given out or was given up.
    TokenInvalid,
    /// The token is too old.
    TokenExpired,
    /// Wrong user name or password.
    BadLogin,
    /// No such path or record.
    NotFound(&'static str),
    /// Field and what is wrong with it.
    Invalid(Vec<(&'static str, String)>),
    /// The day's calls are used up; the status is a guess.
    Quota(u16),
}

pub(super) type Answer = Result<Reply, Fault>;

impl Fault {
    pub(super) fn invalid(field: &'static str, problem: &str) -> Self {
        Self::Invalid(vec![(field, problem.to_owned())])
    }

    fn status(&self) -> u16 {
        match self {
            Self::TokenInvalid => 400,
            Self::TokenExpired => 401,
            Self::BadLogin => 403,
            Self::NotFound(_) => 404,
            Self::Invalid(_) => 422,
            Self::Quota(status) => *status,
        }
    }

    /// The text, for a person.
    pub(super) fn message(&self) -> String {
        match self {
            Self::TokenInvalid => "Token is invalid".into(),
            Self::TokenExpired => "Token has expired".into(),
            Self::BadLogin => "Invalid credentials".into(),
            Self::NotFound(message) => (*message).to_owned(),
            Self::Invalid(problems) => {
                problems.iter().map(|(_, problem)| problem.as_str()).collect::<Vec<_>>().join(" ")
            }
            Self::Quota(_) => "You have exceeded the daily quota of API calls".into(),
        }
    }

    pub(super) fn into_reply(self) -> Reply {
        let status = self.status();
        let message = match &self {
            Self::Invalid(problems) => {
                problems.iter().map(|(_, problem)| json!([problem])).collect::<Value>()
            }
            other => json!(other.message()),
        };
        Reply::json(status, &json!({"error": {"message": message, "status_code": status}}))
    }
}
