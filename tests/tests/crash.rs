//! `kill -9` of the real binary in the middle of a bulk pull.

use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::host::Host;
use serde_json::json;

/// People of the bulk pull: enough for several pages, few enough for HighLevel's window of 100 requests.
const PEOPLE: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_pull_that_is_killed_resumes_from_its_cursor_and_creates_nobody_twice() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let location = sandbox.highlevel().first_location();
    let project = sandbox.prefinery().first_project();
    let people = sandbox.highlevel().load(&location, PEOPLE).unwrap();
    let extra = "[engine]\npage-size = 10\nbackfill-window = 10\nconcurrency = 4\n";
    Host::init(dir.path(), &sandbox, extra).await.unwrap();

    let host = Host::start(dir.path()).await.unwrap();
    let connection = host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    host.post("/workspaces/acme/connections/prefinery/sync", &json!({ "full": true })).await.unwrap();
    host.until(
        "the pull is half done",
        async || Ok(sandbox.prefinery().testers(project).len() >= PEOPLE / 3),
    )
    .await
    .unwrap();
    host.kill9().await.unwrap();
    let created_before = sandbox.prefinery().testers(project).len();
    let pages_before = sandbox.recorder().count_of("highlevel.contacts.search").carried_out;
    assert!(created_before < PEOPLE - 5, "the pull was over before the kill: {created_before} testers");

    let host = Host::start(dir.path()).await.unwrap();
    host.aim(&sandbox, &connection).unwrap();
    host.until_idle().await.unwrap();

    let contacts = sandbox.highlevel().contacts(&location);
    assert_eq!(contacts.len(), people.len(), "a contact was created");
    let reachable = contacts.iter().filter(|contact| contact["email"].is_string()).count();
    let testers = sandbox.prefinery().testers(project);
    let mut emails: Vec<_> = testers.iter().map(|t| t["email"].as_str().unwrap().to_lowercase()).collect();
    emails.sort();
    emails.dedup();
    assert_eq!(
        (testers.len(), emails.len()),
        (reachable, reachable),
        "testers, and different emails among them"
    );
    let progress = host.get("/workspaces/acme/connections/prefinery/sync").await.unwrap();
    assert_eq!(progress["links"], json!(reachable), "{progress}");
    assert_eq!(
        progress["seen"],
        json!(people.len()),
        "the cursor repeats no page that was committed: {progress}"
    );
    // Four pages in all; the one under way at the kill may be asked for again.
    let pages = sandbox.recorder().count_of("highlevel.contacts.search").carried_out;
    assert!(pages_before >= 1 && pages <= 6, "{pages_before} pages before the kill, {pages} in all");
    let parked = host.get("/workspaces/acme/parked").await.unwrap();
    assert_eq!(parked, json!([]));
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}
