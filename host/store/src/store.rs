//! The trait: what any engine must do, and what it must do in one transaction.

mod automations;
mod configuration;
mod decisions;
mod events;
mod limits;
mod links;
mod oauth;
mod operation;
mod people;
mod runs;
mod state;
mod vault;
mod work;

use std::time::Duration;

use crate::error::StoreError;
pub use automations::AutomationStore;
pub use configuration::ConfigurationStore;
pub use decisions::DecisionStore;
pub use events::EventStore;
pub use limits::LimitStore;
pub use links::LinkStore;
pub use oauth::OAuthStore;
pub use operation::OperationStore;
pub use people::PeopleStore;
pub use runs::RunStore;
pub use state::StateStore;
pub use vault::VaultStore;
pub use work::WorkStore;

type Result<T> = std::result::Result<T, StoreError>;

/// How long a de-duplication key is remembered at least: HighLevel repeats a webhook for up to three days.
pub const DEDUPLICATION: Duration = Duration::from_hours(4 * 24);

/// How many events are held for a location that no workspace is bound to. They do nothing: once one is bound they show what had come, and
/// for that the newest hundred are enough.
pub const HELD_OF_LOCATION: u32 = 100;

/// How many events are held in all: with the largest bodies (256 KiB) a quarter of a GiB, whatever strangers' locations send.
pub const HELD: u32 = 1_000;

/// A transactional store. Every method is one transaction that is durable when it answers; none relies on the memory of
/// this process. Instants are kept to the microsecond.
///
/// A method that names a connection or a workspace which does not exist answers `NotFound`, unless it asks for one.
/// [`conformance`](crate::conformance) holds an engine to every promise made here.
///
/// Each area has a trait of its own, and this one is all of them. Who has a `dyn Store` needs none of them in scope.
pub trait Store:
    ConfigurationStore
    + PeopleStore
    + OAuthStore
    + VaultStore
    + EventStore
    + WorkStore
    + LimitStore
    + LinkStore
    + RunStore
    + DecisionStore
    + StateStore
    + AutomationStore
    + OperationStore
{
}
