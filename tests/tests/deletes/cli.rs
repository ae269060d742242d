//! The same through the program, which is also killed in the middle of a delete.

use std::path::Path;

use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::artefacts;
use contactor_tests::host::Host;
use serde_json::{Value, json};
use tokio::process::Command;

use super::stage::EMAIL;

/// The second look follows at once: the host's clock is the machine's.
const CONFIG: &str = "[engine]\ndelete-look-minutes = 0\n";

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

/// A linked contact is deleted in HighLevel; answers the connection once the deletion waits for a person.
async fn until_it_waits(dir: &Path, host: &Host, sandbox: &Sandbox) -> Value {
    let location = sandbox.highlevel().first_location();
    let project = sandbox.prefinery().first_project();
    let connection = host.enable_prefinery(sandbox, json!({})).await.unwrap();
    let (code, out, err) =
        contactor(dir, host, &["deletes", "policy", "acme", "prefinery", "--highlevel-gone", "delete"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("delete") && out.contains("unlink"), "{out}");
    let fields = json!({ "firstName": "Ada", "lastName": "Byron", "email": EMAIL });
    let contact = sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    let contact = contact["id"].as_str().unwrap().to_owned();
    host.until("the contact is linked", async || Ok(sandbox.prefinery().tester(project, EMAIL).is_some()))
        .await
        .unwrap();
    host.until_idle().await.unwrap();
    sandbox.highlevel().act(&location, PersonAct::DeleteContact { contact }).unwrap();
    until_state(host, "waiting").await;
    connection
}

async fn newest(host: &Host) -> Value {
    let listed = host.get("/workspaces/acme/deletes?ended=true").await.unwrap();
    listed.get(0).cloned().unwrap_or_default()
}

async fn until_state(host: &Host, state: &str) {
    host.until("the deletion is as expected", async || Ok(newest(host).await["state"] == state))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_lists_previews_confirms_and_undoes_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let project = sandbox.prefinery().first_project();
    Host::init(dir.path(), &sandbox, CONFIG).await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    until_it_waits(dir.path(), &host, &sandbox).await;
    let ask = async |arguments: &[&str]| contactor(dir.path(), &host, arguments).await;
    let (code, out, err) = ask(&["deletes", "list", "acme", "prefinery"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("waiting") && out.contains(EMAIL), "{out}");
    let waiting = newest(&host).await;
    let (code, out, _) =
        ask(&["deletes", "preview", "acme", "prefinery", waiting["partner_id"].as_str().unwrap()]).await;
    assert_eq!(code, 0);
    assert!(out.contains("adapter.delete"), "{out}");
    let contact = waiting["highlevel_id"].as_str().unwrap();
    let (code, out, err) = ask(&["sync", "acme", "prefinery", "--record", contact, "--preview"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("contactor deletes confirm") && out.contains("adapter.delete"), "{out}");
    let (code, out, err) =
        ask(&["--json", "sync", "acme", "prefinery", "--record", contact, "--preview"]).await;
    assert_eq!(code, 0, "{err}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&shown["items"][0]["label"], &shown["deletion"]["label"]), (&json!(EMAIL), &json!(EMAIL)));
    assert!(sandbox.prefinery().tester(project, EMAIL).is_some());

    // What came since the person looked is not confirmed with the rest.
    let (code, _, err) = ask(&["deletes", "confirm", "acme", "--all"]).await;
    assert!(code != 0 && err.contains("--expect"), "{err}");
    let (code, _, err) = ask(&["deletes", "confirm", "acme", "--all", "--expect", "2"]).await;
    assert_ne!(code, 0);
    assert!(err.contains("1 deletions of acme wait for a decision and not 2"), "{err}");
    let id = waiting["id"].to_string();
    let (code, _, err) = ask(&["deletes", "confirm", "acme", &id, "4711"]).await;
    assert!(code != 0 && err.contains("deletion 4711 of acme does not wait"), "{err}");
    let refused = host.post("/workspaces/acme/deletes/keep", &json!({})).await.unwrap_err();
    assert!(format!("{refused:#}").contains("`expect`"), "{refused:#}");
    assert_eq!(newest(&host).await["state"], "waiting");
    assert!(sandbox.prefinery().tester(project, EMAIL).is_some());

    let (code, out, err) = ask(&["--json", "deletes", "confirm", "acme", "--all", "--expect", "1"]).await;
    assert_eq!(code, 0, "{err}");
    let confirmed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&confirmed[0]["state"], &confirmed[0]["decided_by"]),
        (&json!("done"), &json!("ann (admin)"))
    );
    assert!(sandbox.prefinery().tester(project, EMAIL).is_none());
    let id = confirmed[0]["id"].to_string();
    let (code, _, err) = ask(&["deletes", "keep", "acme", &id]).await;
    assert_ne!(code, 0);
    assert!(err.contains("contactor deletes undo"), "{err}");
    let (code, out, err) = ask(&["--json", "deletes", "undo", "acme", &id]).await;
    assert_eq!(code, 0, "{err}");
    let undone: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(undone["state"], "ended");
    assert_eq!(sandbox.prefinery().tester(project, EMAIL).unwrap()["profile"]["last_name"], "Byron");
    let (code, _, err) =
        ask(&["deletes", "policy", "acme", "prefinery", "task", "--partner-gone", "tag"]).await;
    assert_ne!(code, 0);
    assert!(err.contains("only `contact` has one"), "{err}");
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}

/// The partner carries the delete out, does not answer, and shows nobody what it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeping_what_was_deleted_unseen_fails_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    Host::init(dir.path(), &sandbox, CONFIG).await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    until_it_waits(dir.path(), &host, &sandbox).await;
    let id = newest(&host).await["id"].to_string();
    sandbox.faults().add(Fault::next(1, "prefinery.testers.delete", Effect::Drop { after: true }));
    let (code, _, err) =
        contactor(dir.path(), &host, &["deletes", "confirm", "acme", &id, "--no-wait"]).await;
    assert_eq!(code, 0, "{err}");
    host.until("the delete is under way", async || {
        Ok(sandbox.recorder().requests("prefinery.testers.delete") > 0)
    })
    .await
    .unwrap();
    let (code, _, err) = contactor(dir.path(), &host, &["deletes", "keep", "acme", &id]).await;
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains(&format!("too late to keep {id}")) && err.contains("contactor deletes undo"),
        "{err}"
    );
    let (code, _, err) = contactor(dir.path(), &host, &["deletes", "undo", "acme", &id]).await;
    assert_eq!(code, 0, "{err}");
    assert!(sandbox.prefinery().tester(sandbox.prefinery().first_project(), EMAIL).is_some());
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}

/// Killed while the request is under way, and after it was carried out and before anybody could note it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_killed_in_the_middle_of_a_delete_makes_it_once_and_loses_nothing() {
    for carried_out in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
        let project = sandbox.prefinery().first_project();
        Host::init(dir.path(), &sandbox, CONFIG).await.unwrap();
        let host = Host::start(dir.path()).await.unwrap();
        let connection = until_it_waits(dir.path(), &host, &sandbox).await;
        let effect = Effect::Drop { after: carried_out };
        sandbox.faults().add(Fault::always("prefinery.testers.delete", effect));
        host.post("/workspaces/acme/deletes/confirm", &json!({ "expect": 1 })).await.unwrap();
        host.until("the delete is under way", async || {
            Ok(sandbox.recorder().requests("prefinery.testers.delete") > 0)
        })
        .await
        .unwrap();
        host.kill9().await.unwrap();
        assert_eq!(sandbox.prefinery().tester(project, EMAIL).is_none(), carried_out);
        sandbox.faults().clear();

        let host = Host::start(dir.path()).await.unwrap();
        host.aim(&sandbox, &connection).unwrap();
        until_state(&host, "done").await;
        assert!(sandbox.prefinery().tester(project, EMAIL).is_none());
        let deletes = sandbox.recorder().count_of("prefinery.testers.delete").carried_out;
        assert_eq!(deletes, 1, "the tester was deleted once");
        let id = newest(&host).await["id"].to_string();
        host.post(&format!("/workspaces/acme/deletes/{id}/undo"), &json!({})).await.unwrap();
        until_state(&host, "ended").await;
        let again = sandbox.prefinery().tester(project, EMAIL).unwrap();
        assert_eq!(again["profile"]["last_name"], "Byron", "what an undo needs was not lost");
        assert_eq!(host.get("/workspaces/acme/parked").await.unwrap(), json!([]));
        host.stop().await.unwrap();
        sandbox.shutdown().await;
    }
}
