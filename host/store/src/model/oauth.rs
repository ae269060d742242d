//! What an app of HighLevel's marketplace was granted, and who may renew it at the moment.
//!
//! A refresh token works once. So one process at a time may spend it (a fenced lease), only from the generation that it has read
//! (compare and swap), and the next pair is stored before anybody uses it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, LocationId, WorkspaceId};
use crate::vault::Sealed;

/// Which grant: `location/<id>` or `company/<id>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantId(String);

impl GrantId {
    /// The grant of one location.
    pub fn location(id: &LocationId) -> Self {
        Self(format!("location/{id}"))
    }

    /// The grant of an agency.
    pub fn company(id: &str) -> Self {
        Self(format!("company/{id}"))
    }

    /// An id that was stored as text.
    pub fn from_stored(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The location, when it is the grant of one.
    pub fn as_location(&self) -> Option<LocationId> {
        self.0.strip_prefix("location/").map(LocationId::new)
    }

    /// The agency, when it is the grant of one.
    pub fn as_company(&self) -> Option<&str> {
        self.0.strip_prefix("company/")
    }

    /// In whose name grants are sealed, all of them: they are the host's. An agency's is there before any of its locations has a workspace,
    /// and opens all of them, so that no workspace's key could seal it; a location's is kept and renewed in the same way. No workspace can
    /// be called so.
    pub const CUSTODY: &str = "@highlevel";

    /// Name of the credential that holds the pair.
    pub fn pair(&self) -> String {
        format!("{}/{}/pair", Self::CUSTODY, self.0)
    }

    /// Name of the credential that opens what a courier left.
    pub fn courier(&self) -> String {
        format!("{}/{}/courier", Self::CUSTODY, self.0)
    }
}

impl std::fmt::Display for GrantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a grant stands. It is being renewed when it is leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantState {
    /// It works.
    Active,
    /// The last attempt to renew it failed for a reason that passes; the access token works until it expires.
    Degraded,
    /// The vendor suspended the location; it is tried again, slowly.
    Paused,
    /// The refresh token is refused: a person has to consent again. Nothing is deleted.
    NeedsReconnect,
}

/// Who may renew a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantLease {
    /// The process.
    pub owner: String,
    /// Grows with every lease of the grant; what an earlier holder brings is refused.
    pub fence: u64,
    /// Until when nobody else may; later than the longest request.
    pub until: Timestamp,
}

/// A grant, without its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthGrant {
    /// Whose.
    pub id: GrantId,
    /// The client id that it was given to.
    pub client: String,
    /// The agency, when it is known.
    pub company: Option<String>,
    /// What it allows.
    pub scopes: Vec<String>,
    /// How it stands.
    pub state: GrantState,
    /// Why it is not active.
    pub reason: Option<String>,
    /// Grows with every pair.
    pub generation: u64,
    /// When the access token expires.
    pub expires_at: Timestamp,
    /// When the present pair was stored.
    pub renewed_at: Timestamp,
    /// Failed attempts since.
    pub attempts: u32,
    /// When it is to be renewed, or tried again.
    pub next_attempt_at: Timestamp,
    /// Who renews it.
    pub lease: Option<GrantLease>,
    /// When somebody first consented.
    pub created_at: Timestamp,
}

/// A pair as it came from the vendor, sealed.
#[derive(Clone, Debug)]
pub struct NewPair {
    /// The pair.
    pub sealed: Sealed,
    /// What it allows.
    pub scopes: Vec<String>,
    /// When the access token expires.
    pub expires_at: Timestamp,
    /// When it is to be renewed.
    pub next_attempt_at: Timestamp,
    /// When it came.
    pub at: Timestamp,
}

/// A grant to which a person consented.
#[derive(Clone, Debug)]
pub struct Consented {
    /// Whose.
    pub id: GrantId,
    /// The client id that it was given to.
    pub client: String,
    /// The agency, when it is known.
    pub company: Option<String>,
    /// The first pair.
    pub pair: NewPair,
}

/// Leave to renew a grant.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// Whose.
    pub id: GrantId,
    /// The generation that the asker has read.
    pub generation: u64,
    /// The asking process.
    pub owner: String,
    /// Owners whose name begins so are known not to be at work: processes of the same machine, which have ended.
    pub ended: Option<String>,
    /// Now.
    pub now: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// What opens the courier's letter.
    pub courier: Sealed,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leased {
    /// Go ahead. With the fence of an earlier lease of this generation whose outcome nobody stored, if there was one.
    Granted {
        /// Goes with whatever is brought.
        fence: u64,
        /// The earlier one's.
        before: Option<u64>,
    },
    /// Somebody else does it, until then at the latest.
    Held {
        /// Until when.
        until: Timestamp,
    },
    /// There is another generation by now.
    Renewed,
}

/// How an attempt without a pair ended.
#[derive(Clone, Debug)]
pub struct NotRenewed {
    /// Whose.
    pub id: GrantId,
    /// The generation that was to be renewed.
    pub generation: u64,
    /// The lease's fence.
    pub fence: u64,
    /// How the grant stands now.
    pub state: GrantState,
    /// Why.
    pub reason: String,
    /// When it is tried again.
    pub next_attempt_at: Timestamp,
    /// The answer lies in the courier's letter and was not understood: what opens it is kept.
    pub unread: bool,
}

/// A consent that was begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentFlow {
    /// SHA-256 of the `state`, in hex: whoever reads the database cannot end a consent.
    pub state: String,
    /// The workspace that it is for; none for an agency.
    pub workspace: Option<WorkspaceId>,
    /// Who began it.
    pub begun_by: Actor,
    /// When it is no longer taken.
    pub expires_at: Timestamp,
}

/// What the vendor told of a location's installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The location.
    pub location: LocationId,
    /// The agency.
    pub company: Option<String>,
    /// Its name at the vendor, when it was listed.
    pub name: Option<String>,
    /// Whether the app is installed.
    pub installed: bool,
    /// When the vendor told so; an earlier word does not undo a later one.
    pub told_at: Timestamp,
}
