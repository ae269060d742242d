//! Numbers and truth values.

use serde_json::Value as Json;

use super::{CanonicalError, text, wrong_kind};
use crate::Value;

const BOOLEAN: &str = "yes or no";
const INTEGER: &str = "a whole number of 64 bits";
const NUMBER: &str = "a number (digits, one decimal point, no thousands separators)";

/// Beyond this a floating-point number no longer names one whole number (2^53).
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) fn boolean(value: &Value) -> Result<Value, CanonicalError> {
    let answer = match plain(value) {
        Value::Boolean(answer) => answer,
        Value::Integer(0) => false,
        Value::Integer(1) => true,
        Value::Text(text) => match text.to_lowercase().as_str() {
            "" => return Ok(Value::Null),
            "true" | "t" | "yes" | "y" | "on" | "1" => true,
            "false" | "f" | "no" | "n" | "off" | "0" => false,
            _ => return Err(wrong_kind(value, BOOLEAN)),
        },
        _ => return Err(wrong_kind(value, BOOLEAN)),
    };
    Ok(Value::Boolean(answer))
}

pub(super) fn integer(value: &Value) -> Result<Value, CanonicalError> {
    let whole = match plain(value) {
        Value::Integer(whole) => Some(whole),
        Value::Number(number) => whole(number),
        Value::Text(text) if text.is_empty() => return Ok(Value::Null),
        Value::Text(text) => text.parse().ok().or_else(|| decimal(&text).and_then(whole)),
        _ => None,
    };
    whole.map(Value::Integer).ok_or_else(|| wrong_kind(value, INTEGER))
}

pub(super) fn number(value: &Value) -> Result<Value, CanonicalError> {
    #[expect(clippy::cast_precision_loss, reason = "a number field holds 15 digits, as documented")]
    let number = match plain(value) {
        Value::Integer(whole) => Some(whole as f64),
        Value::Number(number) => Some(number),
        Value::Text(text) if text.is_empty() => return Ok(Value::Null),
        Value::Text(text) => decimal(&text),
        Value::Json(Json::Number(huge)) => huge.as_f64(),
        _ => None,
    };
    number.and_then(fifteen_digits).map(Value::Number).ok_or_else(|| wrong_kind(value, NUMBER))
}

/// The value with its text trimmed and scalars in JSON taken out.
fn plain(value: &Value) -> Value {
    match value {
        Value::Text(_) => Value::Text(text::of(value)),
        Value::Json(json) if !json.is_array() && !json.is_object() => match Value::from_json(json.clone()) {
            Value::Text(inner) => Value::Text(text::of(&Value::Text(inner))),
            scalar => scalar,
        },
        other => other.clone(),
    }
}

/// A decimal number as people and APIs write it. A comma is refused: it separates thousands here and decimals there.
fn decimal(text: &str) -> Option<f64> {
    // Rust also reads "inf", "nan" and the like.
    if text.chars().any(|c| !(c.is_ascii_digit() || "+-.eE".contains(c))) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "in range and without a fraction")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// Rounds to 15 significant digits: 0.1 + 0.2 is 0.3, and the decimal text that the store and the vendors keep is read
/// back as the same number. The result may still overflow, so it is checked again.
fn fifteen_digits(number: f64) -> Option<f64> {
    if !number.is_finite() {
        return None;
    }
    // Adding zero turns -0 into 0.
    format!("{number:.14e}")
        .parse::<f64>()
        .ok()
        .map(|rounded| rounded + 0.0)
        .filter(|rounded| rounded.is_finite())
}
