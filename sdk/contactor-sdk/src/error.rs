//! Ergonomics of [`Error`].

use crate::{Error, FieldProblem};

/// What every fallible function of a connector answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// One field was refused; an empty name when it is unknown which.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem { field: field.into(), problem: problem.into() }])
    }

    /// Anything that no other case describes.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }

    /// The sentence that a person reads.
    pub fn message(&self) -> String {
        match self {
            Self::NotFound(what) => format!("not found: {what}"),
            Self::Invalid(problems) => {
                let each = |problem: &FieldProblem| match problem.field.as_str() {
                    "" => problem.problem.clone(),
                    field => format!("{field}: {}", problem.problem),
                };
                format!("refused: {}", problems.iter().map(each).collect::<Vec<_>>().join("; "))
            }
            Self::Duplicate(id) if id.is_empty() => "exists already".into(),
            Self::Duplicate(id) => format!("exists already as {id}"),
            Self::Denied(what) => format!("not granted: {what}"),
            Self::Unauthorized(what) => format!("the credential was refused: {what}"),
            Self::Limited(None) => "the quota is used up".into(),
            Self::Limited(Some(wait)) => format!("the quota is used up for {wait} ms"),
            Self::Unavailable(what) => format!("unavailable: {what}"),
            Self::Conflict(what) => format!("conflict: {what}"),
            Self::Unsupported(what) => format!("not supported: {what}"),
            Self::Other(what) => what.clone(),
        }
    }
}

impl From<serde_json::Error> for Error {
    /// A document that does not have the expected shape.
    fn from(error: serde_json::Error) -> Self {
        Self::Other(format!("unexpected JSON: {error}"))
    }
}

/// Turns one case of an error into a value.
pub trait ResultExt<T> {
    /// `None` instead of [`Error::NotFound`].
    fn found(self) -> Result<Option<T>>;
}

impl<T> ResultExt<T> for Result<T> {
    fn found(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_each_field_and_its_problem() {
        let error = Error::Invalid(vec![
            FieldProblem { field: "email".into(), problem: "is empty".into() },
            FieldProblem { field: String::new(), problem: "too many requests".into() },
        ]);
        assert_eq!(error.message(), "refused: email: is empty; too many requests");
    }

    #[test]
    fn only_not_found_becomes_none() {
        assert_eq!(Ok(1).found(), Ok(Some(1)));
        assert_eq!(Err::<(), _>(Error::NotFound("x".into())).found(), Ok(None));
        let other = Error::Unavailable("x".into());
        assert_eq!(Err::<(), _>(other.clone()).found(), Err(other));
    }
}
