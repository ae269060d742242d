//! Calls of a guest that behaves.

use contactor_runtime::bindings::{
    adapter::Decision,
    automations::{Event, Outcome, Source},
    triggers::{Received, Webhook},
    types::{Direction, Error, NamedValue, Value},
};

use super::*;

fn field() -> NamedValue {
    NamedValue { name: "email".into(), value: Value::Text("ada@example.com".into()) }
}

async fn reply(connector: &Connector<TestHost>, invocation: Invocation) -> Reply {
    connector.call(TestHost::default(), invocation).await.result.unwrap()
}

#[tokio::test]
async fn every_export_receives_its_arguments_and_answers_in_its_own_type() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    let to = |entity: &str, id: &str| (entity.to_owned(), id.to_owned());

    let Reply::Check(Ok(account)) = reply(&connector, Invocation::Check).await else { panic!() };
    assert_eq!(account.name, "Nobody");

    let (entity, id) = to("contact", "7");
    let admit = Invocation::Admit {
        entity: entity.clone(),
        direction: Direction::ToHighlevel,
        fields: vec![field()],
    };
    assert_eq!(reply(&connector, admit).await, Reply::Admit(Ok(Decision::Skip("contact".into()))));

    let Reply::Read(Ok(record)) =
        reply(&connector, Invocation::Read { entity: entity.clone(), id: id.clone() }).await
    else {
        panic!()
    };
    assert_eq!(record.id, "7");

    let Reply::Find(Ok(found)) =
        reply(&connector, Invocation::Find { entity: entity.clone(), key: field() }).await
    else {
        panic!()
    };
    assert_eq!(found[0].fields, [field()]);

    let create = Invocation::Create { entity: entity.clone(), fields: vec![field()] };
    let Reply::Create(Ok(record)) = reply(&connector, create).await else { panic!() };
    assert_eq!((record.id.as_str(), record.fields), ("new", vec![field()]));

    let update = Invocation::Update { entity: entity.clone(), id: id.clone(), fields: vec![field()] };
    let Reply::Update(Ok(record)) = reply(&connector, update).await else { panic!() };
    assert_eq!((record.id.as_str(), record.fields), ("7", vec![field()]));

    assert_eq!(reply(&connector, Invocation::Delete { entity, id }).await, Reply::Delete(Ok(())));

    let webhook = Webhook { headers: vec![("x-event".into(), "made-up".into())], body: b"hello".to_vec() };
    assert_eq!(
        reply(&connector, Invocation::Receive(webhook)).await,
        Reply::Receive(Ok(Received::Rejected("hello".into())))
    );

    let poll = Invocation::Poll { stream: "people".into(), cursor: Some("page-2".into()) };
    let Reply::Poll(Ok(page)) = reply(&connector, poll).await else { panic!() };
    assert_eq!(
        (page.changes[0].entity.as_str(), page.cursor.as_deref(), page.more),
        ("people", Some("page-2"), true)
    );

    let event = Event {
        id: "event-1".into(),
        source: Source::Partner,
        kind: "made-up".into(),
        contact_id: None,
        partner_id: Some("7".into()),
        at: "2026-01-02T03:04:05Z".into(),
        fields: vec![field()],
        payload: "{}".into(),
    };
    assert_eq!(
        reply(&connector, Invocation::Handle(event)).await,
        Reply::Handle(Ok(Outcome::Done("event-1".into())))
    );
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn an_error_that_the_connector_answers_is_an_answer_and_no_fault() {
    let connector = load(&runtime()).await;
    let outcome = run(&connector, "refuse", "two claim it").await;
    assert_eq!(outcome.result, Ok(Reply::Run(Err(Error::Conflict("two claim it".into())))));
}

#[tokio::test]
async fn the_guest_reaches_the_hosts_own_value_and_the_caller_gets_it_back() {
    let connector = load(&runtime()).await;
    let host = TestHost { now: 1_700_000_000_000, ..TestHost::default() };
    let outcome = connector.call(host, action("now", "")).await;
    assert_eq!(outcome.result, Ok(Reply::Run(Ok("1700000000000".into()))));

    let outcome = run(&connector, "host-calls", 3).await;
    assert_eq!(outcome.host.gets, 3);
    assert_eq!(outcome.usage.host_calls, 3);
}

#[tokio::test]
async fn usage_tells_what_a_call_took() {
    let connector = load(&runtime()).await;
    let usage = run(&connector, "return", 100_000).await.usage;
    assert!(usage.bytes_sent >= 100_000 && usage.bytes_sent < 101_000, "{usage:?}");
    assert!(usage.bytes_received > 0 && usage.bytes_received < 1_000, "{usage:?}");
    let usage = run(&connector, "fetch-often", 1).await.usage;
    assert!(usage.bytes_received >= 1 << 20, "{usage:?}");
    assert!(usage.peak_memory >= 1 << 20 && usage.peak_memory <= 16 << 20, "{usage:?}");
    assert!(usage.cpu <= usage.wall, "{usage:?}");
    assert_eq!(usage.host_calls, 1);
}

#[tokio::test]
async fn limits_are_those_of_the_manifest_capped_by_the_hosts() {
    let connector = load(&runtime()).await;
    assert_eq!(connector.limits().memory_mib, 16);
    assert_eq!(connector.limits().cpu, Duration::from_millis(300));
    let max_limits = Limits { memory_mib: 8, ..Limits::default() };
    let connector = load(&Runtime::new(RuntimeConfig { max_limits, ..config() }).unwrap()).await;
    assert_eq!(connector.limits().memory_mib, 8);
    assert_eq!(connector.id(), "misbehave");
}

#[tokio::test]
async fn a_call_can_be_spawned_and_many_can_run_at_once() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    let calls = (0..40).map(|number| {
        let connector = connector.clone();
        tokio::spawn(async move { answer(&connector, "echo", number).await })
    });
    for (number, call) in calls.enumerate() {
        assert_eq!(call.await.unwrap(), number.to_string());
    }
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn a_connector_outlives_the_handle_of_its_runtime() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    drop(runtime);
    assert_eq!(answer(&connector, "echo", "alone").await, "alone");
    // Its clock ticks on as well: an endless loop still ends.
    assert!(matches!(fault(run(&connector, "loop", "").await), GuestFault::Cpu { .. }));
}

#[tokio::test]
async fn a_full_pool_is_the_hosts_fault_and_runs_nothing() {
    let config = RuntimeConfig { max_instances: 1, pool_wait: Duration::from_millis(1), ..config() };
    let runtime = Runtime::new(config).unwrap();
    let connector = load(&runtime).await;
    let waiting = connector.clone();
    let waiting = tokio::spawn(async move { run(&waiting, "wait", "").await });
    while runtime.pool_use().free > 0 {
        tokio::task::yield_now().await;
    }
    let outcome = run(&connector, "host-calls", 1).await;
    let error = outcome.result.unwrap_err();
    assert_eq!(error.blame(), Blame::Host);
    assert!(matches!(error, CallError::Host { fault: HostFault::PoolBusy { slots: 1, .. }, .. }), "{error}");
    assert_eq!(outcome.host.gets, 0);
    // Dropping a call frees its slot.
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(runtime.pool_use(), PoolUse { slots: 1, free: 1, instances: 0 });
    assert_eq!(answer(&connector, "echo", "free again").await, "free again");
}
