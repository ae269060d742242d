//! Sessions: what a login leaves in the browser, and what it opens with each request.
//!
//! The cookie's value is 256 random bits behind an id, like a token of a user, and is kept in the same way: by its SHA-256. What it
//! opens is looked up each time, so that a role that is taken away counts at once. A session ends when it was not used for a while, when
//! its time is over, when its user logs out or is switched off, or when the operator takes the provider out of the configuration.

use contactor_store::{Actor, Session, SessionId, StoreError, UserId};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use super::Login;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::people::{Caller, Narrowed, Rights, SESSION, Shown, fresh};

/// Sessions of one user: more browsers than that nobody uses.
const AT_ONCE: u32 = 20;
/// How exact the last use is known: a note for each request would be a commit for each.
const COARSE: SignedDuration = SignedDuration::from_mins(1);

/// Whoever makes a request with a cookie.
#[derive(Clone, Debug)]
pub struct SessionCaller {
    /// Who it is, and what the request may do.
    pub caller: Caller,
    /// The session.
    pub session: Session,
    /// What a page of this host shows with each change, and no page of another host can read.
    pub csrf_token: String,
    /// When it ends unless it is used.
    pub idle_until: Timestamp,
}

/// Why a session does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionRefused {
    /// It is none of ours, or has ended. Which part is wrong is not said.
    #[error("no session was shown that counts: log in")]
    Unknown,
    /// Its time is over.
    #[error("the session has expired: log in again")]
    Expired(SessionId),
}

impl Engine {
    /// Begins a session of a user; answers it with the value of its cookie.
    pub(super) async fn begin_session(
        &self,
        login: &Login,
        user: &UserId,
    ) -> Result<(Session, SecretString), EngineError> {
        let now = self.now();
        let (id, hash, shown) = fresh(SESSION);
        let session = Session {
            id: SessionId::new(id),
            user: user.clone(),
            hash,
            created_at: now,
            used_at: now,
            expires_at: now + login.setup.lasts,
        };
        self.store().begin_session(session.clone(), AT_ONCE).await?;
        Ok((session, shown))
    }

    /// Whose session a cookie's value is, and what that opens now.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn session(&self, shown: &str) -> Result<Result<SessionCaller, SessionRefused>, StoreError> {
        let Some(login) = self.login() else { return Ok(Err(SessionRefused::Unknown)) };
        let Some(parsed) = Shown::parse(SESSION, shown) else { return Ok(Err(SessionRefused::Unknown)) };
        let id = SessionId::new(parsed.id.as_str());
        let found = self.store().logged_in(&id).await?;
        // One that does not exist takes the same comparison as one with another secret.
        let known = found.as_ref().map(|found| found.session.hash);
        let (true, Some(found)) = (parsed.is(known), found) else { return Ok(Err(SessionRefused::Unknown)) };
        let (session, now) = (found.session, self.now());
        let idle_until = session.used_at + login.setup.idle;
        if now >= session.expires_at || now >= idle_until {
            self.store().end_session(&id).await?;
            return Ok(Err(SessionRefused::Expired(id)));
        }
        if found.user.disabled {
            return Ok(Err(SessionRefused::Unknown));
        }
        if now.duration_since(session.used_at) >= COARSE
            && let Err(error) = self.store().touch_session(&id).await
        {
            // A disk that takes nothing is no reason not to show what it holds.
            tracing::debug!(%error, session = %id, "the use of a session was not noted");
        }
        Ok(Ok(SessionCaller {
            caller: Caller {
                rights: Rights::of_user(&found.user, &found.members),
                narrowed: Narrowed::default(),
                actor: Actor::User(found.user.id),
                token: None,
                session: Some(id),
            },
            csrf_token: csrf_token(shown),
            idle_until: idle_until.min(session.expires_at),
            session,
        }))
    }

    /// Ends a session; answers whether there was one.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn end_session(&self, id: &SessionId) -> Result<bool, EngineError> {
        Ok(self.store().end_session(id).await?)
    }
}

/// Known to whoever knows the cookie's value, which no script can read, or is told by this host.
fn csrf_token(shown: &str) -> String {
    hex::encode(Sha256::new().chain_update(b"contactor csrf\0").chain_update(shown.as_bytes()).finalize())
}
