//! Wasmtime and nothing else: one engine, limits, artefacts, one isolated guest call.
//!
//! The crate knows the interface of `wit/` and the manifest, and neither HighLevel nor HTTP. The engine crate gives it a
//! type that implements the imports ([`HostImports`]) and gets back typed outcomes. The way of a component:
//!
//! 1. [`inspect`] reads a file without running or compiling it: digest, manifest, imports, exports; and holds its structure to bounds
//!    ([`StructureBound`]).
//! 2. [`Runtime::load`] takes only the bytes whose digest was approved, checks the manifest, the host version and the
//!    imports against the [`Grants`], and only then compiles it or takes it from the authenticated cache.
//! 3. [`Connector::call`] runs one [`Invocation`] in a fresh store and a fresh instance, within [`Limits`], and says in
//!    [`CallError`] whose fault a failure was.
//!
//! Rejected on purpose: reusing instances (isolation is worth more than 20 µs beside a call over the network), fuel
//! (costs more than epochs and measures the same), falling back to on-demand allocation (slow without anybody noticing).

pub mod bindings;
mod cache;
mod clock;
mod compiler;
mod config;
mod connector;
mod digest;
mod dispatch;
mod engine;
mod error;
mod grants;
mod imports;
mod inspect;
mod invocation;
mod limits;
mod linker;
mod meters;
mod overrun;
mod priority;
mod runtime;
mod store;
mod structure;
mod weight;
mod worker;

pub use bindings::HostImports;
pub use compiler::{CompileCounts, Origin};
pub use config::{CacheConfig, RuntimeConfig};
pub use connector::{CallOutcome, Connector, Usage};
pub use digest::{Digest, DigestError};
pub use engine::engine;
pub use error::{Blame, CallError, GuestFault, HostFault, InspectError, LoadError, RuntimeError};
pub use grants::Grants;
pub use inspect::{Inspection, inspect};
pub use invocation::{Invocation, Reply};
pub use limits::Limits;
pub use runtime::{PoolUse, Runtime};
pub use structure::StructureBound;
pub use weight::Weight;
pub use worker::{WorkerConfig, work};
