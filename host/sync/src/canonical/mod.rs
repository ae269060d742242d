//! The one form in which two values are compared.

mod number;
mod phone;
#[cfg(test)]
mod tests;
mod text;
mod time;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Value;

pub(crate) use phone::e164;
pub use phone::phone_spellings;

/// What a field holds; it decides how two of its values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// Text without blanks around it and with `\n` for line ends. An empty text is no value. A number or a truth value is written
    /// out, a list of such is joined with commas; an object is no text.
    #[default]
    Text,
    /// One email address, in lower case.
    Email,
    /// One phone number, as E.164.
    Phone,
    /// Texts without an order, trimmed and in lower case as HighLevel stores tags. An empty set is no value.
    Tags,
    /// Texts without an order, trimmed. An empty set is no value.
    Set,
    /// A point in time: RFC 3339 in UTC, whole milliseconds (`2026-03-01T09:30:00.000Z`).
    Instant,
    /// A day without a zone: `YYYY-MM-DD`.
    Date,
    /// Yes or no.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// A number, kept to 15 significant digits.
    Number,
    /// Any JSON document, its objects in order of their keys.
    Json,
}

impl FieldType {
    /// Whether values of this type are merged by element.
    pub fn is_set(self) -> bool {
        matches!(self, Self::Tags | Self::Set)
    }
}

/// What has to be known about a record's surroundings to read its values.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Context {
    /// ISO 3166 code (two letters) of the country whose national phone numbers the record holds, if known.
    pub country: Option<String>,
}

impl Context {
    /// The surroundings of records from one country.
    pub fn of_country(code: impl Into<String>) -> Self {
        Self { country: Some(code.into()) }
    }
}

/// A value that is not of its field's type. The record has to be put right where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CanonicalError {
    /// A value of a kind that this type cannot hold.
    #[error("{found} cannot be read as {expected}")]
    Kind {
        /// What was found, shortened.
        found: String,
        /// What the field holds.
        expected: &'static str,
    },
    /// A JSON array or object where one value belongs: no person types that, so a program answers in another way than it was
    /// understood.
    #[error("{found} is not of the shape of {expected}")]
    Shape {
        /// What was found, shortened.
        found: String,
        /// What the field holds.
        expected: &'static str,
    },
    /// A text that is not an email address.
    #[error("{found} is not an email address: {reason}")]
    Email {
        /// What was found, shortened.
        found: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A national number without a country to read it in. Guessing one would store a stranger's number.
    #[error(
        "{found} is a national phone number and no country is known for it; write it with + and the country's code, \
         or set the workspace's country"
    )]
    PhoneWithoutCountry {
        /// What was found, shortened.
        found: String,
    },
    /// A country code that is not one.
    #[error(
        "`{0}` is not the two-letter code of a country with a phone numbering plan; set the workspace's country"
    )]
    UnknownCountry(String),
    /// A text that is not a phone number.
    #[error("{found} is not a phone number: {reason}")]
    Phone {
        /// What was found, shortened.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A time without a zone, or no time at all.
    #[error(
        "{found} is not a point in time: it needs a date, a time and a zone, such as 2026-03-01T09:30:00Z ({reason})"
    )]
    Instant {
        /// What was found, shortened.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A text that is not a day.
    #[error("{found} is not a date: {reason}")]
    Date {
        /// What was found, shortened.
        found: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Brings a value into the canonical form of a type, so that equal values are equal data.
///
/// Total: every value of every kind gives a value or an error, and a canonical value gives itself.
pub fn canonical(field_type: FieldType, value: &Value, context: &Context) -> Result<Value, CanonicalError> {
    if matches!(value, Value::Null | Value::Json(serde_json::Value::Null)) {
        return Ok(Value::Null);
    }
    match field_type {
        FieldType::Text => text::text(value),
        FieldType::Email => text::email(value),
        FieldType::Phone => phone::canonical(value, context),
        FieldType::Tags => text::elements(value, str::to_lowercase),
        FieldType::Set => text::elements(value, str::to_owned),
        FieldType::Instant => time::instant(value),
        FieldType::Date => time::date(value),
        FieldType::Boolean => number::boolean(value),
        FieldType::Integer => number::integer(value),
        FieldType::Number => number::number(value),
        FieldType::Json => Ok(Value::Json(text::ordered(value.to_json()))),
    }
}

/// A value for an error message: quoted, and cut after 60 characters.
pub(crate) fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = match value {
        Value::Text(text) => text.clone(),
        other => other.to_json().to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

fn wrong_kind(value: &Value, expected: &'static str) -> CanonicalError {
    let found = shown(value);
    match value {
        Value::Json(serde_json::Value::Array(_) | serde_json::Value::Object(_)) => {
            CanonicalError::Shape { found, expected }
        }
        _ => CanonicalError::Kind { found, expected },
    }
}

/// The text of a value that has to be one, trimmed; `None` when it is empty.
fn text_only(value: &Value, expected: &'static str) -> Result<Option<String>, CanonicalError> {
    match value {
        Value::Text(_) | Value::Json(serde_json::Value::String(_)) => {
            Ok(Some(text::of(value)).filter(|text| !text.is_empty()))
        }
        _ => Err(wrong_kind(value, expected)),
    }
}
