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
//!
//! A long table reads better as text: name, method, path, and the body, which is a member of the input or an object of several. A GET
//! takes whatever its path does not take as its query.
//!
//! ```
//! # use contactor_sdk::operations::Operation;
//! # use serde_json::json;
//! const OPERATIONS: &str = "
//!     people.list     GET    /people/
//!     people.update   PATCH  /people/{person}/    fields
//!     people.check-in POST   /people/check-in/    {codes,at}
//! ";
//!
//! let update = Operation::row(OPERATIONS, "people.update")?;
//! let request = update.request(&json!({"person": 7, "fields": {"title": "Dr"}}))?;
//! assert_eq!((request.path.as_str(), request.body.as_deref()), ("/people/7/", Some(&br#"{"title":"Dr"}"#[..])));
//! # Ok::<(), contactor_sdk::Error>(())
//! ```

use serde_json::{Map, Value as Json};

use crate::partner::{Method, Request, segment};
use crate::{Error, Result};

/// An operation of the partner that an action passes on. Members of the input that it does not name stay behind.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    action: &'static str,
    method: Method,
    path: &'static str,
    query: Query,
    body: Body,
}

/// Members of the input that go into the query.
#[derive(Debug, Clone, Copy)]
enum Query {
    These(&'static [&'static str]),
    /// All that the path does not take.
    Others,
}

/// Members of the input that go into the body.
#[derive(Debug, Clone, Copy)]
enum Body {
    None,
    Form(&'static [&'static str]),
    /// This one, as JSON.
    Member(&'static str),
    /// An object of these, by names between commas.
    Object(&'static str),
}

impl Operation {
    /// An action that makes this request. `{name}` in the path stands for a member of the input.
    pub const fn new(action: &'static str, method: Method, path: &'static str) -> Self {
        Self { action, method, path, query: Query::These(&[]), body: Body::None }
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
        Self { query: Query::These(query), ..self }
    }

    /// Members of the input that go into a body of the type `application/x-www-form-urlencoded`.
    #[must_use]
    pub const fn form(self, form: &'static [&'static str]) -> Self {
        Self { body: Body::Form(form), ..self }
    }

    /// The row of a table in text that has this name.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when there is none; [`Error::Other`] when it is no row, which is its author's fault.
    pub fn row(table: &'static str, action: &str) -> Result<Self> {
        let row = table.lines().find(|line| line.split_whitespace().next() == Some(action));
        let row = row.ok_or_else(|| Error::no_such("action", action))?;
        Self::parse(row).ok_or_else(|| Error::other(format!("`{row}` is no row of a table of operations")))
    }

    fn parse(row: &'static str) -> Option<Self> {
        let mut words = row.split_whitespace();
        let (action, method, path) = (words.next()?, words.next()?, words.next()?);
        let methods = [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete];
        let names = ["GET", "POST", "PUT", "PATCH", "DELETE"];
        let method = methods[names.iter().position(|name| *name == method)?];
        let body = match words.next() {
            None => Body::None,
            Some(body) => match body.strip_prefix('{').and_then(|names| names.strip_suffix('}')) {
                Some(names) => Body::Object(names),
                None => Body::Member(body),
            },
        };
        let query = if method == Method::Get { Query::Others } else { Query::These(&[]) };
        words.next().is_none().then_some(Self { action, method, path, query, body })
    }

    /// Whether the path takes this member of the input.
    pub fn takes(&self, name: &str) -> bool {
        self.path.split(['{', '}']).skip(1).step_by(2).any(|own| own == name)
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
        match self.query {
            Query::These(names) => {
                for (name, value) in given(names) {
                    request = request.query(name, value);
                }
            }
            Query::Others => {
                for (name, value) in input.as_object().into_iter().flatten() {
                    if let Some(value) = plain(value).filter(|_| !self.takes(name)) {
                        request = request.query(name, value);
                    }
                }
            }
        }
        match self.body {
            Body::None | Body::Form([]) => Ok(request),
            Body::Form(names) => {
                let pairs: Vec<_> =
                    given(names).map(|(name, value)| format!("{name}={}", segment(&value))).collect();
                Ok(request.header("content-type", "application/x-www-form-urlencoded").body(pairs.join("&")))
            }
            Body::Member(name) => request.json(&input[name]),
            Body::Object(names) => {
                let members = names.split(',').map(|name| (name.to_owned(), input[name].clone()));
                request.json(&members.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
            }
        }
    }
}

/// The request of an action.
///
/// # Errors
/// [`Error::Unsupported`] when the table has no such action, and as [`Operation::request`].
pub fn request(table: &[Operation], action: &str, input: &Json) -> Result<Request> {
    let operation = table.iter().find(|operation| operation.action == action);
    operation.ok_or_else(|| Error::no_such("action", action))?.request(input)
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

    const TABLE: &str = "
        people.get    GET    /events/{event}/people/{person}/
        people.remove DELETE /people/      {codes,reason}
        people.drop   DELETE /people/{id}/
        broken        FETCH  /x
    ";

    fn of_row(name: &str, input: &Json) -> Result<Request> {
        Operation::row(TABLE, name)?.request(input)
    }

    #[test]
    fn a_read_in_text_takes_what_its_path_does_not_take_as_its_query() {
        let input = json!({"event": "a/b", "person": 7, "page": 2, "q": "x", "none": null});
        assert_eq!(of_row("people.get", &input).unwrap().line(), "GET /events/a%2Fb/people/7/?page=2&q=x");
        assert_eq!(of_row("people.get", &json!({"event": 1})), Err(Error::invalid("person", "is missing")));
        assert_eq!(of_row("people.drop", &json!({"id": 1, "page": 2})).unwrap().line(), "DELETE /people/1/");
    }

    #[test]
    fn an_object_in_text_has_the_members_that_were_given() {
        let delete = of_row("people.remove", &json!({"codes": ["a"], "other": 1})).unwrap();
        assert_eq!(delete.body_json(), json!({"codes": ["a"]}));
    }

    #[test]
    fn what_is_no_row_is_no_operation() {
        assert!(matches!(of_row("people", &json!({})), Err(Error::Unsupported(_))));
        assert!(matches!(of_row("broken", &json!({})), Err(Error::Other(_))));
    }
}
