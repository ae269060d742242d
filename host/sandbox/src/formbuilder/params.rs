//! Parameters of writing calls: the query and `application/x-www-form-urlencoded`, as the specification has it. A JSON body
//! is not read.

use crate::http::{Call, parse_query};

/// The pairs of a form body; none when the body is something else.
pub(super) fn form(call: &Call) -> Vec<(String, String)> {
    let is_form = call
        .header("content-type")
        .is_some_and(|kind| kind.trim_start().starts_with("application/x-www-form-urlencoded"));
    if is_form { parse_query(&String::from_utf8_lossy(&call.body)) } else { Vec::new() }
}

/// A call's parameters, from the form and the query.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn of(call: &Call) -> Self {
        Self(form(call).into_iter().chain(call.query.iter().cloned()).collect())
    }

    /// A parameter; empty counts as given.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.given(name).map(str::trim).filter(|value| !value.is_empty())
    }
}
