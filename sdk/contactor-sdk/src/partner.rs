//! The partner's own API. The host adds the base URL and the credential on the way out; a connector can name neither.
//!
//! ```
//! # use contactor_sdk::testing::MockHost;
//! # let host = MockHost::new().answer("GET /people", serde_json::json!([{ "id": 7 }])).install();
//! use contactor_sdk::partner;
//!
//! #[derive(serde::Deserialize)]
//! struct Person {
//!     id: u64,
//! }
//!
//! let people: Vec<Person> = partner::get("/people").query("email", "ada@example.com").send()?.json()?;
//! assert_eq!(people[0].id, 7);
//! # Ok::<(), contactor_sdk::Error>(())
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

#[cfg(not(target_arch = "wasm32"))]
pub use crate::imports::partner::Partner;
pub use crate::imports::partner::{Method, Pair, Request, Response, send};
use crate::{Error, Result, json};

/// A GET request for a path below the connection's base URL.
pub fn get(path: impl Into<String>) -> Request {
    Request::new(Method::Get, path)
}

/// A POST request. It counts as a write: a preview holds it back.
pub fn post(path: impl Into<String>) -> Request {
    Request::new(Method::Post, path)
}

/// A PUT request. It counts as a write: a preview holds it back.
pub fn put(path: impl Into<String>) -> Request {
    Request::new(Method::Put, path)
}

/// A PATCH request. It counts as a write: a preview holds it back.
pub fn patch(path: impl Into<String>) -> Request {
    Request::new(Method::Patch, path)
}

/// A DELETE request. It counts as a write: a preview holds it back.
pub fn delete(path: impl Into<String>) -> Request {
    Request::new(Method::Delete, path)
}

/// A text as one segment of a path: whatever could end the segment is percent-encoded. Ids are opaque, so encode every one.
pub fn segment(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => segment.push(byte.into()),
            // A dot is harmless except in `.` and `..`, which would climb.
            b'.' if text.bytes().any(|other| other != b'.') => segment.push('.'),
            _ => {
                segment.push('%');
                segment.push(DIGITS[usize::from(byte >> 4)].into());
                segment.push(DIGITS[usize::from(byte & 15)].into());
            }
        }
    }
    segment
}

impl Request {
    /// A request without query, headers and body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), headers: Vec::new(), body: None }
    }

    /// Adds a query parameter; the host encodes it.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "numbers and texts are written in place")]
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push(Pair { name: name.to_owned(), value: value.to_string() });
        self
    }

    /// Adds a header. Those that carry credentials are the host's to set and are refused.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(Pair { name: name.to_owned(), value: value.into() });
        self
    }

    /// Sends JSON, with its content type.
    ///
    /// # Errors
    /// [`Error::Other`] when the body cannot be serialised.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self> {
        self.body = Some(serde_json::to_vec(body)?);
        Ok(self.header("content-type", "application/json"))
    }

    /// Sends a form with these parts, name and text of each; a name may carry further parameters and headers of its part
    /// (`file"; filename="people.csv`). The boundary is chosen so that no part holds it.
    #[must_use]
    pub fn multipart(mut self, parts: &[(&str, &str)]) -> Self {
        let taken = |boundary: &str| parts.iter().any(|(_, text)| text.contains(boundary));
        let mut boundary = String::from("contactor-form");
        while taken(&boundary) {
            boundary.push('x');
        }
        let part = |(name, text): &(&str, &str)| {
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
        };
        let body = parts.iter().map(part).collect::<String>() + &format!("--{boundary}--\r\n");
        self.body = Some(body.into_bytes());
        self.header("content-type", format!("multipart/form-data; boundary={boundary}"))
    }

    /// Sends these bytes; say what they are with a `content-type` header.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends the request.
    ///
    /// # Errors
    /// When there was no answer, or the host refused to send the request. An answer with an error status is a [`Response`].
    pub fn send(&self) -> Result<Response> {
        send(self)
    }

    /// Sends the request and answers the response if it is a success. Otherwise the partner's own meaning of it counts, or the usual
    /// one where `meaning` has none.
    ///
    /// # Errors
    /// As [`send`](Self::send) and [`Response::ok_or_else`].
    pub fn answer(&self, meaning: impl FnOnce(&Response) -> Option<Error>) -> Result<Response> {
        self.send()?.ok_or_else(meaning)
    }
}

impl Response {
    /// The first header of this name, which is written in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The response if it is a success.
    ///
    /// # Errors
    /// What [`error`](Self::error) makes of the status otherwise.
    pub fn ok(self) -> Result<Self> {
        if self.is_success() { Ok(self) } else { Err(self.error()) }
    }

    /// The response if it is a success. Otherwise the partner's own meaning of the answer, or the usual one where `meaning` has
    /// none.
    ///
    /// # Errors
    /// What `meaning` or else [`error`](Self::error) makes of the answer.
    pub fn ok_or_else(self, meaning: impl FnOnce(&Self) -> Option<Error>) -> Result<Self> {
        if self.is_success() {
            return Ok(self);
        }
        Err(meaning(&self).unwrap_or_else(|| self.error()))
    }

    /// The body as JSON, if the response is a success.
    ///
    /// # Errors
    /// As [`ok`](Self::ok), or [`Error::Other`] when the body has another shape, with the path of the first difference and the begin of
    /// the body.
    pub fn json<T: DeserializeOwned>(self) -> Result<T> {
        let response = self.ok()?;
        serde_json::from_slice(&response.body).map_err(|error| response.wrong_shape::<T>(&error))
    }

    /// Where a body differs from what was expected. It is read once more for that: good answers need no path.
    fn wrong_shape<T: DeserializeOwned>(&self, error: &serde_json::Error) -> Error {
        let Ok(body) = serde_json::from_slice::<Json>(&self.body) else {
            return Error::other(format!("the partner's answer is no JSON ({error}){}", self.excerpt()));
        };
        let problem =
            json::parse::<T>(&body).err().map_or_else(|| error.to_string(), |error| error.message());
        Error::other(format!(
            "the partner's answer has another shape: {problem}; it begins {}",
            json::excerpt(&body)
        ))
    }

    /// The body as JSON, or null where it has none: what a write answers is often not documented.
    pub fn json_or_null(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as JSON, or `{"status": …}` where it has none: for the output of an action.
    pub fn json_or_status(&self) -> Json {
        match self.json_or_null() {
            Json::Null => serde_json::json!({ "status": self.status }),
            body => body,
        }
    }

    /// What the status usually means. `Retry-After` is understood in seconds.
    pub fn error(&self) -> Error {
        let words = || format!("the partner answered {}{}", self.status, self.excerpt());
        match self.status {
            401 | 403 => Error::Unauthorized(words()),
            404 | 410 => Error::NotFound(words()),
            409 => Error::Conflict(words()),
            400 | 422 => Error::invalid("", words()),
            429 => Error::Limited(self.header("retry-after").and_then(seconds)),
            408 | 425 | 500..=599 => Error::Unavailable(words()),
            _ => Error::Other(words()),
        }
    }

    /// The begin of the body, for the admin who reads the error.
    fn excerpt(&self) -> String {
        if let Ok(body @ (Json::Object(_) | Json::Array(_))) = serde_json::from_slice(&self.body) {
            return format!(": {}", json::excerpt(&body));
        }
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(800)]);
        match body.trim() {
            "" => String::new(),
            body => format!(": {}", json::shortened(body)),
        }
    }
}

/// Seconds as milliseconds.
fn seconds(text: &str) -> Option<u64> {
    text.trim().parse::<u64>().ok()?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.into() }
    }

    #[test]
    fn each_status_becomes_an_error_that_a_connector_can_act_on() {
        let case = |status| response(status, "").error();
        assert!(matches!(case(401), Error::Unauthorized(_)));
        assert!(matches!(case(403), Error::Unauthorized(_)));
        assert!(matches!(case(404), Error::NotFound(_)));
        assert!(matches!(case(422), Error::Invalid(_)));
        assert_eq!(case(429), Error::Limited(None));
        assert!(matches!(case(500), Error::Unavailable(_)));
        assert!(matches!(case(503), Error::Unavailable(_)));
        assert!(matches!(case(302), Error::Other(_)));
    }

    #[test]
    fn an_answer_of_another_shape_is_told_with_its_path_and_its_begin() {
        let parsed = response(200, r#"{"people": [{"token": "s3cret", "code": 7}]}"#)
            .json::<std::collections::BTreeMap<String, Vec<std::collections::BTreeMap<String, String>>>>(
        );
        let problem = parsed.unwrap_err().message();
        assert!(problem.contains("`people[0].code`: invalid type: integer `7`"), "{problem}");
        assert!(problem.contains("it begins {\"people\"") && !problem.contains("s3cret"), "{problem}");
        let problem = response(200, "<html>").json::<Json>().unwrap_err().message();
        assert!(problem.contains("is no JSON") && problem.contains("<html>"), "{problem}");
    }

    #[test]
    fn retry_after_is_told_in_milliseconds() {
        let mut limited = response(429, "");
        limited.headers.push(Pair { name: "retry-after".into(), value: "7".into() });
        assert_eq!(limited.error(), Error::Limited(Some(7000)));
    }

    #[test]
    fn an_authors_meaning_comes_before_the_usual_one() {
        let meaning =
            |response: &Response| (response.body == b"exists").then(|| Error::Duplicate(String::new()));
        assert_eq!(response(422, "exists").ok_or_else(meaning), Err(Error::Duplicate(String::new())));
        assert!(matches!(response(422, "else").ok_or_else(meaning), Err(Error::Invalid(_))));
        assert!(response(201, "exists").ok_or_else(meaning).is_ok());
    }

    #[test]
    fn the_body_of_an_error_is_not_decoded_as_the_answer() {
        assert!(matches!(response(500, "{}").json::<serde_json::Value>(), Err(Error::Unavailable(_))));
    }

    #[test]
    fn an_answer_without_a_body_is_its_status() {
        assert_eq!(response(201, "{\"id\": 7}").json_or_status(), serde_json::json!({ "id": 7 }));
        for body in ["", "null", "OK"] {
            assert_eq!(response(204, body).json_or_status(), serde_json::json!({ "status": 204 }));
            assert_eq!(response(204, body).json_or_null(), Json::Null);
        }
    }

    #[test]
    fn no_part_of_a_form_holds_its_boundary() {
        let form = post("/").multipart(&[("type", "a"), ("file\"; filename=\"a.csv", "contactor-form")]);
        let body = String::from_utf8(form.body.clone().unwrap()).unwrap();
        assert_eq!(form.header_value("content-type"), Some("multipart/form-data; boundary=contactor-formx"));
        assert_eq!(body.matches("--contactor-formx").count(), 3);
        assert!(body.contains("name=\"file\"; filename=\"a.csv\"\r\n\r\ncontactor-form\r\n"), "{body}");
    }

    #[test]
    fn an_id_cannot_leave_its_segment() {
        assert_eq!(segment("a/b?c#d e%é"), "a%2Fb%3Fc%23d%20e%25%C3%A9");
        assert_eq!(segment(".."), "%2E%2E");
        assert_eq!(segment("1.5"), "1.5");
    }

    #[test]
    fn an_excerpt_is_short_and_cut_between_characters() {
        let error = response(500, &"é".repeat(5000)).error().message();
        assert!(error.chars().count() < 300, "{error}");
    }
}
