//! Access tokens. Where they come from and how they are renewed is the caller's business: the client asks for one before
//! a call, and reports a rejected one once.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use crate::ids::LocationId;
use crate::redact::{Redactor, SHORTEST};

/// A bearer token: an OAuth token of a location, or a private integration token. Never shown by `Debug`.
#[derive(Clone)]
pub struct AccessToken {
    secret: SecretString,
    /// Made for the first answer and shared by all clones: its spellings are many.
    redactor: Arc<OnceLock<Redactor>>,
}

impl AccessToken {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self::from(SecretString::from(token.into()))
    }

    /// The token itself, for the `Authorization` header and nothing else.
    pub(crate) fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    /// The token as a secret, for the calls about an agency's installations.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// An answer without this token: HighLevel may repeat it, and what it answers is shown, kept and given to connectors.
    pub(crate) fn redacted(&self, answer: Vec<u8>) -> Vec<u8> {
        self.redactor.get_or_init(|| Redactor::new([&self.secret], SHORTEST)).bytes(answer)
    }

    /// Whether two tokens are the same, so that a provider can tell a stale rejection from a current one.
    pub fn same_as(&self, other: &Self) -> bool {
        ring::digest::digest(&ring::digest::SHA256, self.expose().as_bytes()).as_ref()
            == ring::digest::digest(&ring::digest::SHA256, other.expose().as_bytes()).as_ref()
    }
}

impl From<SecretString> for AccessToken {
    fn from(secret: SecretString) -> Self {
        Self { secret, redactor: Arc::default() }
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(redacted)")
    }
}

/// Why there is no usable token.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// Nobody connected this location.
    #[error("no HighLevel credential is stored for this location; an admin has to connect it")]
    NotConnected,
    /// The grant is lost: the refresh token was refused or the private token was revoked.
    #[error("HighLevel no longer accepts the stored credential ({0}); an admin has to reconnect")]
    NeedsReconnect(String),
    /// The agency of the location consented without a scope that the host needs. The grant is kept, and a new consent brings the scope.
    #[error(
        "the grant of the agency {company} lacks the scope `{scope}`; give it to the app at HighLevel's marketplace and connect the agency again"
    )]
    LacksScope {
        /// The agency.
        company: String,
        /// The scope.
        scope: &'static str,
    },
    /// The vendor suspended the location; the grant is kept and works again when the location does.
    #[error("HighLevel reports that the location is not active; it is tried again later")]
    LocationInactive,
    /// The token endpoint or the credential store is out of order; nothing is lost.
    #[error("the HighLevel token cannot be renewed at the moment ({0}); it is tried again")]
    Unavailable(String),
}

/// Gives tokens for locations.
#[async_trait]
pub trait TokenProvider: Send + Sync {
    /// A token that is valid as far as the provider knows.
    async fn token(&self, location: &LocationId) -> Result<AccessToken, TokenError>;

    /// A new token in place of one that the vendor rejected as expired. Called at most once per operation. If the
    /// current token is no longer the `rejected` one, somebody renewed it meanwhile: return the current one.
    async fn refresh(&self, location: &LocationId, rejected: &AccessToken)
    -> Result<AccessToken, TokenError>;
}

/// One token for every location: a private integration token, which cannot be renewed by a program.
#[derive(Clone, Debug)]
pub struct StaticToken(AccessToken);

impl StaticToken {
    /// Always answers with this token.
    pub fn new(token: AccessToken) -> Self {
        Self(token)
    }
}

#[async_trait]
impl TokenProvider for StaticToken {
    async fn token(&self, _location: &LocationId) -> Result<AccessToken, TokenError> {
        Ok(self.0.clone())
    }

    async fn refresh(
        &self,
        _location: &LocationId,
        _rejected: &AccessToken,
    ) -> Result<AccessToken, TokenError> {
        Err(TokenError::NeedsReconnect("the private integration token was rotated or deleted".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_show_itself() {
        let token = AccessToken::new("fake-token-for-tests");
        assert!(!format!("{token:?} {:?}", StaticToken::new(token.clone())).contains("fake-token"));
    }

    #[test]
    fn tokens_compare_by_content() {
        assert!(AccessToken::new("a").same_as(&AccessToken::new("a")));
        assert!(!AccessToken::new("a").same_as(&AccessToken::new("b")));
    }
}
