//! A partner's own operations as a table: most actions of a connector fill a path, send some of their input and hand the answer on.
//!
//! ```
//! use contactor_sdk::operations::Operation;
//! # use contactor_sdk::testing::MockHost;
//! # let host = MockHost::new().answer("PATCH /people/7/", serde_json::json!({ "id": 7 })).install();
//!
//! // Name, method, path with the input's names in braces, and the body: an input by its name, an object of several in braces, or none.
//! const OPERATIONS: &str = "
//!     people.list     GET    /people/
//!     people.update   PATCH  /people/{person}/    fields
//!     people.check-in POST   /people/check-in/    {codes,at}
//! ";
//!
//! let operation = Operation::find(OPERATIONS, "people.update")?;
//! let input = serde_json::json!({ "person": 7, "fields": { "title": "Dr" } });
//! let answer = operation.request(&input)?.send()?.ok()?;
//! assert_eq!(host.writes(), [r#"partner.send(PATCH /people/7/ {"title":"Dr"})"#]);
//! # Ok::<(), contactor_sdk::Error>(())
//! ```

use serde_json::{Map, Value as Json};

use crate::partner::{Method, Request, segment};
use crate::{Error, Result, json};

/// One row of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operation<'t> {
    /// Its name, which is the action's.
    pub name: &'t str,
    /// The method.
    pub method: Method,
    path: &'t str,
    body: Option<&'t str>,
}

impl<'t> Operation<'t> {
    /// The row of this name.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when there is none; [`Error::Other`] when the row is none, which is its author's fault.
    pub fn find(table: &'t str, name: &str) -> Result<Self> {
        let row = table.lines().find(|line| line.split_whitespace().next() == Some(name));
        let row = row.ok_or_else(|| Error::Unsupported(format!("there is no action `{name}`")))?;
        Self::parse(row).ok_or_else(|| Error::other(format!("`{row}` is no row of a table of operations")))
    }

    fn parse(row: &'t str) -> Option<Self> {
        let mut words = row.split_whitespace();
        let (name, method, path) = (words.next()?, words.next()?, words.next()?);
        let method = match method {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            _ => return None,
        };
        let body = words.next();
        words.next().is_none().then_some(Self { name, method, path, body })
    }

    /// Whether the path takes this input.
    pub fn takes(&self, name: &str) -> bool {
        placeholders(self.path).any(|own| own == name)
    }

    /// The request for an input. Every value is one segment of the path, whatever is in it. A GET without a body takes what its path does
    /// not take as its query.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an input of the path that is missing.
    pub fn request(&self, input: &Json) -> Result<Request> {
        let mut path = String::new();
        let mut rest = self.path;
        while let Some((literal, name, after)) = placeholder(rest) {
            let value = json::id(&input[name]).ok_or_else(|| Error::invalid(name, "is missing"))?;
            path.push_str(literal);
            path.push_str(&segment(&value));
            rest = after;
        }
        path.push_str(rest);
        let request = Request::new(self.method, path);
        let Some(body) = self.body else {
            return Ok(if self.method == Method::Get { self.with_query(request, input) } else { request });
        };
        match body.strip_prefix('{').and_then(|names| names.strip_suffix('}')) {
            None => request.json(&input[body]),
            Some(names) => {
                let named = names.split(',').map(|name| (name.to_owned(), input[name].clone()));
                request.json(&named.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
            }
        }
    }

    fn with_query(&self, mut request: Request, input: &Json) -> Request {
        for (name, value) in input.as_object().into_iter().flatten() {
            match value {
                Json::Null => {}
                _ if self.takes(name) => {}
                Json::String(text) => request = request.query(name, text),
                other => request = request.query(name, other),
            }
        }
        request
    }
}

/// The names in a path.
fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path;
    std::iter::from_fn(move || {
        let (_, name, after) = placeholder(rest)?;
        rest = after;
        Some(name)
    })
}

/// What stands before the next name, the name, and what follows.
fn placeholder(path: &str) -> Option<(&str, &str, &str)> {
    let (literal, rest) = path.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((literal, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TABLE: &str = "
        events.list   GET    /events/
        people.get    GET    /events/{event}/people/{person}/
        people.remove DELETE /people/      {codes,reason}
        people.drop   DELETE /people/{id}/
        broken        FETCH  /x
    ";

    fn request(name: &str, input: &Json) -> Result<Request> {
        Operation::find(TABLE, name)?.request(input)
    }

    #[test]
    fn a_path_takes_its_inputs_and_a_list_the_others_as_its_query() {
        let input = json!({ "event": "a/b", "person": 7, "page": 2, "q": "x", "none": null });
        let get = request("people.get", &input).unwrap();
        assert_eq!(get.line(), "GET /events/a%2Fb/people/7/?page=2&q=x");
        assert_eq!(
            request("people.get", &json!({ "event": 1 })),
            Err(Error::invalid("person", "is missing"))
        );
        assert_eq!(
            request("people.drop", &json!({ "id": 1, "page": 2 })).unwrap().line(),
            "DELETE /people/1/"
        );
    }

    #[test]
    fn a_body_holds_the_inputs_that_were_given() {
        let delete = request("people.remove", &json!({ "codes": ["a"], "other": 1 })).unwrap();
        assert_eq!(delete.body_json(), json!({ "codes": ["a"] }));
    }

    #[test]
    fn what_is_no_row_is_no_operation() {
        assert!(matches!(request("people", &json!({})), Err(Error::Unsupported(_))));
        assert!(matches!(request("broken", &json!({})), Err(Error::Other(_))));
    }
}
