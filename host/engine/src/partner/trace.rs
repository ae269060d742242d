//! What a run keeps of a request to the partner: the trace of its call, without secrets and no longer than a log needs.

use contactor_runtime::bindings::partner::Request;
use contactor_runtime::bindings::types::Error;
use contactor_store::Call;

use super::PartnerApi;
use super::method::{is_write, method_name};
use super::names::blank;
use super::redact::Redactor;
use crate::{failure, recorder};

/// Bytes of a path that a run's log keeps.
const OPERATION_CAP: usize = 512;

/// What a run says of a call that a preview did not make.
pub(crate) const HELD_BACK: &str = "held back: this is a preview";

impl PartnerApi {
    /// The trace of a write that a preview holds back, as it would have been sent.
    pub(crate) fn held_back(&self, request: &Request, hidden: &Redactor) -> Call {
        Call { error: Some(HELD_BACK.to_owned()), ..self.trace(request, hidden) }
    }

    /// The trace of a request that is larger than one may be.
    pub(crate) fn refused(&self, request: &Request, error: &Error, hidden: &Redactor) -> Call {
        let path: String = request.path.chars().take(OPERATION_CAP).collect();
        Call {
            target: "partner".to_owned(),
            operation: format!("{} {}", method_name(request.method), self.shown(&path, hidden)),
            write: is_write(request.method),
            error: Some(in_words(error)),
            class: Some(failure::of_connector("", "", error).class),
            ..Call::default()
        }
    }

    pub(super) fn trace(&self, request: &Request, hidden: &Redactor) -> Call {
        Call {
            target: "partner".to_owned(),
            operation: format!("{} {}", method_name(request.method), self.shown(&request.path, hidden)),
            path: (!request.query.is_empty()).then(|| {
                let path = format!("{}?", request.path);
                let begin = path.len();
                let mut pairs = url::form_urlencoded::Serializer::for_suffix(path, begin);
                pairs.extend_pairs(request.query.iter().map(|pair| (&pair.name, &pair.value)));
                format!("{} {}", method_name(request.method), self.shown(&pairs.finish(), hidden))
            }),
            write: is_write(request.method),
            request: request.body.as_deref().map(|body| self.capped(body, hidden)),
            ..Call::default()
        }
    }

    /// A body for the run's log: redacted first and cut second, so that a secret on the edge does not leave its first half. Names
    /// of secrets are looked for last: what is cut off behind a name is blanked all the same, and a large answer costs no more.
    pub(super) fn capped(&self, body: &[u8], hidden: &Redactor) -> String {
        self.kept(String::from_utf8_lossy(body).into_owned(), self.log_cap, hidden)
    }

    /// A connector's path for the run's log; it may be one that is refused.
    fn shown(&self, path: &str, hidden: &Redactor) -> String {
        let line = path.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.kept(line, OPERATION_CAP, hidden)
    }

    fn kept(&self, text: String, cap: usize, hidden: &Redactor) -> String {
        let text = recorder::cut(hidden.text(self.redacted(text)), cap);
        recorder::cut(blank(&text), cap)
    }

    /// A text for what is kept of a run: without secrets, and shortened.
    pub(crate) fn brief(&self, text: String, cap: usize, hidden: &Redactor) -> String {
        self.kept(text, cap, hidden)
    }
}

pub(super) fn in_words(error: &Error) -> String {
    match error {
        Error::Invalid(problems) => {
            problems.iter().map(|p| format!("{}: {}", p.field, p.problem)).collect::<Vec<_>>().join("; ")
        }
        Error::Limited(Some(ms)) => format!("the declared quota is used up; free in {ms} ms"),
        Error::Denied(what) => format!("denied: {what}"),
        Error::Unauthorized(text) | Error::Unavailable(text) | Error::Other(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use secrecy::SecretString;

    use super::*;
    use crate::partner::redact::of_values;
    use crate::partner::testing::{SECRET, api, get};

    #[test]
    fn a_body_in_the_log_shows_no_part_of_a_secret_wherever_it_is_cut() {
        let body = format!("{SECRET}{SECRET} and {SECRET}");
        for cap in 0..=body.len() {
            let shown = api(cap).capped(body.as_bytes(), &Redactor::default());
            assert!(!shown.contains("fake") && !shown.contains("0123"), "{cap}: {shown}");
            assert!(shown.len() <= cap + "…".len(), "{cap}: {shown}");
        }
        assert_eq!(api(100).capped(b"nothing secret", &Redactor::default()), "nothing secret");
    }

    #[test]
    fn a_value_that_the_run_hides_or_that_has_a_secrets_name_is_not_kept() {
        let hidden = of_values(&[SecretString::from("hunter2-plain")]);
        let body = br#"{"login":"ada","pwd":"hunter2-plain","nested":[{"client-secret":"other"}]}"#;
        for cap in 0..=body.len() + 20 {
            let shown = api(cap).capped(body, &hidden);
            assert!(!shown.contains("hunter") && !shown.contains("oth"), "{cap}: {shown}");
        }
        assert_eq!(api(4_096).capped(b"user=ada&password=x", &hidden), "user=ada&password=[redacted]");
        assert_eq!(
            api(4_096).shown("/users?api_key=abc&page=1", &hidden),
            "/users?api_key=[redacted]&page=1"
        );
    }

    #[test]
    fn what_was_searched_for_is_kept_of_a_call_and_no_secret() {
        let hidden = of_values(&[SecretString::from("hunter2-plain")]);
        let path = |query: &[(&str, &str)]| api(4_096).trace(&get("/users", query), &hidden).path;
        assert_eq!(path(&[]), None, "the operation says it all");
        assert_eq!(
            path(&[("email", "a+b@example.com"), ("page", "2")]).unwrap(),
            "GET /users?email=a%2Bb%40example.com&page=2"
        );
        let secrets = path(&[("token", "abc"), ("who", "hunter2-plain"), ("key", SECRET)]).unwrap();
        assert!(
            !secrets.contains("abc") && !secrets.contains("hunter") && !secrets.contains("fake"),
            "{secrets}"
        );
    }

    #[tokio::test]
    async fn a_refused_path_is_kept_short_on_one_line_and_without_the_secret() {
        let hostile = format!("no-slash/{SECRET}\u{1b}[2J\n{}", "x".repeat(1 << 20));
        let (call, result) =
            api(100).send(get(&hostile, &[]), &Redactor::default(), Timestamp::UNIX_EPOCH).await;
        assert!(matches!(result, Err(Error::Invalid(_))));
        assert!(call.operation.starts_with("GET no-slash/[redacted]"), "{}", call.operation);
        assert!(call.operation.len() < 2 * OPERATION_CAP && !call.operation.chars().any(char::is_control));
    }
}
