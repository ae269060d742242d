//! What a failure means: its class, whose fault it is, and what happens next. Pure, so that the table can be tested.

use contactor_highlevel::{self as highlevel, ErrorClass, ErrorKind};
use contactor_runtime::bindings::types as wit;
use contactor_runtime::{Blame, CallError, HostFault};
use contactor_store::{Disposition, FailureClass};
use jiff::{SignedDuration, Timestamp};

use crate::backoff::Schedule;
use crate::recorder::cut;

/// The longest wait that another system may ask for. Beyond it a connector could postpone a record for ever, or name a time
/// that no calendar has.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);
/// The same of a system that is out of order: what changes meanwhile should not wait for a day because of one answer.
const LONGEST_OUTAGE: SignedDuration = SignedDuration::from_hours(1);
/// Bytes of a connector's own words that a message repeats.
const WORDS: usize = 1_024;

/// A failure of one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    /// Its class decides what happens next.
    pub(crate) class: FailureClass,
    /// What failed, which system said so, in words for the admin.
    pub(crate) message: String,
    /// When the other system said it is worth trying again.
    pub(crate) retry_after: Option<SignedDuration>,
    /// HighLevel suspended the location: the credential is good, and nobody has to do anything.
    pub(crate) suspended: bool,
    /// The host had no room to run the connector, and nothing was run.
    pub(crate) busy: bool,
}

impl Failure {
    pub(crate) fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), retry_after: None, suspended: false, busy: false }
    }

    /// How long the other system asked to be left alone, within reason.
    pub(crate) fn wait(&self) -> Option<SignedDuration> {
        // A quota may come back with the next day. Who is out of order does not know when it is well again.
        let longest = if self.class == FailureClass::Quota { LONGEST_WAIT } else { LONGEST_OUTAGE };
        self.retry_after.map(|wait| wait.clamp(SignedDuration::ZERO, longest))
    }

    /// The present time decides nothing about the class, only about when to try again.
    pub(crate) fn disposition(
        &self,
        attempts: u32,
        max_attempts: u32,
        now: Timestamp,
        jitter: f64,
    ) -> Disposition {
        let schedule = Schedule::of(self.class);
        // To wait for room is no attempt: others take it, and the record would be parked for what they do.
        let again = if self.busy { Some(false) } else { schedule.again(attempts, max_attempts) };
        let Some(counts) = again else {
            return Disposition::Parked { class: self.class, reason: self.message.clone() };
        };
        let own = schedule.wait(attempts, jitter);
        let wait = match (self.wait(), counts) {
            (None, _) => own,
            // Who asks for less than the back-off would be asked again and again.
            (Some(asked), true) => asked.max(own),
            (Some(asked), false) => asked,
        };
        Disposition::Retry { at: now + wait, counts }
    }
}

/// A call of a connector that did not come back with an answer of its own, in words that a run may show.
pub(crate) fn of_call(error: &CallError, message: String) -> Failure {
    let class = match error.blame() {
        Blame::Guest => FailureClass::GuestBug,
        Blame::Host => FailureClass::Host,
    };
    let busy = matches!(error, CallError::Host { fault: HostFault::PoolBusy { .. }, .. });
    Failure { busy, ..Failure::new(class, message) }
}

/// An error of the host's own store.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn of_store(error: contactor_store::StoreError) -> Failure {
    Failure::new(FailureClass::Host, format!("the host's store: {error}"))
}

/// An error of the engine outside of a run: the connection cannot be loaded, for example.
pub(crate) fn of_engine(error: crate::error::EngineError) -> Failure {
    match error {
        crate::error::EngineError::Store(error) => of_store(error),
        error => Failure::new(FailureClass::Config, error.to_string()),
    }
}

/// The mapping writes values that HighLevel does not take.
pub(crate) fn of_problems(problems: &[highlevel::FieldProblem]) -> Failure {
    let list: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Failure::new(
        FailureClass::Config,
        format!("the mapping writes what HighLevel does not take: {}", list.join("; ")),
    )
}

/// An error that a connector answered.
pub(crate) fn of_connector(connector: &str, operation: &str, error: &wit::Error) -> Failure {
    let fail = |class, message: String| {
        Failure::new(class, format!("{connector}: {operation}: {}", cut(message, WORDS)))
    };
    match error {
        wit::Error::NotFound(what) => fail(FailureClass::Data, format!("not found: {what}")),
        wit::Error::Invalid(problems) => {
            fail(FailureClass::Data, format!("the partner refused {}", join_problems(problems)))
        }
        wit::Error::Duplicate(id) if id.is_empty() => {
            fail(FailureClass::Conflict, "the partner has this record already".to_owned())
        }
        wit::Error::Duplicate(id) => {
            fail(FailureClass::Conflict, format!("the partner has this record already, as {id}"))
        }
        wit::Error::Denied(scope) => fail(FailureClass::Denied, format!("not granted: {scope}")),
        wit::Error::Unauthorized(message) => {
            fail(FailureClass::Auth, format!("credential refused: {message}"))
        }
        wit::Error::Limited(after) => Failure {
            retry_after: after.and_then(|ms| i64::try_from(ms).ok()).map(SignedDuration::from_millis),
            ..fail(FailureClass::Quota, "the partner's quota is used up".to_owned())
        },
        wit::Error::Unavailable(message) => fail(FailureClass::Transient, message.clone()),
        wit::Error::Conflict(message) => fail(FailureClass::Conflict, message.clone()),
        wit::Error::Unsupported(what) => {
            fail(FailureClass::Config, format!("not offered by this connector: {what}"))
        }
        wit::Error::Other(message) => fail(FailureClass::Data, message.clone()),
    }
}

/// An error of HighLevel's client. The message names the operation as the run's calls do, and the record by its path.
pub(crate) fn of_highlevel(error: &highlevel::Error) -> Failure {
    of_highlevel_kind(error.kind(), &error.to_string())
}

/// An error of a write to a record that this run has just read: if nobody is there any more, the next run's look decides what that
/// means, and no person has to.
pub(crate) fn of_highlevel_write(error: &highlevel::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound { .. } => gone_meanwhile(&format!("HighLevel: {error}")),
        _ => of_highlevel(error),
    }
}

/// The same of a connector's write.
pub(crate) fn of_connector_write(connector: &str, operation: &str, error: &wit::Error) -> Failure {
    let failure = of_connector(connector, operation, error);
    if matches!(error, wit::Error::NotFound(_)) { gone_meanwhile(&failure.message) } else { failure }
}

fn gone_meanwhile(said: &str) -> Failure {
    Failure::new(
        FailureClass::Transient,
        format!("{said}; it was there a moment ago, so it is looked at again"),
    )
}

fn of_highlevel_kind(kind: &ErrorKind, said: &str) -> Failure {
    let class = match kind.class() {
        ErrorClass::Transient => FailureClass::Transient,
        ErrorClass::Quota => FailureClass::Quota,
        ErrorClass::Auth => FailureClass::Auth,
        ErrorClass::Denied => FailureClass::Denied,
        ErrorClass::Data => FailureClass::Data,
        ErrorClass::Conflict => FailureClass::Conflict,
        // An unreadable answer is often a gateway's; what this program asks wrongly it asks wrongly again.
        ErrorClass::Defect if matches!(kind, ErrorKind::Decode { .. }) => FailureClass::Transient,
        ErrorClass::Defect => FailureClass::Config,
    };
    let retry_after = match kind {
        ErrorKind::RateLimited { retry_after, .. } => Some(*retry_after),
        ErrorKind::Unavailable { retry_after, .. } => *retry_after,
        _ => None,
    };
    // Beyond what a span can hold is beyond reason as well.
    let retry_after = retry_after.map(|wait| SignedDuration::try_from(wait).unwrap_or(LONGEST_WAIT));
    let suspended = matches!(
        kind,
        ErrorKind::LocationInactive | ErrorKind::Token(highlevel::TokenError::LocationInactive)
    );
    Failure { retry_after, suspended, ..Failure::new(class, format!("HighLevel: {said}{}", next_step(kind))) }
}

/// What happens next, where the error does not say so itself.
fn next_step(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotSendable(_) | ErrorKind::Invalid(_) | ErrorKind::Rejected { .. } => {
            "; correct the record or the mapping, then retry it"
        }
        ErrorKind::NotFound { .. } => "; it may have been deleted or merged there: look it up, then retry",
        ErrorKind::Duplicate { .. } => "; decide which of the two belongs to this record, then retry it",
        ErrorKind::Forbidden { .. } => "; an admin should check what the token may do",
        ErrorKind::WrongLocation => "; an admin has to reconnect the location",
        ErrorKind::NoSuchOperation { .. } => {
            "; this is a defect of Contactor, or HighLevel withdrew the operation"
        }
        ErrorKind::Transport { .. } | ErrorKind::Decode { .. } => "; it is tried again",
        _ => "",
    }
}

/// An error of a create at HighLevel. When the record may exist in spite of it, it is tried again, because every run looks for
/// the record before it creates one. That includes refused values (422): HighLevel was seen to answer so and to create the
/// contact all the same. They are refused again if it did not, so the caller's bound on attempts ends it.
pub(crate) fn of_highlevel_create(error: &highlevel::Error) -> Failure {
    if error.may_have_happened() {
        Failure { retry_after: of_highlevel(error).retry_after, ..of_unsure_create(&error.to_string()) }
    } else {
        of_highlevel(error)
    }
}

fn of_unsure_create(said: &str) -> Failure {
    let next = "the record may exist all the same: it is looked up before it is created again";
    Failure::new(FailureClass::Transient, format!("HighLevel: {said}; {next}"))
}

fn join_problems(problems: &[wit::FieldProblem]) -> String {
    if problems.is_empty() {
        return "the values, without saying which".to_owned();
    }
    problems
        .iter()
        .map(|p| if p.field.is_empty() { p.problem.clone() } else { format!("{}: {}", p.field, p.problem) })
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn an_outage_waits_as_long_as_it_was_told_and_never_shorter_than_its_back_off() {
        let told = |seconds, attempts| {
            let kind = ErrorKind::Unavailable {
                status: 503,
                retry_after: Some(std::time::Duration::from_secs(seconds)),
            };
            of_highlevel_kind(&kind, "").disposition(attempts, 10, at(0), 0.5)
        };
        let retry = |seconds| Disposition::Retry { at: at(seconds), counts: true };
        assert_eq!([told(90, 0), told(0, 3), told(u64::MAX / 4, 0)], [retry(90), retry(16), retry(3_600)]);
        assert!(matches!(told(90, 10), Disposition::Parked { .. }));
    }

    #[test]
    fn a_quota_waits_as_long_as_it_was_told_and_costs_no_attempt() {
        let failure = of_connector("prefinery", "adapter.update", &wit::Error::Limited(Some(7_000)));
        assert_eq!(failure.class, FailureClass::Quota);
        assert_eq!(
            failure.disposition(9, 10, at(100), 0.5),
            Disposition::Retry { at: at(107), counts: false }
        );
    }

    #[test]
    fn a_wait_without_end_is_a_day_and_no_panic() {
        let failure = of_connector("prefinery", "adapter.update", &wit::Error::Limited(Some(u64::MAX / 2)));
        let day = Disposition::Retry { at: at(86_400), counts: false };
        assert_eq!(failure.disposition(0, 10, at(0), 0.5), day);
    }

    #[test]
    fn an_outage_is_retried_until_the_attempts_are_used_up() {
        let failure = of_connector("prefinery", "adapter.read", &wit::Error::Unavailable("502".into()));
        assert!(matches!(failure.disposition(9, 10, at(0), 0.5), Disposition::Retry { counts: true, .. }));
        assert!(matches!(failure.disposition(10, 10, at(0), 0.5), Disposition::Parked { .. }));
    }

    #[test]
    fn to_wait_for_a_free_sandbox_is_no_attempt_and_every_other_fault_of_the_host_is_one() {
        let failed = |fault| {
            let error = CallError::Host { connector: "prefinery".into(), export: "adapter.read", fault };
            of_call(&error, error.to_string())
        };
        let busy = failed(HostFault::PoolBusy { slots: 128, waited: std::time::Duration::from_secs(5) });
        assert_eq!((busy.class, busy.busy), (FailureClass::Host, true));
        for attempts in [0, 9, 10, 1_000] {
            let Disposition::Retry { at, counts: false } = busy.disposition(attempts, 10, at(0), 0.5) else {
                panic!("parked, or counted, after {attempts}")
            };
            assert!(at >= self::at(5));
        }
        let panicked = failed(HostFault::Panicked);
        assert!(matches!(panicked.disposition(9, 10, at(0), 0.5), Disposition::Retry { counts: true, .. }));
        assert!(matches!(panicked.disposition(10, 10, at(0), 0.5), Disposition::Parked { .. }));
    }

    #[test]
    fn what_fails_in_the_host_itself_is_tried_as_often_as_an_outage_and_blames_nobody_else() {
        let failure = of_store(contactor_store::StoreError::Busy("a backup tool".to_owned()));
        assert_eq!(failure.class, FailureClass::Host);
        assert!(matches!(failure.disposition(9, 10, at(0), 0.5), Disposition::Retry { counts: true, .. }));
        let last = failure.disposition(10, 10, at(0), 0.5);
        assert!(matches!(last, Disposition::Parked { class: FailureClass::Host, .. }), "{last:?}");
    }

    #[test]
    fn every_error_of_highlevel_has_a_class_and_says_what_happens_next() {
        use contactor_highlevel::{FieldProblem, TokenError};
        let message = || "the vendor's words".to_owned();
        let problems = || vec![FieldProblem::new("email", "must be an email")];
        let table: [(ErrorKind, FailureClass, &str); 21] = [
            (ErrorKind::NotSendable(problems()), FailureClass::Data, "correct the record"),
            (ErrorKind::Invalid(problems()), FailureClass::Data, "correct the record"),
            (
                ErrorKind::Rejected { status: 400, message: message() },
                FailureClass::Data,
                "correct the record",
            ),
            (ErrorKind::NotFound { message: message() }, FailureClass::Data, "look it up"),
            (
                ErrorKind::Duplicate { existing: None, matching_field: None },
                FailureClass::Conflict,
                "decide which",
            ),
            (ErrorKind::TokenExpired { message: message() }, FailureClass::Auth, "reconnect"),
            (ErrorKind::Unauthorized { message: message() }, FailureClass::Auth, "check the connection"),
            (ErrorKind::WrongLocation, FailureClass::Auth, "reconnect"),
            (ErrorKind::LocationInactive, FailureClass::Auth, "reactivates"),
            (TokenError::NotConnected.into(), FailureClass::Auth, "connect it"),
            (TokenError::NeedsReconnect(message()).into(), FailureClass::Auth, "reconnect"),
            (
                TokenError::LacksScope { company: message(), scope: "oauth.write" }.into(),
                FailureClass::Auth,
                "lacks the scope `oauth.write`",
            ),
            (TokenError::LocationInactive.into(), FailureClass::Auth, "tried again"),
            (TokenError::Unavailable(message()).into(), FailureClass::Transient, "tried again"),
            (ErrorKind::MissingScope { scope: "contacts.write" }, FailureClass::Denied, "`contacts.write`"),
            (ErrorKind::Forbidden { message: message() }, FailureClass::Denied, "what the token may do"),
            (
                ErrorKind::Unavailable { status: 502, retry_after: None },
                FailureClass::Transient,
                "tried again",
            ),
            (
                ErrorKind::Transport { problem: "reset".into(), sent: true },
                FailureClass::Transient,
                "tried again",
            ),
            (ErrorKind::Decode { problem: "no JSON".into() }, FailureClass::Transient, "tried again"),
            (ErrorKind::VersionHeader { message: message() }, FailureClass::Config, "defect of Contactor"),
            (ErrorKind::NoSuchOperation { message: message() }, FailureClass::Config, "defect of Contactor"),
        ];
        for (kind, class, next) in table {
            let failure = of_highlevel_kind(&kind, &format!("contacts.update (/contacts/c1): {kind}"));
            assert_eq!(failure.class, class, "{kind:?}");
            assert_eq!(failure.retry_after, None, "{kind:?}");
            assert!(
                failure.message.starts_with("HighLevel: contacts.update (/contacts/c1): "),
                "{}",
                failure.message
            );
            assert!(failure.message.contains(next), "{}", failure.message);
        }
    }

    #[test]
    fn highlevels_quota_is_waited_for_as_long_as_it_said() {
        let kind =
            ErrorKind::RateLimited { retry_after: std::time::Duration::from_millis(2_500), daily: false };
        let failure = of_highlevel_kind(&kind, &kind.to_string());
        assert_eq!(failure.class, FailureClass::Quota);
        assert_eq!(failure.retry_after, Some(SignedDuration::from_millis(2_500)));
    }

    /// What the client says about a create that HighLevel answers like this; without an answer the connection just ends.
    async fn failed_create(answer: Option<(u16, &str)>) -> highlevel::Error {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let raw = answer.map_or_else(String::new, |(status, body)| {
            let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close");
            format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        });
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // To its end: closing with unread bytes would reset the connection and lose the answer.
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                stream.read_buf(&mut request).await.unwrap();
            }
            stream.write_all(raw.as_bytes()).await.unwrap();
        });
        let config = highlevel::Config { base_url, ..highlevel::Config::default() };
        let token = highlevel::StaticToken::new(highlevel::AccessToken::new("pit-not-a-real-token"));
        let client = highlevel::HighLevel::new(config, std::sync::Arc::new(token)).unwrap();
        let fields = [("email", serde_json::Value::from("ada@example.com"))];
        let draft = highlevel::ContactDraft::from_fields(fields).unwrap();
        client.at("loc-1".into()).create_contact(&draft, &[]).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_create_that_may_have_happened_is_looked_up_and_not_repeated_blindly() {
        let unsure = [
            None,
            Some((500, r#"{"message": "Internal server error"}"#)),
            Some((504, "<html>")),
            Some((422, r#"{"message": ["email must be an email"]}"#)),
            Some((201, "<html>")),
        ];
        for answer in unsure {
            let failure = of_highlevel_create(&failed_create(answer).await);
            assert_eq!(failure.class, FailureClass::Transient, "{answer:?}: {}", failure.message);
            assert!(failure.message.starts_with("HighLevel: contacts.create"), "{}", failure.message);
            assert!(failure.message.contains("looked up before it is created again"), "{}", failure.message);
        }
    }

    #[tokio::test]
    async fn a_create_that_was_refused_for_certain_is_a_failure_like_any_other() {
        let sure = [
            (400, "Error occurred", FailureClass::Data),
            (400, "This location does not allow duplicated contacts.", FailureClass::Conflict),
            (401, "The token is not authorized for this scope.", FailureClass::Denied),
            (401, "Something else", FailureClass::Auth),
            (429, "Too many requests", FailureClass::Quota),
        ];
        for (status, message, class) in sure {
            let body = serde_json::json!({ "message": message }).to_string();
            let error = failed_create(Some((status, &body))).await;
            let failure = of_highlevel_create(&error);
            assert_eq!(failure.class, class, "{status} {message}");
            assert_eq!(failure, of_highlevel(&error));
        }
    }

    #[test]
    fn refused_values_are_parked_at_once_and_say_which() {
        let problem = wit::FieldProblem { field: "email".into(), problem: "is invalid".into() };
        let failure = of_connector("prefinery", "adapter.create", &wit::Error::Invalid(vec![problem]));
        let Disposition::Parked { class, reason } = failure.disposition(0, 10, at(0), 0.5) else {
            panic!("not parked")
        };
        assert_eq!(class, FailureClass::Data);
        assert!(reason.contains("email: is invalid"), "{reason}");
    }
}
