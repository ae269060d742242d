//! Users who come by an identity provider: who they are there, and the sessions that their logins begin.

use jiff::Timestamp;

use super::{Member, SecretHash, SessionId, User, UserId};

/// Somebody as an identity provider names them: the pair never means somebody else, unlike an address.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// Who it is there.
    pub subject: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity(… at {})", self.issuer)
    }
}

/// A login that lasts for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names it; no secret.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// What its secret is recognised by.
    pub hash: SecretHash,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub used_at: Timestamp,
    /// Until when at the most.
    pub expires_at: Timestamp,
}

/// A session with all that decides what it opens, as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// The user's roles.
    pub members: Vec<Member>,
}
