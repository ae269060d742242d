//! What is left of the quotas, and who used them, over a restart of the real host.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::host::Host;
use serde_json::{Value, json};

/// Calls to HighLevel by purpose.
fn calls(quota: &Value) -> Vec<(String, u64)> {
    let used = quota["used_by"].as_array().unwrap().iter();
    let mut calls: Vec<_> = used
        .map(|used| (used["priority"].as_str().unwrap().to_owned(), used["highlevel_day"].as_u64().unwrap()))
        .collect();
    calls.sort();
    calls
}

/// Requests in the windows of the partner's quota that passes last, a quarter of an hour.
fn partner_use(quota: &Value) -> u64 {
    let quarters = quota["partners"].as_array().unwrap().iter().filter(|quota| quota["per_seconds"] == 900);
    quarters.map(|quota| quota["used"].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_the_day_and_who_used_it_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let location = sandbox.highlevel().first_location();
    sandbox.highlevel().load(&location, 12).unwrap();
    Host::init(dir.path(), &sandbox, "").await.unwrap();

    let host = Host::start(dir.path()).await.unwrap();
    let connection = host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    let fresh = host.get("/workspaces/acme/quota").await.unwrap();
    assert_eq!(fresh["highlevel"]["daily_limit"], 200_000);
    host.post("/workspaces/acme/connections/prefinery/sync", &json!({ "full": true })).await.unwrap();
    host.until_idle().await.unwrap();
    // A request that counts in a window of a quarter of an hour.
    host.post("/workspaces/acme/connections/prefinery/check", &json!({})).await.unwrap();
    let before = host.get("/workspaces/acme/quota").await.unwrap();
    let asked = sandbox.recorder().requests("highlevel.");
    let left = before["highlevel"]["daily_remaining"].as_u64().unwrap();
    assert_eq!(left, 200_000 - asked, "as HighLevel itself counts: {before}");
    assert!(
        before["highlevel"]["resets_at"].is_string() && before["highlevel"]["forecast"].is_i64(),
        "{before}"
    );
    let backfill = calls(&before).into_iter().find(|(purpose, _)| purpose == "backfill").unwrap().1;
    assert!(backfill >= 12, "a read for each contact at least: {before}");
    let partners = before["partners"].as_array().unwrap();
    assert!(!partners.is_empty() && partners.iter().all(|p| p["connection"] == "acme/prefinery"), "{before}");
    host.stop().await.unwrap();

    let host = Host::start(dir.path()).await.unwrap();
    host.aim(&sandbox, &connection).unwrap();
    let after = host.get("/workspaces/acme/quota").await.unwrap();
    let remembered = after["highlevel"]["daily_remaining"].as_u64().unwrap();
    assert!(remembered <= left && remembered > left - 20, "{left} before, {remembered} after the restart");
    assert!(partner_use(&before) > 0, "{before}");
    assert!(partner_use(&after) >= partner_use(&before), "{before}\n{after}");
    for (purpose, count) in calls(&before) {
        let now = calls(&after).into_iter().find(|(other, _)| *other == purpose).unwrap().1;
        assert!(now >= count, "{purpose}: {count} before, {now} after");
    }
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}
