//! The provider: where it is, which keys it has, and the exchange of a code for a token.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method, header};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;
use url::form_urlencoded::{self, byte_serialize};
use zeroize::Zeroizing;

use super::config::LoginSetup;
use super::jws::{KeySet, Token, Unsigned};
use super::standard_word;
use crate::clock::Clock;
use crate::outbound::{Outbound, Outgoing};

/// How long what the provider says of itself is believed, and its keys are.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// After a look for a key that brought none, how long nobody looks again.
const FUTILE: SignedDuration = SignedDuration::from_mins(1);
/// After a look that failed, how long whoever comes is told the same at once.
const FAILED: SignedDuration = SignedDuration::from_secs(10);
/// One request to the identity provider; a person waits.
pub const LOGIN_REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of an answer.
const CAP: usize = 256 * 1024;

/// What the provider did not do. The words hold nothing of what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProviderError {
    #[error("{what} cannot be had: {why}")]
    Unreachable { what: &'static str, why: String },
    #[error("{what} cannot be used: {why}")]
    Unusable { what: &'static str, why: String },
    #[error("it refuses the code ({0})")]
    Refused(String),
    #[error("its token is not believed: {0}")]
    Token(#[from] Unsigned),
}

/// What the provider says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) authorization_endpoint: Endpoint,
    token_endpoint: Endpoint,
    jwks_uri: Endpoint,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207: its answers name it, so that one of another provider is noticed.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// An address in what the provider says of itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Endpoint(pub(super) Url);

impl TryFrom<String> for Endpoint {
    type Error = url::ParseError;

    fn try_from(text: String) -> Result<Self, url::ParseError> {
        text.parse().map(Self)
    }
}

#[derive(Default)]
struct Described {
    read: Option<(Timestamp, Arc<Metadata>)>,
    failed: Failed,
}

#[derive(Default)]
struct Keys {
    read: Option<(Timestamp, KeySet)>,
    futile: Option<Timestamp>,
    failed: Failed,
}

/// The last look, if it failed. While a provider hangs, whoever waited for one look must not wait for another of their own after it.
#[derive(Default)]
struct Failed(Option<(Timestamp, ProviderError)>);

impl Failed {
    /// The same again, as long as it holds.
    fn recall(&self, now: Timestamp) -> Result<(), ProviderError> {
        match &self.0 {
            Some((at, error)) if is_within(FAILED, *at, now) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Remembers how a look ended, by the time of its end: to fail, it may have taken longer than its failure holds.
    fn note<T>(&mut self, ended: &Result<T, ProviderError>, now: Timestamp) {
        self.0 = ended.as_ref().err().map(|error| (now, error.clone()));
    }
}

pub(super) struct Provider {
    out: Outbound,
    clock: Clock,
    described: Mutex<Described>,
    keys: Mutex<Keys>,
}

impl Provider {
    pub(super) fn new(out: Outbound, clock: Clock) -> Self {
        Self { out, clock, described: Mutex::default(), keys: Mutex::default() }
    }

    /// What the provider says of itself, read at most once an hour.
    pub(super) async fn metadata(&self, setup: &LoginSetup) -> Result<Arc<Metadata>, ProviderError> {
        // Held over the request: whoever comes meanwhile waits for its answer, and takes it whatever it is.
        let mut known = self.described.lock().await;
        let now = self.clock.now();
        if let Some((_, metadata)) = known.read.as_ref().filter(|(at, _)| is_within(FRESH, *at, now)) {
            return Ok(Arc::clone(metadata));
        }
        known.failed.recall(now)?;
        let described = self.describe(setup).await.map(Arc::new);
        let now = self.clock.now();
        known.failed.note(&described, now);
        let metadata = described?;
        known.read = Some((now, Arc::clone(&metadata)));
        Ok(metadata)
    }

    /// Asks the provider to describe itself. One that speaks for another issuer is none.
    async fn describe(&self, setup: &LoginSetup) -> Result<Metadata, ProviderError> {
        let what = "the provider's description";
        let url = format!("{}/.well-known/openid-configuration", setup.issuer.trim_end_matches('/'));
        let url = url.parse().map_err(|_| unusable(what, "its address is none"))?;
        let body = self.get(what, url).await?;
        let metadata: Metadata = serde_json::from_slice(&body)
            .map_err(|error| unusable(what, &format!("{:?}", error.classify())))?;
        if metadata.issuer != setup.issuer {
            return Err(unusable(what, "it is of another issuer than `issuer` of the configuration"));
        }
        for Endpoint(url) in [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri]
        {
            self.out.check_url(url).map_err(|why| unusable(what, &format!("an address in it: {why}")))?;
        }
        Ok(metadata)
    }

    /// Exchanges a code for an ID token, which is not verified yet.
    pub(super) async fn exchange(
        &self,
        setup: &LoginSetup,
        metadata: &Metadata,
        code: &SecretString,
        verifier: &SecretString,
    ) -> Result<SecretString, ProviderError> {
        #[derive(Deserialize)]
        struct Issued {
            id_token: SecretString,
        }
        #[derive(Deserialize)]
        struct Refused {
            error: String,
        }
        let what = "the token";
        let (headers, body) = asks(setup, metadata, code, verifier)?;
        let answer = self
            .out
            .send(Outgoing {
                method: Method::POST,
                url: metadata.token_endpoint.0.clone(),
                headers,
                body: Some(body),
                timeout: LOGIN_REQUEST_TIMEOUT,
                cap: Some(CAP),
                lane: None,
            })
            .await
            .map_err(|error| ProviderError::Unreachable { what, why: error.to_string() })?;
        if answer.status.is_success() {
            let issued: Issued =
                serde_json::from_slice(&answer.body).map_err(|_| unusable(what, "the answer holds none"))?;
            return Ok(issued.id_token);
        }
        let refused = serde_json::from_slice::<Refused>(&answer.body).map(|refused| refused.error);
        let word = standard_word(&refused.unwrap_or_default()).to_owned();
        match answer.status.as_u16() {
            400..=403 => Err(ProviderError::Refused(word)),
            status => Err(ProviderError::Unreachable { what, why: format!("status {status}") }),
        }
    }

    /// Verifies a token with the provider's keys, and answers its claims. A key that is not known may be new: then the keys are read
    /// again, once.
    pub(super) async fn verified(
        &self,
        metadata: &Metadata,
        token: &Token<'_>,
    ) -> Result<Vec<u8>, ProviderError> {
        let mut keys = self.keys.lock().await;
        let now = self.clock.now();
        let mut just_read = false;
        let known = match &keys.read {
            Some((at, set)) if is_within(FRESH, *at, now) => set.clone(),
            _ => {
                just_read = true;
                self.read_keys(metadata, &mut keys).await?
            }
        };
        let rests = keys.futile.is_some_and(|at| is_within(FUTILE, at, now));
        match token.verified(&known) {
            Err(Unsigned::UnknownKey) if !just_read && !rests => {
                let newer = self.read_keys(metadata, &mut keys).await?;
                let verified = token.verified(&newer);
                keys.futile = (verified == Err(Unsigned::UnknownKey)).then_some(now);
                Ok(verified?.to_vec())
            }
            verified => Ok(verified?.to_vec()),
        }
    }

    async fn read_keys(&self, metadata: &Metadata, keys: &mut Keys) -> Result<KeySet, ProviderError> {
        keys.failed.recall(self.clock.now())?;
        let published = self.published(metadata).await;
        let now = self.clock.now();
        keys.failed.note(&published, now);
        let set = published?;
        keys.read = Some((now, set.clone()));
        Ok(set)
    }

    async fn published(&self, metadata: &Metadata) -> Result<KeySet, ProviderError> {
        let what = "the provider's keys";
        let body = self.get(what, metadata.jwks_uri.0.clone()).await?;
        KeySet::parse(&body).ok_or_else(|| unusable(what, "they are no key set"))
    }

    async fn get(&self, what: &'static str, url: Url) -> Result<Vec<u8>, ProviderError> {
        let outgoing = Outgoing {
            method: Method::GET,
            url,
            headers: accepting(),
            body: None,
            timeout: LOGIN_REQUEST_TIMEOUT,
            cap: Some(CAP),
            lane: None,
        };
        let answer = self.out.send(outgoing).await;
        let answer = answer.map_err(|error| ProviderError::Unreachable { what, why: error.to_string() })?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        Err(ProviderError::Unreachable { what, why: format!("status {}", answer.status.as_u16()) })
    }
}

/// The request for a token: its headers and its form.
fn asks(
    setup: &LoginSetup,
    metadata: &Metadata,
    code: &SecretString,
    verifier: &SecretString,
) -> Result<(HeaderMap, Vec<u8>), ProviderError> {
    let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
    // What is not said is `client_secret_basic`.
    let basic = methods.is_none_or(|all| all.iter().any(|one| one == "client_secret_basic"));
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code.expose_secret())
        .append_pair("redirect_uri", setup.redirect_url.as_str())
        .append_pair("code_verifier", verifier.expose_secret());
    let mut headers = accepting();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    match &setup.client_secret {
        Some(secret) if basic => {
            headers.insert(header::AUTHORIZATION, basic_header(&setup.client_id, secret)?);
        }
        Some(secret) => {
            form.append_pair("client_id", &setup.client_id)
                .append_pair("client_secret", secret.expose_secret());
        }
        None => {
            form.append_pair("client_id", &setup.client_id);
        }
    }
    Ok((headers, form.finish().into_bytes()))
}

/// Whether something of then still holds. Time that went back makes nothing fresh.
fn is_within(span: SignedDuration, at: Timestamp, now: Timestamp) -> bool {
    now >= at && now.duration_since(at) < span
}

fn unusable(what: &'static str, why: &str) -> ProviderError {
    ProviderError::Unusable { what, why: why.to_owned() }
}

fn accepting() -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))])
}

/// RFC 6749, 2.3.1: both halves are form-encoded before they are joined.
fn basic_header(id: &str, secret: &SecretString) -> Result<HeaderValue, ProviderError> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair =
        Zeroizing::new(format!("{}:{}", encoded(id), *Zeroizing::new(encoded(secret.expose_secret()))));
    let value = Zeroizing::new(format!("Basic {}", *Zeroizing::new(STANDARD.encode(pair.as_bytes()))));
    let mut value =
        HeaderValue::from_str(&value).map_err(|_| unusable("the client's secret", "it fits no header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use axum::Router;
    use axum::extract::State;
    use axum::http::{StatusCode, Uri};
    use futures_util::future::join_all;
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::super::jws::Algorithm;
    use super::*;
    use crate::outbound::OutboundConfig;

    /// A provider that needs all the time that a request may take, and fails unless it is told not to.
    struct Double {
        clock: Clock,
        asked: AtomicUsize,
        works: AtomicBool,
    }

    async fn answer(State(double): State<Arc<Double>>, headers: HeaderMap, uri: Uri) -> (StatusCode, String) {
        double.asked.fetch_add(1, Ordering::SeqCst);
        double.clock.advance(SignedDuration::try_from(LOGIN_REQUEST_TIMEOUT).unwrap());
        if !double.works.load(Ordering::SeqCst) {
            return (StatusCode::SERVICE_UNAVAILABLE, String::new());
        }
        let issuer = format!("http://{}", headers[header::HOST].to_str().unwrap());
        let told = match uri.path() {
            "/keys" => json!({ "keys": [] }),
            _ => json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/keys"),
            }),
        };
        (StatusCode::OK, told.to_string())
    }

    struct World {
        double: Arc<Double>,
        provider: Provider,
        setup: LoginSetup,
    }

    impl World {
        async fn set() -> Self {
            let clock = Clock::manual(Timestamp::from_second(1_795_248_000).unwrap());
            let double = Arc::new(Double {
                clock: clock.clone(),
                asked: AtomicUsize::default(),
                works: AtomicBool::default(),
            });
            let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let setup = LoginSetup::by(&format!("http://{}", socket.local_addr().unwrap()));
            let router = Router::new().fallback(answer).with_state(Arc::clone(&double));
            tokio::spawn(async move { axum::serve(socket, router).await });
            let out = Outbound::new(OutboundConfig::default().with_this_machine()).unwrap();
            Self { double, provider: Provider::new(out, clock), setup }
        }

        fn works(&self, does: bool) {
            self.double.works.store(does, Ordering::SeqCst);
        }

        fn asked(&self) -> usize {
            self.double.asked.load(Ordering::SeqCst)
        }

        fn pass(&self, millis: i64) {
            self.double.clock.advance(SignedDuration::from_millis(millis));
        }
    }

    #[tokio::test]
    async fn while_its_description_cannot_be_had_nobody_asks_for_it_again_within_ten_seconds() {
        let world = World::set().await;
        let look = || world.provider.metadata(&world.setup);
        let refused: Vec<ProviderError> =
            join_all((0..5).map(|_| look())).await.into_iter().map(Result::unwrap_err).collect();
        assert!(matches!(refused[0], ProviderError::Unreachable { .. }), "{:?}", refused[0]);
        assert!(refused.iter().all(|error| *error == refused[0]), "{refused:?}");
        assert_eq!(world.asked(), 1, "whoever waited for the answer asks nobody");
        world.pass(9_999);
        assert_eq!(look().await.unwrap_err(), refused[0]);
        assert_eq!(world.asked(), 1);

        world.works(true);
        world.pass(1);
        assert!(look().await.is_ok() && look().await.is_ok());
        assert_eq!(world.asked(), 2);
        world.works(false);
        world.pass(59 * 60 * 1_000);
        assert!(look().await.is_ok(), "what is known is believed for an hour");
        assert_eq!(world.asked(), 2);
    }

    #[tokio::test]
    async fn while_its_keys_cannot_be_had_nobody_asks_for_them_again_within_ten_seconds() {
        let world = World::set().await;
        world.works(true);
        let metadata = world.provider.metadata(&world.setup).await.unwrap();
        // `{"alg":"EdDSA"}`, no claims, and a signature that no key has made.
        let token = Token::parse("eyJhbGciOiJFZERTQSJ9.e30.AA", &Algorithm::ALL).unwrap();
        let verify = || world.provider.verified(&metadata, &token);
        world.works(false);
        let before = world.asked();
        let refused = verify().await.unwrap_err();
        assert!(matches!(refused, ProviderError::Unreachable { .. }), "{refused:?}");
        assert_eq!((verify().await.unwrap_err(), world.asked()), (refused, before + 1));
        world.works(true);
        world.pass(10_000);
        assert_eq!(verify().await.unwrap_err(), ProviderError::Token(Unsigned::UnknownKey));
        assert_eq!(world.asked(), before + 2);
    }
}
