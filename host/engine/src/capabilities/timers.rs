//! `timers`: what a connector wants to be woken for.

use contactor_runtime::bindings::timers::{Host, Timer};
use contactor_runtime::bindings::types::Error;

use super::Capabilities;

impl Host for Capabilities {
    async fn set(&mut self, _timer: Timer) -> Result<(), Error> {
        self.may_change()?;
        Err(Error::Unsupported("this host keeps no timers yet".to_owned()))
    }

    async fn cancel(&mut self, _name: String) -> Result<(), Error> {
        self.may_change()
    }
}
