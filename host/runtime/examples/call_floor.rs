//! What the guards around a guest call cost: an isolated [`Connector::call`] against bare wasmtime in the same run.
//!
//! Both make a fresh store and a fresh instance of the same component from the same kind of engine, call the same action with the same
//! input and answer the same host calls. The floor has no limits, no budgets, no time limit, no slots and no metrics. Samples
//! alternate, so that a slow moment of the machine hits both. One JSON object on standard output; times in microseconds.
//!
//! `cargo run --release -p contactor-runtime --example call_floor [samples]`, after `cargo xtask build`.

#[path = "../tests/runtime/components.rs"]
mod components;
#[path = "../tests/runtime/host.rs"]
mod host;

use std::{
    env,
    error::Error,
    io::{self, Write},
    time::{Duration, Instant},
};

use contactor_runtime::{
    Connector, Digest, Grants, Invocation, Reply, Runtime, RuntimeConfig,
    bindings::{ConnectorPre, clock, contacts, log, types},
    engine,
};
use host::TestHost;
use serde_json::{Map, Value, json};
use wasmtime::{
    Engine, Store,
    component::{Component, HasSelf, Linker},
};

const SAMPLES: usize = 20_000;
const WARM_UP: usize = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let samples = env::args().nth(1).map_or(Ok(SAMPLES), |text| text.parse())?;
    let bytes = components::misbehave();
    let digest = Digest::of(&bytes);
    let floor = Floor::new(&bytes)?;
    let runtime = Runtime::new(RuntimeConfig::default())?;
    let connector = runtime.load(bytes, &digest, &Grants::of(["contacts"])).await?;

    let mut report = Map::new();
    let record = record();
    for (case, action, input) in
        [("empty", "echo", ""), ("ten-host-calls", "host-calls", "10"), ("map-json", "map-json", &record)]
    {
        report.insert(case.into(), compare(&connector, &floor, action, input, samples).await?);
    }
    report.insert("samples".into(), samples.into());
    writeln!(io::stdout(), "{}", Value::Object(report))?;
    Ok(())
}

async fn compare(
    connector: &Connector<TestHost>,
    floor: &Floor,
    action: &str,
    input: &str,
    samples: usize,
) -> Result<Value, Box<dyn Error>> {
    let (mut calls, mut floors) = (Vec::with_capacity(samples), Vec::with_capacity(samples));
    for sample in 0..WARM_UP + samples {
        let begin = Instant::now();
        let invocation = Invocation::Run { name: action.into(), input: input.into() };
        let outcome = connector.call(TestHost::default(), invocation).await;
        let call = begin.elapsed();
        let Reply::Run(Ok(answer)) = outcome.result? else { return Err("the guest refused".into()) };

        let begin = Instant::now();
        let expected = floor.call(action, input).await?;
        let floor = begin.elapsed();
        if answer != expected {
            return Err("both sides have to do the same".into());
        }
        if sample >= WARM_UP {
            calls.push(call);
            floors.push(floor);
        }
    }
    let (call, floor) = (Quantiles::of(calls), Quantiles::of(floors));
    Ok(json!({
        "call_p50": call.p50,
        "call_p99": call.p99,
        "floor_p50": floor.p50,
        "floor_p99": floor.p99,
        "ratio_p50": call.p50 / floor.p50,
    }))
}

/// Bare wasmtime.
struct Floor {
    engine: Engine,
    component: ConnectorPre<TestHost>,
}

impl Floor {
    fn new(bytes: &[u8]) -> Result<Self, Box<dyn Error>> {
        let engine = engine(&RuntimeConfig::default())?;
        let component = Component::from_binary(&engine, bytes)?;
        let mut linker = Linker::new(&engine);
        types::add_to_linker::<_, HasSelf<TestHost>>(&mut linker, |host| host)?;
        contacts::add_to_linker::<_, HasSelf<TestHost>>(&mut linker, |host| host)?;
        log::add_to_linker::<_, HasSelf<TestHost>>(&mut linker, |host| host)?;
        clock::add_to_linker::<_, HasSelf<TestHost>>(&mut linker, |host| host)?;
        let component = ConnectorPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine, component })
    }

    async fn call(&self, action: &str, input: &str) -> Result<String, Box<dyn Error>> {
        let mut store = Store::new(&self.engine, TestHost::default());
        // Nobody advances this engine's epoch; without a deadline wasmtime traps at once.
        store.set_epoch_deadline(1);
        let instance = self.component.instantiate_async(&mut store).await?;
        let answer = instance.contactor_connector_actions().call_run(&mut store, action, input).await?;
        answer.map_err(|error| format!("{error:?}").into())
    }
}

/// Microseconds.
struct Quantiles {
    p50: f64,
    p99: f64,
}

impl Quantiles {
    fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let at = |percent: usize| samples[samples.len() * percent / 100].as_secs_f64() * 1e6;
        Self { p50: at(50), p99: at(99) }
    }
}

/// A contact as a partner would send it: 24 fields, about 1.9 KB.
fn record() -> String {
    let fields = (0..24).map(|number| {
        (
            format!("field_number_{number:02}"),
            Value::from("a value of some length ".repeat(2) + "and its end"),
        )
    });
    Value::Object(fields.collect()).to_string()
}
