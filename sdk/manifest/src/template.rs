//! Texts with `{name}` placeholders: how a credential becomes a header.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text with placeholders, for example `apiKey {id}:{secret}`.
///
/// A placeholder is a name of letters, digits and `_` in braces. There is no escape: no authentication scheme was met that needs a
/// literal brace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Placeholder(String),
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text is no template.
    #[error("invalid template `{0}`, expected text with placeholders such as `{{name}}`")]
    Malformed(String),
    /// A placeholder has no value.
    #[error("no value for the placeholder `{{{0}}}`")]
    Missing(String),
}

impl Template {
    /// Parses a template.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let malformed = || TemplateError::Malformed(source.to_owned());
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(malformed)?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(malformed());
            }
            push_literal(&mut parts, literal).ok_or_else(malformed)?;
            parts.push(Part::Placeholder(name.to_owned()));
            rest = after;
        }
        push_literal(&mut parts, rest).ok_or_else(malformed)?;
        Ok(Self { source: source.to_owned(), parts })
    }

    /// The names of its placeholders, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The text with every placeholder replaced. A value is put in as it is: a brace in it means nothing.
    ///
    /// # Errors
    /// [`TemplateError::Missing`] with the name for which there is no value; never a value.
    pub fn render<'v>(&'v self, value: impl Fn(&str) -> Option<&'v str>) -> Result<String, TemplateError> {
        let piece = |part: &'v Part| match part {
            Part::Literal(literal) => Ok(literal.as_str()),
            Part::Placeholder(name) => value(name).ok_or_else(|| TemplateError::Missing(name.clone())),
        };
        // Of its full size at once: a text that grows leaves copies of itself behind, and these are secrets.
        Ok(self.parts.iter().map(piece).collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

fn push_literal(parts: &mut Vec<Part>, literal: &str) -> Option<()> {
    if literal.contains('}') {
        return None;
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.to_owned()));
    }
    Some(())
}

impl Default for Template {
    /// The empty text, for example the empty password of a key that is sent as a user name.
    fn default() -> Self {
        Self { source: String::new(), parts: Vec::new() }
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(source: String) -> Result<Self, TemplateError> {
        Self::parse(&source)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.source
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_and_values_are_taken_literally() {
        let template = Template::parse("apiKey {id}:{secret}").unwrap();
        assert_eq!(template.names().collect::<Vec<_>>(), ["id", "secret"]);
        let text = template.render(|name| if name == "id" { Some("{secret}") } else { Some("fake") });
        assert_eq!(text.unwrap(), "apiKey {secret}:fake");
    }

    #[test]
    fn a_placeholder_without_a_value_is_named() {
        let template = Template::parse("Bearer {token}").unwrap();
        assert_eq!(template.render(|_| None), Err(TemplateError::Missing("token".into())));
    }

    #[test]
    fn stray_braces_and_empty_names_are_refused() {
        for source in ["{", "a}", "{}", "{a b}", "{a{b}}", "{a}}"] {
            assert!(Template::parse(source).is_err(), "{source}");
        }
        assert_eq!(Template::parse("").unwrap(), Template::default());
    }
}
