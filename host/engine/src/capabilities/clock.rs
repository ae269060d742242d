//! `clock`: the run's own time. It stands still, so that a replay sees what the first attempt saw.

use contactor_runtime::bindings::clock::Host;

use super::Direct;

impl Host for Direct {
    async fn now(&mut self) -> u64 {
        // Nothing ran before 1970.
        u64::try_from(self.run.started_at.as_millisecond()).unwrap_or(0)
    }
}
