//! Requests with a session's cookie, which a browser sends by itself: so that no other site makes it send them.
//!
//! A change needs three things that only a page of this host has together: the cookie, the origin that the browser states, and the token
//! that the host told to that page. Whoever looks needs the cookie, and must not have been sent here by another site. All this is for
//! cookies alone: a bearer token is sent by nobody unasked.

use contactor_engine::SessionCaller;
use http::{HeaderMap, Method, header};
use subtle::ConstantTimeEq as _;

/// The header with the token that the host tells to its own pages.
pub(crate) const CSRF: &str = "x-csrf-token";
const SITE: &str = "sec-fetch-site";

/// Why a request with a good cookie is refused. `origin` is this host's own.
pub(super) fn foreign(
    method: &Method,
    headers: &HeaderMap,
    origin: &str,
    known: &SessionCaller,
) -> Option<&'static str> {
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // `none` is a person who typed the address.
    if said(SITE).is_some_and(|site| !["same-origin", "none"].contains(&site)) {
        return Some("another site sent the browser here");
    }
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    let from_here = match said(header::ORIGIN.as_str()) {
        Some(stated) => stated == origin,
        None => said(SITE) == Some("same-origin"),
    };
    if !from_here {
        return Some("the request does not come from a page of this host");
    }
    let shown = said(CSRF).unwrap_or_default();
    if bool::from(shown.as_bytes().ct_eq(known.csrf_token.as_bytes())) {
        return None;
    }
    Some(
        "the request lacks the token of its page: `GET /api/v1/session` tells it, and `X-CSRF-Token` shows it",
    )
}

#[cfg(test)]
mod tests {
    use contactor_engine::{Caller, SessionCaller};
    use contactor_store::{SecretHash, Session, SessionId, UserId};
    use http::{HeaderName, HeaderValue};
    use jiff::Timestamp;

    use super::*;

    const HERE: &str = "https://contactor.example.com";

    fn known() -> SessionCaller {
        let at = Timestamp::UNIX_EPOCH;
        SessionCaller {
            caller: Caller::root(),
            session: Session {
                id: SessionId::new("00"),
                user: UserId::new("ann"),
                hash: SecretHash([0; 32]),
                created_at: at,
                used_at: at,
                expires_at: at,
            },
            csrf_token: "good".to_owned(),
            idle_until: at,
        }
    }

    fn passes(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        foreign(method, &headers.iter().map(header).collect(), HERE, &known()).is_none()
    }

    #[test]
    fn a_change_comes_from_a_page_of_this_host_with_the_token_that_it_was_told() {
        const CHANGES: [Method; 4] = [Method::POST, Method::PUT, Method::DELETE, Method::PATCH];
        for method in &CHANGES {
            assert!(passes(method, &[("origin", HERE), (CSRF, "good")]));
            assert!(passes(method, &[("origin", HERE), (SITE, "same-origin"), (CSRF, "good")]));
            assert!(passes(method, &[(SITE, "same-origin"), (CSRF, "good")]));
            for headers in [
                &[][..],
                &[(CSRF, "good")],
                &[("origin", HERE)],
                &[("origin", HERE), (CSRF, "")],
                &[("origin", HERE), (CSRF, "goo")],
                &[("origin", HERE), (CSRF, "gooD")],
                &[("origin", "https://evil.example"), (CSRF, "good")],
                &[("origin", "https://contactor.example.com.evil.example"), (CSRF, "good")],
                &[("origin", "http://contactor.example.com"), (CSRF, "good")],
                &[("origin", "https://contactor.example.com:444"), (CSRF, "good")],
                &[("origin", "null"), (CSRF, "good")],
                &[("origin", "null"), (SITE, "same-origin"), (CSRF, "good")],
                &[("origin", HERE), (SITE, "cross-site"), (CSRF, "good")],
                &[("origin", HERE), (SITE, "same-site"), (CSRF, "good")],
                &[(SITE, "none"), (CSRF, "good")],
            ] {
                assert!(!passes(method, headers), "{method} {headers:?}");
            }
        }
    }

    #[test]
    fn whoever_looks_was_not_sent_by_another_site() {
        for method in [Method::GET, Method::HEAD] {
            assert!(passes(&method, &[]) && passes(&method, &[(SITE, "same-origin")]));
            assert!(passes(&method, &[(SITE, "none")]));
            assert!(!passes(&method, &[(SITE, "cross-site")]) && !passes(&method, &[(SITE, "same-site")]));
        }
    }
}
