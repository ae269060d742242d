//! Values of a record as minijinja sees them, and its results as values. Sizes are looked at before anything is copied.

use minijinja::value::{DynObject, Serde, ValueKind};
use minijinja::{Error, ErrorKind, Value as Data};
use serde_json::Value as Json;

use super::budget::{Budget, DEEPEST};
use super::reason;
use crate::Value;

/// Most bytes of one field that an expression may read.
const LARGEST_INPUT: usize = 128 * 1024;
/// Most bytes of a result.
const LARGEST_RESULT: usize = 256 * 1024;
/// Most elements of a list in a result.
const MOST_ELEMENTS: usize = 10_000;

/// A field's value. No value is undefined rather than none, so that it prints as nothing and `default` replaces it.
pub(super) fn to_data(name: &str, value: &Value, budget: &Budget) -> Data {
    if !Size(LARGEST_INPUT).holds(value) {
        let text = format!(
            "`{name}` holds more than {LARGEST_INPUT} bytes or nests more than {DEEPEST} deep, which is too much for an \
             expression"
        );
        return Data::from(Error::new(ErrorKind::InvalidOperation, text));
    }
    let data = match value {
        Value::Null => Data::UNDEFINED,
        Value::Text(text) => Data::from(text.as_str()),
        Value::Integer(number) => Data::from(*number),
        Value::Number(number) => Data::from(*number),
        Value::Boolean(boolean) => Data::from(*boolean),
        Value::Set(set) => set.iter().map(|element| Data::from(element.as_str())).collect(),
        Value::Json(json) => Data::from(Serde(json)),
    };
    match budget.read(&data) {
        Ok(()) => data,
        Err(error) => Data::from(error),
    }
}

/// Bytes that a value may have, about as they are in JSON.
struct Size(usize);

impl Size {
    fn holds(mut self, value: &Value) -> bool {
        let held = match value {
            Value::Text(text) => self.take(text.len()),
            Value::Set(set) => set.iter().try_for_each(|element| self.take(element.len() + 3)),
            Value::Json(json) => self.take_json(json, DEEPEST),
            _ => Some(()),
        };
        held.is_some()
    }

    fn take(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.checked_sub(bytes)?;
        Some(())
    }

    fn take_json(&mut self, json: &Json, deeper: usize) -> Option<()> {
        match json {
            Json::String(text) => self.take(text.len() + 3),
            Json::Array(items) => {
                self.take(3)?;
                items.iter().try_for_each(|item| self.take_json(item, deeper.checked_sub(1)?))
            }
            Json::Object(object) => {
                self.take(3)?;
                object.iter().try_for_each(|(key, value)| {
                    self.take(key.len() + 3)?;
                    self.take_json(value, deeper.checked_sub(1)?)
                })
            }
            _ => self.take(8),
        }
    }
}

/// An expression's result.
pub(super) fn from_data(data: &Data) -> Result<Value, String> {
    let mut room = Room { left: LARGEST_RESULT };
    Ok(match data.kind() {
        ValueKind::Undefined | ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Boolean(data.is_true()),
        ValueKind::String => {
            let text = data.as_str().unwrap_or_default();
            room.add(text.len())?;
            Value::from(text)
        }
        ValueKind::Number => match (data.is_integer(), data.as_i64()) {
            (true, Some(whole)) => Value::Integer(whole),
            _ => f64::try_from(data.clone()).map(Value::Number).map_err(|error| reason(&error))?,
        },
        ValueKind::Seq | ValueKind::Iterable => Value::from_json(room.json(data, 0)?),
        ValueKind::Map => Value::Json(room.json(data, 0)?),
        _ => return Err("the result is not a text, number, truth value, list or map".into()),
    })
}

/// What a result may still hold while it is read. It may be lazy, or hold one value many times.
struct Room {
    left: usize,
}

impl Room {
    fn add(&mut self, bytes: usize) -> Result<(), String> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| format!("the result is larger than {LARGEST_RESULT} bytes"))?;
        Ok(())
    }

    fn json(&mut self, data: &Data, depth: usize) -> Result<Json, String> {
        if depth > DEEPEST {
            return Err(format!("the result nests lists and tables more than {DEEPEST} deep"));
        }
        let scalar = |data: &Data| serde_json::to_value(data).map_err(|error| error.to_string());
        match data.kind() {
            ValueKind::String => {
                self.add(data.as_str().map_or(0, str::len) + 1)?;
                scalar(data)
            }
            ValueKind::Seq | ValueKind::Iterable => {
                self.add(1)?;
                let mut items = Vec::new();
                for element in data.try_iter().map_err(|error| reason(&error))? {
                    if items.len() == MOST_ELEMENTS {
                        return Err(format!("the result has more than {MOST_ELEMENTS} elements"));
                    }
                    items.push(self.json(&element, depth + 1)?);
                }
                Ok(Json::Array(items))
            }
            ValueKind::Map => {
                self.add(1)?;
                let pairs = data.as_object().and_then(DynObject::try_iter_pairs);
                let pairs = pairs.into_iter().flatten().map(|(key, value)| {
                    let key = match scalar(&key)? {
                        Json::String(key) => key,
                        key @ (Json::Number(_) | Json::Bool(_)) => key.to_string(),
                        _ => return Err("a table's key is not a text".to_owned()),
                    };
                    self.add(key.len())?;
                    Ok((key, self.json(&value, depth + 1)?))
                });
                pairs.collect::<Result<_, _>>().map(Json::Object)
            }
            _ => {
                self.add(8)?;
                scalar(data)
            }
        }
    }
}
