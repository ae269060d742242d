//! An identity provider that speaks OpenID Connect, and whoever sits before its login page.
//!
//! | path | does |
//! |---|---|
//! | `GET /identity/.well-known/openid-configuration` | describes itself |
//! | `GET /identity/keys` | publishes its keys |
//! | `GET /identity/authorize` | logs the present person in at once, and sends the browser back |
//! | `POST /identity/token` | exchanges a code for tokens, once |
//!
//! It is as strict as the standards let it be: the redirect address and the client's secret have to be the registered ones to the
//! letter, PKCE is demanded, and a code that is shown a second time is refused. What an attacker or a provider out of order would do,
//! it does when it is told to: see [`Forgery`] and [`IdentityProvider::claims_are`].
//!
//! Core: <https://openid.net/specs/openid-connect-core-1_0.html>; PKCE: RFC 7636; the `iss` of the answer: RFC 9207.

mod keys;

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use self::keys::{Keys, encode};
use crate::SandboxConfig;
use crate::clock::Clock;
use crate::http::{Call, Reply, Vendor, parse_query, percent_decode};
use crate::random::Random;
use crate::recorder::lock;

/// Seconds for which a code counts, and a token.
const CODE_SECONDS: i64 = 60;
const TOKEN_SECONDS: i64 = 300;

/// How the provider is set up.
#[derive(Clone, Debug, Default)]
pub struct IdentityConfig {
    /// The secret of the one client; made from the seed unless given.
    pub client_secret: Option<String>,
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    #[default]
    Rs256,
    /// ECDSA over P-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A token that nobody should believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// `alg: none`, and no signature.
    None,
    /// `alg: HS256`, with the published key as the secret.
    PublicKeyAsSecret,
    /// Signed with a key that is not the one it names.
    OtherKey,
    /// Names a key that nobody publishes.
    UnknownKey,
}

/// Who sits before the login page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who it is, for good.
    pub subject: String,
    /// The address.
    pub email: Option<String>,
    /// The provider has seen that mail to it arrives.
    pub email_verified: bool,
    /// What the claim `groups` says.
    pub groups: Vec<String>,
}

impl Person {
    /// Somebody with a verified address.
    pub fn new(subject: &str, email: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            email: Some(email.to_owned()),
            email_verified: true,
            groups: Vec::new(),
        }
    }
}

/// Changes a token's claims.
type Twist = Box<dyn Fn(&mut Value) + Send>;

struct State {
    person: Option<Person>,
    algorithm: Algorithm,
    forgery: Option<Forgery>,
    twist: Option<Twist>,
    redirect: Option<String>,
    names_itself: bool,
    /// The newest last. All are published.
    keys: Vec<Keys>,
    codes: BTreeMap<String, Code>,
    random: Random,
}

struct Code {
    person: Person,
    redirect: String,
    nonce: Option<String>,
    challenge: String,
    until: i64,
}

/// The provider.
pub struct IdentityProvider {
    clock: Clock,
    seed: u64,
    base: Mutex<String>,
    client_secret: String,
    state: Mutex<State>,
}

impl IdentityProvider {
    pub(crate) fn new(config: &SandboxConfig, clock: Clock) -> Self {
        let seed = config.seed;
        let mut random = Random::new(seed, "identity");
        let made = format!("fake-{}", random.id(32));
        let client_secret = config.identity.client_secret.clone().unwrap_or(made);
        let state = State {
            person: None,
            algorithm: Algorithm::default(),
            forgery: None,
            twist: None,
            redirect: None,
            names_itself: true,
            keys: Vec::new(),
            codes: BTreeMap::new(),
            random,
        };
        Self { clock, seed, base: Mutex::default(), client_secret, state: Mutex::new(state) }
    }

    /// Where it answers, by which it calls itself. It learns that when the sandbox has its address, and is told anew by whoever puts
    /// something before it.
    pub fn answers_at(&self, base: String) {
        *lock(&self.base) = base;
    }

    pub(crate) fn reset(&self) {
        let mut state = lock(&self.state);
        (state.person, state.forgery, state.twist) = (None, None, None);
        state.codes.clear();
    }

    /// Its name and address.
    pub fn issuer(&self) -> String {
        lock(&self.base).clone()
    }

    /// The name of the one client.
    #[expect(clippy::unused_self, reason = "asked of the double like its secret")]
    pub fn client_id(&self) -> &'static str {
        "contactor"
    }

    /// The secret of the one client. It protects nothing.
    pub fn client_secret(&self) -> &str {
        &self.client_secret
    }

    /// Registers the address to which browsers are sent back.
    pub fn redirects_to(&self, address: &str) {
        lock(&self.state).redirect = Some(address.to_owned());
    }

    /// Seats somebody before the login page; with nobody there, logins are declined.
    pub fn present(&self, person: Option<Person>) {
        lock(&self.state).person = person;
    }

    /// Signs the following tokens so.
    pub fn signs_with(&self, algorithm: Algorithm) {
        lock(&self.state).algorithm = algorithm;
    }

    /// Makes the following tokens forgeries, or real ones again.
    pub fn forges(&self, forgery: Option<Forgery>) {
        lock(&self.state).forgery = forgery;
    }

    /// Changes the claims of the following tokens before they are signed.
    pub fn claims_are(&self, twist: impl Fn(&mut Value) + Send + 'static) {
        lock(&self.state).twist = Some(Box::new(twist));
    }

    /// Leaves the claims of the following tokens as they are.
    pub fn claims_are_true(&self) {
        lock(&self.state).twist = None;
    }

    /// Whether its answers say that they are its own (RFC 9207).
    pub fn names_itself(&self, does: bool) {
        lock(&self.state).names_itself = does;
    }

    /// Signs with new keys from now on, and publishes only them.
    pub fn rotate(&self) {
        let mut state = lock(&self.state);
        let generation = state.keys.last().map_or(0, Keys::generation) + 1;
        state.keys.clear();
        state.keys.extend(Keys::new(self.seed, generation));
    }

    fn with_keys<T>(&self, act: impl FnOnce(&Keys) -> Option<T>) -> Option<T> {
        let mut state = lock(&self.state);
        if state.keys.is_empty() {
            state.keys.extend(Keys::new(self.seed, 1));
        }
        act(state.keys.last()?)
    }

    fn describe(&self) -> Reply {
        let issuer = self.issuer();
        let names_itself = lock(&self.state).names_itself;
        Reply::json(
            200,
            &json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/keys"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "authorization_response_iss_parameter_supported": names_itself,
            }),
        )
    }

    fn publish(&self) -> Reply {
        match self.with_keys(|keys| Some(keys.published())) {
            Some(keys) => Reply::json(200, &json!({ "keys": keys })),
            None => error(500, "server_error"),
        }
    }

    fn authorize(&self, call: &Call) -> Reply {
        let mut state = lock(&self.state);
        // Nobody is sent to an address that is not registered, not even with an error.
        let redirect = call.query("redirect_uri").unwrap_or_default().to_owned();
        let known =
            state.redirect.as_ref() == Some(&redirect) && call.query("client_id") == Some(self.client_id());
        let Some(mut back) = redirect.parse::<Url>().ok().filter(|_| known) else {
            return Reply::html(400, "this client or its address is not registered".to_owned());
        };
        let asked = call.query("scope").unwrap_or_default();
        let proper = call.query("response_type") == Some("code")
            && asked.split(' ').any(|scope| scope == "openid")
            && call.query("code_challenge_method") == Some("S256")
            && call.query("code_challenge").is_some_and(|challenge| challenge.len() == 43);
        let answer = if !proper {
            ("error", "invalid_request".to_owned())
        } else if let Some(person) = state.person.clone() {
            let code = state.random.id(40);
            let known = Code {
                person,
                redirect,
                nonce: call.query("nonce").map(str::to_owned),
                challenge: call.query("code_challenge").unwrap_or_default().to_owned(),
                until: self.clock.millis() / 1_000 + CODE_SECONDS,
            };
            state.codes.insert(code.clone(), known);
            ("code", code)
        } else {
            ("error", "access_denied".to_owned())
        };
        back.query_pairs_mut().append_pair(answer.0, &answer.1);
        if let Some(own) = call.query("state") {
            back.query_pairs_mut().append_pair("state", own);
        }
        if state.names_itself {
            back.query_pairs_mut().append_pair("iss", &lock(&self.base));
        }
        Reply::html(302, String::new()).with("location", &back)
    }

    fn exchange(&self, call: &Call) -> Reply {
        if !self.is_client(call) {
            return error(401, "invalid_client");
        }
        let form: BTreeMap<String, String> =
            parse_query(&String::from_utf8_lossy(&call.body)).into_iter().collect();
        let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if given("grant_type") != "authorization_code" {
            return error(400, "unsupported_grant_type");
        }
        let now = self.clock.millis() / 1_000;
        // Taken, whatever comes of it: a code is shown once.
        let Some(code) = lock(&self.state).codes.remove(given("code")).filter(|code| now < code.until) else {
            return error(400, "invalid_grant");
        };
        let challenge = encode(Sha256::digest(given("code_verifier")));
        if code.redirect != given("redirect_uri") || code.challenge != challenge {
            return error(400, "invalid_grant");
        }
        let mut claims = json!({
            "iss": self.issuer(), "aud": self.client_id(), "sub": code.person.subject, "iat": now,
            "exp": now + TOKEN_SECONDS, "nonce": code.nonce, "email": code.person.email,
            "email_verified": code.person.email_verified, "groups": code.person.groups,
        });
        let (algorithm, forgery) = {
            let state = lock(&self.state);
            if let Some(twist) = &state.twist {
                twist(&mut claims);
            }
            (state.algorithm, state.forgery)
        };
        let token = self.with_keys(|keys| keys.sign(algorithm, &claims, forgery));
        let access = lock(&self.state).random.id(40);
        match token {
            None => error(500, "server_error"),
            Some(token) => Reply::json(
                200,
                &json!({
                    "access_token": access, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "id_token": token,
                }),
            ),
        }
    }

    /// RFC 6749, 2.3.1: both halves are form-encoded.
    fn is_client(&self, call: &Call) -> bool {
        let shown = || {
            let encoded = call.header("authorization")?.strip_prefix("Basic ")?;
            let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
            let (id, secret) = pair.split_once(':')?;
            Some((percent_decode(id, true), percent_decode(secret, true)))
        };
        shown().is_some_and(|(id, secret)| id == self.client_id() && secret == self.client_secret)
    }
}

fn error(status: u16, word: &str) -> Reply {
    Reply::json(status, &json!({ "error": word, "error_description": "the sandbox refuses this" }))
}

impl Vendor for IdentityProvider {
    fn operation(&self, call: &Call) -> &'static str {
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/.well-known/openid-configuration") => "identity.oauth.describe",
            ("GET", "/keys") => "identity.oauth.keys",
            ("GET", "/authorize") => "identity.oauth.authorize",
            ("POST", "/token") => "identity.oauth.token",
            _ => "identity.unknown",
        }
    }

    fn answer(&self, call: &Call) -> Reply {
        match self.operation(call) {
            "identity.oauth.describe" => self.describe(),
            "identity.oauth.keys" => self.publish(),
            "identity.oauth.authorize" => self.authorize(call),
            "identity.oauth.token" => self.exchange(call),
            _ => error(404, "not_found"),
        }
    }

    fn too_many_requests(&self, _: &Call) -> Reply {
        error(429, "slow_down")
    }

    fn revoke_credential(&self, _: &Call) {}
}
