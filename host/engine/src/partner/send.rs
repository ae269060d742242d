//! Sends a connector's request: the way out, and one fresh login when a token ended before its time.

use std::time::Instant;

use contactor_manifest::Scheme;
use contactor_runtime::bindings::partner::{Request, Response};
use contactor_runtime::bindings::types::Error;
use contactor_store::Call;
use jiff::Timestamp;
use url::Url;

use super::answer::{Unsent, response};
use super::method::{http_method, is_write};
use super::redact::Redactor;
use super::trace::in_words;
use super::{PartnerApi, auth, quota, request};
use crate::blame;
use crate::capabilities::not_done;
use crate::outbound::{Answer, Outgoing};

/// Largest answer that is passed on, in bytes; the interface documents it.
const RESPONSE_CAP: usize = 4 * 1024 * 1024;

impl PartnerApi {
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
    pub(super) async fn pass(
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
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::partner::Method;

    use super::*;
    use crate::partner::testing::{SECRET, api_by, get, serve, template};

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
}
