//! A guest that calls each function of the host by its name.
//!
//! `actions.run("contacts.get", {"id": …})` calls `contacts.get` and nothing else. What the host answered is the output,
//! `{"ok": …}` or `{"error": {"case": …, "detail": …}}`: an error of the host is a value here, never a failed run. Built with
//! `cargo xtask build`, used by `tests/tests/operations`.

mod calls;
mod input;
#[cfg(target_arch = "wasm32")]
mod memory;
mod outcome;
mod script;

use contactor_sdk::prelude::*;
use serde_json::Value as Json;

use crate::input::Input;

struct Operations;

impl Connector for Operations {
    fn check() -> Result<Account> {
        Ok(Account::new("1", "Nobody"))
    }

    fn run(action: &str, input: Json) -> Result<Json> {
        calls::run(action, &Input(input))
    }

    fn receive(webhook: &Webhook) -> Result<Received> {
        script::receive(webhook)
    }

    fn handle(event: &Event) -> Result<Outcome> {
        script::handle(event)
    }
}

contactor_sdk::export!(Operations);
