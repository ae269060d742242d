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

pub(crate) use keys::Keys;
pub use report::{FormerKey, KeyStep, SealedCount, VaultReport};
pub(crate) use text::{SecretParts, secret_json, secret_parts};
pub(crate) use turn::Turning;
pub use turn::{Rotate, Turned, Unopenable};
