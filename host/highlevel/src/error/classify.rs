//! From a status and a body to an [`ErrorKind`].
//!
//! The vendor's statuses say less than its words: 401 is an expired token, a missing scope or a wrong version header;
//! an unknown contact is 400. The words matched here come from public code that met them; they are matched without
//! regard to case, and everything else falls back to what the status means.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::ErrorKind;
use crate::draft::FieldProblem;
use crate::ids::ContactId;
use crate::operation::Operation;

/// Longest message that is kept, in characters: a body that is no JSON may be a gateway's HTML page, and what one that is says is kept
/// with the run and read by a person.
const MAX_MESSAGE: usize = 300;
/// Most messages that are kept of one answer.
const MAX_MESSAGES: usize = 10;

/// When an unsuccessful answer says that it is worth asking again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wait {
    /// `Retry-After`, as the answer has it.
    pub asked: Option<Duration>,
    /// The wait of a 429, which is the limiter's to know, and whether it is for the day.
    pub limited: (Duration, bool),
}

/// What an unsuccessful answer means.
pub fn classify(operation: &Operation, status: StatusCode, body: &[u8], wait: Wait) -> ErrorKind {
    let json: Option<Value> = serde_json::from_slice(body).ok().filter(Value::is_object);
    let messages = json.as_ref().map_or_else(|| vec![plain_text(body)], messages);
    let message = messages.join("; ");
    let says = |words: &str| message.to_ascii_lowercase().contains(words);

    if says("not available in api version") || says("cannot get /") || says("cannot post /") {
        return ErrorKind::NoSuchOperation { message };
    }
    if says("cannot put /") || says("cannot delete /") {
        return ErrorKind::NoSuchOperation { message };
    }
    match status.as_u16() {
        400 if says("does not allow duplicated contacts") => duplicate(json.as_ref()),
        400 if says("location is not active") => ErrorKind::LocationInactive,
        400 if says("not found") => ErrorKind::NotFound { message },
        401 if says("version header") => ErrorKind::VersionHeader { message },
        401 if says("invalid jwt") => ErrorKind::TokenExpired { message },
        401 if says("not authorized for this scope") => ErrorKind::MissingScope { scope: operation.scope },
        401 => ErrorKind::Unauthorized { message },
        403 if says("does not have access to this location") => ErrorKind::WrongLocation,
        403 => ErrorKind::Forbidden { message },
        // Only the vendor's own JSON says that a record is gone; a bare 404 is some proxy's.
        404 | 410 if json.is_some() => ErrorKind::NotFound { message },
        422 => ErrorKind::Invalid(messages.iter().map(|text| field_problem(text)).collect()),
        429 => ErrorKind::RateLimited { retry_after: wait.limited.0, daily: wait.limited.1 },
        status @ (404 | 408 | 410 | 425 | 300..=399 | 500..=599) => {
            ErrorKind::Unavailable { status, retry_after: wait.asked }
        }
        status => ErrorKind::Rejected { status, message },
    }
}

/// `traceId`, which every JSON answer carries.
pub(crate) fn trace_id(body: &Value) -> Option<String> {
    body.get("traceId").and_then(Value::as_str).map(str::to_owned)
}

/// `message` is a text, or a list of texts (422); v3 nests it in `error`.
fn messages(body: &Value) -> Vec<String> {
    let nested = body.get("error").and_then(|error| error.get("message"));
    let found = match body.get("message").or(nested) {
        Some(Value::Array(items)) => items.iter().take(MAX_MESSAGES).map(text_of).collect(),
        Some(other) => vec![text_of(other)],
        None => body.get("error").map(text_of).into_iter().collect(),
    };
    if found.is_empty() { vec!["no reason given".to_owned()] } else { found }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().take(MAX_MESSAGE).collect(),
        other => other.to_string().chars().take(MAX_MESSAGE).collect(),
    }
}

fn plain_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() {
        return "no reason given".to_owned();
    }
    text.chars().take(MAX_MESSAGE).collect()
}

fn duplicate(body: Option<&Value>) -> ErrorKind {
    let meta = |key: &str| {
        let text = body?.get("meta")?.get(key)?.as_str()?;
        (1..=MAX_MESSAGE).contains(&text.len()).then(|| text.to_owned())
    };
    ErrorKind::Duplicate {
        existing: meta("contactId").map(ContactId::new),
        matching_field: meta("matchingField"),
    }
}

/// The vendor's validator writes `property gender should not exist` and `email must be an email`.
fn field_problem(text: &str) -> FieldProblem {
    let mut words = text.split_whitespace();
    let mut field = words.next().unwrap_or_default();
    if field == "property" {
        field = words.next().unwrap_or_default();
    }
    let names_a_field = matches!(words.next(), Some("must" | "should" | "is" | "has"))
        && field.starts_with(|c: char| c.is_ascii_lowercase())
        && field.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '[' | ']'));
    FieldProblem::new(if names_a_field { field } else { "" }, text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::CONTACTS_UPDATE;

    const LIMITED: (Duration, bool) = (Duration::from_secs(3), true);
    const ASKED: Duration = Duration::from_secs(90);

    fn kind(status: u16, body: &str) -> ErrorKind {
        answered(status, body, None)
    }

    fn answered(status: u16, body: &str, asked: Option<Duration>) -> ErrorKind {
        let wait = Wait { asked, limited: LIMITED };
        classify(&CONTACTS_UPDATE, StatusCode::from_u16(status).unwrap(), body.as_bytes(), wait)
    }

    fn said(status: u16, message: &str) -> ErrorKind {
        kind(status, &json!({"statusCode": status, "message": message}).to_string())
    }

    #[test]
    fn of_an_answer_without_measure_only_its_beginning_is_kept() {
        let long = "x".repeat(1 << 20);
        let answers = [
            (418, json!({"message": long})),
            (422, json!({"message": vec![long.as_str(); 1_000]})),
            (404, json!({"message": {"deep": long}})),
            (
                400,
                json!({"message": "does not allow duplicated contacts", "meta": {"matchingField": long, "contactId": long}}),
            ),
        ];
        for (status, body) in answers {
            let said = kind(status, &body.to_string()).to_string();
            assert!(said.len() < 10 * 1_024, "{status}: {} bytes", said.len());
        }
    }

    #[test]
    fn every_known_answer_has_its_meaning_whatever_its_case() {
        let name = |kind: &ErrorKind| format!("{kind:?}").split([' ', '(', '{']).next().unwrap().to_owned();
        let table = [
            (401, "Invalid JWT", "TokenExpired"),
            (401, "The token is not authorized for this scope.", "MissingScope"),
            (401, "version header was not found.", "VersionHeader"),
            (401, "version header is invalid", "VersionHeader"),
            (401, "Something else", "Unauthorized"),
            (403, "The token does not have access to this location.", "WrongLocation"),
            (403, "Something else", "Forbidden"),
            (400, "Contact with id abc not found", "NotFound"),
            (400, "This location does not allow duplicated contacts.", "Duplicate"),
            (400, "Location is not active", "LocationInactive"),
            (400, "Error occurred while searching for contact", "Rejected"),
            (404, "Task not found", "NotFound"),
            (404, "Cannot GET /contacts/v3-only", "NoSuchOperation"),
            (404, "Endpoint /contacts/ not available in API version v3", "NoSuchOperation"),
            (409, "Conflict", "Rejected"),
            (422, "email must be an email", "Invalid"),
            (429, "Too many requests", "RateLimited"),
            (500, "Internal server error", "Unavailable"),
            (503, "Service unavailable", "Unavailable"),
            (408, "Request timeout", "Unavailable"),
        ];
        for (status, message, expected) in table {
            for message in [message.to_owned(), message.to_ascii_uppercase(), message.to_ascii_lowercase()] {
                assert_eq!(name(&said(status, &message)), expected, "{status} {message}");
            }
        }
    }

    #[test]
    fn a_missing_scope_names_the_scope_of_the_operation() {
        let kind = said(401, "The token is not authorized for this scope.");
        assert_eq!(kind, ErrorKind::MissingScope { scope: "contacts.write" });
    }

    #[test]
    fn a_duplicate_names_the_existing_contact_when_the_vendor_does() {
        let message = "This location does not allow duplicated contacts.";
        let body = json!({"statusCode": 400, "message": message,
            "meta": {"contactId": "c9", "contactName": "Ada", "matchingField": "phone"}});
        let expected =
            ErrorKind::Duplicate { existing: Some("c9".into()), matching_field: Some("phone".into()) };
        assert_eq!(kind(400, &body.to_string()), expected);
        assert_eq!(said(400, message), ErrorKind::Duplicate { existing: None, matching_field: None });
    }

    #[test]
    fn a_422_names_each_refused_field() {
        let body = json!({"statusCode": 422, "error": "Unprocessable Entity", "message":
            ["property gender should not exist", "email must be an email", "customFields.0.id should not be empty", "Bad request"]});
        let ErrorKind::Invalid(problems) = kind(422, &body.to_string()) else { panic!("not invalid") };
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["gender", "email", "customFields.0.id", ""]);
        assert_eq!(problems[3].problem, "Bad request");
    }

    #[test]
    fn html_and_empty_bodies_are_tolerated() {
        assert_eq!(
            kind(502, "<html><h1>Bad gateway</h1></html>"),
            ErrorKind::Unavailable { status: 502, retry_after: None }
        );
        assert_eq!(kind(500, ""), ErrorKind::Unavailable { status: 500, retry_after: None });
        assert_eq!(kind(403, ""), ErrorKind::Forbidden { message: "no reason given".into() });
        assert_eq!(kind(400, "[]"), ErrorKind::Rejected { status: 400, message: "[]".into() });
        let ErrorKind::Invalid(problems) = kind(422, "<html>") else { panic!("not invalid") };
        assert_eq!(problems, [FieldProblem::new("", "<html>")]);
        let long = "x".repeat(10_000);
        let ErrorKind::Rejected { message, .. } = kind(402, &long) else { panic!("not rejected") };
        assert_eq!(message.len(), MAX_MESSAGE);
    }

    #[test]
    fn a_bare_404_is_no_proof_that_a_record_is_gone() {
        assert_eq!(kind(404, ""), ErrorKind::Unavailable { status: 404, retry_after: None });
        assert_eq!(
            kind(404, "<html>Not Found</html>"),
            ErrorKind::Unavailable { status: 404, retry_after: None }
        );
    }

    #[test]
    fn the_nested_error_of_v3_is_read() {
        let body = json!({"error": {"code": 401, "message": "Invalid JWT", "resolution": "…"}}).to_string();
        assert_eq!(kind(401, &body), ErrorKind::TokenExpired { message: "Invalid JWT".into() });
        let body = json!({"error": "Unauthorized"}).to_string();
        assert_eq!(kind(401, &body), ErrorKind::Unauthorized { message: "Unauthorized".into() });
    }

    #[test]
    fn whatever_is_not_there_names_the_time_at_which_to_ask_again() {
        for status in [500, 502, 503, 504] {
            let expected = ErrorKind::Unavailable { status, retry_after: Some(ASKED) };
            assert_eq!(answered(status, "{}", Some(ASKED)), expected);
        }
    }

    #[test]
    fn a_429_takes_its_wait_from_the_limiter() {
        assert_eq!(said(429, "x"), ErrorKind::RateLimited { retry_after: LIMITED.0, daily: LIMITED.1 });
    }
}
