//! How the vault stands, and exchanging its keys. Keys are named by their ids, which say nothing about them.

use contactor_engine as engine;
use contactor_store as own;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::mirror;

/// How the vault stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VaultStatus {
    /// Where the key-encryption keys come from.
    pub source: String,
    /// Whether that is a file, which `contactor vault new-key` and `drop-former` change.
    pub in_file: bool,
    /// The key-encryption key that wraps the data keys.
    pub current: String,
    /// Another key that stands first in the key file by now; the host has not read it yet.
    pub offered: Option<String>,
    /// Key-encryption keys at hand that only open.
    pub former: Vec<FormerKey>,
    /// Workspaces' data keys that are in use.
    pub data_keys: u64,
    /// Of these, how many are to be replaced.
    pub to_replace: u64,
    /// Data keys that only open; each is forgotten when nothing is sealed with it, an hour after it was replaced at the earliest.
    pub retired: u64,
    /// Data keys, retired ones as well, that are to be wrapped with the current key.
    pub to_rewrap: u64,
    /// What is sealed, by kind.
    pub sealed: Vec<SealedCount>,
    /// Whether nothing is left to be exchanged.
    pub done: bool,
    /// Whether keys are being exchanged at this moment.
    pub running: bool,
    /// Why that stopped before its end, if it did; it is tried again by itself.
    pub stopped: Option<String>,
    /// Rows that do not open, and so are not sealed anew.
    pub unopenable: u64,
    /// The first of them.
    pub examples: Vec<Unopenable>,
    /// What an operator does next.
    pub next: KeyStep,
}

/// A key-encryption key that only opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FormerKey {
    /// Its id.
    pub key: String,
    /// Data keys that are wrapped with it.
    pub data_keys: u64,
    /// Rows that a host before data keys sealed with it.
    pub rows: u64,
}

/// How much of a kind is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SealedCount {
    /// What is sealed.
    pub kind: SealedKind,
    /// With their workspace's data key that is in use.
    pub current: u64,
    /// With another key: these are to be sealed anew.
    pub older: u64,
}

/// What can be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SealedKind {
    /// A token, a partner's credential, a webhook's secret, the address of a destination.
    Credential,
    /// What a connector was given and answered in a run.
    Recording,
    /// What an undo of a deletion needs.
    Undo,
}

mirror!(SealedKind, own::SealedKind, [Credential, Recording, Undo]);

/// A row that does not open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unopenable {
    /// What it is.
    pub name: String,
    /// Why it does not open.
    pub problem: String,
}

/// What an operator does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyStep {
    /// Nothing.
    Nothing,
    /// Wait: the host exchanges keys.
    Wait,
    /// Have the host read its key source, which has a new key.
    Rotate,
    /// Look why some rows do not open.
    Repair,
    /// Take former keys out of the source that nothing needs any more.
    DropFormer,
}

mirror!(KeyStep, engine::KeyStep, [Nothing, Wait, Rotate, Repair, DropFormer]);

/// Which keys are to be exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RotateKeys {
    /// The key-encryption key: the source is read again, and data keys are wrapped with its first key.
    Wrapping,
    /// The data keys: each workspace gets a new one, and everything is sealed anew.
    Data,
    /// Both.
    All,
}

mirror!(RotateKeys, engine::Rotate, [Wrapping, Data, All]);

/// Exchanges keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// Which.
    pub keys: RotateKeys,
}

impl From<engine::VaultReport> for VaultStatus {
    fn from(own: engine::VaultReport) -> Self {
        Self {
            done: own.is_done(),
            next: own.next().into(),
            source: own.source,
            in_file: own.in_file,
            current: own.current.to_string(),
            offered: own.offered.map(|key| key.to_string()),
            former: own.former.into_iter().map(Into::into).collect(),
            data_keys: own.data_keys,
            to_replace: own.to_replace,
            retired: own.retired,
            to_rewrap: own.to_rewrap,
            sealed: own.sealed.into_iter().map(Into::into).collect(),
            running: own.running,
            stopped: own.stopped,
            unopenable: own.unopenable,
            examples: own.examples.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<engine::FormerKey> for FormerKey {
    fn from(own: engine::FormerKey) -> Self {
        Self { key: own.key.to_string(), data_keys: own.data_keys, rows: own.rows }
    }
}

impl From<engine::SealedCount> for SealedCount {
    fn from(own: engine::SealedCount) -> Self {
        Self { kind: own.kind.into(), current: own.current, older: own.older }
    }
}

impl From<engine::Unopenable> for Unopenable {
    fn from(own: engine::Unopenable) -> Self {
        Self { name: own.name, problem: own.problem }
    }
}
