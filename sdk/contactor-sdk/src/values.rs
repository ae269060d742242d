//! Typed access to named values.

use std::ops::Deref;

use crate::{Error, NamedValue, Result, Value};

/// Something with named values: a record, a contact, an event, or just [`Fields`].
///
/// The typed accessors answer `None` when the field is absent, empty or of another type.
pub trait Named {
    /// All values.
    fn values(&self) -> &[NamedValue];

    /// One value. `None` means unknown; `Some(&Value::Empty)` means known to have no value.
    fn value(&self, name: &str) -> Option<&Value> {
        self.values().iter().find(|named| named.name == name).map(|named| &named.value)
    }

    /// A text that is not blank.
    fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) if !text.trim().is_empty() => Some(text),
            _ => None,
        }
    }

    /// Several texts.
    fn texts(&self, name: &str) -> Option<&[String]> {
        match self.value(name)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// Yes or no.
    fn boolean(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Boolean(yes) => Some(*yes),
            _ => None,
        }
    }

    /// A whole number.
    fn integer(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// A number, whole or not.
    #[expect(clippy::cast_precision_loss, reason = "the caller asked for a fraction")]
    fn number(&self, name: &str) -> Option<f64> {
        match self.value(name)? {
            Value::Number(number) => Some(*number),
            Value::Integer(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// A text that is not blank and without which the partner has no such record.
    ///
    /// # Errors
    /// [`Error::Invalid`] for this field when there is none.
    fn required(&self, name: &str) -> Result<&str> {
        self.text(name).ok_or_else(|| Error::invalid(name, "is missing, and the partner needs it"))
    }

    /// Whether one of several texts is this one.
    fn has(&self, name: &str, text: &str) -> bool {
        self.texts(name).is_some_and(|texts| texts.iter().any(|own| own == text))
    }

    /// The email address in the field `email`.
    fn email(&self) -> Option<&str> {
        self.text("email")
    }

    /// The phone number in the field `phone`.
    fn phone(&self) -> Option<&str> {
        self.text("phone")
    }
}

impl Named for [NamedValue] {
    fn values(&self) -> &[NamedValue] {
        self
    }
}

/// Values by name, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields(Vec<NamedValue>);

impl Fields {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value, in place of the one that the name may have. `None` becomes [`Value::Empty`].
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a value, in place of the one that the name may have. `None` becomes [`Value::Empty`].
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        set(&mut self.0, name.into(), value.into());
    }

    /// Removes a value: afterwards it is unknown.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|named| named.name == name)?;
        Some(self.0.remove(at).value)
    }
}

pub(crate) fn set(values: &mut Vec<NamedValue>, name: String, value: Value) {
    match values.iter_mut().find(|named| named.name == name) {
        Some(named) => named.value = value,
        None => values.push(NamedValue { name, value }),
    }
}

impl Named for Fields {
    fn values(&self) -> &[NamedValue] {
        &self.0
    }
}

impl Deref for Fields {
    type Target = [NamedValue];

    fn deref(&self) -> &[NamedValue] {
        &self.0
    }
}

impl From<Vec<NamedValue>> for Fields {
    fn from(values: Vec<NamedValue>) -> Self {
        Self(values)
    }
}

impl From<Fields> for Vec<NamedValue> {
    fn from(fields: Fields) -> Self {
        fields.0
    }
}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(values: I) -> Self {
        let mut fields = Self::new();
        values.into_iter().for_each(|(name, value)| fields.set(name, value));
        fields
    }
}

impl NamedValue {
    /// A value under its name.
    pub fn new(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    /// The text, if it is one and not blank.
    pub fn as_text(&self) -> Option<&str> {
        std::slice::from_ref(self).text(&self.name)
    }

    /// The address of a natural key, for a partner whose records are found by `email` alone.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for any other key.
    pub fn as_email(&self) -> Result<&str> {
        let email = self.as_text().filter(|_| self.name == "email");
        email.ok_or_else(|| {
            Error::Unsupported(format!("records are found by an email address, not by {}", self.name))
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Boolean(yes)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

impl<const N: usize> From<[&str; N]> for Value {
    fn from(texts: [&str; N]) -> Self {
        Self::Texts(texts.map(str::to_owned).to_vec())
    }
}

impl<V: Into<Self>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accessors_tell_a_type_and_skip_what_is_blank() {
        let fields = Fields::new()
            .with("email", "ada@example.com")
            .with("name", "  ")
            .with("age", 36)
            .with("tags", ["a", "b"])
            .with("phone", None::<&str>);
        assert!(
            fields.has("tags", "b") && !fields.has("tags", "c") && !fields.has("email", "ada@example.com")
        );
        assert_eq!(fields.required("email"), Ok("ada@example.com"));
        let missing = fields.required("name").unwrap_err().message();
        assert_eq!(missing, "refused: name: is missing, and the partner needs it");
        assert_eq!(fields.email(), Some("ada@example.com"));
        assert_eq!(fields.text("name"), None);
        assert_eq!(fields.integer("age"), Some(36));
        assert_eq!(fields.number("age"), Some(36.0));
        assert_eq!(fields.text("age"), None);
        assert_eq!(fields.texts("tags").map(<[String]>::len), Some(2));
        assert_eq!(fields.value("phone"), Some(&Value::Empty));
        assert_eq!(fields.value("city"), None);
    }

    #[test]
    fn a_key_that_is_no_email_address_is_refused() {
        assert_eq!(NamedValue::new("email", "ada@example.com").as_email(), Ok("ada@example.com"));
        for key in [NamedValue::new("phone", "+1"), NamedValue::new("email", Value::Empty)] {
            assert!(matches!(key.as_email(), Err(Error::Unsupported(_))), "{key:?}");
        }
    }

    #[test]
    fn setting_a_name_again_replaces_its_value() {
        let mut fields = Fields::new().with("a", 1).with("a", 2);
        assert_eq!(fields.len(), 1);
        assert_eq!(fields.remove("a"), Some(Value::Integer(2)));
        assert_eq!(fields.remove("a"), None);
    }
}
