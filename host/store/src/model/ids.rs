//! What things are called: identifiers, sides, shards and leases.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an identifier that came from the store, the vendor or an admin.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

text_id!(
    /// One tenant; a short name that an admin chose (`[a-z0-9-]`, at most 63 characters).
    WorkspaceId
);
text_id!(
    /// A connector enabled in a workspace: `<workspace>/<connector>`.
    ConnectionId
);
impl ConnectionId {
    /// What a run names in place of a connection when the host itself worked at HighLevel. No connector may be called so.
    pub fn of_highlevel(workspace: &WorkspaceId) -> Self {
        Self(format!("{}{}", workspace.as_str(), Self::HIGHLEVEL))
    }

    /// The workspace, when this stands for the host itself at HighLevel.
    pub fn workspace_of_highlevel(&self) -> Option<WorkspaceId> {
        self.0.strip_suffix(Self::HIGHLEVEL).map(WorkspaceId::new)
    }

    const HIGHLEVEL: &'static str = "/highlevel";
}

text_id!(
    /// A HighLevel location. Bound to exactly one workspace.
    LocationId
);
text_id!(
    /// A record's id at HighLevel or at the partner; opaque.
    RecordId
);
text_id!(
    /// One reconcile, automation or poll (UUID version 7, so ids sort by time).
    RunId
);
text_id!(
    /// SHA-256 of a component, lower-case hex.
    Digest
);
text_id!(
    /// Somebody who uses the admin API; a short name that a platform admin chose (`[a-z0-9-]`, at most 63 characters).
    UserId
);
text_id!(
    /// A token of a user, without its secret: 16 hex digits.
    TokenId
);
text_id!(
    /// A session of a user, without its secret: 16 hex digits.
    SessionId
);

/// Position of an event in the store's order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventSeq(pub i64);

/// Number of shards that workspaces are spread over. Fixed for the life of a database.
pub const SHARDS: u16 = 256;

/// The part of the workspaces that one lease covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shard(pub u16);

impl Shard {
    /// The shard of a workspace: the first two bytes of SHA-256 of its id, modulo [`SHARDS`].
    pub fn of(workspace: &WorkspaceId) -> Self {
        use sha2::{Digest as _, Sha256};
        let hash = Sha256::digest(workspace.as_str().as_bytes());
        Self(u16::from_be_bytes([hash[0], hash[1]]) % SHARDS)
    }
}

/// The right to work on some shards until it expires or somebody takes it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The process that holds it.
    pub owner: String,
    /// Fencing token; grows with every acquisition. A completion under an older token is refused.
    pub token: i64,
    /// When it ends unless it is renewed.
    pub expires_at: Timestamp,
}

/// A side of the synchronisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// HighLevel.
    Highlevel,
    /// The connection's partner.
    Partner,
}
