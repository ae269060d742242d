//! Messages over HTTP.

use std::time::Duration;

use contactor_store::{ClaimedMessage, DestinationKind};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use url::Url;

use super::{Address, Content, Undelivered, body};
use crate::engine::Engine;
use crate::outbound::{Failed, Outbound, Outgoing};

/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(15);

impl Engine {
    pub(super) async fn post(
        &self,
        kind: DestinationKind,
        address: &Address,
        message: &ClaimedMessage,
        content: &Content,
    ) -> Result<(), Undelivered> {
        let stored =
            address.url.as_ref().ok_or_else(|| Undelivered::Never("its address is not stored".to_owned()))?;
        let url = checked_url(stored.expose_secret(), self.outbound()).map_err(Undelivered::Closed)?;
        let body = content.body(kind).to_string();
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(secret) = &address.secret {
            let seconds = self.now().as_second();
            let signature = body::signature(secret, &message.id, seconds, body.as_bytes())
                .ok_or_else(|| Undelivered::Never("its signing secret is unusable".to_owned()))?;
            let texts = [
                ("webhook-id", message.id.as_str()),
                ("webhook-timestamp", &seconds.to_string()),
                ("webhook-signature", &signature),
            ];
            for (name, text) in texts {
                let value = HeaderValue::from_str(text)
                    .map_err(|_| Undelivered::Never(format!("{name} does not fit into a header")))?;
                headers.insert(name, value);
            }
        }
        let outgoing = Outgoing {
            method: Method::POST,
            url,
            headers,
            body: Some(body.into_bytes()),
            timeout: TIMEOUT,
            cap: None,
            lane: None,
        };
        let answer = self.outbound().send(outgoing).await.map_err(unanswered)?;
        judge(
            answer.status,
            answer.headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()),
        )
    }
}

/// Why there is no answer. The address may be a secret: it is in no failure's words.
fn unanswered(failed: Failed) -> Undelivered {
    match failed {
        Failed::Closed(closed) => Undelivered::Closed(closed.to_string()),
        failed => Undelivered::later(failed.to_string()),
    }
}

/// What an answer means. Redirects are not followed: a message goes where an admin said and nowhere else.
fn judge(status: StatusCode, retry_after: Option<&str>) -> Result<(), Undelivered> {
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("answered {}", status.as_u16());
    if status == StatusCode::GONE {
        return Err(Undelivered::Gone(reason));
    }
    let after = retry_after.and_then(|text| text.trim().parse().ok()).map(SignedDuration::from_secs);
    Err(Undelivered::Later { reason, after })
}

/// An address that messages may go to.
pub(super) fn checked_url(text: &str, out: &Outbound) -> Result<Url, String> {
    // The address is not repeated: it may be a secret.
    let url = Url::parse(text).map_err(|error| {
        format!("the address is no URL: {error}; expected one such as https://hooks.example.com/x")
    })?;
    out.check_url(&url).map_err(|why| format!("the address: {why}"))?;
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::OutboundConfig;

    #[test]
    fn messages_leave_by_https_and_only_to_the_public() {
        let closed = Outbound::new(OutboundConfig::default()).unwrap();
        for good in ["https://hooks.example.com/services/T/B/x", "https://93.184.215.14/hook?x=1"] {
            assert!(checked_url(good, &closed).is_ok(), "{good}");
        }
        for bad in [
            "http://hooks.example.com/x",
            "ftp://hooks.example.com/x",
            "https://user:pass@hooks.example.com/x",
            "http://localhost/x",
            "https://127.0.0.1/x",
            "https://10.0.0.7/x",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1/x",
            "https://[::1]/x",
            "https://[::ffff:10.0.0.1]/x",
            "https://[fd00::1]/x",
            "somewhere",
            "",
        ] {
            let why = checked_url(bad, &closed).unwrap_err();
            assert!(bad.is_empty() || !why.contains(bad), "{why}");
        }
        let open = Outbound::new(OutboundConfig::default().with_this_machine()).unwrap();
        assert!(checked_url("http://127.0.0.1:8080/inbox", &open).is_ok());
        let public = checked_url("http://hooks.example.com/x", &open);
        assert!(public.is_err(), "the public is never reached without TLS");
    }

    #[test]
    fn every_answer_but_success_and_gone_is_tried_again() {
        let status = |code| StatusCode::from_u16(code).unwrap();
        for code in [200, 201, 202, 204] {
            assert_eq!(judge(status(code), None), Ok(()));
        }
        assert_eq!(judge(status(410), None), Err(Undelivered::Gone("answered 410".to_owned())));
        for code in [301, 302, 400, 404, 429, 500, 503] {
            assert_eq!(
                judge(status(code), None),
                Err(Undelivered::later(format!("answered {code}"))),
                "{code}"
            );
        }
        let limited = Undelivered::Later {
            reason: "answered 429".to_owned(),
            after: Some(SignedDuration::from_secs(30)),
        };
        assert_eq!(judge(status(429), Some("30")), Err(limited));
    }
}
