//! Data keys, and what is sealed with them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::WorkspaceId;
use crate::vault::{KeyId, Purpose, Sealed, WrappedKey};

/// A workspace's data key as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDataKey {
    /// The key, wrapped.
    pub key: WrappedKey,
    /// In which generation it was made.
    pub generation: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When another one took its place; it only opens since.
    pub retired_at: Option<Timestamp>,
}

/// Every data key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataKeys {
    /// The generation that current keys are to have; keys of an earlier one are to be replaced.
    pub generation: u64,
    /// The keys, by workspace and then by age.
    pub keys: Vec<StoredDataKey>,
}

impl DataKeys {
    /// The key with this id.
    pub fn get(&self, id: &KeyId) -> Option<&StoredDataKey> {
        self.keys.iter().find(|key| key.key.id == *id)
    }

    /// The keys that seal.
    pub fn current(&self) -> impl Iterator<Item = &StoredDataKey> {
        self.keys.iter().filter(|key| key.retired_at.is_none())
    }

    /// The current key of a workspace.
    pub fn of(&self, workspace: &WorkspaceId) -> Option<&StoredDataKey> {
        self.current().find(|key| key.key.workspace == *workspace)
    }

    /// Current keys that another one has to take the place of.
    pub fn outdated(&self) -> impl Iterator<Item = &StoredDataKey> {
        self.current().filter(|key| key.generation < self.generation)
    }
}

/// A data key that was wrapped anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrapped {
    /// The data key.
    pub id: KeyId,
    /// As it was found: it is left alone if it is not so any more.
    pub from: Sealed,
    /// As it is to be.
    pub to: Sealed,
}

/// What can be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealedKind {
    /// A token, a partner's credential, a webhook's secret, the address of a destination.
    Credential,
    /// What a connector was given and answered in a run.
    Recording,
    /// What an undo of a deletion needs.
    Undo,
}

impl SealedKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Credential, Self::Recording, Self::Undo];
}

/// How much of a kind is sealed with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// What is sealed.
    pub kind: SealedKind,
    /// With which key.
    pub key: KeyId,
    /// How many rows.
    pub rows: u64,
}

/// Where something sealed lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SealedAt {
    /// The credential with this name.
    Credential(String),
    /// The recording with this number of the store's own.
    Recording(i64),
    /// The deletion with this id.
    Undo(i64),
}

impl SealedAt {
    /// What lies there.
    pub fn kind(&self) -> SealedKind {
        match self {
            Self::Credential(_) => SealedKind::Credential,
            Self::Recording(_) => SealedKind::Recording,
            Self::Undo(_) => SealedKind::Undo,
        }
    }
}

/// Something sealed, with what is needed to open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    /// Where it lies.
    pub at: SealedAt,
    /// What it is sealed for.
    pub purpose: Purpose,
    /// What is stored.
    pub sealed: Sealed,
}

/// Something that was sealed anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resealed {
    /// Where it lies.
    pub at: SealedAt,
    /// As it was found: it is left alone if it is not so any more.
    pub from: Sealed,
    /// As it is to be.
    pub to: Sealed,
}
