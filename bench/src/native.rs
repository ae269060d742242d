//! The Prefinery connector linked into this process instead of run as a component, for measuring what isolation costs.
//!
//! A connector is ordinary blocking code. A component blocks on a fibre of wasmtime's; here each call blocks a thread of
//! its own kind, which is the usual way to run such code natively.

mod convert;

use std::cell::RefCell;
use std::rc::Rc;

use async_trait::async_trait;
use contactor_engine::{Capabilities, Guest};
use contactor_runtime::bindings;
use contactor_runtime::{CallError, Invocation, Reply};
use contactor_sdk::appointments::Appointments;
use contactor_sdk::bulk::Bulk;
use contactor_sdk::campaigns::Campaigns;
use contactor_sdk::contacts::Contacts;
use contactor_sdk::host::{Host, install};
use contactor_sdk::log::Level;
use contactor_sdk::notes::Notes;
use contactor_sdk::notifications::Notifications;
use contactor_sdk::partner::{Partner, Request, Response};
use contactor_sdk::rules::Rules;
use contactor_sdk::state::State;
use contactor_sdk::tags::Tags;
use contactor_sdk::tasks::Tasks;
use contactor_sdk::timers::Timers;
use contactor_sdk::workflows::Workflows;
use contactor_sdk::{Connector, Error, NamedValue, Result};
use prefinery::Prefinery;
use tokio::runtime::Handle;

use convert::{Across, fields};

/// Calls the connector's code directly.
pub(crate) struct Native;

#[async_trait]
impl Guest for Native {
    async fn call(&self, host: Capabilities, call: Invocation) -> std::result::Result<Reply, CallError> {
        let handle = Handle::current();
        let task = tokio::task::spawn_blocking(move || {
            let _installed = install(Rc::new(Linked { handle, host: RefCell::new(host) }));
            dispatch(call)
        });
        match task.await {
            Ok(reply) => Ok(reply),
            // Nobody isolates native code: its panic is the host's.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// The exports, as the SDK's component has them.
fn dispatch(call: Invocation) -> Reply {
    match call {
        Invocation::Check => Reply::Check(Prefinery::check().across()),
        Invocation::Admit { entity, direction, fields: given } => {
            Reply::Admit(Prefinery::admit(&entity, direction.across(), &fields(given)).across())
        }
        Invocation::Read { entity, id } => Reply::Read(Prefinery::read(&entity, &id).across()),
        Invocation::Find { entity, key } => Reply::Find(Prefinery::find(&entity, &key.across()).across()),
        Invocation::Create { entity, fields: given } => {
            Reply::Create(Prefinery::create(&entity, &fields(given)).across())
        }
        Invocation::Update { entity, id, fields: given } => {
            Reply::Update(Prefinery::update(&entity, &id, &fields(given)).across())
        }
        Invocation::Delete { entity, id } => Reply::Delete(Prefinery::delete(&entity, &id).across()),
        // A reconcile calls nothing of these.
        Invocation::Receive(_) => Reply::Receive(Err(not_measured())),
        Invocation::Poll { .. } => Reply::Poll(Err(not_measured())),
        Invocation::Handle(_) => Reply::Handle(Err(not_measured())),
        Invocation::Run { .. } => Reply::Run(Err(not_measured())),
    }
}

fn not_measured() -> bindings::types::Error {
    bindings::types::Error::Unsupported("the native connector is measured with reconciles alone".to_owned())
}

/// The capabilities of one call, as the SDK asks for them. Prefinery calls the partner, its settings and the log; the rest
/// answers that it is not offered.
struct Linked {
    handle: Handle,
    host: RefCell<Capabilities>,
}

impl Host for Linked {
    fn settings(&self) -> String {
        self.handle.block_on(bindings::settings::Host::all(&mut *self.host.borrow_mut()))
    }

    fn log(&self, level: Level, message: &str, fields: &[NamedValue]) {
        let fields = fields.iter().cloned().map(Across::across).collect();
        let mut host = self.host.borrow_mut();
        self.handle.block_on(bindings::log::Host::write(
            &mut *host,
            level.across(),
            message.to_owned(),
            fields,
        ));
    }

    fn now(&self) -> u64 {
        self.handle.block_on(bindings::clock::Host::now(&mut *self.host.borrow_mut()))
    }
}

impl Partner for Linked {
    fn send(&self, request: &Request) -> Result<Response, Error> {
        let mut host = self.host.borrow_mut();
        self.handle.block_on(bindings::partner::Host::send(&mut *host, request.clone().across())).across()
    }
}

impl Contacts for Linked {}
impl Tasks for Linked {}
impl Notes for Linked {}
impl Tags for Linked {}
impl Appointments for Linked {}
impl Bulk for Linked {}
impl Campaigns for Linked {}
impl Workflows for Linked {}
impl State for Linked {}
impl Rules for Linked {}
impl Timers for Linked {}
impl Notifications for Linked {}
