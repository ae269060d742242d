//! PheedLoop's errors. No body is documented; the paging error and the vendor's field names are those of Django REST
//! Framework, so its two shapes are used: `{"detail"}` and `{"<field>": ["…"]}`.

use serde_json::{Map, Value, json};

use super::config::Guesses;
use crate::http::Reply;

/// A request that is not carried out.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The two headers are missing.
    NoKey,
    /// They are wrong.
    BadKey,
    /// No such path or record.
    NotFound,
    /// Beyond the last page.
    InvalidPage,
    /// The path is there, the method is not.
    NoMethod(String),
    /// Fields that are refused, with the reason.
    Invalid(Vec<(String, String)>),
    /// The body is no JSON, or JSON of another shape.
    Unreadable(&'static str),
    /// Too many requests.
    Limited,
}

pub(super) type Answer = Result<Reply, Fault>;

impl Fault {
    pub(super) fn invalid(field: &str, problem: impl Into<String>) -> Self {
        Self::Invalid(vec![(field.to_owned(), problem.into())])
    }

    /// The text, for a person.
    pub(super) fn message(&self) -> String {
        match self {
            Self::NoKey => "Authentication credentials were not provided.".into(),
            Self::BadKey => "Invalid API key or secret.".into(),
            Self::NotFound => "Not found.".into(),
            Self::InvalidPage => "Invalid page.".into(),
            Self::NoMethod(method) => format!("Method \"{method}\" not allowed."),
            Self::Unreadable(problem) => (*problem).into(),
            Self::Limited => "Request was throttled.".into(),
            Self::Invalid(problems) => {
                let problems = problems.iter().map(|(field, problem)| format!("{field}: {problem}"));
                problems.collect::<Vec<_>>().join(" ")
            }
        }
    }

    pub(super) fn into_reply(self, guesses: &Guesses) -> Reply {
        let status = match &self {
            Self::NoKey => guesses.no_key_status,
            Self::BadKey => guesses.bad_key_status,
            Self::NotFound | Self::InvalidPage => 404,
            Self::NoMethod(_) => 405,
            Self::Unreadable(_) | Self::Invalid(_) => 400,
            Self::Limited => 429,
        };
        match self {
            Self::Invalid(problems) => {
                let mut body = Map::new();
                for (field, problem) in problems {
                    let list = body.entry(field).or_insert_with(|| json!([]));
                    if let Value::Array(list) = list {
                        list.push(Value::String(problem));
                    }
                }
                Reply::json(status, &Value::Object(body))
            }
            other => Reply::json(status, &json!({ "detail": other.message() })),
        }
    }
}
