//! The one transactional store of a host.
//!
//! Events, dirty records, links, runs and credentials live in one database, so that no two stores can disagree after a
//! crash. The [`Store`] trait carries the semantics; [`sqlite`] is the embedded engine and [`conformance`] the suite that
//! every engine has to pass.
//!
//! Shape for many hosts: every row belongs to a workspace and so to a [`Shard`]; work is claimed under a [`Lease`] whose
//! fencing token every completing statement checks. SQLite owns every shard: the lock beside its file proves that no other
//! process works on it, so a fresh open takes the leases of a crashed process over at once.

mod automation;
mod cause;
pub mod conformance;
mod doubt;
mod error;
mod model;
pub mod sqlite;
mod store;
pub mod torture;
mod vault;

pub use automation::*;
pub use doubt::Doubt;
pub use error::StoreError;
pub use model::*;
pub use store::{DEDUPLICATION, HELD, HELD_OF_LOCATION, Store};
pub use vault::{
    DataKey, FileKey, KeyCommand, KeyFile, KeyId, KeyRing, KeySource, Purpose, Sealed, SecretKey, Vault,
    VaultError, WrappedKey, check_keys, open_as_before, random_secret,
};
