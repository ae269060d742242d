//! The parameters of one operation, taken out of the input one by one. The input was checked against the operation's schema, so a
//! wrong type here is a defect of the table; it is answered all the same, and never by a panic.

use std::collections::BTreeMap;

use contactor_highlevel::FieldProblem;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What is left of the input.
pub(super) struct Arguments(Map<String, Value>);

/// One parameter that cannot be used.
pub(super) type Taken<T> = Result<T, Vec<FieldProblem>>;

impl Arguments {
    pub(super) fn new(input: Value) -> Self {
        Self(if let Value::Object(input) = input { input } else { Map::new() })
    }

    /// A parameter that has to be there.
    pub(super) fn need<T: DeserializeOwned>(&mut self, name: &str) -> Taken<T> {
        self.take(name)?.ok_or_else(|| vec![FieldProblem::new(name, "it is missing")])
    }

    /// A parameter that may be left out or null.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Taken<Option<T>> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value)
                .map(Some)
                .map_err(|error| vec![FieldProblem::new(name, error.to_string())]),
        }
    }

    /// An id that has to be there.
    pub(super) fn id<T: From<String>>(&mut self, name: &str) -> Taken<T> {
        let id: String = self.need(name)?;
        if id.trim().is_empty() {
            return Err(vec![FieldProblem::new(name, "it is empty")]);
        }
        Ok(T::from(id))
    }

    /// Ids that have to be there.
    pub(super) fn ids<T: From<String>>(&mut self, name: &str) -> Taken<Vec<T>> {
        Ok(self.need::<Vec<String>>(name)?.into_iter().map(T::from).collect())
    }

    /// Everything else: the fields of a body.
    pub(super) fn rest(self) -> BTreeMap<String, Value> {
        self.0.into_iter().collect()
    }
}
