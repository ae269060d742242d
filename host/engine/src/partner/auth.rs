//! Adds the credential on the way out, by the scheme that the manifest declares.

use std::collections::BTreeMap;

use contactor_manifest::{Login, LoginBody, Placement, Scheme, Template};
use contactor_runtime::bindings::partner::{Method, Response};
use contactor_runtime::bindings::types::Error;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};
use url::Url;
use zeroize::Zeroizing;

use super::answer::{Unsent, response};
use super::request::{below, invalid};
use super::{PartnerApi, Secrets};

const FORM: &str = "application/x-www-form-urlencoded";

/// The token of a login session, fetched once for all requests of the connection.
#[derive(Default)]
pub(super) struct Session {
    current: Mutex<Option<(SecretString, Instant)>>,
}

impl Session {
    pub(super) async fn forget(&self) {
        *self.current.lock().await = None;
    }
}

/// Where a credential can go.
pub(super) struct Place<'r> {
    pub(super) method: Method,
    pub(super) url: &'r mut Url,
    pub(super) headers: &'r mut HeaderMap,
    pub(super) body: &'r mut Option<Vec<u8>>,
}

impl PartnerApi {
    /// Adds the credential; tells whether it was a login session's token.
    pub(super) async fn authenticate(&self, place: Place<'_>) -> Result<bool, Unsent> {
        let Place { method, url, headers, body } = place;
        match &self.auth.scheme {
            Scheme::Basic { user, password } => {
                use base64::Engine as _;
                let pair = joined(&[&self.render(user)?, ":", &self.render(password)?]);
                let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(&*pair));
                set(headers, "authorization", &joined(&["Basic ", &encoded]))?;
            }
            Scheme::Bearer { token } => {
                set(headers, "authorization", &joined(&["Bearer ", &self.render(token)?]))?;
            }
            Scheme::HeaderPair { headers: pairs } => {
                for (name, value) in pairs {
                    set(headers, name, &self.render(value)?)?;
                }
            }
            Scheme::PrefixedHeader { header, value } => set(headers, header, &self.render(value)?)?,
            Scheme::Query { parameter, value } => {
                append(url, parameter, &self.render(value)?)?;
            }
            Scheme::Login { login } => {
                let token = self.login_token(login).await?;
                let token = token.expose_secret();
                match &login.placement {
                    Placement::Bearer => set(headers, "authorization", &joined(&["Bearer ", token]))?,
                    Placement::Header(name) => set(headers, name, token)?,
                    Placement::QueryOrForm(name) if method == Method::Post => {
                        append_to_form(headers, body, name, token)?;
                    }
                    Placement::Query(name) | Placement::QueryOrForm(name) => append(url, name, token)?,
                }
                return Ok(true);
            }
            Scheme::OAuth2 { .. } => {
                return Err(Error::Unauthorized(
                    "OAuth 2.0 at partners is not available in this version".into(),
                )
                .into());
            }
        }
        Ok(false)
    }

    async fn login_token(&self, login: &Login) -> Result<SecretString, Unsent> {
        // The lock is held over the request: all who wait use the one token that it brings.
        let mut session = self.session.current.lock().await;
        if let Some((token, until)) = &*session
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let url = below(&self.base, &login.path)?;
        let mut fields = BTreeMap::new();
        for (name, value) in &login.fields {
            fields.insert(name.as_str(), self.render(value)?);
        }
        let (kind, body) = match login.body {
            LoginBody::Json => {
                let fields: BTreeMap<_, _> =
                    fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                ("application/json", json!(fields).to_string())
            }
            LoginBody::Form => {
                let pairs = fields.iter().map(|(name, value)| (name, value.as_str()));
                let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                (FORM, form)
            }
        };
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let answer = self.pass(http::Method::POST, url, headers, Some(body.into_bytes())).await?;
        let token = token_of(login, &response(answer, false)?)?;
        self.credential.note(&token);
        let until = Instant::now() + Duration::from_secs(u64::from(login.lifetime_seconds));
        *session = Some((token.clone(), until));
        Ok(token)
    }

    fn render(&self, template: &Template) -> Result<Zeroizing<String>, Error> {
        render(template, &self.secrets)
    }
}

/// The token in the answer to a login.
///
/// # Errors
/// What the partner refused, or [`Error::Unauthorized`] when the answer holds no token that can be sent.
pub fn token_of(login: &Login, answer: &Response) -> Result<SecretString, Error> {
    match answer.status {
        200..=299 => {}
        400..=403 => {
            return Err(Error::Unauthorized(format!("the login was refused with {}", answer.status)));
        }
        429 => return Err(Error::Limited(None)),
        status => return Err(Error::Unavailable(format!("the login answered {status}"))),
    }
    let json = serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap_or_default();
    match json.pointer(&login.token).and_then(serde_json::Value::as_str) {
        Some(token) => Ok(SecretString::from(token)),
        None => Err(Error::Unauthorized(format!("the login's answer has no text at {}", login.token))),
    }
}

pub(super) fn render(template: &Template, secrets: &Secrets) -> Result<Zeroizing<String>, Error> {
    template
        .render(|name| secrets.get(name).map(ExposeSecret::expose_secret))
        .map(Zeroizing::new)
        .map_err(|error| Error::Unauthorized(error.to_string()))
}

/// One text of several, of its full size at once: one that grows leaves copies of itself behind.
pub(super) fn joined(parts: &[&str]) -> Zeroizing<String> {
    Zeroizing::new(parts.concat())
}

/// Adds the credential's parameter. A connector's own of that name is refused: the partner might read that one instead.
fn append(url: &mut Url, name: &str, value: &str) -> Result<(), Error> {
    if url.query_pairs().any(|(present, _)| present.eq_ignore_ascii_case(name)) {
        return Err(invalid("query", format!("`{name}` is set by the host")));
    }
    url.query_pairs_mut().append_pair(name, value);
    Ok(())
}

/// Adds the credential's field to a form body, or makes one of it.
fn append_to_form(
    headers: &mut HeaderMap,
    body: &mut Option<Vec<u8>>,
    name: &str,
    value: &str,
) -> Result<(), Error> {
    let form = String::from_utf8(body.take().unwrap_or_default())
        .map_err(|_| invalid("body", "the credential goes into a form, and this is none".to_owned()))?;
    let is_form =
        headers.get("content-type").is_none_or(|kind| kind.to_str().is_ok_and(|kind| kind.starts_with(FORM)));
    if !is_form {
        return Err(invalid("body", format!("the credential goes into the body, which has to be {FORM}")));
    }
    if url::form_urlencoded::parse(form.as_bytes()).any(|(present, _)| present.eq_ignore_ascii_case(name)) {
        return Err(invalid("body", format!("`{name}` is set by the host")));
    }
    let pair = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    *body = Some(if form.is_empty() { pair } else { format!("{form}&{pair}") }.into_bytes());
    set(headers, "content-type", FORM)
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Error> {
    let refuse = || Error::Unauthorized(format!("the credential does not fit into the header {name}"));
    let name: HeaderName = name.parse().map_err(|_| refuse())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| refuse())?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use contactor_runtime::bindings::partner::{Pair, Request};
    use jiff::Timestamp;

    use super::*;
    use crate::partner::redact::Redactor;
    use crate::partner::testing::{SECRET, api_by, get, serve, template};

    fn api_by_login(url: &str, placement: Placement) -> PartnerApi {
        let login = Login {
            path: "/login".to_owned(),
            body: LoginBody::Json,
            fields: BTreeMap::from([("key".to_owned(), template("{token}"))]),
            token: "/token".to_owned(),
            lifetime_seconds: 60,
            expired: vec![400, 401],
            placement,
        };
        api_by(Scheme::Login { login }, SECRET, url, 4_096)
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
    async fn a_refused_token_is_fetched_anew_once_and_the_second_answer_stands() {
        use axum::extract::State;
        use axum::routing::{get as on_get, post};
        use std::sync::atomic::{AtomicU64, Ordering};
        // The number of the login is the token; the first two are refused.
        let logins = Arc::new(AtomicU64::new(0));
        let login = |State(logins): State<Arc<AtomicU64>>| async move {
            format!(r#"{{"token":"token-{}"}}"#, logins.fetch_add(1, Ordering::SeqCst) + 1)
        };
        let read = |headers: HeaderMap| async move {
            match headers["authorization"].to_str().unwrap() {
                "Bearer token-1" => (http::StatusCode::BAD_REQUEST, "no such token"),
                "Bearer token-2" => (http::StatusCode::UNAUTHORIZED, "too old"),
                _ => (http::StatusCode::OK, "hello"),
            }
        };
        let router = axum::Router::new().route("/login", post(login)).route("/read", on_get(read));
        let url = serve(router.with_state(Arc::clone(&logins))).await;
        let api = api_by_login(&url, Placement::Bearer);
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
        let api = api_by_login(&url, Placement::QueryOrForm("JWT".to_owned()));
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
            .route("/echo", on_get(async |headers: HeaderMap| headers["authorization"].as_bytes().to_vec()));
        let url = serve(router).await;
        let api = api_by_login(&url, Placement::Bearer);
        let (call, result) = api.send(get("/echo", &[]), &Redactor::default(), Timestamp::UNIX_EPOCH).await;
        assert_eq!(result.unwrap().body, b"Bearer [redacted]");
        assert_eq!(call.response.as_deref(), Some("Bearer [redacted]"));
    }
}
