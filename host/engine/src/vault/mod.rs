//! The vault at work: which data key seals what, how keys are exchanged while everything goes on, and how that stands.
//!
//! | part | does |
//! |---|---|
//! | `keys` | the workspaces' data keys, unwrapped in memory; made on first need |
//! | `turn` | wraps data keys anew, replaces them, and seals anew what is under others, until nothing is left |
//! | `report` | how that stands, and what an operator does next |
//! | `text` | secrets of several parts, without copies that nobody wipes |
//!
//! What is left to be done is what the store says is not under the current keys, so nothing has to be remembered: after a crash the
//! next pass goes on.

mod keys;
mod report;
mod text;
mod turn;

use contactor_store::{KeyRing, VaultError};

pub(crate) use keys::Keys;
pub use report::{FormerKey, KeyStep, SealedCount, VaultReport};
pub(crate) use text::{SecretParts, secret_json, secret_parts};
pub(crate) use turn::Turning;
pub use turn::{Rotate, Turned, Unopenable};

/// The key that authenticates compiled components. Derived from the vault's current key, so that there is one key to keep; another one
/// only means that everything is compiled again.
///
/// # Errors
/// Nothing can be derived from the vault's key.
pub fn cache_key(ring: &KeyRing) -> Result<[u8; 32], VaultError> {
    ring.current().derive(b"contactor compiled components 2")
}
