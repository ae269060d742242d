//! The same through the program: a host, its commands, and both doubles.

use std::path::Path;

use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::artefacts;
use contactor_tests::host::Host;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::stage::EMAIL;

/// Runs a command against the host; answers its exit code and what it printed.
async fn contactor(dir: &Path, host: &Host, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(artefacts::binary("contactor").unwrap())
        .arg("--config")
        .arg(host.config())
        .args(["--server", host.url()])
        .args(arguments)
        .env("USER", "ann")
        .current_dir(dir)
        .output()
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn writes(sandbox: &Sandbox) -> u64 {
    let recorder = sandbox.recorder();
    ["highlevel.contacts.update", "highlevel.contacts.upsert", "highlevel.tags", "prefinery.testers.update"]
        .map(|operation| recorder.requests(operation))
        .into_iter()
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_lists_explains_previews_and_resolves_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let location = sandbox.highlevel().first_location();
    let project = sandbox.prefinery().first_project();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    let ask = async |arguments: &[&str]| contactor(dir.path(), &host, arguments).await;
    let policy = ["mapping", "policy", "acme", "prefinery", "lastName", "profile.last_name", "ask"];
    let (code, _, err) = ask(&policy).await;
    assert_eq!(code, 0, "{err}");

    let fields = json!({ "firstName": "Ada", "lastName": "Byron", "email": EMAIL });
    let contact = sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    let contact = contact["id"].as_str().unwrap().to_owned();
    let linked = async || Ok(sandbox.prefinery().tester(project, EMAIL).is_some());
    host.until("the contact is linked", linked).await.unwrap();
    host.until_idle().await.unwrap();
    // The host does not hear of the edits one by one.
    sandbox.highlevel().set_webhook_target(None);
    sandbox.prefinery().set_webhook_target(project, None);
    let tester = sandbox.prefinery().tester(project, EMAIL).unwrap()["id"].to_string();
    let fields = json!({ "profile": { "last_name": "King" } });
    sandbox.prefinery().act(project, ProjectAct::EditTester { tester, fields }).unwrap();
    let fields = json!({ "lastName": "Noel" });
    let edit = PersonAct::EditContact { contact: contact.clone(), fields };
    sandbox.highlevel().act(&location, edit).unwrap();
    assert_eq!(ask(&["sync", "acme", "prefinery", "--record", &contact]).await.0, 0);
    let is_listed = async || {
        let open: Value = host.get("/workspaces/acme/conflicts?open=true").await?;
        Ok(open.as_array().is_some_and(|open| open.len() == 1))
    };
    host.until("the conflict is listed", is_listed).await.unwrap();

    let list = ["conflicts", "list", "acme", "--open", "--connection", "prefinery", "--json"];
    let listed: Value = serde_json::from_str(&ask(&list).await.1).unwrap();
    let id = listed[0]["id"].to_string();
    let seen = ["label", "highlevel", "partner", "policy", "state"].map(|name| listed[0][name].clone());
    assert_eq!(json!(seen), json!([EMAIL, "Noel", "King", "ask", "open"]));
    let (_, table, _) = ask(&["conflicts", "list", "acme"]).await;
    assert!(table.contains("open") && table.contains("Noel") && table.contains(EMAIL), "{table}");

    let (_, shown, _) = ask(&["conflicts", "show", "acme", &id]).await;
    for part in ["last agreed", "Byron", "Noel", "King", "`ask`", "--take highlevel", "--take partner"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    let before = writes(&sandbox);
    let preview = ["conflicts", "resolve", "acme", &id, "--take", "partner", "--preview"];
    let (code, planned, err) = ask(&preview).await;
    assert!(code == 0 && planned.contains("highlevel lastName: Noel → King"), "{planned}{err}");
    assert_eq!(writes(&sandbox), before, "a preview writes nothing");

    let (code, done, err) = ask(&["conflicts", "resolve", "acme", &id, "--take", "partner"]).await;
    assert!(code == 0 && done.contains("is resolved: partner's value is in place"), "{done}{err}");
    assert_eq!(writes(&sandbox), before + 1, "one write, in HighLevel");
    let contacts = sandbox.highlevel().contacts(&location);
    assert!(contacts.iter().any(|found| found["lastName"] == "King"), "{contacts:?}");

    let (_, timeline, _) = ask(&["timeline", "acme", &contact]).await;
    assert!(timeline.contains("ann (admin) took the partner's value for lastName"), "{timeline}");
    let (code, _, err) = ask(&["conflicts", "resolve", "acme", &id, "--take", "partner"]).await;
    assert!(code == 4 && err.contains("in place on both sides already"), "{code} {err}");
    assert_eq!(ask(&["conflicts", "show", "acme", "4711"]).await.0, 5);
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}
