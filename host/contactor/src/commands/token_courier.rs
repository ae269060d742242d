//! `contactor token-courier`: makes one token request for a host that may die meanwhile. See `contactor_engine::Courier`.

use contactor_engine::Order;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};

pub(crate) fn run() -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, error);
    let order = Order::read(std::io::stdin().lock()).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(async {
            // A supervisor that stops the host tells all of its processes. This one ends by itself, within the request's time.
            let _terminate = signal(SignalKind::terminate())?;
            let _hang_up = signal(SignalKind::hangup())?;
            order.carry_out().await
        })
        .map_err(failed)
}
