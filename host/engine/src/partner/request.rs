//! What a connector may put into a request. It cannot name a host, leave the base path, or smuggle a header.

use contactor_manifest::{check_path, is_host_header};
use contactor_runtime::bindings::partner::Request;
use contactor_runtime::bindings::types::{Error, FieldProblem};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::error::EngineError;
use crate::outbound::Outbound;

/// Largest body, path, and number of pairs; the interface documents the first.
const BODY_CAP: usize = 1024 * 1024;
const PATH_CAP: usize = 2_048;
const PAIR_CAP: usize = 64;
const VALUE_CAP: usize = 8_192;

/// Parses a connection's base URL: `https`, or `http` to this machine only; no credentials, query or fragment. Where it may lead is the
/// way out's to say.
///
/// # Errors
/// [`EngineError::Invalid`], which does not repeat the text.
pub fn base_url(text: &str, out: &Outbound) -> Result<Url, EngineError> {
    // The address is not repeated: what was pasted by mistake may hold a credential.
    let invalid = |why: &str| EngineError::Invalid(format!("base URL: {why}"));
    let mut url = Url::parse(text)
        .map_err(|error| invalid(&format!("{error}; expected one such as https://api.example.com/v2")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it holds a credential; store it with the connection instead"));
    }
    out.check_url(&url).map_err(|why| invalid(&why))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("expected no query and no fragment"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Whether a request is no larger than one may be. This comes before anything else is done with it.
pub(crate) fn check_size(request: &Request) -> Result<(), Error> {
    if request.path.len() > PATH_CAP {
        return Err(invalid("path", format!("at most {PATH_CAP} bytes, these are {}", request.path.len())));
    }
    for (what, pairs) in [("query", &request.query), ("headers", &request.headers)] {
        if pairs.len() > PAIR_CAP {
            return Err(invalid(what, format!("at most {PAIR_CAP}, these are {}", pairs.len())));
        }
        if let Some(pair) = pairs.iter().find(|pair| pair.name.len() + pair.value.len() > VALUE_CAP) {
            return Err(invalid(what, format!("`{}` has more than {VALUE_CAP} bytes", short(&pair.name))));
        }
    }
    match &request.body {
        Some(body) if body.len() > BODY_CAP => {
            Err(invalid("body", format!("at most {BODY_CAP} bytes, these are {}", body.len())))
        }
        _ => Ok(()),
    }
}

/// The URL of a request, still without a credential.
///
/// # Errors
/// [`Error::Invalid`] when the request is too large, or its path is not one below the base URL.
pub fn url(base: &Url, request: &Request) -> Result<Url, Error> {
    check_size(request)?;
    let mut url = below(base, &request.path)?;
    if !request.query.is_empty() {
        let mut pairs = url.query_pairs_mut();
        for pair in &request.query {
            pairs.append_pair(&pair.name, &pair.value);
        }
    }
    Ok(url)
}

/// The address of a path below the base URL: a connector's, or that of the login in its manifest.
pub(super) fn below(base: &Url, path: &str) -> Result<Url, Error> {
    check_path(path).map_err(|why| invalid("path", why))?;
    let root = base.path().trim_end_matches('/');
    let mut url = base.clone();
    url.set_path(&format!("{root}{path}"));
    // What came out must still lie below the base: belt and braces against a parser's surprises.
    let is_below = url.origin() == base.origin() && url.path().starts_with(root);
    if is_below { Ok(url) } else { Err(invalid("path", "it leaves the base URL".to_owned())) }
}

/// The headers of a request, still without a credential.
///
/// # Errors
/// [`Error::Invalid`] for a header that is the host's to set, or that is none.
pub fn headers(request: &Request) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for pair in &request.headers {
        let name: HeaderName = pair
            .name
            .parse()
            .map_err(|_| invalid("headers", format!("`{}` is no header name", short(&pair.name))))?;
        if is_host_header(name.as_str()) {
            return Err(invalid("headers", format!("`{name}` is set by the host")));
        }
        let value = HeaderValue::from_str(&pair.value)
            .map_err(|_| invalid("headers", format!("`{name}` holds a control character")))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// Answer headers that a connector has no business with.
pub(super) fn is_private_header(name: &str) -> bool {
    matches!(name, "set-cookie" | "set-cookie2" | "authorization" | "www-authenticate" | "proxy-authenticate")
}

pub(super) fn invalid(field: &str, problem: String) -> Error {
    Error::Invalid(vec![FieldProblem { field: field.to_owned(), problem }])
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::partner::{Method, Pair};

    use super::*;
    use crate::outbound::OutboundConfig;

    fn base_url(text: &str) -> Result<Url, EngineError> {
        super::base_url(text, &Outbound::new(OutboundConfig::default().with_this_machine()).unwrap())
    }

    fn request(path: &str) -> Request {
        Request { method: Method::Get, path: path.to_owned(), query: vec![], headers: vec![], body: None }
    }

    #[test]
    fn a_request_stays_below_its_base_url() {
        let base = base_url("https://api.example.com/v2/").unwrap();
        assert_eq!(
            url(&base, &request("/betas/1.json")).unwrap().as_str(),
            "https://api.example.com/v2/betas/1.json"
        );
        for hostile in [
            "",
            "betas",
            "//evil.example.com/x",
            "/../../admin",
            "/a/%2e%2e/b",
            "/a/..%2fb",
            "/a%5c..%5cb",
            "/x\r\nHost: evil",
            "/x?y=z",
            "/x#y",
            "https://evil.example.com/",
            "/a b",
            "/a//b",
            "/%00",
            "/a/..;/b",
            "/a/..;x=y/b",
            "/a/%2E.%3B/b",
            "/a%0d%0aHost:%20evil",
        ] {
            assert!(url(&base, &request(hostile)).is_err(), "{hostile:?} was let through");
        }
    }

    #[test]
    fn query_values_are_encoded_by_the_host() {
        let base = base_url("https://api.example.com/v2").unwrap();
        let mut request = request("/testers");
        request.query = vec![Pair { name: "email_is".into(), value: "a+b@x.com&y=1#".into() }];
        assert_eq!(
            url(&base, &request).unwrap().as_str(),
            "https://api.example.com/v2/testers?email_is=a%2Bb%40x.com%26y%3D1%23"
        );
    }

    #[test]
    fn the_hosts_own_headers_and_line_breaks_are_refused() {
        for (name, value) in [
            ("Authorization", "x"),
            ("HOST", "evil"),
            ("X-Forwarded-Prefix", "/admin"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("X-Rewrite-Url", "/admin"),
            ("Accept-Encoding", "gzip"),
            ("Range", "bytes=0-9"),
            ("X-Ok", "a\r\nb: c"),
            ("bad name", "x"),
        ] {
            let mut request = request("/x");
            request.headers = vec![Pair { name: name.into(), value: value.into() }];
            assert!(headers(&request).is_err(), "{name}");
        }
    }

    #[test]
    fn a_refused_base_url_is_not_repeated_because_it_may_hold_a_secret() {
        for text in [
            "https://user:fake-secret@api.example.com",
            "https://api.example.com/?key=fake-secret",
            "fake-secret",
        ] {
            let message = base_url(text).unwrap_err().to_string();
            assert!(!message.contains("fake-secret"), "{message}");
        }
    }

    #[test]
    fn a_base_url_is_https_unless_it_is_this_machine_and_holds_no_secret() {
        assert!(base_url("https://api.example.com/v2").is_ok());
        assert!(base_url("http://127.0.0.1:8080").is_ok() && base_url("http://localhost:8080").is_ok());
        for bad in
            ["http://api.example.com", "ftp://x", "https://user:pw@example.com", "https://x/?a=b", "nonsense"]
        {
            assert!(base_url(bad).is_err(), "{bad}");
        }
        // Unless an operator opens it, this machine is nobody's partner.
        let closed = Outbound::new(OutboundConfig::default()).unwrap();
        for bad in
            ["http://127.0.0.1:8080", "https://127.0.0.1:8080", "http://localhost:8080", "https://10.0.0.7"]
        {
            let why = super::base_url(bad, &closed).unwrap_err().to_string();
            assert!(why.contains("`outbound`"), "{bad}: {why}");
        }
        let error = base_url("https://user:fake-password@example.com").unwrap_err().to_string();
        assert!(error.contains("credential") && !error.contains("fake-password"), "{error}");
    }
}
