//! Messages over HTTP.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use contactor_store::{ClaimedMessage, DestinationKind};
use http::StatusCode;
use jiff::SignedDuration;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use secrecy::ExposeSecret;
use url::{Host, Url};

use super::{Address, Content, Undelivered, body};
use crate::engine::Engine;

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
        let allow_private = self.notifications().allow_private;
        let url = checked_url(stored.expose_secret(), allow_private).map_err(Undelivered::Never)?;
        let client = if allow_private { self.http_client() } else { self.public_client() };
        let body = content.body(kind).to_string();
        let mut request =
            client.post(url).timeout(TIMEOUT).header(http::header::CONTENT_TYPE, "application/json");
        if let Some(secret) = &address.secret {
            let seconds = self.now().as_second();
            let signature = body::signature(secret, &message.id, seconds, body.as_bytes())
                .ok_or_else(|| Undelivered::Never("its signing secret is unusable".to_owned()))?;
            request = request
                .header("webhook-id", &message.id)
                .header("webhook-timestamp", seconds)
                .header("webhook-signature", signature);
        }
        // The address may be a secret: it is in no error's words.
        let answer = request.body(body).send().await;
        let answer = answer.map_err(|error| unanswered(&error.without_url()))?;
        judge(
            answer.status(),
            answer.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()),
        )
    }
}

/// Why there is no answer. The innermost cause tells: the outer ones only say that something was sent.
fn unanswered(error: &reqwest::Error) -> Undelivered {
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if innermost.is::<PrivateAddress>() {
        return Undelivered::Never(innermost.to_string());
    }
    Undelivered::later(format!("no answer: {innermost}"))
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

/// An address that messages may go to: `https` and not of this machine or a private network, unless the operator allows those.
pub(super) fn checked_url(text: &str, allow_private: bool) -> Result<Url, String> {
    // The address is not repeated: it may be a secret.
    let url = Url::parse(text).map_err(|error| {
        format!("the address is no URL: {error}; expected one such as https://hooks.example.com/x")
    })?;
    let private = match url.host() {
        None => return Err("the address names no host".to_owned()),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => is_private(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_private(IpAddr::V6(ip)),
    };
    if private && !allow_private {
        return Err(
            "the address is of this machine or of a private network; the operator can allow that with \
                    `allow-private` in the section `notifications` of the configuration"
                .to_owned(),
        );
    }
    match url.scheme() {
        "https" => {}
        "http" if private && allow_private => {}
        _ => return Err("the address has to begin with https://".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the address holds a user or a password; receivers of webhooks check the signature".to_owned()
        );
    }
    Ok(url)
}

/// Resolves names to public addresses only. A client that is built with it connects to the very addresses that were checked: a name
/// that stands for a public address at one look and for a private one at the next gets nobody in.
#[derive(Debug)]
pub(crate) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is the client's to set.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let checked: Addrs = Box::new(only_public(found)?.into_iter());
            Ok(checked)
        })
    }
}

/// A name stands for an address that messages must not go to.
#[derive(Debug, thiserror::Error)]
#[error("its host stands for an address of this machine or of a private network")]
struct PrivateAddress;

/// These addresses, when all of them are public.
fn only_public(found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, PrivateAddress> {
    if found.iter().any(|address| is_private(address.ip())) { Err(PrivateAddress) } else { Ok(found) }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                // Shared address space of carriers (RFC 6598).
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.to_ipv4_mapped().is_some_and(|ip| is_private(IpAddr::V4(ip)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_leave_by_https_and_only_to_the_public() {
        for good in ["https://hooks.example.com/services/T/B/x", "https://93.184.215.14/hook?x=1"] {
            assert!(checked_url(good, false).is_ok(), "{good}");
        }
        for bad in [
            "http://hooks.example.com/x",
            "ftp://hooks.example.com/x",
            "https://user:pass@hooks.example.com/x",
            "https://localhost/x",
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
            let why = checked_url(bad, false).unwrap_err();
            assert!(bad.is_empty() || !why.contains(bad), "{why}");
        }
        assert!(checked_url("http://127.0.0.1:8080/inbox", true).is_ok());
        assert!(
            checked_url("http://hooks.example.com/x", true).is_err(),
            "the public is never reached without TLS"
        );
    }

    /// The name is of this machine everywhere (RFC 6761), and no address in the URL says so.
    #[tokio::test]
    async fn the_addresses_that_are_checked_are_those_that_are_connected_to() {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/x", socket.local_addr().unwrap().port());
        let options = contactor_highlevel::http::Options {
            resolver: Some(std::sync::Arc::new(PublicOnly)),
            ..contactor_highlevel::http::Options::default()
        };
        let client = contactor_highlevel::http::client(&options).unwrap();
        let refused = unanswered(&client.post(url).send().await.unwrap_err());
        assert!(
            matches!(&refused, Undelivered::Never(why) if why.contains("private network")),
            "{refused:?}"
        );
    }

    #[test]
    fn one_private_address_among_public_ones_is_enough_to_refuse_a_name() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        assert!(only_public(addresses(&["93.184.215.14:0", "[2606:2800::1]:0"])).is_ok());
        assert!(only_public(addresses(&["93.184.215.14:0", "10.0.0.7:0"])).is_err());
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
