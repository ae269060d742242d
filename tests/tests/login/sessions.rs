//! What a session opens, until when, and for no other site.

use contactor_store::{AuditFilter, AuditPhase};
use contactor_tests::engine::WORKSPACE;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::World;

#[tokio::test]
async fn whoever_has_logged_in_may_do_what_the_user_may_until_logging_out() {
    let world = World::set().await;
    let browser = world.logged_in("bob").await;
    let (status, who) = browser.get("/whoami").await;
    assert_eq!((status, &who["actor"], &who["token"]), (200, &json!("bob"), &Value::Null));
    assert_eq!(who["roles"], json!([{"workspace": WORKSPACE, "role": "viewer"}]));
    assert_eq!(browser.get(&format!("/workspaces/{WORKSPACE}")).await.0, 200);
    assert_eq!(browser.get("/users").await.0, 403, "bob is no platform admin");
    let (status, made) = browser.change(Method::POST, "/tokens").await;
    assert_eq!((status, &made["user"]), (201, &json!("bob")));

    let ann = world.logged_in("ann").await;
    assert_eq!(ann.get("/users").await.0, 200);
    let sessions: Vec<Value> = [browser.get("/session").await.1, ann.get("/session").await.1].into();
    assert_eq!((&sessions[0]["user"], &sessions[1]["user"]), (&json!("bob"), &json!("ann")));
    assert_ne!(sessions[0]["csrf_token"], sessions[1]["csrf_token"]);

    let before = browser.header();
    assert_eq!(browser.change(Method::DELETE, "/session").await.0, 204);
    assert_eq!(browser.get("/whoami").await.0, 401, "the cookie of before: {before}");
    assert_eq!(ann.get("/whoami").await.0, 200);

    let found = world.on_record().await;
    let told: Vec<_> = found.iter().map(|(phase, actor, _)| (*phase, actor.as_str())).collect();
    assert_eq!(told, [(AuditPhase::Begun, "bob"), (AuditPhase::Begun, "ann")]);
    assert!(found[0].2.contains("bound") && found[0].2.contains("session="), "{found:?}");
    world.logged_in("bob").await;
    let again = world.on_record().await.pop().unwrap();
    assert!(!again.2.contains("bound"), "bound at the first login: {again:?}");
    for secret in
        [before.split_once("cts_").unwrap().1.split_once('_').unwrap().1, world.provider().client_secret()]
    {
        assert!(!world.stand.keeps(secret).unwrap());
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_old_or_its_user_is_switched_off() {
    let world = World::set().await;
    let (idle, busy) = (world.logged_in("bob").await, world.logged_in("bob").await);
    for _ in 0..11 {
        world.stand.advance(SignedDuration::from_mins(59));
        assert_eq!(busy.get("/whoami").await.0, 200);
    }
    assert_eq!(idle.get("/whoami").await.0, 401, "an hour without a request");
    for _ in 0..2 {
        world.stand.advance(SignedDuration::from_mins(59));
    }
    assert_eq!(busy.get("/whoami").await.0, 401);
    let busy = world.logged_in("bob").await;
    for _ in 0..12 {
        assert_eq!(busy.get("/whoami").await.0, 200);
        world.stand.advance(SignedDuration::from_mins(59));
    }
    world.stand.advance(SignedDuration::from_mins(12));
    assert_eq!(busy.get("/whoami").await.0, 401, "twelve hours, however it was used");

    let bob = world.logged_in("bob").await;
    world.root(Method::DELETE, &format!("/workspaces/{WORKSPACE}/members/bob"), &json!({})).await;
    assert_eq!(bob.get(&format!("/workspaces/{WORKSPACE}")).await.0, 404, "a role counts as it is now");
    world.root(Method::POST, "/users/bob/disable", &json!({})).await;
    assert_eq!(bob.get("/whoami").await.0, 401);
    world.comes("bob");
    assert_eq!(world.refusal().await.0, 403);
    world.root(Method::POST, "/users/bob/enable", &json!({})).await;
    assert_eq!(bob.get("/whoami").await.0, 401, "what ended stays ended");
}

#[tokio::test]
async fn another_site_makes_no_browser_change_anything() {
    let world = World::set().await;
    let browser = world.logged_in("ann").await;
    let (here, token) = (world.url().to_owned(), browser.csrf_token().await);
    let users = browser.get("/users").await.1;
    let began = async || {
        let filter = AuditFilter { actor: Some("ann".to_owned()), limit: 1_000, ..AuditFilter::default() };
        let found = world.stand.engine.store().audit(filter).await.unwrap();
        let phases = found.iter().map(|change| change.row.entry.phase);
        (phases.clone().filter(|phase| *phase == AuditPhase::Begun).count(), phases.count())
    };
    let before = began().await;
    let foreign: [&[(&str, &str)]; 6] = [
        &[],
        &[("origin", &here)],
        &[("origin", "https://evil.example"), ("x-csrf-token", &token)],
        &[("origin", "null"), ("x-csrf-token", &token)],
        &[("sec-fetch-site", "cross-site"), ("origin", &here), ("x-csrf-token", &token)],
        &[("origin", &here), ("x-csrf-token", "0")],
    ];
    for headers in foreign {
        let (status, said) = browser.ask(Method::POST, "/users/bob/disable", headers).await;
        assert_eq!((status, said["error"]["code"].as_str()), (403, Some("forbidden")), "{headers:?}");
    }
    assert_eq!(browser.ask(Method::GET, "/users", &[("sec-fetch-site", "cross-site")]).await.0, 403);
    assert_eq!(browser.get("/users").await.1, users);
    assert_eq!(began().await, (before.0, before.1 + foreign.len()), "each is on record, none was begun");

    // The token of another session is of no use, and a cookie beside a token that does not count opens nothing.
    let other = world.logged_in("bob").await.csrf_token().await;
    let headers = [("origin", here.as_str()), ("x-csrf-token", other.as_str())];
    assert_eq!(browser.ask(Method::POST, "/users/bob/disable", &headers).await.0, 403);
    let headers = [("authorization", "Bearer fake"), ("origin", &here), ("x-csrf-token", &token)];
    assert_eq!(browser.ask(Method::POST, "/users/bob/disable", &headers).await.0, 401);
    assert_eq!(browser.change(Method::POST, "/users/bob/disable").await.0, 200);
}
