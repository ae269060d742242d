//! Who vouches for a component: signed on the command line, held to it by a real host at its installation, at each start and load.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::artefacts::component;
use contactor_tests::host::Host;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with a component to sign, as an author and an operator have one.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::write(desk.path("prefinery.wasm"), component("prefinery").unwrap()).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a command here; answers its status, and what it says on both outputs.
    async fn run(&self, arguments: &[&str]) -> (i32, Value, String) {
        let words: Vec<String> = arguments
            .iter()
            .map(|word| match word.strip_prefix('/') {
                Some(name) => self.path(name).display().to_string(),
                None => (*word).to_owned(),
            })
            .collect();
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.push("--json");
        let ended = Host::run(self.dir.path(), &words, &[]).await.unwrap();
        let said = serde_json::from_slice(&ended.stdout).unwrap_or_default();
        (ended.status.code().unwrap(), said, String::from_utf8_lossy(&ended.stderr).into_owned())
    }

    /// Makes a pair of keys; answers the public one.
    async fn keygen(&self, name: &str) -> String {
        let (status, said, words) = self.run(&["connector", "keygen", &format!("/{name}")]).await;
        assert_eq!(status, 0, "{words}");
        said["public"].as_str().unwrap().to_owned()
    }

    /// Signs a file into another one.
    async fn sign(&self, file: &str, key: &str, out: &str) -> Value {
        let (file, key, out) = (format!("/{file}"), format!("/{key}"), format!("/{out}"));
        let (status, said, words) =
            self.run(&["connector", "sign", &file, "--key", &key, "--out", &out]).await;
        assert_eq!(status, 0, "{words}");
        said
    }

    /// Sets what the host trusts, in the place of what it allowed at first.
    fn trusts(&self, publishers: &[(&str, &str, &str)]) {
        let path = self.path("contactor.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        let rest: String = config
            .split_inclusive("\n\n")
            .filter(|part| !part.trim_start().starts_with("[connectors"))
            .collect();
        let mut own = "[connectors]\nunsigned = \"refuse\"\n\n".to_owned();
        for (name, key, ids) in publishers {
            writeln!(own, "[connectors.publishers.{name}]\nkey = \"{key}\"\n{ids}\n").unwrap();
        }
        std::fs::write(path, own + &rest).unwrap();
    }

    /// Refuses a component by a digest, beside what the host trusts.
    fn refuses(&self, digest: &Value) {
        let path = self.path("contactor.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        let refused = format!("unsigned = \"refuse\"\nrefuse = [{digest}]\n");
        std::fs::write(path, config.replace("unsigned = \"refuse\"\n", &refused)).unwrap();
    }

    /// Allows what nobody signed.
    fn allows_everything(&self) {
        self.trusts(&[]);
        let path = self.path("contactor.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, config.replace("unsigned = \"refuse\"", "unsigned = \"allow\"")).unwrap();
    }

    /// Installs a file into the running host; answers why not if it is refused.
    async fn install(&self, host: &Host, file: &str) -> Result<Value, String> {
        let file = format!("/{file}");
        let (status, said, words) = self.run(&["--server", host.url(), "connector", "install", &file]).await;
        if status == 0 { Ok(said) } else { Err(words) }
    }
}

async fn sandbox() -> Sandbox {
    Sandbox::start(SandboxConfig::default()).await.unwrap()
}

async fn connection(host: &Host) -> Value {
    host.get("/workspaces/acme/connections/prefinery").await.unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn an_author_makes_keys_signs_and_whoever_has_the_public_one_verifies() {
    let desk = Desk::new();
    let (ours, theirs) = (desk.keygen("ours.key").await, desk.keygen("theirs.key").await);
    let mode = std::fs::metadata(desk.path("ours.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        std::fs::read_to_string(desk.path("ours.key")).unwrap().starts_with("-----BEGIN PRIVATE KEY-----")
    );
    let (status, ..) = desk.run(&["connector", "keygen", "/ours.key"]).await;
    assert_ne!(status, 0, "a key is not written over");

    let verify = async |file: &str, key: &str| {
        desk.run(&["connector", "verify", &format!("/{file}"), "--key", key]).await
    };
    let (status, said, words) = verify("prefinery.wasm", &ours).await;
    assert_eq!(status, 1);
    assert!(words.contains("not signed") && said["signed_by"] == json!([]), "{words}");

    let signed = desk.sign("prefinery.wasm", "ours.key", "signed.wasm").await;
    assert_eq!(signed["signed_by"], json!([ours]));
    let (status, said, _) = verify("signed.wasm", &ours).await;
    assert_eq!((status, &said["digest"], &said["connector"]), (0, &signed["digest"], &json!("prefinery")));
    let (_, before, _) = verify("prefinery.wasm", &ours).await;
    assert_ne!(before["digest"], said["digest"], "signing makes another file");
    let (status, _, words) = verify("signed.wasm", &theirs).await;
    assert!(status == 1 && words.contains(&ours), "{words}");

    // Twice by one, and by two.
    assert_eq!(desk.sign("signed.wasm", "ours.key", "again.wasm").await["digest"], signed["digest"]);
    desk.sign("signed.wasm", "theirs.key", "both.wasm").await;
    for key in [&ours, &theirs] {
        assert_eq!(verify("both.wasm", key).await.0, 0);
    }
    flip(&desk.path("both.wasm"), 5_000);
    for key in [&ours, &theirs] {
        let (status, _, words) = verify("both.wasm", key).await;
        assert!(status == 1 && words.contains("changed after they were signed"), "{words}");
    }
    let (status, _, words) = desk.run(&["connector", "sign", "/both.wasm", "--key", "/ours.key"]).await;
    assert!(status == 1 && words.contains("changed after"), "nobody signs over it: {words}");

    // In place, with a key that others could read, and with one that is none.
    assert_eq!(desk.run(&["connector", "sign", "/prefinery.wasm", "--key", "/ours.key"]).await.0, 0);
    assert_eq!(
        std::fs::read(desk.path("prefinery.wasm")).unwrap(),
        std::fs::read(desk.path("signed.wasm")).unwrap()
    );
    std::fs::set_permissions(desk.path("ours.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (status, _, words) = desk.run(&["connector", "sign", "/prefinery.wasm", "--key", "/ours.key"]).await;
    assert!(status == 2 && words.contains("chmod 600"), "{words}");
    std::fs::set_permissions(desk.path("ours.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(desk.path("ours.key"), "fake-key-of-nobody").unwrap();
    let (status, _, words) = desk.run(&["connector", "sign", "/prefinery.wasm", "--key", "/ours.key"]).await;
    assert!(status == 2 && !words.contains("fake-key-of-nobody"), "{words}");
}

#[tokio::test]
async fn a_host_installs_what_a_publisher_of_its_configuration_signed_and_nothing_else() {
    let (desk, sandbox) = (Desk::new(), sandbox().await);
    let (acme, house, stranger) =
        (desk.keygen("acme.key").await, desk.keygen("house.key").await, desk.keygen("stranger.key").await);
    for key in ["acme", "house", "stranger"] {
        desk.sign("prefinery.wasm", &format!("{key}.key"), &format!("by-{key}.wasm")).await;
    }
    Host::init(desk.dir.path(), &sandbox, "").await.unwrap();
    desk.trusts(&[("acme", &acme, "ids = [\"acme-*\"]"), ("house", &house, "")]);
    let host = Host::start(desk.dir.path()).await.unwrap();

    std::fs::copy(desk.path("by-house.wasm"), desk.path("changed.wasm")).unwrap();
    flip(&desk.path("changed.wasm"), 5_000);
    for (file, words) in [
        ("prefinery.wasm", "is not signed"),
        ("by-stranger.wasm", stranger.as_str()),
        ("by-acme.wasm", "`acme`, whose `ids` do not cover `prefinery`"),
        ("changed.wasm", "changed after they were signed"),
    ] {
        let why = desk.install(&host, file).await.unwrap_err();
        assert!(why.contains(words), "{file}: {why}");
    }
    assert_eq!(host.get("/connectors").await.unwrap(), json!([]));
    assert_eq!(std::fs::read_dir(desk.path("artefacts")).unwrap().count(), 0);

    let installed = desk.install(&host, "by-house.wasm").await.unwrap();
    assert_eq!((&installed["publisher"], &installed["refused"]), (&json!("house"), &Value::Null));
    let (_, shown, _) = desk.run(&["--server", host.url(), "connector", "show", "prefinery"]).await;
    assert_eq!(shown, installed);
    let audit = host.get("/audit").await.unwrap();
    assert!(audit.to_string().contains("publisher=house"), "{audit}");

    // What can be said before it is installed.
    let inspect = async |file: &str| {
        let request = host.client().post(host.at("/api/v1/connectors/inspect")).bearer_auth(host.token());
        let request = request.header("content-type", "application/wasm");
        let sent = request.body(std::fs::read(desk.path(file)).unwrap()).send().await.unwrap();
        sent.json::<Value>().await.unwrap()
    };
    let report = inspect("by-house.wasm").await;
    assert_eq!((&report["publisher"], &report["refused"]), (&json!("house"), &Value::Null));
    let report = inspect("by-stranger.wasm").await;
    assert_eq!(report["signed_by"], json!([stranger]));
    assert!(report["refused"].as_str().unwrap().contains(&stranger), "{report}");
    host.stop().await.unwrap();
}

#[tokio::test]
async fn a_connection_stops_when_nobody_vouches_for_its_component_and_goes_on_when_somebody_does() {
    let (desk, sandbox) = (Desk::new(), sandbox().await);
    let house = desk.keygen("house.key").await;
    desk.sign("prefinery.wasm", "house.key", "signed.wasm").await;
    Host::init(desk.dir.path(), &sandbox, "").await.unwrap();
    desk.trusts(&[("house", &house, "")]);
    let host = Host::start(desk.dir.path()).await.unwrap();
    let (location, token) = (sandbox.highlevel().first_location(), sandbox.highlevel().private_token());
    host.post("/workspaces", &json!({"id": "acme", "location": location, "token": token})).await.unwrap();
    desk.install(&host, "signed.wasm").await.unwrap();
    let enabled = host.put_prefinery(&sandbox, &json!({})).await.unwrap();
    assert_eq!((&enabled["state"], &enabled["publisher"]), (&json!("enabled"), &json!("house")));
    host.stop().await.unwrap();

    // The publisher is taken out of the configuration.
    desk.trusts(&[]);
    let host = Host::start(desk.dir.path()).await.unwrap();
    host.until("it is stopped", async || Ok(connection(&host).await["state"] == "paused")).await.unwrap();
    let stopped = connection(&host).await;
    let reason = stopped["state_reason"].as_str().unwrap();
    assert!(reason.contains(&house) && reason.contains("[connectors.publishers]"), "{reason}");
    assert_eq!(stopped["publisher"], "house", "who vouched for it when it was installed");
    let listed = host.get("/connectors").await.unwrap();
    assert!(listed[0]["refused"].as_str().unwrap().contains(&house), "{listed}");
    host.aim(&sandbox, &stopped).unwrap();
    let refused = host.post("/workspaces/acme/connections/prefinery/check", &json!({})).await.unwrap_err();
    assert!(refused.to_string().contains("422"), "{refused}");
    let refused = host.put_prefinery(&sandbox, &json!({})).await.unwrap_err();
    assert!(refused.to_string().contains("component-refused"), "{refused}");
    host.stop().await.unwrap();

    // And put back.
    desk.trusts(&[("house", &house, "")]);
    let host = Host::start(desk.dir.path()).await.unwrap();
    host.until("it goes on", async || Ok(connection(&host).await["state"] == "enabled")).await.unwrap();
    assert_eq!(connection(&host).await["state_reason"], Value::Null);
    host.post("/workspaces/acme/connections/prefinery/check", &json!({})).await.unwrap();
    let entries = host.get("/audit?actor=the-host").await.unwrap();
    let told: Vec<_> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| format!("{} {}", entry["action"].as_str().unwrap(), entry["detail"].as_str().unwrap()))
        .collect();
    let digest = stopped["digest"].as_str().unwrap();
    assert_eq!(
        told,
        [
            format!("connections.enable state=enabled before=paused digest={digest} cause=unvouched"),
            format!("connections.disable state=paused before=enabled digest={digest} cause=unvouched"),
        ]
    );
    assert_eq!(
        (&entries[0]["workspace"], &entries[0]["target"]),
        (&json!("acme"), &json!("connector=prefinery"))
    );
    host.stop().await.unwrap();
}

#[tokio::test]
async fn a_version_that_the_operator_refuses_is_neither_installed_nor_loaded_whoever_signs_it_again() {
    let (desk, sandbox) = (Desk::new(), sandbox().await);
    let house = desk.keygen("house.key").await;
    desk.keygen("stranger.key").await;
    desk.sign("prefinery.wasm", "house.key", "signed.wasm").await;
    desk.sign("signed.wasm", "stranger.key", "again.wasm").await;
    std::fs::write(desk.path("connectif.wasm"), component("connectif").unwrap()).unwrap();
    desk.sign("connectif.wasm", "house.key", "other.wasm").await;
    Host::init(desk.dir.path(), &sandbox, "").await.unwrap();
    desk.trusts(&[("house", &house, "")]);
    let host = Host::start(desk.dir.path()).await.unwrap();
    let (location, token) = (sandbox.highlevel().first_location(), sandbox.highlevel().private_token());
    host.post("/workspaces", &json!({"id": "acme", "location": location, "token": token})).await.unwrap();
    let digest = desk.install(&host, "signed.wasm").await.unwrap()["digest"].clone();
    host.put_prefinery(&sandbox, &json!({})).await.unwrap();
    host.stop().await.unwrap();

    desk.refuses(&digest);
    let host = Host::start(desk.dir.path()).await.unwrap();
    host.until("it is stopped", async || Ok(connection(&host).await["state"] == "paused")).await.unwrap();
    let reason = connection(&host).await["state_reason"].as_str().unwrap().to_owned();
    assert!(reason.contains(digest.as_str().unwrap()) && reason.contains("`refuse`"), "{reason}");
    let listed = host.get("/connectors").await.unwrap();
    assert!(listed[0]["refused"].as_str().unwrap().contains("`refuse`"), "{listed}");
    let refused = host.put_prefinery(&sandbox, &json!({})).await.unwrap_err();
    assert!(refused.to_string().contains("component-refused"), "{refused}");
    // Another signature makes another file, and no other component.
    for file in ["signed.wasm", "again.wasm"] {
        let why = desk.install(&host, file).await.unwrap_err();
        assert!(why.contains("`refuse`"), "{file}: {why}");
    }
    desk.install(&host, "other.wasm").await.unwrap();
    let (status, said, words) = desk.run(&["connector", "verify", "/again.wasm"]).await;
    assert!(status == 0, "whoever has never seen the file knows it by its contents: {words}");
    host.stop().await.unwrap();

    desk.trusts(&[("house", &house, "")]);
    desk.refuses(&said["contents"]);
    let (status, _, words) = desk.run(&["connector", "verify", "/again.wasm"]).await;
    assert!(status == 1 && words.contains("`refuse`"), "{words}");
    desk.trusts(&[("house", &house, "")]);
    let host = Host::start(desk.dir.path()).await.unwrap();
    host.until("it goes on", async || Ok(connection(&host).await["state"] == "enabled")).await.unwrap();
    host.stop().await.unwrap();
}

#[tokio::test]
async fn what_was_installed_while_everything_was_allowed_is_refused_when_it_is_not_any_more() {
    let (desk, sandbox) = (Desk::new(), sandbox().await);
    Host::init(desk.dir.path(), &sandbox, "").await.unwrap();
    desk.allows_everything();
    let host = Host::start(desk.dir.path()).await.unwrap();
    host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    assert_eq!(connection(&host).await["publisher"], Value::Null);
    host.stop().await.unwrap();
    desk.trusts(&[]);
    let host = Host::start(desk.dir.path()).await.unwrap();
    host.until("it is stopped", async || Ok(connection(&host).await["state"] == "paused")).await.unwrap();
    let reason = connection(&host).await["state_reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("not signed"), "{reason}");
    // Whoever knows better goes on with a signed one.
    let house = desk.keygen("house.key").await;
    desk.sign("prefinery.wasm", "house.key", "signed.wasm").await;
    host.stop().await.unwrap();
    desk.trusts(&[("house", &house, "")]);
    let host = Host::start(desk.dir.path()).await.unwrap();
    let digest = desk.install(&host, "signed.wasm").await.unwrap()["digest"].clone();
    assert_eq!(connection(&host).await["state"], "paused", "the one before is still pinned");
    let enabled = host
        .put(
            "/workspaces/acme/connections/prefinery",
            &json!({"digest": digest, "settings": {"beta_id": sandbox.prefinery().first_project().to_string()}}),
        )
        .await
        .unwrap();
    assert_eq!((&enabled["state"], &enabled["publisher"]), (&json!("enabled"), &json!("house")));
    host.stop().await.unwrap();
}
