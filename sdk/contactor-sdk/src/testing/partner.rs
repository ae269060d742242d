//! The partner of a [`MockHost`](super::MockHost): routes and what they answer.

use serde_json::Value as Json;

use super::MockHost;
use crate::Result;
use crate::partner::{Method, Pair, Partner, Request, Response};

type Answer = Box<dyn Fn(&Request) -> Response>;

pub(super) struct Route {
    pattern: String,
    answer: Answer,
}

impl Route {
    pub(super) fn new(pattern: &str, answer: Answer) -> Self {
        let form = pattern.split_once(' ').is_some_and(|(_, path)| path.starts_with('/'));
        assert!(form, "`{pattern}` is no route; write a method and a path, for example `GET /people/*`");
        Self { pattern: pattern.to_owned(), answer }
    }
}

/// Whether a request is of a route, such as `GET /people/*`.
fn fits(route: &str, request: &Request) -> bool {
    let Some((method, path)) = route.split_once(' ') else { return false };
    let mut segments = path.split('/');
    let mut asked = request.path.split('/');
    method == request.method.name()
        && asked.by_ref().all(|part| segments.next().is_some_and(|own| own == "*" || own == part))
        && segments.next().is_none()
}

impl Partner for MockHost {
    fn send(&self, request: &Request) -> Result<Response> {
        let writes = !matches!(request.method, Method::Get | Method::Head);
        let body = request.body.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        self.requests.borrow_mut().push(request.clone());
        self.record("partner.send", format!("{} {body}", request.line()).trim_end().to_owned(), writes)?;
        if let Some((_, error)) = self.failures.iter().rev().find(|(route, _)| fits(route, request)) {
            return Err(error.clone());
        }
        let Some(route) = self.routes.iter().rev().find(|route| fits(&route.pattern, request)) else {
            let routes: Vec<_> = self.routes.iter().map(|route| route.pattern.as_str()).collect();
            panic!(
                "the connector sent `{}`, which no route of the test answers; there are:\n  {}",
                request.line(),
                routes.join("\n  ")
            );
        };
        Ok((route.answer)(request))
    }
}

impl Method {
    /// Its name in HTTP.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// What tests ask of a request.
impl Request {
    /// Method, path and query on one line, for example `GET /people?email=ada@example.com`. Not encoded.
    pub fn line(&self) -> String {
        let query: Vec<_> = self.query.iter().map(|pair| format!("{}={}", pair.name, pair.value)).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method.name(), self.path, query.join("&"))
    }

    /// A query parameter.
    pub fn query_value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|pair| pair.name == name).map(|pair| pair.value.as_str())
    }

    /// A header; the name in any case.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|pair| pair.name.eq_ignore_ascii_case(name)).map(|pair| pair.value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn body_json(&self) -> Json {
        let body = self.body.as_deref().unwrap_or_default();
        serde_json::from_slice(body)
            .unwrap_or_else(|error| panic!("the body of `{}` is no JSON: {error}", self.line()))
    }
}

/// What tests put into an answer.
impl Response {
    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(Pair { name: name.to_ascii_lowercase(), value: value.into() });
        self
    }
}
