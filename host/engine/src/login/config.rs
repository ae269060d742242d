//! Whom an operator lets log in, and by which provider.

use std::collections::BTreeMap;

use contactor_store::Role;
use jiff::SignedDuration;
use secrecy::SecretString;
use url::Url;

use super::claims;
use super::jws::Algorithm;
use crate::error::EngineError;
use crate::outbound::Outbound;

/// The path at which the provider sends the browser back.
pub const LOGIN_CALLBACK: &str = "/login/callback";

/// A provider, and what of it counts.
#[derive(Clone, Debug)]
pub struct LoginSetup {
    /// The provider's address, as its tokens name it.
    pub issuer: String,
    /// By which name it knows this host.
    pub client_id: String,
    /// What proves that; none when the provider knows this host as a public client.
    pub client_secret: Option<SecretString>,
    /// Where it sends the browser back: the public address of this host and [`LOGIN_CALLBACK`]. It says as well from where requests with
    /// a cookie may come.
    pub redirect_url: Url,
    /// What it is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// How tokens may be signed; all that are safe when empty.
    pub algorithms: Vec<Algorithm>,
    /// The claim with the address. That the provider has verified it, it can say of `email` alone.
    pub email_claim: String,
    /// The operator vouches for the claim with the address: the provider names verified addresses only there, and does not say so.
    pub email_is_verified: bool,
    /// Claims that have to have one of these values.
    pub require: BTreeMap<String, Vec<String>>,
    /// Who is made a user at the first login; nobody otherwise.
    pub create: Option<CreateUsers>,
    /// How long a session lasts without being used.
    pub idle: SignedDuration,
    /// How long a session lasts.
    pub lasts: SignedDuration,
}

/// Users who are made at their first login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateUsers {
    /// Of whose addresses: what is behind the `@`.
    pub domains: Vec<String>,
    /// In which workspace they get a role.
    pub workspace: String,
    /// Which one; never that of a platform admin.
    pub role: Role,
}

impl LoginSetup {
    /// Says what is wrong with a value, by the key of the configuration file.
    pub(super) fn check(&self, out: &Outbound) -> Result<(), EngineError> {
        let invalid = |key: &str, what: &str| EngineError::Invalid(format!("login.oidc.{key}: {what}"));
        let wrong = |key: &str, what: &str| Err(invalid(key, what));
        let issuer = self.issuer.parse::<Url>().map_err(|error| invalid("issuer", &error.to_string()))?;
        out.check_url(&issuer).map_err(|what| invalid("issuer", &what))?;
        if issuer.query().is_some() || issuer.fragment().is_some() {
            return wrong("issuer", "it has no query and no fragment");
        }
        let redirect = &self.redirect_url;
        let here = matches!(redirect.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if redirect.scheme() != "https" && !(redirect.scheme() == "http" && here) {
            return wrong(
                "redirect-url",
                "browsers keep the cookie of a login under https alone (http only on this machine)",
            );
        }
        if redirect.path() != LOGIN_CALLBACK || redirect.query().is_some() || redirect.fragment().is_some() {
            return wrong(
                "redirect-url",
                &format!("it is the public address of this host and `{LOGIN_CALLBACK}`"),
            );
        }
        if self.client_id.trim().is_empty() {
            return wrong("client-id", "it is empty");
        }
        if self.email_claim != claims::EMAIL && !self.email_is_verified {
            return wrong(
                "email-claim",
                "`email_verified` of a token speaks of the claim `email` alone; for another one, `email-is-verified = true` says that \
                 nobody can have an address there that the provider has not verified",
            );
        }
        if self.require.values().any(Vec::is_empty) {
            return wrong("require", "a claim without a value lets nobody in");
        }
        if let Some(create) = &self.create {
            if create.role == Role::PlatformAdmin {
                return wrong(
                    "create",
                    "nobody becomes a platform admin by logging in: `contactor user create` makes one",
                );
            }
            let plain = |domain: &String| domain.contains('.') && !domain.contains(['@', '*', ' ']);
            if create.domains.is_empty() || !create.domains.iter().all(plain) {
                return wrong(
                    "create",
                    "`domains` names what is behind the `@` of their addresses, as \"example.com\"",
                );
            }
        }
        Ok(())
    }

    /// From where a request with a cookie may come.
    pub(super) fn origin(&self) -> String {
        self.redirect_url.origin().ascii_serialization()
    }

    pub(super) fn allowed(&self) -> &[Algorithm] {
        if self.algorithms.is_empty() { &Algorithm::ALL } else { &self.algorithms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::OutboundConfig;

    impl LoginSetup {
        /// By a provider at this address, and otherwise as it is unless an operator says more.
        pub(in crate::login) fn by(issuer: &str) -> Self {
            Self {
                issuer: issuer.to_owned(),
                client_id: "contactor".to_owned(),
                client_secret: None,
                redirect_url: format!("https://contactor.example.com{LOGIN_CALLBACK}").parse().unwrap(),
                scopes: Vec::new(),
                algorithms: Vec::new(),
                email_claim: claims::EMAIL.to_owned(),
                email_is_verified: false,
                require: BTreeMap::new(),
                create: None,
                idle: SignedDuration::from_mins(60),
                lasts: SignedDuration::from_hours(12),
            }
        }
    }

    #[test]
    fn a_claim_that_the_provider_cannot_vouch_for_needs_the_operators_word() {
        let out = Outbound::new(OutboundConfig::default()).unwrap();
        let check = |email_claim: &str, email_is_verified| {
            let setup = LoginSetup::by("https://id.example.com");
            LoginSetup { email_claim: email_claim.to_owned(), email_is_verified, ..setup }.check(&out)
        };
        assert!(check("email", false).is_ok() && check("email", true).is_ok());
        for claim in ["preferred_username", "upn", "Email", ""] {
            let refused = check(claim, false).unwrap_err().to_string();
            assert!(refused.contains("login.oidc.email-claim"), "{claim}: {refused}");
            assert!(check(claim, true).is_ok(), "{claim}");
        }
    }
}
