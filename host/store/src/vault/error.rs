//! Why something could not be sealed or opened. Never holds any part of a secret.

use std::io;
use std::path::PathBuf;

use super::KeyId;
use crate::model::WorkspaceId;

/// Why something could not be sealed or opened, or why there is no key. Never holds any part of a secret.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file cannot be read or written.
    #[error("the key file {} cannot be {action}: {source}", path.display())]
    KeyFile {
        /// The key file.
        path: PathBuf,
        /// `created`, `read` or `replaced`.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Another key is being made, or was when the machine stopped.
    #[error(
        "{} is there already: another command is changing the keys, or one was interrupted; \
         if none is at work, remove that file and try again",
        path.display()
    )]
    KeyFileBusy {
        /// The file that is written before it takes the key file's place.
        path: PathBuf,
    },
    /// Others than its owner can read the key file.
    #[error(
        "the key file {} is open to others (mode {mode:03o}); run `chmod 600` on it, and consider the key known to them",
        path.display()
    )]
    KeyFileExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The source holds something else than keys. What it holds is not repeated.
    #[error("{place} holds no vault key: {problem}; restore it from your copy")]
    NoKeys {
        /// The source.
        place: String,
        /// What is wrong with what it holds.
        problem: &'static str,
    },
    /// The source gave nothing.
    #[error("{place} gives no vault key: {problem}")]
    Source {
        /// The source.
        place: String,
        /// What is wrong with it. Never what it printed.
        problem: String,
    },
    /// The source lacks a key that is needed.
    #[error(
        "{what} need the key {missing}, which is not among those at hand ({}): \
         add its line to the key source again, below the current one", at_hand.iter().map(KeyId::as_str).collect::<Vec<_>>().join(", ")
    )]
    KeyMissing {
        /// How much of what.
        what: String,
        /// The key that is needed.
        missing: KeyId,
        /// The keys at hand.
        at_hand: Vec<KeyId>,
    },
    /// Something was sealed with a key that is not at hand.
    #[error(
        "`{name}` was sealed with key {key_id}, which is not at hand (the current one is {current}): \
         restore that key, or enter the credential again"
    )]
    OtherKey {
        /// What was sealed.
        name: String,
        /// The key that sealed it.
        key_id: KeyId,
        /// The current key at hand.
        current: KeyId,
    },
    /// A stored secret does not open.
    #[error("`{name}` cannot be used: {problem}; if it is a credential, enter it again")]
    Unusable {
        /// What was sealed.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A data key does not unwrap.
    #[error(
        "the data key {id} of the workspace {workspace} cannot be used: {problem}; restore the database from a backup"
    )]
    DataKey {
        /// The data key.
        id: KeyId,
        /// Its workspace.
        workspace: WorkspaceId,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A key does not do what it is for.
    #[error("the key {id} cannot be used: {problem}")]
    Key {
        /// The key.
        id: KeyId,
        /// What is wrong.
        problem: &'static str,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness: {0}")]
    NoRandomness(String),
}
