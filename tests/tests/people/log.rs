//! The audit log.

use contactor_store::{AuditPhase, ConnectionId};
use contactor_tests::engine::ADMIN_TOKEN;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{FOREIGN, OWN, World};

#[tokio::test]
async fn a_change_is_on_record_with_who_what_where_and_how_it_ended() {
    let world = World::set().await;
    let path = format!("/workspaces/{OWN}/connections/prefinery/disable");
    world.ask(world.shows("arthur"), Method::POST, &path, &json!({})).await;
    let found = world.on_record("arthur").await;
    let change = &found.last().unwrap();
    let entry = &change.row.entry;
    assert_eq!(
        (entry.action.as_str(), entry.target.as_str()),
        ("connections.disable", "connector=prefinery")
    );
    assert_eq!(entry.workspace.as_ref().unwrap().as_str(), OWN);
    assert_eq!(entry.token.as_ref().unwrap().as_str(), world.shows("arthur").split('_').nth(1).unwrap());
    assert_eq!((entry.phase, change.status), (AuditPhase::Begun, Some(200)));
    assert!(change.ended_at.is_some());

    // What was made is named, and one that failed is there with its status.
    world.ask(world.shows("ann"), Method::POST, "/users", &json!({"id": "eve"})).await;
    world.ask(world.shows("ann"), Method::POST, "/users", &json!({"id": "eve"})).await;
    let found = world.on_record("ann").await;
    let told: Vec<_> = found.iter().map(|change| (change.status, change.told.as_str())).collect();
    assert_eq!(told, [(Some(201), "user=eve platform-admin=false"), (Some(409), "")]);

    let run = format!("/runs/{}/replay", world.things(OWN)["run"]);
    world.ask(world.shows("arthur"), Method::POST, &run, &json!({})).await;
    let found = world.on_record("arthur").await;
    let entry = &found.last().unwrap().row.entry;
    assert_eq!((entry.action.as_str(), entry.workspace.as_ref().unwrap().as_str()), ("runs.replay", OWN));
}

#[tokio::test]
async fn what_a_connection_is_given_is_on_record_and_no_secret_of_it() {
    let world = World::set().await;
    let path = format!("/workspaces/{OWN}/connections/prefinery");
    let prefinery = world.stand.sandbox.prefinery();
    let told = async || world.on_record("wanda").await.last().unwrap().told.clone();
    let enable = async |body: Value| {
        let (status, text) = world.ask(world.shows("wanda"), Method::PUT, &path, &body).await;
        assert_eq!(status, 200, "{text}");
        told().await
    };
    let nothing_new = enable(json!({})).await;
    let (version, digest) = nothing_new.split_once(" digest=").unwrap();
    assert!(version.starts_with("version=") && digest.len() == 64, "{nothing_new}");

    let secret = "fake-signing-secret-of-nobody";
    let replaced =
        enable(json!({"credentials": {"key": prefinery.api_key()}, "webhook_secret": secret})).await;
    assert_eq!(replaced, format!("{nothing_new} credential=key webhook-secret=replaced"));
    let address = format!("{}/elsewhere", world.stand.sandbox.prefinery_url());
    let moved = enable(json!({ "base_url": address })).await;
    assert_eq!(moved, format!("{nothing_new} base-url={address}"));
    let less = enable(json!({"withhold": ["contacts.write"], "approve": true})).await;
    assert!(less.starts_with(&format!("{nothing_new} grants=")), "{less}");
    assert!(less.ends_with(" withheld=contacts.write approve=true"), "{less}");
    assert_eq!(enable(json!({})).await, nothing_new);
    for secret in [secret, prefinery.api_key()] {
        assert!(world.on_record("wanda").await.iter().all(|change| !change.told.contains(secret)));
    }
}

#[tokio::test]
async fn a_policy_is_seen_by_the_admins_of_its_workspace_and_by_no_others() {
    let world = World::set().await;
    for workspace in [OWN, FOREIGN] {
        let (ann, path) = (world.shows("ann"), format!("/policies/{workspace}"));
        let (status, text) = world.ask(ann, Method::PUT, &path, &json!({"deny": ["contacts.write"]})).await;
        assert_eq!(status, 200, "{text}");
    }
    let (_, seen) = world.get(world.shows("wanda"), "/audit").await;
    let policies: Vec<_> =
        seen.as_array().unwrap().iter().filter(|entry| entry["action"] == "workspaces.policy").collect();
    assert_eq!(policies.len(), 1, "{seen}");
    assert_eq!((&policies[0]["workspace"], &policies[0]["actor"]), (&json!(OWN), &json!("ann")));
}

#[tokio::test]
async fn what_the_host_changes_by_itself_is_on_record_like_what_somebody_asked_for() {
    let world = World::set().await;
    let id = ConnectionId::new(format!("{OWN}/prefinery"));
    world.stand.engine.note_host_change(&id, "rollouts.adopt", "digest=0f1e").await;
    let (_, seen) = world.get(world.shows("wanda"), "/audit?actor=the-host").await;
    let shown = |name: &str| &seen[0][name];
    assert_eq!(
        (shown("action"), shown("workspace"), shown("target"), shown("status"), shown("detail")),
        (
            &json!("rollouts.adopt"),
            &json!(OWN),
            &json!("connector=prefinery"),
            &json!(200),
            &json!("digest=0f1e")
        ),
        "{seen}"
    );
    assert!(seen[0]["ended_at"].is_string() && seen.as_array().unwrap().len() == 1, "{seen}");
    let (_, report) = world.get(ADMIN_TOKEN, "/audit/verify").await;
    assert_eq!(report["sound"], true, "{report}");
}

#[tokio::test]
async fn what_only_looks_is_not_on_record() {
    let world = World::set().await;
    let before = world.on_record("admin-token-file").await.len();
    for path in ["/workspaces", "/users", "/runs", "/audit", "/audit/verify"] {
        assert_eq!(world.get(ADMIN_TOKEN, path).await.0, 200, "{path}");
    }
    assert_eq!(world.on_record("admin-token-file").await.len(), before);
}

#[tokio::test]
async fn refused_changes_are_on_record_with_their_reason_and_cannot_fill_the_store() {
    let world = World::set().await;
    let settings = |workspace: &str| format!("/workspaces/{workspace}/settings");
    let change = json!({"retention_days": 9});
    world.ask(world.shows("vera"), Method::PUT, &settings(OWN), &change).await;
    world.ask(world.shows("vera"), Method::PUT, &settings(FOREIGN), &change).await;
    let told: Vec<_> = world
        .on_record("vera")
        .await
        .into_iter()
        .map(|change| (change.row.entry.phase, change.status.unwrap(), change.row.entry.detail))
        .collect();
    assert_eq!(
        told,
        [
            (AuditPhase::Refused, 403, format!("needs the role workspace-admin in {OWN}")),
            (AuditPhase::Refused, 404, "no role in the workspace".to_owned()),
        ]
    );
    // A stranger who names persons and secrets leaves neither.
    let path = "/workspaces/ann@example.com/destinations/Ann%20Smith";
    for _ in 0..100 {
        let (status, _) =
            world.ask("fake-stolen-token", Method::PUT, path, &json!({"url": "https://x"})).await;
        assert_eq!(status, 401);
    }
    let strangers = world.on_record("-").await;
    assert!((20..30).contains(&strangers.len()), "{}", strangers.len());
    let entry = &strangers[0].row.entry;
    assert_eq!((entry.workspace.as_ref(), entry.target.as_str()), (None, "name=(no name)"));
    assert!(!world.stand.keeps("fake-stolen-token").unwrap());
}

#[tokio::test]
async fn a_token_whose_secret_was_known_is_named_when_it_is_refused() {
    let world = World::set().await;
    let token = world.token_of(&json!({"user": "carl"})).await;
    let id = token.split('_').nth(1).unwrap();
    world.root(Method::DELETE, &format!("/tokens/{id}"), &Value::Null).await;
    world.ask(&token, Method::POST, "/users", &json!({"id": "eve"})).await;
    let refused = world.on_record("-").await;
    let entry = &refused[0].row.entry;
    assert_eq!(entry.token.as_ref().unwrap().as_str(), id);
    assert!(entry.detail.contains("was revoked"), "{}", entry.detail);
}

#[tokio::test]
async fn the_chain_is_verified_and_a_noted_head_is_found_again() {
    let world = World::set().await;
    let (_, report) = world.get(ADMIN_TOKEN, "/audit/verify").await;
    assert_eq!((&report["sound"], &report["problem"]), (&json!(true), &Value::Null), "{report}");
    let head = report["head"].as_str().unwrap().to_owned();
    world.root(Method::POST, "/users", &json!({"id": "eve"})).await;
    let (_, later) = world.get(ADMIN_TOKEN, &format!("/audit/verify?head={head}")).await;
    assert_eq!((&later["sound"], &later["given_head_at"]), (&json!(true), &report["last"]));
    assert_eq!(later["entries"].as_u64().unwrap(), report["entries"].as_u64().unwrap() + 2);
    let (_, other) = world.get(ADMIN_TOKEN, &format!("/audit/verify?head={}", "ab".repeat(32))).await;
    assert_eq!(other["sound"], false);
    assert!(other["problem"].as_str().unwrap().contains("cut off"), "{other}");
    assert_eq!(world.get(ADMIN_TOKEN, "/audit/verify?head=no-hash").await.0, 400);
}
