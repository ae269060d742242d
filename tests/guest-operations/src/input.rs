//! Arguments by name. One that is missing or of another type fails the run: the test that wrote it is wrong.

use contactor_sdk::{Error, Fields, Result};
use serde_json::Value as Json;

/// An action's input.
pub(crate) struct Input(pub(crate) Json);

impl Input {
    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        self.0[name].as_str().ok_or_else(|| wrong(name, "a text"))
    }

    /// A text that may be left out.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<&str>> {
        if self.0[name].is_null() { Ok(None) } else { self.text(name).map(Some) }
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        self.items(name)?
            .iter()
            .map(|item| Ok(item.as_str().ok_or_else(|| wrong(name, "texts"))?.to_owned()))
            .collect()
    }

    /// An array; none is an empty one.
    pub(crate) fn items(&self, name: &str) -> Result<&[Json]> {
        match &self.0[name] {
            Json::Null => Ok(&[]),
            Json::Array(items) => Ok(items),
            _ => Err(wrong(name, "an array")),
        }
    }

    pub(crate) fn number<N: TryFrom<u64>>(&self, name: &str) -> Result<N> {
        let number = self.0[name].as_u64().and_then(|number| N::try_from(number).ok());
        number.ok_or_else(|| wrong(name, "a number that fits"))
    }

    pub(crate) fn yes_or_no(&self, name: &str) -> Result<bool> {
        self.0[name].as_bool().ok_or_else(|| wrong(name, "true or false"))
    }

    /// Named values, written as an object; none is no value.
    pub(crate) fn fields(&self, name: &str) -> Result<Fields> {
        match &self.0[name] {
            Json::Null => Ok(Fields::new()),
            Json::Object(members) => Ok(Fields::from_json(members.clone())),
            _ => Err(wrong(name, "an object")),
        }
    }
}

fn wrong(name: &str, expected: &str) -> Error {
    Error::invalid(name, format!("the test has to give {expected}"))
}
