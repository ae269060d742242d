//! Expressions of an admin's settings, in the language of the mapping.

use crate::{NamedValue, Result, Value};

#[cfg(not(target_arch = "wasm32"))]
pub use crate::imports::rules::Rules;
pub use crate::imports::rules::{check_input, evaluate};

/// Whether a condition holds for these values: yes unless its value is empty, `false`, zero or an empty text or list.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) when the expression cannot be compiled or fails.
pub fn holds(condition: &str, fields: &[NamedValue]) -> Result<bool> {
    Ok(match evaluate(condition, fields)? {
        Value::Empty => false,
        Value::Boolean(yes) => yes,
        Value::Integer(number) => number != 0,
        Value::Number(number) => number != 0.0,
        Value::Text(text) | Value::Json(text) => !text.is_empty(),
        Value::Texts(texts) => !texts.is_empty(),
    })
}
