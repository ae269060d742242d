//! The compiler of a real host: a process for each component, which is ended when it takes too much time or memory, and with the host.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../host/runtime/tests/runtime/made.rs"]
#[allow(dead_code, reason = "the tests of the runtime use all of it")]
mod made;

use std::fs;

use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::host::Host;
use reqwest::StatusCode;
use tempfile::TempDir;

/// For the components that are made: what they are made of.
mod components {
    pub(crate) fn misbehave() -> Vec<u8> {
        contactor_tests::artefacts::component("guest-misbehave").unwrap()
    }
}

/// A directory with the configuration of a host.
async fn desk(runtime: &str) -> (TempDir, Sandbox) {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::for_tests()).await.unwrap();
    Host::init(dir.path(), &sandbox, &format!("[runtime]\n{runtime}\n")).await.unwrap();
    (dir, sandbox)
}

/// What keeps a compiler busy for seconds, with hundreds of MiB of memory.
fn huge() -> Vec<u8> {
    made::large(2, 0)
}

/// Installs a component; answers the status, and what is said.
async fn install(host: &Host, component: Vec<u8>) -> (StatusCode, String) {
    let upload = host.client().post(host.at("/api/v1/connectors")).bearer_auth(host.token());
    let answer = upload.header("content-type", "application/wasm").body(component).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// Compilers that a host has begun and that have not ended, by their process ids.
fn compilers(host: u32) -> Vec<u32> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(|id| parent(*id) == Some(host)).collect()
}

/// Whose child a process is; none when it has ended.
fn parent(id: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let of = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let has_ended = of("State:")?.starts_with('Z');
    of("PPid:")?.parse().ok().filter(|_| !has_ended)
}

#[tokio::test]
async fn one_that_takes_too_much_memory_is_refused_and_the_host_goes_on() {
    let (dir, _sandbox) = desk("compile-memory-mib = 128").await;
    let host = Host::start(dir.path()).await.unwrap();
    let (status, said) = install(&host, huge()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
    assert!(said.contains("misbehave") && said.contains("128 MiB"), "{said}");
    host.install("prefinery").await.unwrap();
}

#[tokio::test]
async fn one_that_takes_too_long_is_refused_and_ended() {
    let (dir, _sandbox) = desk("compile-timeout-ms = 1").await;
    let host = Host::start(dir.path()).await.unwrap();
    let (status, said) = install(&host, huge()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
    assert!(said.contains("was not compiled within 1ms"), "{said}");
    // Its permit is back when it has ended, and the next one has it.
    host.until("the compiler has ended", async || Ok(compilers(host.id()?).is_empty())).await.unwrap();
}

#[tokio::test]
async fn a_compiler_ends_with_its_host() {
    let (dir, _sandbox) = desk("").await;
    let host = Host::start(dir.path()).await.unwrap();
    let id = host.id().unwrap();
    let upload = host.client().post(host.at("/api/v1/connectors")).bearer_auth(host.token());
    let upload = tokio::spawn(upload.header("content-type", "application/wasm").body(huge()).send());
    let mut begun = Vec::new();
    host.until("a compiler begins", async || {
        begun = compilers(id);
        Ok(!begun.is_empty())
    })
    .await
    .unwrap();
    host.kill9().await.unwrap();
    assert!(upload.await.unwrap().is_err(), "it was killed before it answered");
    // The kernel ends it, and has no more to say than that it did.
    while begun.iter().any(|compiler| parent(*compiler).is_some()) {
        tokio::task::yield_now().await;
    }
}
