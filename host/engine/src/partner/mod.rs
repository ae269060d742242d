//! Requests to the partner: the connector gives a relative path, the host adds base URL and credential and keeps the quota.

pub(crate) mod auth;
pub(crate) mod limited;
pub(crate) mod names;
pub(crate) mod plain;
pub(crate) mod quota;
pub(crate) mod redact;
pub(crate) mod request;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contactor_manifest::{Auth, HostPattern, Scheme};
use contactor_runtime::bindings::partner::{Method, Pair, Request, Response};
use contactor_runtime::bindings::types::Error;
use contactor_store::{Call, ConnectionId, FailureClass};
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use crate::capabilities::not_done;
use crate::error::EngineError;
use crate::manage::PartnerQuota;
use crate::outbound::{Answer, Failed, Lane, Outbound, Outgoing};
use crate::{blame, failure, recorder};
use limited::Limited;
pub(crate) use names::{blank, is_secret};
pub(crate) use quota::Quotas;
use redact::Hidden;
pub(crate) use redact::{Redactor, SHORTEST_KEPT, of_values};
pub(crate) use request::{base_url, check_size};

/// Largest answer that is passed on, in bytes; the interface documents it.
const RESPONSE_CAP: usize = 4 * 1024 * 1024;
/// Bytes of a path that a run's log keeps.
const OPERATION_CAP: usize = 512;

/// What a run says of a call that a preview did not make.
pub(crate) const HELD_BACK: &str = "held back: this is a preview";

/// A connection's credential by the names of its parts, and beside them which are no secrets (`partner/plain.rs`).
pub type Secrets = BTreeMap<String, SecretString>;

/// One connection's way to its partner.
pub(crate) struct PartnerApi {
    out: Outbound,
    lane: Lane,
    base: Url,
    auth: Auth,
    secrets: Secrets,
    credential: Hidden,
    quotas: Arc<Quotas>,
    limited: Mutex<Limited>,
    session: auth::Session,
    timeout: Duration,
    log_cap: usize,
}

/// What a connection has for its partner.
pub(crate) struct PartnerSetup {
    pub(crate) out: Outbound,
    /// The connector's id, and the hosts that its manifest names.
    pub(crate) connector: String,
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) base_url: String,
    pub(crate) auth: Auth,
    pub(crate) secrets: BTreeMap<String, SecretString>,
    /// What the partner signs its webhooks with.
    pub(crate) webhook_secret: Option<SecretString>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) timeout: Duration,
    pub(crate) log_cap: usize,
}

impl PartnerApi {
    pub(crate) fn new(setup: PartnerSetup) -> Result<Self, EngineError> {
        let base = base_url(&setup.base_url, &setup.out)?;
        // Here as well as when it is entered: the manifest or the operator may have taken the host back.
        setup
            .out
            .check_host(&setup.connector, &setup.hosts, &base)
            .map_err(|why| EngineError::Invalid(format!("base URL: {why}")))?;
        if let Scheme::OAuth2 { .. } = setup.auth.scheme {
            return Err(EngineError::Invalid(format!(
                "authentication `{}`: OAuth 2.0 at partners is not available in this version",
                setup.auth.id
            )));
        }
        let missing: Vec<&str> =
            setup.auth.placeholders().into_iter().filter(|name| !setup.secrets.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(EngineError::Invalid(format!(
                "authentication `{}` needs the credential {}",
                setup.auth.id,
                missing.join(", ")
            )));
        }
        Ok(Self {
            lane: setup.out.lane(),
            out: setup.out,
            base,
            credential: Hidden::new(&setup.auth, &setup.secrets, setup.webhook_secret.as_ref()),
            auth: setup.auth,
            secrets: setup.secrets,
            limited: Mutex::default(),
            quotas: setup.quotas,
            session: auth::Session::default(),
            timeout: setup.timeout,
            log_cap: setup.log_cap,
        })
    }

    /// Sends a connector's request. Answers the call's trace in any case, and the response or why there is none.
    /// `hidden` is what the run must not keep beside the credential.
    pub(crate) async fn send(
        &self,
        request: Request,
        hidden: &Redactor,
        now: Timestamp,
    ) -> (Call, Result<Response, Error>) {
        let begun = Instant::now();
        let mut call = self.trace(&request, hidden);
        let result = self.send_checked(&request, now).await;
        call.duration_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        match &result {
            Ok(response) => {
                call.status = Some(response.status);
                call.response = Some(self.capped(&response.body, hidden));
                call.quota_remaining = quota::left(&response.headers);
                call.class = blame::of_call(&call);
            }
            Err(error) => {
                call.error = Some(in_words(error.as_connector()));
                call.class = Some(error.class());
            }
        }
        (call, result.map_err(Unsent::into_connector))
    }

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

    fn trace(&self, request: &Request, hidden: &Redactor) -> Call {
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

    async fn send_checked(&self, request: &Request, now: Timestamp) -> Result<Response, Unsent> {
        let url = request::url(&self.base, request)?;
        let headers = request::headers(request)?;
        self.take_quota(request, now)?;
        let (mut response, used_session) = self.exchange(request, url.clone(), headers.clone()).await?;
        if used_session && self.is_expired(response.status) {
            // A login token may end before its time; one fresh login, then the answer stands.
            self.session.forget().await;
            response = self.exchange(request, url, headers).await?.0;
        }
        self.note_limit(request, &response, now);
        Ok(response)
    }

    /// A 429 keeps further requests away until its time: those of the declared quota that it is about, or all.
    fn note_limit(&self, request: &Request, response: &Response, now: Timestamp) {
        let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        if response.status != http::StatusCode::TOO_MANY_REQUESTS.as_u16() {
            return limited.answered(now);
        }
        let asked = retry_after(response);
        let matching = self.quotas_of(request);
        let narrow: Vec<usize> =
            matching.into_iter().filter(|&i| !self.quotas.declared()[i].counts_all()).collect();
        if narrow.is_empty() {
            limited.refused(asked, now);
        } else {
            let until = Limited::default().refused(asked, now);
            self.quotas.windows().block(&narrow, until);
        }
    }

    /// What is used of the declared quotas, for another version of the same connector: the partner counts both.
    pub(crate) fn shared_quotas(&self) -> Arc<Quotas> {
        Arc::clone(&self.quotas)
    }

    /// How the declared quotas stand.
    pub(crate) fn quotas(&self, connection: &ConnectionId, now: Timestamp) -> Vec<PartnerQuota> {
        let limited = self.limited_until(now);
        let mut windows = self.quotas.windows();
        let quotas = self.quotas.declared().iter().enumerate().map(|(i, quota)| {
            let (used, blocked) = windows.state(i, now);
            PartnerQuota {
                connection: connection.clone(),
                scope: quota.scope.clone(),
                requests: quota.requests,
                per_seconds: quota.per_seconds,
                used,
                blocked_until: blocked.max(limited),
            }
        });
        quotas.collect()
    }

    /// Until when the partner asked to be left alone.
    pub(crate) fn limited_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.limited.lock().unwrap_or_else(PoisonError::into_inner).until(now)
    }

    /// Whether a login token was refused.
    fn is_expired(&self, status: u16) -> bool {
        matches!(&self.auth.scheme, Scheme::Login { login } if login.expired.contains(&status))
    }

    /// One request and its answer; tells whether a login token was used.
    async fn exchange(
        &self,
        request: &Request,
        mut url: Url,
        mut headers: http::HeaderMap,
    ) -> Result<(Response, bool), Unsent> {
        let mut body = request.body.clone();
        let place =
            auth::Place { method: request.method, url: &mut url, headers: &mut headers, body: &mut body };
        let used_session = self.authenticate(place).await.map_err(|error| match error {
            Unsent::Answered(Error::Unavailable(why)) => Error::Unavailable(not_done(&why)).into(),
            other => other,
        })?;
        let answer = self.pass(http_method(request.method), url, headers, body).await?;
        Ok((self.credential.given_answer(response(answer, is_write(request.method))?), used_session))
    }

    /// Sends what has its credential already.
    async fn pass(
        &self,
        method: http::Method,
        url: Url,
        headers: http::HeaderMap,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, Unsent> {
        let timeout = self.timeout;
        let (cap, lane) = (Some(RESPONSE_CAP), Some(&self.lane));
        let outgoing = Outgoing { method, url, headers, body, timeout, cap, lane };
        Ok(self.out.send(outgoing).await?)
    }

    /// The quotas of the manifest that count a request.
    fn quotas_of(&self, request: &Request) -> Vec<usize> {
        let counts =
            |&i: &usize| self.quotas.declared()[i].counts(method_name(request.method), &request.path);
        (0..self.quotas.declared().len()).filter(counts).collect()
    }

    /// Takes one request out of every quota of the manifest that counts it.
    fn take_quota(&self, request: &Request, now: Timestamp) -> Result<(), Error> {
        if let Some(until) = self.limited_until(now) {
            let wait = until.duration_since(now).as_millis();
            return Err(Error::Limited(Some(u64::try_from(wait).unwrap_or(u64::MAX).max(1))));
        }
        let matching = self.quotas_of(request);
        let mut windows = self.quotas.windows();
        windows.take(&matching, now).map_err(|wait| Error::Limited(Some(wait)))
    }

    /// A body for the run's log: redacted first and cut second, so that a secret on the edge does not leave its first half. Names
    /// of secrets are looked for last: what is cut off behind a name is blanked all the same, and a large answer costs no more.
    fn capped(&self, body: &[u8], hidden: &Redactor) -> String {
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

    /// A text without the credential, for what is kept of a run.
    pub(crate) fn redacted(&self, text: String) -> String {
        self.credential.kept(text)
    }

    /// A text without the credential's secrets, for what a connector reads and for what it answers.
    pub(crate) fn given(&self, text: String) -> String {
        self.credential.given(text)
    }

    /// A webhook's body without the credential's secrets.
    pub(crate) fn given_bytes(&self, body: Vec<u8>) -> Vec<u8> {
        self.credential.given_bytes(body)
    }
}

fn retry_after(response: &Response) -> Option<&str> {
    let header = response.headers.iter().find(|header| header.name == http::header::RETRY_AFTER.as_str());
    header.map(|header| header.value.as_str())
}

/// Until when a partner that is out of order (5xx) asks to be left alone, if it says so. That is about this request: unlike after a
/// 429, its other endpoints may be well.
pub fn out_of_order_until(response: &Response, now: Timestamp) -> Option<Timestamp> {
    let is_out_of_order = (500..600).contains(&response.status);
    let wait = limited::wait(retry_after(response).filter(|_| is_out_of_order)?, now)?;
    now.checked_add(wait.min(limited::DAY)).ok()
}

/// Why a connector has no answer of its partner.
enum Unsent {
    /// The host is not open: a fault of the connection's setup, which nobody but an admin or operator can mend.
    Closed(Error),
    /// Anything else, as the connector is told.
    Answered(Error),
}

impl Unsent {
    fn as_connector(&self) -> &Error {
        match self {
            Self::Closed(error) | Self::Answered(error) => error,
        }
    }

    fn into_connector(self) -> Error {
        match self {
            Self::Closed(error) | Self::Answered(error) => error,
        }
    }

    fn class(&self) -> FailureClass {
        match self {
            Self::Closed(_) => FailureClass::Config,
            Self::Answered(error) => failure::of_connector("", "", error).class,
        }
    }
}

impl From<Error> for Unsent {
    fn from(error: Error) -> Self {
        Self::Answered(error)
    }
}

impl From<Failed> for Unsent {
    fn from(failed: Failed) -> Self {
        Self::Answered(match failed {
            Failed::Closed(closed) => return Self::Closed(Error::Denied(closed.to_string())),
            // The reason is the operating system's, and of no use to a connector.
            Failed::NoConnection(_) => Error::Unavailable(not_done("no connection")),
            Failed::NoPlace => Error::Unavailable(not_done(&failed.to_string())),
            Failed::BrokeOff(_) => Error::Unavailable("the exchange broke off".to_owned()),
            Failed::TimedOut => Error::Unavailable(failed.to_string()),
            Failed::TooLarge { .. } | Failed::Headers { .. } => {
                Error::Other(format!("the partner: {failed}"))
            }
        })
    }
}

/// An answer as a connector may read it. Nobody could tell whether one that is compressed repeats the credential: of a `write`, which
/// was done, the status is answered without the body.
///
/// # Errors
/// [`Error::Other`] when the body is compressed.
pub fn response(answer: Answer, write: bool) -> Result<Response, Error> {
    let Answer { status, headers, mut body } = answer;
    let coded = headers.get(http::header::CONTENT_ENCODING);
    let is_coded = coded.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_coded && write {
        body.clear();
    }
    if is_coded && !body.is_empty() {
        return Err(Error::Other(
            "the partner's answer is compressed, which it was not asked for".to_owned(),
        ));
    }
    let headers = headers
        .iter()
        .filter(|(name, _)| !request::is_private_header(name.as_str()))
        .filter_map(|(name, value)| {
            Some(Pair { name: name.as_str().to_owned(), value: value.to_str().ok()?.to_owned() })
        })
        .collect();
    Ok(Response { status: status.as_u16(), headers, body })
}

fn in_words(error: &Error) -> String {
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

/// Whether sending a request of this method twice has the effect of sending it once. That of the others is the partner's affair.
pub(crate) fn is_repeatable(method: Method) -> bool {
    !matches!(method, Method::Post)
}

pub(crate) fn is_write(method: Method) -> bool {
    !matches!(method, Method::Get | Method::Head)
}

pub(crate) fn method_name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

fn http_method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
    }
}

#[cfg(test)]
mod tests {
    use contactor_manifest::Template;

    use super::*;

    const SECRET: &str = "fake-key-0123456789";

    fn template(text: &str) -> Template {
        Template::try_from(text.to_owned()).unwrap()
    }

    fn api(log_cap: usize) -> PartnerApi {
        api_by(Scheme::Bearer { token: template("{token}") }, SECRET, "https://api.example.com/v2", log_cap)
    }

    fn api_by(scheme: Scheme, secret: &str, base_url: &str, log_cap: usize) -> PartnerApi {
        let auth = Auth {
            id: "token".to_owned(),
            title: "Access token".to_owned(),
            scheme,
            credentials: Vec::new(),
            help: None,
        };
        PartnerApi::new(PartnerSetup {
            out: Outbound::new(crate::outbound::OutboundConfig::default().with_this_machine()).unwrap(),
            connector: "test".to_owned(),
            hosts: vec!["api.example.com".to_owned().try_into().unwrap()],
            base_url: base_url.to_owned(),
            auth,
            secrets: BTreeMap::from([("token".to_owned(), SecretString::from(secret))]),
            webhook_secret: None,
            quotas: Arc::new(Quotas::new(Vec::new())),
            timeout: Duration::from_secs(1),
            log_cap,
        })
        .unwrap()
    }

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
    fn a_secret_is_redacted_in_every_spelling_in_which_a_partner_may_repeat_it() {
        let secret = "fake/key+with \"quotes\"==";
        let basic = Scheme::Basic { user: template("{token}"), password: template("x") };
        let api = api_by(basic, secret, "https://api.example.com/v2", 4_096);
        let spellings = [
            secret,
            "fake%2Fkey%2Bwith+%22quotes%22%3D%3D",
            "fake%2Fkey%2Bwith%20%22quotes%22%3D%3D",
            r#"fake/key+with \"quotes\"=="#,
            r#"fake\/key+with \"quotes\"=="#,
            // `fake/key+with "quotes"==:x` in base64.
            "ZmFrZS9rZXkrd2l0aCAicXVvdGVzIj09Ong=",
        ];
        for spelling in spellings {
            assert_eq!(api.redacted(format!("<{spelling}>")), "<[redacted]>");
        }
    }

    #[tokio::test]
    async fn what_a_connector_is_given_of_an_answer_never_holds_the_credential() {
        use axum::routing::get as on_get;
        let echo = |uri: http::Uri, headers: http::HeaderMap| async move {
            let sent = headers["authorization"].to_str().unwrap().to_owned();
            // In chunks that cut it in two.
            let body = format!("{}\u{e9}{{\"error\":\"bad {sent} {SECRET}\"}}", "x".repeat(1 << 20));
            let parts = body.into_bytes().chunks(7_919).map(<[u8]>::to_vec).collect::<Vec<_>>();
            let chunks = parts.into_iter().map(Ok::<_, std::io::Error>);
            let body = axum::body::Body::from_stream(futures_util::stream::iter(chunks));
            ([("x-echo", sent), ("location", format!("{uri}?key={SECRET}"))], body)
        };
        let zipped = || async { ([("content-encoding", "gzip")], format!("{SECRET}, as if zipped")) };
        let router =
            axum::Router::new().route("/echo", on_get(echo)).route("/zipped", on_get(zipped).post(zipped));
        let url = serve(router).await;
        let basic = Scheme::Basic { user: template("{token}"), password: template("x") };
        let bearer = Scheme::Bearer { token: template("{token}") };
        for scheme in [basic, bearer] {
            let api = api_by(scheme, SECRET, &url, 4_096);
            let sent = api.send(get("/echo", &[]), &Redactor::default(), Timestamp::UNIX_EPOCH).await;
            let answer = sent.1.unwrap();
            let shown = format!("{:?} {}", answer.headers, String::from_utf8(answer.body).unwrap());
            assert!(!shown.contains("fake") && !shown.contains("ZmFr"), "{:?}", answer.headers);
            assert!(shown.ends_with("[redacted] [redacted]\"}"), "{}", &shown[shown.len() - 60..]);
            let zipped = api.send(get("/zipped", &[]), &Redactor::default(), Timestamp::UNIX_EPOCH).await;
            assert!(matches!(&zipped.1, Err(Error::Other(why)) if why.contains("compressed")), "{zipped:?}");
            // It was done, so that is said.
            let post = Request { method: Method::Post, ..get("/zipped", &[]) };
            let done = api.send(post, &Redactor::default(), Timestamp::UNIX_EPOCH).await.1.unwrap();
            assert_eq!((done.status, done.body.len()), (200, 0));
        }
    }

    #[test]
    fn a_user_name_and_a_short_secret_stay_in_what_a_connector_reads() {
        let part = |name: &str, secret| contactor_manifest::Credential {
            name: name.to_owned(),
            title: name.to_owned(),
            secret,
        };
        let auth = Auth {
            id: "basic".to_owned(),
            title: "Basic".to_owned(),
            scheme: Scheme::Basic { user: template("{user}"), password: template("{word}") },
            credentials: vec![part("user", false), part("word", true), part("pin", true)],
            help: None,
        };
        let secrets = [("user", "ada@example.com"), ("word", "fake-password"), ("pin", "123456")];
        let entered = secrets.map(|(name, value)| (name.to_owned(), SecretString::from(value))).into();
        let mut secrets = Secrets::new();
        plain::enter(&mut secrets, entered, &auth);
        let hidden = Hidden::new(&auth, &secrets, None);
        let text = || "ada@example.com 123456 fake-password".to_owned();
        assert_eq!(hidden.given(text()), "ada@example.com 123456 [redacted]");
        assert_eq!(hidden.kept(text()), "[redacted] [redacted] [redacted]");
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

    #[test]
    fn a_partner_that_is_out_of_order_says_when_to_come_again_about_this_request_alone() {
        let now: Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
        let answer = |status, value: &str| Response {
            status,
            headers: vec![Pair { name: "retry-after".to_owned(), value: value.to_owned() }],
            body: Vec::new(),
        };
        let until = |status, value| out_of_order_until(&answer(status, value), now);
        let after = |seconds| Some(now + jiff::SignedDuration::from_secs(seconds));
        assert_eq!(until(503, "120"), after(120));
        assert_eq!(until(500, "Thu, 26 Nov 2026 10:01:30 GMT"), after(90));
        assert_eq!(until(502, "4000000000"), after(86_400), "no longer than a day");
        assert_eq!([until(200, "120"), until(404, "120"), until(503, "soon")], [None; 3]);
        let api = api(100);
        api.note_limit(&get("/x", &[]), &answer(503, "120"), now);
        assert_eq!(api.limited_until(now), None);
        api.note_limit(&get("/x", &[]), &answer(429, "120"), now);
        assert_eq!(api.limited_until(now), after(120));
    }

    fn get(path: &str, query: &[(&str, &str)]) -> Request {
        let pair =
            |(name, value): &(&str, &str)| Pair { name: (*name).to_owned(), value: (*value).to_owned() };
        let query = query.iter().map(pair).collect();
        Request { method: Method::Get, path: path.to_owned(), query, headers: vec![], body: None }
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

    #[tokio::test]
    async fn a_connector_cannot_put_its_own_parameter_in_the_place_of_the_credentials() {
        let scheme = Scheme::Query { parameter: "api_key".to_owned(), value: template("{token}") };
        // Nothing listens there: the request is refused before it is sent.
        let api = api_by(scheme, SECRET, "http://127.0.0.1:9", 100);
        let (_, result) =
            api.send(get("/x", &[("API_key", "own")]), &Redactor::default(), Timestamp::UNIX_EPOCH).await;
        assert!(
            matches!(&result, Err(Error::Invalid(problems)) if problems[0].field == "query"),
            "{result:?}"
        );
    }

    #[tokio::test]
    async fn a_partner_that_cannot_be_reached_was_asked_for_nothing_and_one_that_hangs_up_perhaps_was() {
        let scheme = || Scheme::Bearer { token: template("{token}") };
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = format!("http://{}", closed.local_addr().unwrap());
        drop(closed);
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rude = format!("http://{}", socket.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = socket.accept().await {
                let mut begin = [0; 4];
                let _ = tokio::io::AsyncReadExt::read_exact(&mut stream, &mut begin).await;
            }
        });
        for (url, not_done) in [(nobody, true), (rude, false)] {
            let api = api_by(scheme(), SECRET, &url, 100);
            let (_, result) = api.send(get("/x", &[]), &Redactor::default(), Timestamp::UNIX_EPOCH).await;
            let Err(Error::Unavailable(why)) = &result else { panic!("{result:?}") };
            assert_eq!(crate::capabilities::is_not_done(why), not_done, "{why}");
        }
    }

    async fn serve(router: axum::Router) -> String {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(socket, router).await });
        url
    }

    fn api_by_login(url: &str, placement: contactor_manifest::Placement) -> PartnerApi {
        let login = contactor_manifest::Login {
            path: "/login".to_owned(),
            body: contactor_manifest::LoginBody::Json,
            fields: BTreeMap::from([("key".to_owned(), template("{token}"))]),
            token: "/token".to_owned(),
            lifetime_seconds: 60,
            expired: vec![400, 401],
            placement,
        };
        api_by(Scheme::Login { login }, SECRET, url, 4_096)
    }

    #[tokio::test]
    async fn a_refused_token_is_fetched_anew_once_and_the_second_answer_stands() {
        use axum::extract::State;
        use axum::routing::{get as on_get, post};
        use std::sync::atomic::{AtomicU64, Ordering};
        // The number of the login is the token; the first two are refused.
        let logins = Arc::new(AtomicU64::new(0));
        let login = |State(logins): State<Arc<AtomicU64>>| async move {
            format!(r#"{{"token":"token-{}"}}"#, logins.fetch_add(1, Ordering::SeqCst) + 1)
        };
        let read = |headers: http::HeaderMap| async move {
            match headers["authorization"].to_str().unwrap() {
                "Bearer token-1" => (http::StatusCode::BAD_REQUEST, "no such token"),
                "Bearer token-2" => (http::StatusCode::UNAUTHORIZED, "too old"),
                _ => (http::StatusCode::OK, "hello"),
            }
        };
        let router = axum::Router::new().route("/login", post(login)).route("/read", on_get(read));
        let url = serve(router.with_state(Arc::clone(&logins))).await;
        let api = api_by_login(&url, contactor_manifest::Placement::Bearer);
        let first = api.send(get("/read", &[]), &Redactor::default(), Timestamp::UNIX_EPOCH).await.1.unwrap();
        assert_eq!((first.status, logins.load(Ordering::SeqCst)), (401, 2), "once, and no loop");
        let second =
            api.send(get("/read", &[]), &Redactor::default(), Timestamp::UNIX_EPOCH).await.1.unwrap();
        assert_eq!((second.status, logins.load(Ordering::SeqCst)), (200, 3));
        api.send(get("/read", &[]), &Redactor::default(), Timestamp::UNIX_EPOCH).await.1.unwrap();
        assert_eq!(logins.load(Ordering::SeqCst), 3, "a good token is kept");
    }

    #[tokio::test]
    async fn a_token_goes_into_the_form_of_a_post_and_into_the_query_otherwise() {
        use axum::routing::{any, post};
        let echo = |uri: http::Uri, body: String| async move { format!("{uri} {body}") };
        let router = axum::Router::new()
            .route("/login", post(async || r#"{"token":"t/1"}"#))
            .route("/echo", any(echo));
        let url = serve(router).await;
        let api = api_by_login(&url, contactor_manifest::Placement::QueryOrForm("JWT".to_owned()));
        let send = async |method, headers: &[(&str, &str)], body: Option<&str>| {
            let pair = |(name, value): &(&str, &str)| Pair { name: (*name).into(), value: (*value).into() };
            let headers = headers.iter().map(pair).collect();
            let body = body.map(|body| body.as_bytes().to_vec());
            let request = Request { method, headers, body, ..get("/echo", &[("page", "1")]) };
            let answer = api.send(request, &Redactor::default(), Timestamp::UNIX_EPOCH).await.1;
            answer.map(|answer| String::from_utf8(answer.body).unwrap())
        };
        assert_eq!(send(Method::Get, &[], None).await.unwrap(), "/echo?page=1&JWT=t%2F1 ");
        assert_eq!(send(Method::Put, &[], None).await.unwrap(), "/echo?page=1&JWT=t%2F1 ");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(
            send(Method::Post, &form, Some("name=A%20B")).await.unwrap(),
            "/echo?page=1 name=A%20B&JWT=t%2F1"
        );
        assert_eq!(send(Method::Post, &[], None).await.unwrap(), "/echo?page=1 JWT=t%2F1");
        let json = [("content-type", "application/json")];
        assert!(matches!(send(Method::Post, &json, Some("{}")).await, Err(Error::Invalid(_))));
        assert!(matches!(send(Method::Post, &form, Some("jwt=own")).await, Err(Error::Invalid(_))));
    }

    #[tokio::test]
    async fn the_token_of_a_login_is_redacted_like_the_credential() {
        use axum::routing::{get as on_get, post};
        let token = "fake-session-token";
        let router = axum::Router::new()
            .route("/login", post(async move || format!(r#"{{"token":"{token}"}}"#)))
            .route(
                "/echo",
                on_get(async |headers: http::HeaderMap| headers["authorization"].as_bytes().to_vec()),
            );
        let url = serve(router).await;
        let api = api_by_login(&url, contactor_manifest::Placement::Bearer);
        let (call, result) = api.send(get("/echo", &[]), &Redactor::default(), Timestamp::UNIX_EPOCH).await;
        assert_eq!(result.unwrap().body, b"Bearer [redacted]");
        assert_eq!(call.response.as_deref(), Some("Bearer [redacted]"));
    }
}
