//! `settings`: the connection's settings. They were validated when the connection was loaded and hold no secret.

use contactor_runtime::bindings::settings::Host;

use super::Direct;

impl Host for Direct {
    async fn all(&mut self) -> String {
        self.run.active.settings.clone()
    }
}
