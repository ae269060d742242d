//! `contactor connector dev`: what an author saves is what a running host runs.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::artefacts;
use contactor_tests::host::{Host, PATIENCE};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

const CONNECTION: &str = "/workspaces/acme/connections/prefinery";

/// A copy of the Prefinery connector that a test may change.
struct Crate {
    dir: PathBuf,
}

impl Crate {
    /// With a name of its own, because the tests of Prefinery read the component that bears its name.
    fn copied_to(dir: &Path) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let from = root.join("plugins/prefinery");
        std::fs::create_dir_all(dir.join("src")).unwrap();
        for entry in std::fs::read_dir(from.join("src")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dir.join("src").join(entry.file_name())).unwrap();
        }
        std::fs::copy(from.join("connector.toml"), dir.join("connector.toml")).unwrap();
        std::fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
        let sdk = root.join("sdk/contactor-sdk");
        let cargo_toml = format!(
            "[package]\nname = \"dev-prefinery\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\n[dependencies]\ncontactor-sdk = {{ path = \"{}\" }}\n\
             serde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n",
            sdk.display()
        );
        std::fs::write(dir.join("Cargo.toml"), cargo_toml).unwrap();
        Self { dir: dir.to_owned() }
    }

    fn replace(&self, old: &str, new: &str) {
        let path = self.dir.join("src/lib.rs");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "the connector holds no {old}");
        std::fs::write(path, text.replace(old, new)).unwrap();
    }

    fn dev(&self, host: &Host) -> Command {
        let mut command = Command::new(artefacts::binary("contactor").unwrap());
        command
            .env("CARGO_TARGET_DIR", artefacts::target().unwrap())
            .env("CARGO_NET_OFFLINE", "true")
            .arg("--config")
            .arg(host.config())
            .args(["--server", host.url(), "connector", "dev"])
            .arg(&self.dir)
            .args(["--workspace", "acme"])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn once(&self, host: &Host) -> Output {
        self.dev(host).args(["--once", "--json"]).output().await.unwrap()
    }
}

/// What `--once --json` says.
fn reloaded(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The names of what `check` tells about the partner's account.
async fn details(host: &Host) -> Vec<String> {
    let report = host.post(&format!("{CONNECTION}/check"), &json!({})).await.unwrap();
    assert_eq!(report["ok"], true, "{report}");
    report["details"].as_object().unwrap().keys().cloned().collect()
}

async fn line_with(lines: &mut Lines<BufReader<ChildStdout>>, words: &str) -> String {
    let found = async {
        loop {
            let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("ended before `{words}`"));
            if line.contains(words) {
                return line;
            }
        }
    };
    tokio::time::timeout(PATIENCE * 3, found).await.unwrap_or_else(|_| panic!("no line with `{words}`"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_author_saves_is_what_the_running_host_runs() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    let enabled = host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    let connector = Crate::copied_to(&dir.path().join("crate"));

    // Once, as it is.
    let first = reloaded(&connector.once(&host).await);
    assert_eq!(host.get(CONNECTION).await.unwrap()["digest"], first["digest"]);
    assert!(details(&host).await.contains(&"testers_count".to_owned()));

    // Changed: the host runs the new bytes, with everything else of the connection as it was.
    connector.replace("\"testers_count\"", "\"people\"");
    let second = reloaded(&connector.once(&host).await);
    assert_ne!(second["digest"], first["digest"]);
    let connection = host.get(CONNECTION).await.unwrap();
    assert_eq!(connection["digest"], second["digest"]);
    for kept in ["settings", "mapping", "grants", "base_url", "auth_scheme", "webhook_path", "schedule"] {
        assert_eq!(connection[kept], enabled[kept], "{kept}");
    }
    assert!(details(&host).await.contains(&"people".to_owned()));

    // What does not compile shows why and replaces nothing.
    connector.replace("\"people\"", "no_such_name");
    let broken = connector.once(&host).await;
    let words = String::from_utf8_lossy(&broken.stderr);
    assert!(!broken.status.success() && words.contains("no_such_name"), "{words}");
    assert_eq!(host.get(CONNECTION).await.unwrap()["digest"], second["digest"]);
    assert!(details(&host).await.contains(&"people".to_owned()));

    // Watched: it begins with the broken source, and mending it is enough.
    let mut child = connector.dev(&host).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let waits = async {
        while let Some(line) = errors.next_line().await.unwrap() {
            if line.contains("waiting for a change") {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(PATIENCE, waits).await.unwrap(), "it ended instead of waiting");
    let drained = tokio::spawn(async move { while let Ok(Some(_)) = errors.next_line().await {} });
    connector.replace("no_such_name", "\"testers\"");
    line_with(&mut lines, "reloaded in").await;
    assert!(details(&host).await.contains(&"testers".to_owned()));

    // And what the connection then does is shown.
    let location = sandbox.highlevel().first_location();
    sandbox.highlevel().load(&location, 1).unwrap();
    host.post(&format!("{CONNECTION}/sync"), &json!({ "full": true })).await.unwrap();
    line_with(&mut lines, "  reconcile  contact  ").await;
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
    assert!(tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap().success());
    drained.await.unwrap();
    host.stop().await.unwrap();
}
