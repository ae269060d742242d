//! What is refused before, and while, a component is made ready.

use std::path::Path;

use contactor_manifest::custom_section;
use contactor_runtime::{InspectError, LoadError, Origin, WorkerConfig, inspect};
use wasm_encoder::{ComponentSection, InstanceSection, MemorySection, MemoryType, Module, ModuleArg};

use super::made::{
    memory, one_function, starting, table, two_memories, with_manifest, with_module, with_name,
};
use super::*;

pub(crate) async fn load_bytes(bytes: Vec<u8>, grants: &Grants) -> Result<Connector<TestHost>, LoadError> {
    let digest = Digest::of(&bytes);
    runtime().load(bytes, &digest, grants).await
}

pub(crate) async fn refusal(bytes: Vec<u8>) -> LoadError {
    load_bytes(bytes, &Grants::all()).await.unwrap_err()
}

#[test]
fn inspecting_tells_what_a_component_asks_for() {
    let bytes = components::misbehave();
    let inspection = inspect(&bytes).unwrap();
    assert_eq!(inspection.manifest.connector.id.as_str(), "misbehave");
    assert_eq!((inspection.size, inspection.digest), (bytes.len(), Digest::of(&bytes)));
    assert_eq!(inspection.capabilities().collect::<Vec<_>>(), ["contacts"]);
    let mut imports = inspection.imports;
    imports.sort();
    assert_eq!(
        imports,
        ["clock", "contacts", "log", "types"].map(|name| format!("contactor:connector/{name}@0.1.1")),
        "no WASI, and nothing that the guest does not call"
    );
    assert!(inspection.exports.contains(&"contactor:connector/actions@0.1.1".to_owned()));
}

#[tokio::test]
async fn only_the_bytes_that_were_approved_are_taken() {
    let error =
        runtime().load(components::misbehave(), &Digest::of(b"others"), &Grants::all()).await.unwrap_err();
    assert!(
        matches!(error, LoadError::WrongDigest { expected, .. } if expected == Digest::of(b"others")),
        "{error}"
    );
}

#[tokio::test]
async fn a_component_that_is_too_large_is_not_even_hashed() {
    let runtime = Runtime::<TestHost>::new(RuntimeConfig { max_component_bytes: 100, ..config() }).unwrap();
    let error = runtime.load(vec![0; 101], &Digest::of(b""), &Grants::all()).await.unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { size: 101, max: 100 }), "{error}");
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    for bytes in [&b"\0asm\x01\0\0\0"[..], b"(component)", b"", b"\x7fELF", b"\0asm"] {
        let error = refusal(bytes.to_vec()).await;
        assert!(matches!(error, LoadError::Inspect(InspectError::NotAComponent { .. })), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_component_is_refused_wherever_it_ends() {
    let guest = components::misbehave();
    for length in (9..guest.len()).step_by(guest.len() / 50) {
        let error = refusal(guest[..length].to_vec()).await;
        assert!(matches!(error, LoadError::Inspect(_)), "{length}: {error}");
    }
}

#[tokio::test]
async fn a_component_without_a_manifest_is_refused() {
    let guest = components::misbehave();
    // A custom section of another name is none.
    let name = contactor_manifest::SECTION.as_bytes();
    let at = guest.windows(name.len()).position(|window| window == name).unwrap();
    let mut guest = guest;
    guest[at] = b'C';
    let error = refusal(guest).await;
    assert!(matches!(error, LoadError::Inspect(InspectError::NoManifest)), "{error}");
}

#[tokio::test]
async fn a_wrong_manifest_is_refused_with_its_own_words() {
    let error = refusal(with_manifest(|toml| toml.replace("memory_mib", "memory_mb"))).await;
    assert!(matches!(error, LoadError::Inspect(InspectError::Manifest(_))), "{error}");
    assert!(error.to_string().contains("memory_mb"), "{error}");
}

#[tokio::test]
async fn a_connector_for_a_newer_host_is_refused_with_both_versions() {
    let newer = with_manifest(|toml| toml.replace("minimum_host = \"0.1.0\"", "minimum_host = \"7.8.9\""));
    let error = refusal(newer).await;
    assert!(matches!(error, LoadError::HostVersion { .. }), "{error}");
    let host = env!("CARGO_PKG_VERSION");
    assert!(error.to_string().contains("7.8.9") && error.to_string().contains(host), "{error}");
}

#[tokio::test]
async fn an_import_that_was_not_granted_is_refused_by_name() {
    let error = load_bytes(components::misbehave(), &Grants::of(["tags", "notes"])).await.unwrap_err();
    assert!(matches!(&error, LoadError::NotGranted { interface, .. } if interface == "contacts"), "{error}");
    assert!(error.to_string().contains("`contacts`"), "{error}");
}

#[tokio::test]
async fn an_import_of_another_package_is_refused_by_name() {
    for (from, to) in [
        ("contactor:connector/clock@0.1.1", "contactor:connector/clack@0.1.1"),
        ("contactor:connector/clock@0.1.1", "contactor:connector/clock@0.9.0"),
        ("contactor:connector/clock@0.1.1", "wasi:filesystem/preopens@0.2.10"),
        ("contactor:connector/clock@0.1.1", "wasi:sockets/tcp-sockets@0.2.10"),
    ] {
        let error = refusal(with_name(from, to)).await;
        assert!(matches!(&error, LoadError::UnknownImport { import, .. } if import == to), "{to}: {error}");
        assert!(error.to_string().contains(to), "{error}");
    }
}

#[tokio::test]
async fn a_missing_export_is_named() {
    let error =
        refusal(with_name("contactor:connector/actions@0.1.1", "contactor:connector/actionz@0.1.1")).await;
    assert!(error.to_string().contains("does not export contactor:connector/actions@0.1.1"), "{error}");
}

#[tokio::test]
async fn a_component_that_keeps_the_compiler_busy_is_given_up() {
    let runtime =
        Runtime::<TestHost>::new(RuntimeConfig { compile_timeout: Duration::ZERO, ..config() }).unwrap();
    let bytes = components::misbehave();
    let error = runtime.load(bytes.clone(), &Digest::of(&bytes), &Grants::all()).await.unwrap_err();
    assert!(matches!(error, LoadError::CompileTimeout { .. }), "{error}");
}

/// A compiler that never ends with what is told to keep it busy, and refuses everything else.
fn worker(begun: &Path) -> WorkerConfig {
    let script = format!(
        "if grep -q 'keeps busy'; then touch {}; exec sleep 3600; fi; echo refused >&2; exit 3",
        begun.display()
    );
    WorkerConfig { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()], memory_mib: 128 }
}

#[tokio::test]
async fn what_is_installed_waits_for_no_compiler_that_a_stranger_keeps_busy() {
    let dir = tempfile::tempdir().unwrap();
    let begun = dir.path().join("begun");
    let runtime =
        Runtime::<TestHost>::new(RuntimeConfig { worker: Some(worker(&begun)), ..config() }).unwrap();
    let bytes = [components::misbehave(), custom_section("keeps busy", b"")].concat();
    let digest = Digest::of(&bytes);
    let busy = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.load_from(Origin::New, bytes, &digest, &Grants::all()).await.map(drop) }
    });
    while !begun.exists() {
        tokio::task::yield_now().await;
    }
    let bytes = components::misbehave();
    let error = runtime.load(bytes.clone(), &Digest::of(&bytes), &Grants::all()).await.unwrap_err();
    assert!(matches!(&error, LoadError::Compile { reason, .. } if reason == "refused"), "{error}");
    assert!(!busy.is_finished());
    // Nobody waits for it any more, so it ends: otherwise this test would not.
    busy.abort();
}

#[tokio::test]
async fn a_compiler_that_starves_behind_all_others_is_begun_again_with_a_higher_priority() {
    let dir = tempfile::tempdir().unwrap();
    let begun = dir.path().join("begun");
    // What it is told after its bound of memory; with that flag it says that it starved.
    let script = format!(
        "cat >/dev/null; echo \"$1\" >>{}; if [ -n \"$1\" ]; then exit 4; fi; echo refused >&2; exit 3",
        begun.display()
    );
    let worker = WorkerConfig {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        memory_mib: 128,
    };
    let runtime = Runtime::<TestHost>::new(RuntimeConfig { worker: Some(worker), ..config() }).unwrap();
    let bytes = components::misbehave();
    let digest = Digest::of(&bytes);
    let grants = Grants::all();
    for (origin, told) in [(Origin::New, "--gives-up\n\n"), (Origin::Installed, "\n")] {
        let error = runtime.load_from(origin, bytes.clone(), &digest, &grants).await.unwrap_err();
        assert!(matches!(&error, LoadError::Compile { reason, .. } if reason == "refused"), "{error}");
        assert_eq!(std::fs::read_to_string(&begun).unwrap(), told, "{origin:?}");
        std::fs::remove_file(&begun).unwrap();
    }
}

#[tokio::test]
async fn a_component_with_two_memories_is_refused() {
    let error = refusal(two_memories()).await;
    assert!(matches!(error, LoadError::Compile { .. }), "{error}");
    assert!(error.to_string().contains("memor"), "{error}");
}

#[tokio::test]
async fn a_module_with_two_memories_is_refused() {
    let mut memories = memory(1);
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut module = Module::new();
    module.section(&memories);
    assert!(matches!(refusal(with_module(&module)).await, LoadError::Compile { .. }));
}

#[tokio::test]
async fn a_64_bit_or_shared_memory_is_refused() {
    for (memory64, shared) in [(true, false), (false, true)] {
        let mut memories = MemorySection::new();
        memories.memory(MemoryType { minimum: 1, maximum: Some(1), memory64, shared, page_size_log2: None });
        let mut module = Module::new();
        module.section(&memories);
        assert!(matches!(refusal(with_module(&module)).await, LoadError::Compile { .. }));
    }
}

#[tokio::test]
async fn a_proposal_that_connectors_do_not_need_is_refused() {
    let mut module = one_function();
    starting(&mut module, |function| {
        function.instructions().v128_const(0).drop();
    });
    let error = refusal(with_module(&module)).await;
    assert!(error.to_string().to_lowercase().contains("simd"), "{error}");
}

#[tokio::test]
async fn a_table_larger_than_the_pool_has_is_refused() {
    let mut module = Module::new();
    module.section(&table(30_000));
    let error = refusal(with_module(&module)).await;
    assert!(matches!(error, LoadError::Compile { .. }), "{error}");
}

#[tokio::test]
async fn tables_that_are_too_large_together_end_the_call() {
    let mut module = Module::new();
    module.section(&table(19_999));
    let connector = load_bytes(with_module(&module), &Grants::all()).await.unwrap();
    let fault = fault(run(&connector, "echo", "").await);
    assert!(matches!(fault, GuestFault::Table { limit: 20_000, .. }), "{fault}");
}

#[tokio::test]
async fn more_core_instances_than_a_connector_needs_are_refused() {
    let mut guest = with_module(&Module::new());
    let mut instances = InstanceSection::new();
    for _ in 0..10 {
        instances.instantiate(0, std::iter::empty::<(&str, ModuleArg)>());
    }
    // Instantiating module 0 needs imports, which these instances do not give: the component is invalid or has too many.
    instances.append_to_component(&mut guest);
    assert!(matches!(refusal(guest).await, LoadError::Compile { .. }));
}

#[tokio::test]
async fn a_start_function_that_loops_is_ended_like_any_other_loop() {
    let mut module = one_function();
    starting(&mut module, |function| {
        function.instructions().loop_(wasm_encoder::BlockType::Empty).br(0).end();
    });
    let connector = load_bytes(with_module(&module), &Grants::all()).await.unwrap();
    let fault = fault(run(&connector, "echo", "").await);
    assert_eq!(fault, GuestFault::Cpu { limit: Duration::from_millis(300) });
}

#[tokio::test]
async fn a_start_function_that_traps_is_the_guests_fault() {
    let mut module = one_function();
    starting(&mut module, |function| {
        function.instructions().unreachable();
    });
    let connector = load_bytes(with_module(&module), &Grants::all()).await.unwrap();
    assert!(matches!(fault(run(&connector, "echo", "").await), GuestFault::Trap { .. }));
}

#[tokio::test]
async fn a_memory_that_begins_beyond_the_hosts_limit_is_refused() {
    let max_limits = Limits { memory_mib: 1, ..Limits::default() };
    let runtime = Runtime::<TestHost>::new(RuntimeConfig { max_limits, ..config() }).unwrap();
    let bytes = components::misbehave();
    let error = runtime.load(bytes.clone(), &Digest::of(&bytes), &Grants::all()).await.unwrap_err();
    assert!(matches!(error, LoadError::Compile { .. }) && error.to_string().contains("memory"), "{error}");
}

#[tokio::test]
async fn a_memory_that_begins_beyond_the_manifests_limit_ends_the_call() {
    let small = with_manifest(|toml| toml.replace("memory_mib = 16", "memory_mib = 1"));
    let connector = load_bytes(small, &Grants::all()).await.unwrap();
    assert!(
        matches!(fault(run(&connector, "echo", "").await), GuestFault::Memory { limit, .. } if limit == 1 << 20)
    );
}
