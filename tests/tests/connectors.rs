//! What a host does with the components that it is given: it reads the good ones without running them, refuses the others by
//! name, and lets none of them harm another.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use contactor_manifest::{Manifest, embed, extract};
use contactor_store::{ConnectionId, FailureClass, RunOutcome};
use contactor_tests::artefacts::component;
use contactor_tests::engine::Stand;
use serde_json::{Value, json};
use wasmparser::{Parser, Payload};

#[test]
fn prefinery_imports_what_it_calls_and_nothing_else() {
    let report = contactor_engine::inspect(&component("prefinery").unwrap()).unwrap();
    let imports: BTreeSet<&str> = report.imports.iter().map(String::as_str).collect();
    let expected = [
        "clock",
        "contacts",
        "log",
        "notes",
        "notifications",
        "partner",
        "rules",
        "settings",
        "tags",
        "tasks",
        "types",
        "workflows",
    ]
    .map(|name| format!("contactor:connector/{name}@0.1.1"));
    assert_eq!(imports, expected.iter().map(String::as_str).collect());
    assert_eq!(report.imports.len(), expected.len(), "an import is there twice");
    assert_eq!(report.refused, None);
}

#[test]
fn a_manifest_is_read_without_an_engine_that_could_run_the_component() {
    let bytes = component("prefinery").unwrap();
    let inspection = contactor_runtime::inspect(&bytes).unwrap();
    assert_eq!(inspection.size, bytes.len());
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/prefinery/connector.toml");
    assert_eq!(inspection.manifest, Manifest::parse(&std::fs::read_to_string(source).unwrap()).unwrap());
    // Even of a component that could never run.
    assert_eq!(inspection.manifest, contactor_runtime::inspect(&without_code(&bytes)).unwrap().manifest);
}

#[tokio::test]
async fn what_is_no_usable_component_is_refused_with_the_reason_and_leaves_nothing_behind() {
    let stand = Stand::start().await.unwrap();
    let good = component("prefinery").unwrap();
    let manifest = extract(&good).unwrap().unwrap();
    let with = |from: &str, to: &str| {
        assert!(manifest.contains(from), "the manifest has no {from}");
        embed(&good, &manifest.replacen(from, to, 1)).unwrap()
    };
    let table: [(&str, Vec<u8>, &[&str]); 9] = [
        ("an empty file", Vec::new(), &["an empty file"]),
        ("garbage", b"MZ is no wasm".to_vec(), &["an unknown format"]),
        ("text", b"(component)".to_vec(), &["WebAssembly text", "contactor connector build"]),
        (
            "a core module",
            b"\0asm\x01\0\0\0".to_vec(),
            &["a core WebAssembly module", "contactor connector build"],
        ),
        ("no manifest", without_manifest(&good, &manifest), &["carries no manifest", "connector.toml"]),
        ("half a file", good[..good.len() / 2].to_vec(), &["damaged", "truncated"]),
        ("damaged code", without_code(&good), &["prefinery", "does not compile"]),
        (
            "a newer host",
            with("minimum_host = \"0.1.0\"", "minimum_host = \"99.0.0\""),
            &["prefinery 0.1.0", "needs Contactor 99.0.0", "this host is 0.1.0", "update the host"],
        ),
        ("a wrong manifest", with("[[entity]]", "[[entities]]"), &["manifest is wrong", "entities"]),
    ];
    for (what, bytes, said) in table {
        let error = stand.engine.install_connector(bytes).await.expect_err(what).to_string();
        assert!(error.starts_with("component refused: "), "{what}: {error}");
        for part in said {
            assert!(error.contains(part), "{what}: {error}");
        }
        assert_eq!(stand.engine.connectors().await.unwrap(), [], "{what}");
    }
    // The same bytes without the damage.
    assert_eq!(stand.engine.install_connector(good).await.unwrap().id, "prefinery");
}

#[tokio::test]
async fn a_component_that_crashes_loops_or_hoards_ends_its_own_run_and_no_other() {
    let stand = Stand::start().await.unwrap();
    let bad = stand.enable("guest-misbehave", None).await.unwrap().id;
    let good = stand.enable("prefinery", None).await.unwrap().id;
    let table = [
        ("panic", Value::Null, "it crashed"),
        ("unreachable", Value::Null, "it crashed"),
        ("recurse", Value::Null, "it crashed"),
        ("loop", Value::Null, "limits.cpu_ms"),
        ("grow", Value::Null, "limits.memory_mib"),
        ("allocate", json!(1 << 30), "limits.memory_mib"),
        ("loop-in-host-calls", Value::Null, "limits.host_calls"),
    ];
    for (attack, input, said) in table {
        // Side by side: one of them ends badly, the other works as if it were alone.
        let (ended, page) = tokio::join!(stand.run(&bad, attack, &input), projects(&stand, &good));
        let error = ended.expect_err(attack).to_string();
        assert!(error.contains("misbehave") && error.contains(said), "{attack}: {error}");
        assert_eq!(page, 1, "{attack}");

        let run = stand.last_run(&bad).await.unwrap();
        assert_eq!((run.outcome, run.class), (RunOutcome::Parked, Some(FailureClass::GuestBug)), "{attack}");
        assert!(run.summary.contains("misbehave") && run.summary.contains(said), "{attack}: {}", run.summary);
        assert_eq!(
            stand.last_run(&good).await.unwrap().outcome,
            RunOutcome::Unchanged,
            "{attack}: it only read"
        );
    }
    // A fresh instance for every call: nothing of what happened is left in the component that misbehaved either.
    assert_eq!(stand.run(&bad, "echo", &json!("still here")).await.unwrap(), "still here");
}

#[tokio::test]
async fn an_action_that_the_manifest_does_not_declare_is_refused_before_the_component_runs() {
    let stand = Stand::start().await.unwrap();
    let connection = stand.enable("guest-misbehave", None).await.unwrap().id;
    // The component itself would do it.
    let error = stand.run(&connection, "now", &Value::Null).await.unwrap_err().to_string();
    assert!(error.contains("no action `now`") && error.contains("echo"), "{error}");
    assert!(stand.last_run(&connection).await.is_err(), "there is no run");
}

/// How many projects the Prefinery connector lists.
async fn projects(stand: &Stand, connection: &ConnectionId) -> usize {
    let page = stand.run(connection, "projects.list", &json!({})).await.unwrap();
    page["items"].as_array().unwrap().len()
}

/// The component as it was before its manifest was embedded, which is its last section.
fn without_manifest(component: &[u8], manifest: &str) -> Vec<u8> {
    let name = component.windows(18).rposition(|window| window == b"contactor:manifest").unwrap();
    assert!(component.ends_with(manifest.as_bytes()));
    // Before the name: its length in one byte, the section's length in seven bits a byte, the section's id.
    let mut length = 1 + 18 + manifest.len();
    let mut start = name - 2;
    while length > 0 {
        length >>= 7;
        start -= 1;
    }
    component[..start].to_vec()
}

/// The component with the instructions of its largest function overwritten; its sections are as they were.
fn without_code(component: &[u8]) -> Vec<u8> {
    let bodies = Parser::new(0).parse_all(component).filter_map(|payload| match payload.unwrap() {
        Payload::CodeSectionEntry(body) => {
            Some(body.get_operators_reader().unwrap().original_position()..body.range().end)
        }
        _ => None,
    });
    let largest = bodies.max_by_key(ExactSizeIterator::len).unwrap();
    let mut damaged = component.to_vec();
    damaged[largest].fill(0xFF);
    damaged
}
