//! Who asks, and what it opens.
//!
//! A token is shown with every request and looked up each time, with its user and the user's roles, so that what is taken away counts at
//! once. What a request may do is [`Rights`], a pure matter of the three.

mod rights;
pub(crate) mod secret;

use contactor_store::{Actor, SessionId, StoreError, TokenId, UserId, WorkspaceId};
use jiff::SignedDuration;
pub(crate) use secret::{SESSION, Shown, TOKEN, fresh};

use crate::engine::Engine;
pub use rights::{Narrowed, Rights};

/// How exact the last use of a token is known: a note for each request would be a commit for each.
const COARSE: SignedDuration = SignedDuration::from_hours(1);

/// Whoever makes a request, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub actor: Actor,
    /// With which token.
    pub token: Option<TokenId>,
    /// In which session, in the place of a token.
    pub session: Option<SessionId>,
    /// What the request may do.
    pub rights: Rights,
    /// How its token narrows it: what is made with the token is no wider.
    pub narrowed: Narrowed,
}

impl Caller {
    /// Whoever has the host's own admin token: everything.
    pub fn root() -> Self {
        Self {
            actor: Actor::AdminTokenFile,
            token: None,
            session: None,
            rights: Rights::all(),
            narrowed: Narrowed::default(),
        }
    }

    /// With what it is that the request opens the API, by a name that is no secret: the id of a token, or that of a session behind
    /// `session:`.
    pub fn shown(&self) -> Option<String> {
        let session = || self.session.as_ref().map(|id| format!("session:{id}"));
        self.token.as_ref().map(ToString::to_string).or_else(session)
    }

    /// The user, unless it is the host's own admin token.
    pub fn user(&self) -> Option<&UserId> {
        match &self.actor {
            Actor::User(user) => Some(user),
            Actor::AdminTokenFile | Actor::Host | Actor::CommandLine | Actor::Unknown => None,
        }
    }
}

/// Why a token does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// It is none of ours. Which part is wrong is not said.
    #[error("no valid token was shown")]
    Unknown,
    /// Its time is over.
    #[error("the token {0} has expired")]
    Expired(TokenId),
    /// Somebody revoked it.
    #[error("the token {0} was revoked")]
    Revoked(TokenId),
    /// Its user is switched off.
    #[error("the user of the token {0} is disabled")]
    Disabled(TokenId),
}

impl TokenRefused {
    /// In one word, for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Expired(_) => "expired",
            Self::Revoked(_) => "revoked",
            Self::Disabled(_) => "disabled",
        }
    }

    /// The token, once it is proven that its secret was known.
    pub fn token(&self) -> Option<&TokenId> {
        match self {
            Self::Unknown => None,
            Self::Expired(token) | Self::Revoked(token) | Self::Disabled(token) => Some(token),
        }
    }
}

impl Engine {
    /// Who shows this token, and what that opens now.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn caller(&self, shown: &str) -> Result<Result<Caller, TokenRefused>, StoreError> {
        let Some(shown) = Shown::parse(TOKEN, shown) else { return Ok(Err(TokenRefused::Unknown)) };
        let found = self.store().bearer(&TokenId::new(shown.id.as_str())).await?;
        // A token that does not exist takes the same comparison as one with another secret.
        let known = found.as_ref().map(|bearer| bearer.token.hash);
        if !shown.is(known) {
            return Ok(Err(TokenRefused::Unknown));
        }
        let Some(bearer) = found else { return Ok(Err(TokenRefused::Unknown)) };
        let (id, now) = (bearer.token.id.clone(), self.now());
        if bearer.token.revoked_at.is_some() {
            return Ok(Err(TokenRefused::Revoked(id)));
        }
        if bearer.token.expires_at <= now {
            return Ok(Err(TokenRefused::Expired(id)));
        }
        if bearer.user.disabled {
            return Ok(Err(TokenRefused::Disabled(id)));
        }
        if bearer.token.used_at.is_none_or(|at| now.duration_since(at) >= COARSE)
            && let Err(error) = self.store().touch_token(&id).await
        {
            // A disk that takes nothing is no reason not to show what it holds.
            tracing::debug!(%error, token = %id, "the use of a token was not noted");
        }
        Ok(Ok(Caller {
            rights: Rights::of(&bearer),
            narrowed: Narrowed::of(&bearer.token),
            actor: Actor::User(bearer.user.id),
            token: Some(id),
            session: None,
        }))
    }

    /// Whether a workspace exists; whoever has no role in it is answered as if it did not.
    pub(crate) async fn seen_by(
        &self,
        caller: &Caller,
        workspace: &WorkspaceId,
    ) -> Result<(), crate::EngineError> {
        if caller.rights.role_in(workspace).is_none() {
            return Err(crate::EngineError::no_workspace(workspace));
        }
        self.workspace(workspace).await.map(drop)
    }
}
