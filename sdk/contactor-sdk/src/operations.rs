//! The partner's own operations as a table: which request an action makes of its input.
//!
//! ```
//! use contactor_sdk::operations::{self, Operation};
//! use serde_json::json;
//!
//! const OPERATIONS: [Operation; 2] = [
//!     Operation::get("groups.list", "/groups").query(&["page"]),
//!     Operation::put("groups.rename", "/groups/{group_id}").form(&["name"]),
//! ];
//!
//! let request = operations::request(&OPERATIONS, "groups.rename", &json!({"group_id": "a/b", "name": "A & B"}))?;
//! assert_eq!(request.path, "/groups/a%2Fb");
//! assert_eq!(request.body.as_deref(), Some(&b"name=A%20%26%20B"[..]));
//! # Ok::<(), contactor_sdk::Error>(())
//! ```

use serde_json::Value as Json;

use crate::partner::{Method, Request, segment};
use crate::{Error, Result};

/// An operation of the partner that an action passes on. Members of the input that it does not name stay behind.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    action: &'static str,
    method: Method,
    path: &'static str,
    query: &'static [&'static str],
    form: &'static [&'static str],
}

impl Operation {
    /// An action that makes this request. `{name}` in the path stands for a member of the input.
    pub const fn new(action: &'static str, method: Method, path: &'static str) -> Self {
        Self { action, method, path, query: &[], form: &[] }
    }

    /// An action that reads.
    pub const fn get(action: &'static str, path: &'static str) -> Self {
        Self::new(action, Method::Get, path)
    }

    /// An action that posts.
    pub const fn post(action: &'static str, path: &'static str) -> Self {
        Self::new(action, Method::Post, path)
    }

    /// An action that puts.
    pub const fn put(action: &'static str, path: &'static str) -> Self {
        Self::new(action, Method::Put, path)
    }

    /// An action that deletes.
    pub const fn delete(action: &'static str, path: &'static str) -> Self {
        Self::new(action, Method::Delete, path)
    }

    /// Members of the input that go into the query, as far as they are there.
    #[must_use]
    pub const fn query(self, query: &'static [&'static str]) -> Self {
        Self { query, ..self }
    }

    /// Members of the input that go into a body of the type `application/x-www-form-urlencoded`.
    #[must_use]
    pub const fn form(self, form: &'static [&'static str]) -> Self {
        Self { form, ..self }
    }

    /// The request for this input.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a member that the path needs is missing.
    pub fn request(&self, input: &Json) -> Result<Request> {
        let mut path = String::new();
        for (index, piece) in self.path.split(['{', '}']).enumerate() {
            if index % 2 == 0 {
                path.push_str(piece);
            } else {
                let value = plain(&input[piece]).ok_or_else(|| Error::invalid(piece, "is missing"))?;
                path.push_str(&segment(&value));
            }
        }
        let given = |names: &'static [&'static str]| {
            names.iter().filter_map(|name| Some((*name, plain(&input[*name])?)))
        };
        let mut request = Request::new(self.method, path);
        for (name, value) in given(self.query) {
            request = request.query(name, value);
        }
        if self.form.is_empty() {
            return Ok(request);
        }
        let pairs: Vec<_> =
            given(self.form).map(|(name, value)| format!("{name}={}", segment(&value))).collect();
        Ok(request.header("content-type", "application/x-www-form-urlencoded").body(pairs.join("&")))
    }
}

/// The request of an action.
///
/// # Errors
/// [`Error::Unsupported`] when the table has no such action, and as [`Operation::request`].
pub fn request(table: &[Operation], action: &str, input: &Json) -> Result<Request> {
    let operation = table.iter().find(|operation| operation.action == action);
    operation.ok_or_else(|| Error::Unsupported(format!("there is no action `{action}`")))?.request(input)
}

/// A value as a parameter; an empty text is one, null is none. Several are joined by commas.
fn plain(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        Json::Array(items) => Some(items.iter().filter_map(plain).collect::<Vec<_>>().join(",")),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LIST: Operation = Operation::get("list", "/forms/{form}/fields").query(&["page", "ids", "search"]);

    #[test]
    fn the_query_has_what_the_input_has() {
        let request = LIST.request(&json!({"form": 7, "page": 2, "ids": ["a", 1], "other": true})).unwrap();
        assert_eq!(request.path, "/forms/7/fields");
        assert_eq!((request.query_value("page"), request.query_value("ids")), (Some("2"), Some("a,1")));
        assert_eq!((request.query_value("search"), request.query_value("other")), (None, None));
        assert_eq!(request.body, None);
    }

    #[test]
    fn a_missing_member_of_the_path_is_named() {
        assert_eq!(LIST.request(&json!({})).unwrap_err().message(), "refused: form: is missing");
        assert!(matches!(request(&[LIST], "no", &json!({})), Err(Error::Unsupported(_))));
    }
}
