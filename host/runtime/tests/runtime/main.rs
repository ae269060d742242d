//! The runtime against real components: one that is well-behaved when asked to, and misbehaves otherwise.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod cache;
mod calls;
mod components;
mod host;
mod hostile;
mod loading;
mod made;

use std::{fmt::Display, time::Duration};

use contactor_runtime::{
    Blame, CallError, CallOutcome, Connector, Digest, Grants, GuestFault, HostFault, Invocation, Limits,
    PoolUse, Reply, Runtime, RuntimeConfig,
};
use host::TestHost;

/// Few slots, so that one that is lost shows at once.
fn config() -> RuntimeConfig {
    RuntimeConfig { max_instances: 4, ..RuntimeConfig::default() }
}

fn runtime() -> Runtime<TestHost> {
    Runtime::new(config()).unwrap()
}

async fn load(runtime: &Runtime<TestHost>) -> Connector<TestHost> {
    let bytes = components::misbehave();
    let digest = Digest::of(&bytes);
    runtime.load(bytes, &digest, &Grants::of(["contacts"])).await.unwrap()
}

fn action(name: &str, input: impl Display) -> Invocation {
    Invocation::Run { name: name.into(), input: input.to_string() }
}

async fn run(connector: &Connector<TestHost>, name: &str, input: impl Display) -> CallOutcome<TestHost> {
    connector.call(TestHost::default(), action(name, input)).await
}

async fn answer(connector: &Connector<TestHost>, name: &str, input: impl Display) -> String {
    match run(connector, name, input).await.result {
        Ok(Reply::Run(Ok(text))) => text,
        other => panic!("{other:?}"),
    }
}

/// The fault of a call that has to be the guest's.
fn fault(outcome: CallOutcome<TestHost>) -> GuestFault {
    let error = outcome.result.unwrap_err();
    assert_eq!(error.blame(), Blame::Guest);
    let message = error.to_string();
    assert!(message.starts_with("connector misbehave, actions.run: "), "{message}");
    match error {
        CallError::Guest { fault, .. } => fault,
        CallError::Host { .. } => unreachable!("blame said otherwise"),
    }
}

/// After whatever happened: every slot is back, and the next call works.
async fn assert_unharmed(runtime: &Runtime<TestHost>, connector: &Connector<TestHost>) {
    assert_eq!(runtime.pool_use(), PoolUse { slots: 4, free: 4, instances: 0 });
    assert_eq!(answer(connector, "echo", "still here").await, "still here");
}
