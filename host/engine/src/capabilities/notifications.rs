//! `notifications`: messages to destinations that an admin set up.

use contactor_runtime::bindings::notifications::{Host, Message};
use contactor_runtime::bindings::types::Error;

use super::Direct;

/// The scope that a connector asks for.
const SCOPE: &str = "notifications";

impl Host for Direct {
    async fn send(&mut self, destination: String, _message: Message) -> Result<(), Error> {
        if !self.run.active.connection.grants.iter().any(|granted| granted == SCOPE) {
            return Err(Error::Denied(SCOPE.to_owned()));
        }
        self.may_change()?;
        Err(Error::NotFound(format!("destination {destination}")))
    }
}
