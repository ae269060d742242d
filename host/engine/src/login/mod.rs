//! Logins by an identity provider: OpenID Connect's authorisation code with PKCE, state and nonce; what comes of it is a session.
//!
//! A login is bound to the browser that began it ([`flow`]), to the provider of the configuration ([`provider`]), and to one exchange
//! with it ([`claims`]). A user is found by the provider's own name for somebody (`iss` and `sub`), which is bound at the first login to
//! the one user who has the address that the provider has verified. From then on the address decides nothing: whoever is given it later,
//! at the provider or here, is not let in as that user. Nobody becomes a user by logging in unless the operator says so, and then with
//! one role in one workspace.
//!
//! Rejected: the crate `openidconnect`, which verifies with RSA and elliptic curves of its own beside the one provider of this program
//! (ring), brings some twenty crates for that, and leaves keys, their rotation and the binding to a browser to its user all the same. What
//! is left is two requests, five algorithms and a dozen comparisons.

pub(crate) mod claims;
mod config;
pub(crate) mod flow;
pub(crate) mod jws;
mod provider;
mod session;

use contactor_store::{Actor, AuditPhase, Identity, Member, NewAudit, StoreError, User, UserId, WorkspaceId};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

use self::claims::{Expected, Person, Reading};
use self::flow::{Flows, Returned, own_path};
use self::provider::{Provider, ProviderError};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::manage::NewUser;
use crate::outbound::Outbound;

pub use config::{CreateUsers, LOGIN_CALLBACK, LoginSetup};
pub use jws::Algorithm as LoginAlgorithm;
pub use provider::LOGIN_REQUEST_TIMEOUT;
pub use session::{SessionCaller, SessionRefused};

/// What the audit log calls a login.
const ACTION: &str = "login";
/// Ids that are tried for a user who is made at the first login.
const TRIES: u32 = 9;

/// The provider of the configuration, and the logins that are under way.
pub(crate) struct Login {
    setup: LoginSetup,
    provider: Provider,
    flows: Flows,
}

impl Login {
    pub(crate) fn new(setup: LoginSetup, out: Outbound, clock: Clock) -> Result<Self, EngineError> {
        setup.check(&out)?;
        Ok(Self { flows: Flows::new()?, provider: Provider::new(out, clock), setup })
    }
}

/// A login that begins: where the browser goes, and what it takes along.
#[derive(Debug)]
pub struct LoginPage {
    /// The provider's page.
    pub url: String,
    /// The value of the cookie by which the browser is recognised when it comes back.
    pub cookie: SecretString,
    /// How long that is of use.
    pub lasts: SignedDuration,
}

/// What the provider sends back with the browser.
#[derive(Debug, Default)]
pub struct LoginAnswer {
    /// The value of the cookie of [`LoginPage`].
    pub cookie: Option<SecretString>,
    /// The login's state.
    pub state: Option<SecretString>,
    /// What is exchanged for a token.
    pub code: Option<SecretString>,
    /// Why there is none.
    pub error: Option<String>,
    /// Which provider answers, if it says so.
    pub iss: Option<String>,
}

/// An answer to a login that this browser began. Nobody was asked about it yet, and it ends the login when somebody is.
pub struct LoginBack {
    returned: Returned,
    answer: LoginAnswer,
}

/// A login that succeeded.
#[derive(Debug)]
pub struct LoginDone {
    /// Who has logged in.
    pub user: UserId,
    /// The value of the session's cookie.
    pub cookie: SecretString,
    /// How long the session lasts at the most.
    pub lasts: SignedDuration,
    /// The path to go to.
    pub to: String,
}

/// Whose turn it is after a login that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginProblem {
    /// Nobody can log in to this host.
    Off,
    /// It is no answer to a login that this browser began, or came too late or twice.
    Unknown,
    /// The person or the provider did not want it.
    Declined,
    /// The provider does not answer, or not as it should.
    Provider,
    /// What the provider answered is not believed.
    Disbelieved,
    /// The person may not log in here.
    Nobody,
    /// The host could not do it.
    Host,
}

/// Why a login did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct LoginRefused {
    /// Whose turn it is.
    pub problem: LoginProblem,
    /// For the record; it says more than whoever tries may know, and names nobody.
    pub why: String,
    /// The user, where one is known.
    pub user: Option<UserId>,
}

impl LoginRefused {
    fn new(problem: LoginProblem, why: impl Into<String>) -> Self {
        Self { problem, why: why.into(), user: None }
    }

    /// What the person is told.
    pub fn words(&self) -> &'static str {
        match self.problem {
            LoginProblem::Off => {
                "This host knows no identity provider: its operator sets one under [login.oidc]."
            }
            LoginProblem::Unknown => {
                "This login is not known in this browser, was ended already, or took too long. Begin again."
            }
            LoginProblem::Declined => {
                "The identity provider says that you were not logged in. Begin again when you want to be."
            }
            LoginProblem::Provider => {
                "The identity provider does not answer as it should. Try again later, or ask the operator."
            }
            LoginProblem::Disbelieved => {
                "What the identity provider answered cannot be believed. Begin again; if that does not help, ask the operator."
            }
            LoginProblem::Nobody => {
                "You may not log in here: no user of this host is bound to you or has your verified address, or the user is \
                 disabled. Ask a platform admin."
            }
            LoginProblem::Host => "The host could not do it. Try again later.",
        }
    }

    /// The entry of the audit log that tells of it.
    pub fn on_record(&self, status: u16, before: u64) -> NewAudit {
        let more = match before {
            0 => String::new(),
            before => format!("; {before} more were refused before and are not listed"),
        };
        NewAudit {
            phase: AuditPhase::Refused,
            began: None,
            actor: self.user.clone().map_or(Actor::Unknown, Actor::User),
            token: None,
            workspace: None,
            action: ACTION.to_owned(),
            target: String::new(),
            status: Some(status),
            detail: format!("{}{more}", self.why),
        }
    }
}

impl From<EngineError> for LoginRefused {
    fn from(error: EngineError) -> Self {
        Self::new(LoginProblem::Host, error.to_string())
    }
}

impl From<StoreError> for LoginRefused {
    fn from(error: StoreError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<contactor_store::VaultError> for LoginRefused {
    fn from(error: contactor_store::VaultError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<ProviderError> for LoginRefused {
    fn from(error: ProviderError) -> Self {
        let problem = match &error {
            ProviderError::Unreachable { .. } | ProviderError::Unusable { .. } => LoginProblem::Provider,
            ProviderError::Refused(_) => LoginProblem::Declined,
            ProviderError::Token(_) => LoginProblem::Disbelieved,
        };
        Self::new(problem, error.to_string())
    }
}

impl Engine {
    /// From where requests with a session's cookie may come; none while nobody can log in.
    pub fn login_origin(&self) -> Option<String> {
        self.login().map(|login| login.setup.origin())
    }

    /// Begins a login, after which the browser goes to a path of this host.
    ///
    /// # Errors
    /// Nobody can log in, the path is not this host's, or the provider does not describe itself.
    pub async fn begin_login(&self, to: &str) -> Result<LoginPage, LoginRefused> {
        let login = self.login().ok_or_else(off)?;
        let to = own_path(to).ok_or_else(|| {
            LoginRefused::new(LoginProblem::Unknown, "it was to lead to an address that is not this host's")
        })?;
        let metadata = login.provider.metadata(&login.setup).await?;
        let begun = login.flows.begin(to, self.now())?;
        let mut url = metadata.authorization_endpoint.0.clone();
        let scopes = login.setup.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid");
        let scopes: Vec<&str> = std::iter::once("openid").chain(scopes).collect();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &login.setup.client_id)
            .append_pair("redirect_uri", login.setup.redirect_url.as_str())
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &begun.state)
            .append_pair("nonce", &begun.nonce)
            .append_pair("code_challenge", &begun.challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(LoginPage { url: url.into(), cookie: begun.cookie, lasts: flow::LASTS })
    }

    /// Looks which login something answers. It asks nobody and keeps nothing, whatever it is given: what costs more is
    /// [`end_login`](Self::end_login)'s, so whoever paces logins does it in between.
    ///
    /// # Errors
    /// It is no answer to a login of this browser.
    pub fn find_login(&self, answer: LoginAnswer) -> Result<LoginBack, LoginRefused> {
        let login = self.login().ok_or_else(off)?;
        let (Some(cookie), Some(state)) = (&answer.cookie, &answer.state) else { return Err(unknown()) };
        let returned = login.flows.find(cookie.expose_secret(), state.expose_secret(), self.now());
        Ok(LoginBack { returned: returned.ok_or_else(unknown)?, answer })
    }

    /// Ends a login with what came back, and begins a session.
    ///
    /// # Errors
    /// The login was ended already, the provider does not confirm it, or whoever it is may not log in.
    pub async fn end_login(&self, back: LoginBack) -> Result<LoginDone, LoginRefused> {
        let login = self.login().ok_or_else(off)?;
        let LoginBack { returned, answer } = back;
        if !login.flows.end(&returned, self.now()) {
            return Err(unknown());
        }
        if let Some(error) = &answer.error {
            let why = format!("the provider answers `{}`", standard_word(error));
            return Err(LoginRefused::new(LoginProblem::Declined, why));
        }
        let code = answer.code.as_ref().ok_or_else(unknown)?;
        let metadata = login.provider.metadata(&login.setup).await?;
        let says_who = answer.iss.as_deref();
        let by_another = match says_who {
            Some(issuer) => issuer != login.setup.issuer,
            None => metadata.authorization_response_iss_parameter_supported,
        };
        if by_another {
            let why = "the answer does not come from the provider of the configuration";
            return Err(LoginRefused::new(LoginProblem::Disbelieved, why));
        }
        let token = login.provider.exchange(&login.setup, &metadata, code, &returned.verifier).await?;
        let person = self.believed(login, &metadata, &token, &returned.nonce).await?;
        let (user, first) = self.found(login, &person).await?;
        self.log_in(login, user, first, returned.to).await
    }

    /// Who a token is about, once everything about it was checked.
    async fn believed(
        &self,
        login: &Login,
        metadata: &provider::Metadata,
        token: &SecretString,
        nonce: &str,
    ) -> Result<Person, LoginRefused> {
        let (setup, now) = (&login.setup, self.now());
        let token = jws::Token::parse(token.expose_secret(), setup.allowed()).map_err(ProviderError::from)?;
        let claims = login.provider.verified(metadata, &token).await?;
        let expected = Expected { issuer: &setup.issuer, client_id: &setup.client_id, nonce, now };
        let reading = Reading {
            email_claim: &setup.email_claim,
            email_is_verified: setup.email_is_verified,
            require: &setup.require,
        };
        claims::read(&claims, &expected, &reading).map_err(|why| {
            let problem = if why == claims::NotThis::Required {
                LoginProblem::Nobody
            } else {
                LoginProblem::Disbelieved
            };
            LoginRefused::new(problem, format!("the provider's token: {why}"))
        })
    }

    /// The user that somebody is, and what this login made of it: the first one binds the two.
    async fn found(&self, login: &Login, person: &Person) -> Result<(User, &'static str), LoginRefused> {
        let nobody = |why: &str| LoginRefused::new(LoginProblem::Nobody, why);
        let identity = Identity { issuer: login.setup.issuer.clone(), subject: person.subject.clone() };
        if let Some(id) = self.store().identified(&identity).await? {
            let user = self.store().user(&id).await?;
            return Ok((user.ok_or_else(|| nobody("the user it is bound to does not exist"))?, ""));
        }
        let Some(email) = &person.email else {
            return Err(nobody(if person.unverified {
                "nobody is bound to it, and the provider has not verified the address"
            } else {
                "nobody is bound to it, and the provider names no address"
            }));
        };
        let mut same = self.store().users().await?;
        same.retain(|user| user.email.as_ref() == Some(email));
        let (user, made) = match (same.pop(), same.is_empty()) {
            (Some(user), true) => (user, "bound"),
            (Some(_), false) => return Err(nobody("several users have the address")),
            (None, _) => (self.made(login, email).await?, "made and bound"),
        };
        if user.disabled {
            return Err(disabled(user.id));
        }
        match self.store().bind_identity(&identity, &user.id).await {
            Ok(()) => Ok((user, made)),
            Err(StoreError::Conflict { .. }) => Err(LoginRefused {
                user: Some(user.id.clone()),
                ..nobody(
                    "the user is bound to somebody else at the provider; `contactor user unbind` ends that",
                )
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a user for an address, where the operator lets that be.
    async fn made(&self, login: &Login, email: &str) -> Result<User, LoginRefused> {
        let nobody = || LoginRefused::new(LoginProblem::Nobody, "no user has the address");
        let create = login.setup.create.as_ref().ok_or_else(nobody)?;
        let (name, domain) = email.rsplit_once('@').ok_or_else(nobody)?;
        if !create.domains.iter().any(|one| one.eq_ignore_ascii_case(domain)) {
            return Err(nobody());
        }
        let workspace = WorkspaceId::new(create.workspace.as_str());
        self.workspace(&workspace).await?;
        let begins = short_name(name);
        for number in 1..=TRIES {
            let id = if number == 1 { begins.clone() } else { format!("{begins}-{number}") };
            let new = NewUser { id, name: None, email: Some(email.to_owned()), platform_admin: false };
            let user = match self.create_user(new).await {
                Ok(made) => made.user,
                Err(EngineError::Conflict(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            let member = Member { workspace, user: user.id.clone(), role: create.role };
            self.store().put_member(member).await?;
            return Ok(user);
        }
        Err(LoginRefused::new(LoginProblem::Host, "no short name was left for the new user"))
    }

    async fn log_in(
        &self,
        login: &Login,
        user: User,
        first: &str,
        to: String,
    ) -> Result<LoginDone, LoginRefused> {
        if user.disabled {
            return Err(disabled(user.id));
        }
        let begun = NewAudit {
            phase: AuditPhase::Begun,
            began: None,
            actor: Actor::User(user.id.clone()),
            token: None,
            workspace: None,
            action: ACTION.to_owned(),
            target: String::new(),
            status: None,
            detail: first.to_owned(),
        };
        // Nobody is let in without being on record.
        let number = self.record_audit(begun.clone()).await?;
        let (session, cookie) = self.begin_session(login, &user.id).await?;
        let ended = NewAudit {
            phase: AuditPhase::Ended,
            began: Some(number),
            status: Some(200),
            detail: format!("session={}", session.id),
            ..begun
        };
        self.record_audit(ended).await?;
        tracing::info!(user = %user.id, session = %session.id, "logged in");
        Ok(LoginDone { user: user.id, cookie, lasts: login.setup.lasts, to })
    }

    /// Forgets who a user is at the provider and ends the user's sessions: the next login binds anew.
    ///
    /// # Errors
    /// No such user.
    pub async fn unbind_user(&self, id: &UserId) -> Result<bool, EngineError> {
        match self.store().unbind_identities(id).await {
            Err(StoreError::NotFound { .. }) => Err(EngineError::no_user(id)),
            unbound => Ok(unbound?),
        }
    }
}

fn off() -> LoginRefused {
    LoginRefused::new(LoginProblem::Off, "no provider is configured")
}

fn unknown() -> LoginRefused {
    LoginRefused::new(
        LoginProblem::Unknown,
        "it is no answer to a login that the browser began, or came too late or twice",
    )
}

fn disabled(user: UserId) -> LoginRefused {
    LoginRefused { user: Some(user), ..LoginRefused::new(LoginProblem::Nobody, "the user is disabled") }
}

/// A provider's word for an error, if it can be one of the standard's: lower-case letters and underscores. Anything else could repeat what
/// the provider was shown, and is kept nowhere.
fn standard_word(said: &str) -> &str {
    let can_be = said.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if can_be && (1..=40).contains(&said.len()) { said } else { "no word of the standard" }
}

/// A short name as users have it, out of what is before the `@`.
fn short_name(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let name: String = plain.take(60).collect();
    match name.trim_matches('-') {
        "" => "user".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_provider_says_of_an_error_only_a_word_of_the_standard_is_repeated() {
        for word in ["access_denied", "invalid_grant", "interaction_required"] {
            assert_eq!(standard_word(word), word);
        }
        for other in ["", "SplxlOBeZQQYbYS6WxSbIA", "the code was 0123", "a-b", "é", &"x".repeat(41)] {
            assert_eq!(standard_word(other), "no word of the standard", "{other}");
        }
    }

    #[test]
    fn a_short_name_is_one_that_a_user_can_have() {
        for (text, name) in [("ann", "ann"), ("Ann.Smith+x", "ann-smith-x"), ("-é-", "user"), ("a_b", "a-b")]
        {
            assert_eq!(short_name(text), name);
        }
        assert_eq!(short_name(&"x".repeat(100)).len(), 60);
    }
}
