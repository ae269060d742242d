//! Write a Contactor connector.
//!
//! A connector is a type that implements [`Connector`]. What it does not offer it leaves out: the default methods say so.
//!
//! ```
//! use contactor_sdk::prelude::*;
//!
//! struct Acme;
//!
//! impl Connector for Acme {
//!     fn check() -> Result<Account> {
//!         let me: serde_json::Value = partner::get("/me").send()?.json()?;
//!         Ok(Account::new(me["id"].to_string(), me["name"].as_str().unwrap_or("Acme")))
//!     }
//!
//!     fn read(_entity: &str, id: &str) -> Result<PartnerRecord> {
//!         let person: serde_json::Value =
//!             partner::get(format!("/people/{}", partner::segment(id))).send()?.json()?;
//!         Ok(PartnerRecord::new(id).with("email", person["email"].as_str()))
//!     }
//! }
//!
//! contactor_sdk::export!(Acme);
//! ```
//!
//! Beside the crate lies `connector.toml`, the manifest. Everything that a connector reaches, it reaches through the functions of
//! this crate: [`partner`] for the partner's API, [`contacts`], [`tasks`], [`notes`], [`tags`] and their like for HighLevel,
//! [`state`], [`settings`], [`log`] and [`clock`]; [`automation`] carries out the rules that an admin writes. A component imports only the interfaces whose functions its code calls, so
//! its import list says what it can do. There is nothing else: no files, no sockets, no clock, no threads.
//!
//! On `wasm32` these functions call the host through `wit/`. On any other target they call a [`host::Host`] of the current thread,
//! so that `cargo test` tests a connector as it is; [`testing`] has one that can be programmed and asked.

pub mod admission;
pub mod automation;
#[doc(hidden)]
pub mod bindings;
mod component;
mod connector;
mod error;
pub mod field_map;
pub mod follow_up;
#[cfg(not(target_arch = "wasm32"))]
pub mod host;
mod imports;
pub mod instant;
pub mod items;
pub mod json;
pub mod labels;
pub mod log;
pub mod marks;
pub mod operations;
pub mod paging;
pub mod partner;
pub mod pending;
mod records;
pub mod rest_framework;
pub mod rules;
pub mod seen;
pub mod settings;
pub mod state;
pub mod table;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod values;
mod webhook;

#[doc(hidden)]
pub use component::Component;
pub use connector::Connector;
pub use error::{Result, ResultExt, only_contacts};
pub use imports::{
    appointments, bulk, campaigns, clock, contacts, notes, notifications, tags, tasks, timers, workflows,
};
pub use values::{Fields, Named};

/// What most connectors use.
pub mod prelude {
    pub use crate::{
        Account, Change, ChangeKind, Connector, Decision, Direction, Error, Event, FieldProblem, Fields,
        Named, NamedValue, Outcome, PartnerRecord, PollPage, Received, Result, ResultExt, Source, Value,
        Webhook,
    };
    pub use crate::{
        appointments, automation, bulk, campaigns, clock, contacts, instant, log, notes, notifications,
        only_contacts, paging, partner, rules, settings, state, tags, tasks, timers, workflows,
    };
}

pub use bindings::contactor::connector::types::{Direction, Error, FieldProblem, NamedValue, Value};
pub use bindings::exports::contactor::connector::adapter::{Account, Decision, PartnerRecord};
pub use bindings::exports::contactor::connector::automations::{Event, Outcome, Source};
pub use bindings::exports::contactor::connector::triggers::{
    Change, ChangeKind, PollPage, Received, Webhook,
};

/// Makes a type that implements [`Connector`] the component's connector. Once per crate; on any other target than `wasm32` it
/// only checks that the type is one, so that a connector can be linked natively beside others.
#[macro_export]
macro_rules! export {
    ($connector:ty) => {
        const _: () = {
            #[cfg(target_arch = "wasm32")]
            type Exported = $crate::Component<$connector>;
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::__export_component!(Exported with_types_in $crate::bindings);
            #[cfg(not(target_arch = "wasm32"))]
            const fn is_a_connector<C: $crate::Connector>() {}
            #[cfg(not(target_arch = "wasm32"))]
            is_a_connector::<$connector>();
        };
    };
}
