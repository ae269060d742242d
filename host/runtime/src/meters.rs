//! Counters and histograms of one connector.
//!
//! The handles are made when the connector is loaded, so that a call only increments them. Install the recorder before loading.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};

use crate::CallError;

const CALLS: &str = "contactor_guest_calls_total";
const FAULTS: &str = "contactor_guest_faults_total";
const SECONDS: &str = "contactor_guest_call_seconds";
const CPU: &str = "contactor_guest_cpu_seconds";

pub(crate) struct Meters {
    connector: String,
    calls: Counter,
    seconds: Histogram,
    cpu: Histogram,
}

impl Meters {
    pub(crate) fn of(connector: &str) -> Self {
        Self {
            calls: counter!(CALLS, "connector" => connector.to_owned()),
            seconds: histogram!(SECONDS, "connector" => connector.to_owned()),
            cpu: histogram!(CPU, "connector" => connector.to_owned()),
            connector: connector.to_owned(),
        }
    }

    pub(crate) fn describe() {
        describe_counter!(CALLS, "Calls of a connector");
        describe_counter!(FAULTS, "Calls of a connector that ended in a fault, by kind and blame");
        describe_histogram!(
            SECONDS,
            metrics::Unit::Seconds,
            "Duration of a connector's call, waiting included"
        );
        describe_histogram!(CPU, metrics::Unit::Seconds, "Time in a connector's own code during a call");
    }

    pub(crate) fn record(&self, fault: Option<&CallError>, wall: Duration, cpu: Duration) {
        self.calls.increment(1);
        self.seconds.record(wall);
        self.cpu.record(cpu);
        if let Some(error) = fault {
            let (blame, kind) = match error {
                CallError::Guest { fault, .. } => ("guest", fault.kind()),
                CallError::Host { fault, .. } => ("host", fault.kind()),
            };
            counter!(FAULTS, "connector" => self.connector.clone(), "blame" => blame, "kind" => kind)
                .increment(1);
        }
    }
}
