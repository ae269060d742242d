//! The Rust side of `wit/`: types, the traits that the host implements, and the typed exports of a connector.
//!
//! Everything below comes from `wit/*.wit`; its documentation is there. Imports are Rust-`async` (a host function may
//! wait), yet the guest sees a blocking call. They cannot trap: a denial or a failure is a value on the call's error type.

/// The generated code, kept apart so that its style is nobody's to mend.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    reason = "generated from wit/"
)]
#[allow(unused_variables, clippy::all, clippy::pedantic, clippy::unwrap_used, reason = "generated from wit/")]
#[allow(unsafe_code, reason = "generated: typed handles of functions whose types wasmtime has just checked")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "connector",
        imports: { default: async },
        exports: { default: async },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        require_store_data_send: true,
    });
}

pub use generated::contactor::connector::{
    appointments, bulk, campaigns, clock, contacts, log, notes, notifications, partner, rules, settings,
    state, tags, tasks, timers, types, workflows,
};
pub use generated::exports::contactor::connector::{actions, adapter, automations, triggers};
pub use generated::{Connector as ConnectorExports, ConnectorIndices, ConnectorPre};

/// Everything that a connector may import, implemented by one type of the host.
///
/// One value serves one call: it carries the workspace, the connection and the run. [`crate::Connector::call`] takes it and
/// gives it back, whatever the guest did. Implement the generated `Host` traits; this trait then holds by itself.
pub trait HostImports:
    appointments::Host
    + bulk::Host
    + campaigns::Host
    + clock::Host
    + contacts::Host
    + log::Host
    + notes::Host
    + notifications::Host
    + partner::Host
    + rules::Host
    + settings::Host
    + state::Host
    + tags::Host
    + tasks::Host
    + timers::Host
    + types::Host
    + workflows::Host
    + Send
    + 'static
{
}

impl<T> HostImports for T where
    T: appointments::Host
        + bulk::Host
        + campaigns::Host
        + clock::Host
        + contacts::Host
        + log::Host
        + notes::Host
        + notifications::Host
        + partner::Host
        + rules::Host
        + settings::Host
        + state::Host
        + tags::Host
        + tasks::Host
        + timers::Host
        + types::Host
        + workflows::Host
        + Send
        + 'static
{
}
