//! Native hosting: who answers a connector's calls when it is no component.
//!
//! Tests install a [`MockHost`](crate::testing::MockHost); a program that links connectors natively installs a [`Host`] of its
//! own. A host belongs to one thread, as an instance of a component does.

use std::cell::RefCell;
use std::rc::Rc;

use crate::appointments::Appointments;
use crate::bulk::Bulk;
use crate::campaigns::Campaigns;
use crate::contacts::Contacts;
use crate::log::Level;
use crate::notes::Notes;
use crate::notifications::Notifications;
use crate::partner::Partner;
use crate::rules::Rules;
use crate::state::State;
use crate::tags::Tags;
use crate::tasks::Tasks;
use crate::timers::Timers;
use crate::workflows::Workflows;
use crate::{Error, NamedValue};

/// Everything that a connector can call: one trait per interface, whose methods all have a default that answers
/// [`Error::Unsupported`], and the three functions that cannot fail.
pub trait Host:
    Contacts
    + Tasks
    + Notes
    + Tags
    + Appointments
    + Bulk
    + Campaigns
    + Workflows
    + Partner
    + State
    + Rules
    + Timers
    + Notifications
{
    /// All settings of the connection as one JSON object, defaults filled in.
    fn settings(&self) -> String;

    /// Takes one line of the log.
    fn log(&self, level: Level, message: &str, fields: &[NamedValue]);

    /// The instant at which the run began, in milliseconds since 1970.
    fn now(&self) -> u64;
}

thread_local! {
    static HOST: RefCell<Option<Rc<dyn Host>>> = const { RefCell::new(None) };
}

/// Keeps a host installed; when it is dropped, the previous one is back.
#[must_use = "the host is installed only as long as this lives"]
pub struct Installed {
    previous: Option<Rc<dyn Host>>,
}

/// Installs a host on this thread.
pub fn install(host: Rc<dyn Host>) -> Installed {
    Installed { previous: HOST.with(|slot| slot.borrow_mut().replace(host)) }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let previous = self.previous.take();
        HOST.with(|slot| *slot.borrow_mut() = previous);
    }
}

pub(crate) fn with<T>(call: impl FnOnce(&dyn Host) -> T) -> T {
    // Cloned, so that a route of a test host may call the connector's functions itself.
    let host = HOST.with(|slot| slot.borrow().clone());
    match host {
        Some(host) => call(&*host),
        None => {
            panic!("a connector called its host, but none is installed on this thread: see MockHost::install")
        }
    }
}

pub(crate) fn not_offered(operation: &str) -> Error {
    Error::Unsupported(format!("this host does not offer {operation}"))
}
