//! The linker of one connector: only what was granted is in it.
//!
//! The imports were compared with the grants before (see [`crate::inspect()`]), from the file's own words. Here the same rule
//! holds a second time by construction: what is not in the linker cannot be linked.

use wasmtime::{
    Engine,
    component::{Component, HasSelf, Linker},
};

use crate::{
    Grants,
    bindings::{
        ConnectorPre, HostImports, appointments, bulk, campaigns, clock, contacts, log, notes, notifications,
        partner, rules, settings, state, tags, tasks, timers, types, workflows,
    },
    store::CallState,
};

/// Links a component with what it was granted and finds its exports.
///
/// A linker is made for each connector and never cloned: cloning one was a use after free once (RUSTSEC-2026-0090).
pub(crate) fn link<H: HostImports>(
    engine: &Engine,
    component: &Component,
    grants: &Grants,
) -> wasmtime::Result<ConnectorPre<CallState<H>>> {
    let mut linker = Linker::new(engine);
    macro_rules! offer {
        ($($interface:ident)*) => { $(
            if grants.allows(stringify!($interface)) {
                $interface::add_to_linker::<_, HasSelf<CallState<H>>>(&mut linker, |state| state)?;
            }
        )* };
    }
    offer!(
        appointments bulk campaigns clock contacts log notes notifications partner rules settings state tags tasks
        timers types workflows
    );
    ConnectorPre::new(linker.instantiate_pre(component)?)
}
