//! What hostile guests may try beyond a single action: attacks by each export, each limit that a manifest can declare, and components
//! that no compiler of ours makes.

use contactor_runtime::bindings::automations::{Event, Source};
use contactor_runtime::bindings::triggers::Webhook;
use contactor_runtime::bindings::types::{Direction, NamedValue, Value};
use contactor_runtime::{InspectError, LoadError, StructureBound, inspect};
use wasm_encoder::{CodeSection, ComponentBuilder, ComponentValType, Function, PrimitiveValType, ValType};

use super::loading::{load_bytes, refusal};
use super::made::{
    compile_bomb, compile_bomb_in_one_function, growing_table, large, leaking_handles, one_function,
    with_component, with_manifest, with_module,
};
use super::*;

const MIB: usize = 1 << 20;
/// When the guest is asked for its account at this time, it loops.
const NOON: u64 = 12;

/// Every export that is given anything, each asked for the same attack.
fn by_every_export(attack: &str) -> Vec<Invocation> {
    let text = || format!("attack:{attack}");
    let (entity, id) = (|| "contact".to_owned(), || "7".to_owned());
    vec![
        Invocation::Admit { entity: text(), direction: Direction::ToPartner, fields: Vec::new() },
        Invocation::Read { entity: entity(), id: text() },
        Invocation::Find { entity: entity(), key: NamedValue { name: text(), value: Value::Empty } },
        Invocation::Create { entity: text(), fields: Vec::new() },
        Invocation::Update { entity: entity(), id: text(), fields: Vec::new() },
        Invocation::Delete { entity: entity(), id: text() },
        Invocation::Receive(Webhook { headers: Vec::new(), body: text().into_bytes() }),
        Invocation::Poll { stream: text(), cursor: Some(id()) },
        Invocation::Handle(Event {
            id: text(),
            source: Source::Partner,
            kind: "made-up".into(),
            contact_id: None,
            partner_id: None,
            at: "2026-01-02T03:04:05Z".into(),
            fields: Vec::new(),
            payload: "{}".into(),
        }),
    ]
}

/// The fault of a call, which has to be the guest's and to name the connector and the export.
async fn fault_of(connector: &Connector<TestHost>, host: TestHost, call: Invocation) -> GuestFault {
    let export = call.export();
    let error = connector.call(host, call).await.result.expect_err(export);
    assert_eq!(error.blame(), Blame::Guest, "{export}");
    let message = error.to_string();
    assert!(message.starts_with(&format!("connector misbehave, {export}: ")), "{message}");
    match error {
        CallError::Guest { fault, .. } => fault,
        CallError::Host { .. } => unreachable!("blame said otherwise"),
    }
}

#[tokio::test]
async fn an_attack_ends_its_own_call_whichever_export_it_comes_from() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    type Expected = fn(&GuestFault) -> bool;
    let attacks: [(&str, Expected); 7] = [
        ("loop", |fault| matches!(fault, GuestFault::Cpu { .. })),
        ("copy-storm", |fault| matches!(fault, GuestFault::Cpu { .. })),
        ("grow", |fault| matches!(fault, GuestFault::Memory { .. })),
        ("recurse", |fault| matches!(fault, GuestFault::Trap { .. })),
        ("panic", |fault| matches!(fault, GuestFault::Trap { .. })),
        ("host-calls 1000000", |fault| matches!(fault, GuestFault::HostCalls { limit: 100 })),
        ("log 5242880", |fault| matches!(fault, GuestFault::Message { .. })),
    ];
    for (attack, expected) in attacks {
        for call in by_every_export(attack) {
            let export = call.export();
            let fault = fault_of(&connector, TestHost::default(), call).await;
            assert!(expected(&fault), "{attack} by {export}: {fault}");
        }
        assert_unharmed(&runtime, &connector).await;
    }
    let at_noon = TestHost { now: NOON, ..TestHost::default() };
    assert!(matches!(fault_of(&connector, at_noon, Invocation::Check).await, GuestFault::Cpu { .. }));
    assert_unharmed(&runtime, &connector).await;
}

/// The guest under one limit that is lowered to the least.
async fn limited_to(key: &str, least: u32) -> Connector<TestHost> {
    let lowered = |toml: String| {
        let lines = toml.lines().map(|line| {
            if line.starts_with(&format!("{key} = ")) { format!("{key} = {least}") } else { line.to_owned() }
        });
        let changed = lines.collect::<Vec<_>>().join("\n");
        assert_ne!(changed, toml, "the guest declares no {key}");
        changed
    };
    load_bytes(with_manifest(lowered), &Grants::all()).await.unwrap()
}

#[tokio::test]
async fn every_limit_that_a_manifest_can_declare_is_held() {
    let limits = serde_json::to_value(contactor_manifest::Limits::default()).unwrap();
    let unlimited = load(&runtime()).await;
    for key in limits.as_object().unwrap().keys() {
        // What is done within the guest's own limit and is too much for the lowered one.
        let (least, attack, input) = match key.as_str() {
            "memory_mib" => (3, "allocate", (4 * MIB).to_string()),
            "cpu_ms" => (1, "allocate", (12 * MIB).to_string()),
            "call_timeout_ms" => (10, "wait-often", "3".to_owned()),
            "host_calls" => (2, "host-calls", "3".to_owned()),
            "traffic_mib" => (1, "fetch-often", "2".to_owned()),
            other => panic!("nothing here exceeds the limit `{other}`: add an attack that does"),
        };
        let within = run(&unlimited, attack, &input).await.result;
        assert!(matches!(within, Ok(Reply::Run(Ok(_)))), "{key}: {within:?}");
        let limited = limited_to(key, least).await;
        // The least of these clocks is a millisecond, which a quick machine may well keep: only an endless loop is sure to be longer.
        let (attack, input) = if key == "cpu_ms" { ("loop", String::new()) } else { (attack, input) };
        let fault = fault(run(&limited, attack, &input).await);
        let least = u64::from(least);
        let is_held = match &fault {
            GuestFault::Memory { limit, .. } => key == "memory_mib" && *limit as u64 == least << 20,
            GuestFault::Cpu { limit } => key == "cpu_ms" && *limit == Duration::from_millis(least),
            GuestFault::Timeout { limit } => {
                key == "call_timeout_ms" && *limit == Duration::from_millis(least)
            }
            GuestFault::HostCalls { limit } => key == "host_calls" && u64::from(*limit) == least,
            GuestFault::Traffic { limit } | GuestFault::Message { limit } => {
                key == "traffic_mib" && *limit as u64 == least << 20
            }
            _ => false,
        };
        assert!(is_held, "{key}: {fault}");
        assert!(
            fault.to_string().contains(&format!("limits.{key}")) || key == "traffic_mib",
            "{key}: {fault}"
        );
    }
}

#[tokio::test]
async fn a_table_that_grows_without_end_is_ended() {
    let connector = load_bytes(growing_table(), &Grants::all()).await.unwrap();
    let fault = fault(run(&connector, "echo", "").await);
    assert!(matches!(fault, GuestFault::Table { limit: 20_000, .. }), "{fault}");
}

#[tokio::test]
async fn memory_that_ends_at_the_hosts_own_most_ends_the_call_by_name_as_well() {
    let max_limits = Limits { memory_mib: 16, ..Limits::default() };
    let runtime = Runtime::new(RuntimeConfig { max_limits, ..config() }).unwrap();
    let connector = load(&runtime).await;
    let fault = fault(run(&connector, "grow", "").await);
    assert!(matches!(fault, GuestFault::Memory { limit, .. } if limit == 16 * MIB), "{fault}");
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn handles_that_are_never_given_back_are_not_given_out() {
    let runtime = runtime();
    let bytes = leaking_handles();
    let connector = runtime.load(bytes.clone(), &Digest::of(&bytes), &Grants::all()).await.unwrap();
    let fault = fault(run(&connector, "echo", "").await);
    assert!(matches!(fault, GuestFault::Trap { .. } | GuestFault::BadData { .. }), "{fault}");
    assert_unharmed(&runtime, &load(&runtime).await).await;
}

#[tokio::test]
async fn a_component_of_100_mib_is_refused_by_its_size_alone() {
    let bytes = vec![0; 100 * MIB];
    let error = runtime().load(bytes, &Digest::of(b"nobody reads them"), &Grants::all()).await.unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { size, .. } if size == 100 * MIB), "{error}");
}

/// A component whose types lie in one another so deep.
fn nested_types(depth: u32) -> Vec<u8> {
    let mut component = ComponentBuilder::default();
    let mut inner = ComponentValType::Primitive(PrimitiveValType::U8);
    for _ in 0..depth {
        let (index, types) = component.type_defined(None);
        types.list(inner);
        inner = ComponentValType::Type(index);
    }
    component.finish()
}

/// A component with a type that doubles in each of its layers: 2^`layers` fields, written in a few bytes.
fn doubling_type(layers: u32) -> Vec<u8> {
    let mut component = ComponentBuilder::default();
    let mut inner = ComponentValType::Primitive(PrimitiveValType::U8);
    for _ in 0..layers {
        let (index, types) = component.type_defined(None);
        types.tuple([inner, inner]);
        inner = ComponentValType::Type(index);
    }
    component.finish()
}

#[tokio::test]
async fn a_component_that_is_small_and_costs_much_to_look_at_is_refused() {
    // It is the depth and the size that are refused, and not the component in it.
    load_bytes(with_component(&nested_types(3)), &Grants::all()).await.unwrap();
    load_bytes(with_component(&doubling_type(3)), &Grants::all()).await.unwrap();
    for (what, bomb) in [("nested", nested_types(5_000)), ("doubling", doubling_type(64))] {
        let error = refusal(with_component(&bomb)).await;
        let is_refused =
            matches!(error, LoadError::Inspect(InspectError::Malformed { .. }) | LoadError::Compile { .. });
        assert!(is_refused, "{what}: {error}");
        let said = error.to_string();
        assert!(said.len() < 1_000, "{what}: {said}");
    }
}

#[tokio::test]
async fn a_function_with_more_variables_than_any_has_is_refused() {
    let mut module = one_function();
    let mut code = CodeSection::new();
    let mut function = Function::new([(1_000_000, ValType::I64)]);
    function.instructions().end();
    code.function(&function);
    module.section(&code);
    let error = refusal(with_module(&module)).await;
    let bound = StructureBound::Variables;
    let is_refused = matches!(
        &error,
        LoadError::Inspect(InspectError::TooComplex { bound: of, value: 1_000_000, limit })
            if *of == bound && *limit == bound.limit()
    );
    assert!(is_refused, "{error}");
}

#[tokio::test]
async fn a_compile_bomb_in_one_function_never_comes_to_the_compiler() {
    let bytes = compile_bomb_in_one_function();
    wasmparser::Validator::new().validate_all(&bytes).expect("it is its structure that is refused");
    let error = refusal(bytes).await;
    let is_refused = matches!(
        &error,
        LoadError::Inspect(InspectError::TooComplex { bound: StructureBound::BranchTargets, .. })
    );
    assert!(is_refused, "{error}");
}

#[test]
fn what_is_large_and_within_the_bounds_is_not_refused_for_its_size() {
    assert!(inspect(&large(2, 0)).is_ok());
}

#[tokio::test]
async fn a_compile_bomb_is_given_up_and_the_host_goes_on() {
    let bytes = compile_bomb(0);
    wasmparser::Validator::new().validate_all(&bytes).expect("it is not refused before the compiler has it");
    let config = RuntimeConfig { compile_timeout: Duration::from_millis(1), ..config() };
    let runtime = Runtime::<TestHost>::new(config).unwrap();
    let error = runtime.load(bytes.clone(), &Digest::of(&bytes), &Grants::all()).await.unwrap_err();
    assert!(matches!(error, LoadError::CompileTimeout { .. }), "{error}");
    assert_eq!(runtime.pool_use(), PoolUse { slots: 4, free: 4, instances: 0 });
}
