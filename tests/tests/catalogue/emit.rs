//! Triggers and actions from the command line, with the real program and a real host.

use std::process::Stdio;

use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::artefacts;
use contactor_tests::host::{Host, OUTBOUND};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A host and the doubles, whose webhooks go to it.
struct Stage {
    dir: TempDir,
    host: Host,
    sandbox: Sandbox,
}

impl Stage {
    async fn start() -> Self {
        Self::start_with(json!({})).await
    }

    async fn start_with(settings: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
        let location = sandbox.highlevel().first_location();
        let fields = json!({ "firstName": "Ann", "email": "ann@example.com", "phone": "+12025550101" });
        sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
        Host::init(dir.path(), &sandbox, "").await.unwrap();
        let host = Host::start(dir.path()).await.unwrap();
        host.enable_prefinery(&sandbox, settings).await.unwrap();
        host.until_idle().await.unwrap();
        Self { dir, host, sandbox }
    }

    /// The program's answer, as JSON.
    async fn contactor(&self, arguments: &[&str]) -> Result<Value, String> {
        let output = Command::new(artefacts::binary("contactor").unwrap())
            .args(["--json", "--server", self.host.url(), "--admin-token-file"])
            .arg(self.dir.path().join("admin.token"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8(output.stderr).unwrap());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    }

    async fn emit(&self, trigger: &str) -> Result<Value, String> {
        let sandbox = self.sandbox.highlevel_url();
        self.contactor(&["emit", "acme", trigger, "--sandbox", &sandbox]).await
    }
}

#[tokio::test]
async fn the_sample_of_a_trigger_goes_the_whole_way_and_one_learns_what_became_of_it() {
    let stage = Stage::start().await;
    let contact = stage.emit("highlevel.ContactUpdate").await.unwrap();
    let event = &contact["events"][0];
    assert_eq!((&event["kind"], &event["state"]), (&json!("ContactUpdate"), &json!("applied")), "{contact}");
    assert_eq!(contact["records"][0]["entity"], "contact", "{contact}");
    assert!(contact["runs"][0]["summary"].as_str().unwrap().contains("created in Prefinery"), "{contact}");

    let invoice = stage.emit("highlevel.InvoicePaid").await.unwrap();
    assert_eq!(invoice["events"][0]["kind"], "InvoicePaid", "{invoice}");
    assert_eq!(invoice["events"][0]["state"], "ignored", "nothing listens to it: {invoice}");

    let tester = stage.emit("prefinery.tester_created").await.unwrap();
    assert_eq!(
        (&tester["events"][0]["source"], &tester["events"][0]["state"]),
        (&json!("partner"), &json!("applied"))
    );
    let created = tester["runs"]
        .as_array()
        .unwrap()
        .iter()
        .any(|run| run["summary"].as_str().unwrap().contains("created in HighLevel"));
    assert!(created, "{tester}");
    stage.host.stop().await.unwrap();
}

#[tokio::test]
async fn an_edited_task_is_found_at_once_although_no_webhook_tells_of_it() {
    let rule = json!({ "name": "seen", "on": ["TaskUpdate"], "do": [{ "add-tags": ["edited"] }] });
    let stage = Stage::start_with(json!({ "rules": [rule] })).await;
    let edit = stage.emit("host.TaskUpdate").await.unwrap();
    let run = &edit["runs"][0];
    assert_eq!((&run["kind"], &run["outcome"]), (&json!("automation"), &json!("applied")), "{edit}");
    stage.host.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_sent_or_run_is_said_with_what_can() {
    let stage = Stage::start().await;
    let unknown = stage.emit("highlevel.TaskUpdate").await.unwrap_err();
    assert!(unknown.contains("contactor catalog"), "{unknown}");
    let action = stage.emit("highlevel.contacts.get").await.unwrap_err();
    assert!(action.contains("contactor run acme highlevel.contacts.get"), "{action}");
    let unknown = stage.contactor(&["run", "acme", "highlevel.contacts.explode"]).await.unwrap_err();
    assert!(unknown.contains("contactor catalog"), "{unknown}");
    let name = stage.emit("TaskComplete").await.unwrap_err();
    assert!(name.contains("did you mean highlevel.TaskComplete"), "{name}");
    let nowhere = stage
        .contactor(&["emit", "acme", "highlevel.ContactUpdate", "--sandbox", "http://127.0.0.1:9"])
        .await
        .unwrap_err();
    assert!(nowhere.contains("contactor sandbox"), "{nowhere}");
    // Without a sandbox nothing is made up: no sample gets into the host.
    let before = stage.host.get("/workspaces/acme/events").await.unwrap();
    let partner = ["emit", "acme", "prefinery.tester_created", "--sandbox", "http://127.0.0.1:9"];
    let nowhere = stage.contactor(&partner).await.unwrap_err();
    assert!(nowhere.contains("no sandbox answers"), "{nowhere}");
    assert_eq!(stage.host.get("/workspaces/acme/events").await.unwrap(), before);
    stage.host.stop().await.unwrap();
}

/// What a reader of the guide does: the program alone, in a directory of its own.
struct Reader {
    dir: TempDir,
    sandbox: Child,
    /// What the sandbox printed.
    doubles: Value,
    host: Host,
}

impl Reader {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut sandbox = Command::new(artefacts::binary("contactor").unwrap())
            .args(["--json", "sandbox", "--listen", "127.0.0.1:0", "--people", "3"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut printed = String::new();
        let mut lines = BufReader::new(sandbox.stdout.take().unwrap()).lines();
        let doubles = loop {
            printed.push_str(&lines.next_line().await.unwrap().unwrap());
            if let Ok(doubles) = serde_json::from_str::<Value>(&printed) {
                break doubles;
            }
        };
        let told = |double: &str, name: &str| doubles[double][name].as_str().unwrap().to_owned();
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[highlevel]\nbase-url = \"{}\"\nwebhook-keys = [\"\"\"\n{}\"\"\"]\n{OUTBOUND}",
            told("highlevel", "url"),
            told("highlevel", "webhook_key")
        );
        let init = Command::new(artefacts::binary("contactor").unwrap())
            .arg("init")
            .current_dir(dir.path())
            .output()
            .await
            .unwrap();
        assert!(init.status.success());
        std::fs::write(dir.path().join("contactor.toml"), config).unwrap();
        let host = Host::start(dir.path()).await.unwrap();
        let reader = Self { dir, sandbox, doubles: doubles.clone(), host };
        let component = artefacts::component_path("prefinery").unwrap();
        reader.does(&["connector", "install", component.to_str().unwrap()]).await;
        let location = told("highlevel", "location");
        reader.does(&["workspace", "create", "acme", "--location", &location, "--token-env", "TOKEN"]).await;
        let beta = format!("beta_id={}", doubles["prefinery"]["project"]);
        let url = told("prefinery", "url");
        let mut enable = vec!["connection", "enable", "acme", "prefinery", "--base-url", &url];
        enable.extend(["--credential", "key=env:KEY", "--webhook-secret", "env:SECRET", "--set", &beta]);
        reader.does(&enable).await;
        reader
    }

    async fn does(&self, arguments: &[&str]) -> Value {
        let told = |double: &str, name: &str| self.doubles[double][name].as_str().unwrap();
        let control = self.doubles["control"].as_str().unwrap().strip_suffix("/_control").unwrap();
        let output = Command::new(artefacts::binary("contactor").unwrap())
            .args(["--json", "--server", self.host.url(), "--admin-token-file", "admin.token"])
            .args(arguments)
            .env("TOKEN", told("highlevel", "token"))
            .env("KEY", told("prefinery", "api_key"))
            .env("SECRET", told("prefinery", "signing_secret"))
            .env("CONTACTOR_SANDBOX", control)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }
}

#[tokio::test]
async fn a_reader_of_the_guide_sets_off_triggers_of_highlevel_and_of_a_partner() {
    let reader = Reader::start().await;
    let task = reader.does(&["emit", "acme", "highlevel.TaskComplete"]).await;
    assert_eq!(task["events"][0]["kind"], "TaskComplete", "{task}");
    let reward = reader.does(&["emit", "acme", "prefinery.reward_delivered"]).await;
    assert_eq!(reward["events"][0]["source"], "partner", "{reward}");
    assert_eq!(reward["done"], "the double of prefinery did what sets it off", "{reward}");
    let Reader { mut sandbox, host, .. } = reader;
    host.stop().await.unwrap();
    sandbox.kill().await.unwrap();
}
