//! Ergonomics of [`Error`].

use crate::{Error, FieldProblem};

/// What every fallible function of a connector answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// One field was refused; an empty name when it is unknown which.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem { field: field.into(), problem: problem.into() }])
    }

    /// The connector has no such thing: a stream, an action, an entity.
    pub fn no_such(what: &str, name: &str) -> Self {
        Self::Unsupported(format!("there is no {what} `{name}`"))
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

/// For a connector's methods that know of one kind of record, the contact: [`Error::Unsupported`] for any other entity.
///
/// # Errors
/// [`Error::Unsupported`], which names the entity.
pub fn only_contacts(entity: &str) -> Result<()> {
    if entity == "contact" {
        return Ok(());
    }
    Err(Error::Unsupported(format!("this connector has no `{entity}`, only contacts")))
}

/// Turns [`Error::NotFound`] into what it means here.
pub trait ResultExt<T> {
    /// `None` instead of [`Error::NotFound`].
    fn found(self) -> Result<Option<T>>;

    /// [`Error::Invalid`] for a setting instead of [`Error::NotFound`]: what is not there is what an admin named, and not the
    /// record that the host asked for, which would lose its link.
    fn blame_setting(self, setting: &str, problem: impl FnOnce() -> String) -> Result<T>;
}

impl<T> ResultExt<T> for Result<T> {
    fn found(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn blame_setting(self, setting: &str, problem: impl FnOnce() -> String) -> Self {
        self.map_err(|error| match error {
            Error::NotFound(_) => Error::invalid(setting, problem()),
            error => error,
        })
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
    fn only_not_found_is_blamed_on_a_setting() {
        let blamed = |error| Err::<(), _>(error).blame_setting("form_ids", || "there is no form 7".into());
        let is = Err(Error::invalid("form_ids", "there is no form 7"));
        assert_eq!(blamed(Error::NotFound("x".into())), is);
        assert_eq!(blamed(Error::Limited(None)), Err(Error::Limited(None)));
    }

    #[test]
    fn contacts_are_the_only_entity() {
        assert_eq!(only_contacts("contact"), Ok(()));
        let error = only_contacts("company").unwrap_err();
        assert_eq!(error.message(), "not supported: this connector has no `company`, only contacts");
    }

    #[test]
    fn only_not_found_becomes_none() {
        assert_eq!(Ok(1).found(), Ok(Some(1)));
        assert_eq!(Err::<(), _>(Error::NotFound("x".into())).found(), Ok(None));
        let other = Error::Unavailable("x".into());
        assert_eq!(Err::<(), _>(other.clone()).found(), Err(other));
    }
}
