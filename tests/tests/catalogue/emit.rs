//! Triggers and actions from the command line, with the real program and a real host.

use std::process::Stdio;

use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::artefacts;
use contactor_tests::host::Host;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

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
    let nowhere = stage
        .contactor(&["emit", "acme", "highlevel.ContactUpdate", "--sandbox", "http://127.0.0.1:9"])
        .await
        .unwrap_err();
    assert!(nowhere.contains("contactor sandbox"), "{nowhere}");
    stage.host.stop().await.unwrap();
}
