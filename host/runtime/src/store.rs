//! One store per call: the host's value, the budgets, and the hooks that end a call that exceeds them.

use std::time::Duration;

use wasmtime::{CallHook, Engine, Store, UpdateDeadline};

use crate::{
    bindings::HostImports,
    clock::CpuClock,
    limits::{Limiter, Limits},
    weight::Weight,
};

/// Why we ended a call. Travels through wasmtime as an error and becomes a [`crate::GuestFault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("memory limit")]
    Memory { wanted: usize, limit: usize },
    #[error("table limit")]
    Table { wanted: usize, limit: usize },
    #[error("CPU limit")]
    Cpu,
    #[error("host-call limit")]
    HostCalls,
    #[error("traffic limit")]
    Traffic,
    /// The one that is not the guest's fault.
    #[error("the system has no memory left")]
    OutOfMemory,
}

/// What lives in a store: the host's own value beside our counters.
pub(crate) struct CallState<H> {
    pub(crate) host: H,
    pub(crate) limiter: Limiter,
    pub(crate) budget: Budget,
    /// Code of the guest ran. What goes wrong from then on is of its making unless it says otherwise.
    pub(crate) ran: bool,
}

/// Calls and bytes across the boundary.
#[derive(Debug)]
pub(crate) struct Budget {
    max_calls: u32,
    max_bytes: usize,
    /// Calls that reached the host.
    pub(crate) calls: u32,
    /// Bytes from the guest to the host.
    pub(crate) sent: usize,
    /// Bytes from the host to the guest.
    pub(crate) received: usize,
    /// Set by the first excess; the call hook turns it into a trap before the guest sees an answer.
    stop: Option<Stop>,
}

impl Budget {
    fn new(limits: &Limits) -> Self {
        Self {
            max_calls: limits.host_calls,
            max_bytes: limits.traffic_bytes(),
            calls: 0,
            sent: 0,
            received: 0,
            stop: None,
        }
    }

    /// May this host call go on? If not, the host never hears of it.
    pub(crate) fn admit(&mut self, arguments: &impl Weight) -> bool {
        if self.calls >= self.max_calls {
            self.stop = Some(Stop::HostCalls);
            return false;
        }
        self.calls += 1;
        self.send(arguments)
    }

    /// Counts data from the guest.
    pub(crate) fn send(&mut self, data: &impl Weight) -> bool {
        self.sent = self.sent.saturating_add(data.weight());
        self.within()
    }

    /// Counts data for the guest.
    pub(crate) fn receive(&mut self, data: &impl Weight) -> bool {
        self.received = self.received.saturating_add(data.weight());
        self.within()
    }

    fn within(&mut self) -> bool {
        if self.sent.saturating_add(self.received) > self.max_bytes {
            self.stop = Some(Stop::Traffic);
        }
        self.stop.is_none()
    }
}

/// A fresh store with every limit set. `wasmtime` sets none of them by itself.
pub(crate) fn new<H: HostImports>(
    engine: &Engine,
    host: H,
    limits: &Limits,
    clock: &CpuClock,
    tick: Duration,
) -> Store<CallState<H>> {
    let state = CallState { host, limiter: Limiter::new(limits), budget: Budget::new(limits), ran: false };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    // Bounds what wasmtime allocates for one message before any of our code can look at it (default 128 MiB).
    store.set_hostcall_fuel(limits.message_bytes());
    // Our interface has no resources, so no handle is ever legal (default 100,000).
    store.set_max_component_handles(0);
    store.set_epoch_deadline(1);
    let (clock, cpu) = (clock.clone(), limits.cpu);
    store.epoch_deadline_callback(move |_| {
        let turn = clock.in_turn();
        if clock.spent() + turn >= cpu {
            return Err(Stop::Cpu.into());
        }
        if turn < tick {
            // The tick passed while the guest waited; it has only just begun.
            return Ok(UpdateDeadline::Continue(1));
        }
        // Tokio's own yield: others on this worker get their turn, and timers are looked at. The call goes on elsewhere.
        clock.overrun();
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    // The hook fires for wasmtime's own helpers (`memory.grow`, …) as well; only the budget knows what was a host call.
    store.call_hook(|mut state, hook| {
        let state = state.data_mut();
        state.ran |= matches!(hook, CallHook::CallingWasm);
        match (hook, state.budget.stop) {
            (CallHook::ReturningFromHost, Some(stop)) => Err(stop.into()),
            _ => Ok(()),
        }
    });
    store
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(host_calls: u32, traffic_mib: u32) -> Budget {
        Budget::new(&Limits { host_calls, traffic_mib, ..Limits::default() })
    }

    #[test]
    fn exactly_the_allowed_number_of_calls_is_admitted() {
        let mut budget = budget(2, 1);
        assert!(budget.admit(&()));
        assert!(budget.admit(&()));
        assert!(!budget.admit(&()));
        assert_eq!((budget.calls, budget.stop), (2, Some(Stop::HostCalls)));
    }

    #[test]
    fn bytes_of_both_directions_share_one_budget() {
        let mut budget = budget(10, 1);
        assert!(budget.send(&vec![0_u8; (1 << 19) - 8]));
        assert!(budget.receive(&vec![0_u8; (1 << 19) - 8]));
        assert!(!budget.receive(&vec![0_u8; 1]));
        assert_eq!(budget.stop, Some(Stop::Traffic));
    }

    #[test]
    fn after_an_excess_nothing_is_admitted_any_more() {
        let mut budget = budget(10, 1);
        assert!(!budget.send(&vec![0_u8; (1 << 20) + 1]));
        assert!(!budget.admit(&()));
    }
}
