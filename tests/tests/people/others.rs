//! Ids of another workspace's things, named where one's own belong: in the path behind one's own workspace, in queries and in bodies.

use reqwest::Method;
use serde_json::{Value, json};

use super::world::{FOREIGN, OWN, World};

#[tokio::test]
async fn what_is_of_another_workspace_is_not_found_by_its_number() {
    let world = World::set().await;
    let (theirs, wanda) = (world.things(FOREIGN).clone(), world.shows("wanda"));
    let before = world.state_of(FOREIGN).await;
    let own = format!("/workspaces/{OWN}");
    let take = json!({"take": "partner"});
    let cases: Vec<(Method, String, &str, Value)> = vec![
        (Method::GET, "/conflicts/{}".to_owned(), "conflict", Value::Null),
        (Method::POST, "/conflicts/{}/resolve".to_owned(), "conflict", take.clone()),
        (
            Method::POST,
            "/conflicts/{}/resolve".to_owned(),
            "conflict",
            json!({"take": "partner", "preview": true}),
        ),
        (Method::GET, "/deletes/{}".to_owned(), "deletion", Value::Null),
        (Method::POST, "/deletes/{}/confirm".to_owned(), "deletion", json!({})),
        (Method::POST, "/deletes/{}/keep".to_owned(), "deletion", json!({})),
        (Method::POST, "/deletes/{}/undo".to_owned(), "deletion", json!({})),
        (Method::GET, "/events/{}".to_owned(), "event", Value::Null),
    ];
    for (method, path, part, body) in cases {
        let with = |id: &str| format!("{own}{}", path.replace("{}", id));
        let id = &theirs[part];
        let (status, text) = world.ask(wanda, method.clone(), &with(id), &body).await;
        let (none, missing) = world.ask(wanda, method, &with("987654"), &body).await;
        assert_eq!(status, 404, "{path}: {text}");
        assert_eq!((status, text), (none, missing.replace("987654", id)), "{path}");
    }
    // Names that only the other workspace has.
    for (method, path, body) in [
        (Method::POST, format!("/parked/groups/{}/discard", theirs["group"]), json!({})),
        (Method::POST, format!("/destinations/only-{FOREIGN}/test"), json!({})),
        (Method::DELETE, format!("/destinations/only-{FOREIGN}"), json!({})),
        (Method::PUT, "/alerts/rules".to_owned(), json!({"to": [format!("only-{FOREIGN}")]})),
    ] {
        let (status, text) = world.ask(wanda, method, &format!("{own}{path}"), &body).await;
        assert_eq!(status, 404, "{path}: {text}");
    }
    let test = format!("{own}/connections/prefinery/mapping/test");
    let event: i64 = theirs["event"].parse().unwrap();
    let (status, text) = world.ask(wanda, Method::POST, &test, &json!({ "event": event })).await;
    assert_eq!(status, 404, "{text}");
    let number: i64 = theirs["deletion"].parse().unwrap();
    let (status, text) =
        world.ask(wanda, Method::POST, &format!("{own}/deletes/confirm"), &json!({"ids": [number]})).await;
    assert_eq!(status, 409, "{text}");
    let (status, text) = world.ask(wanda, Method::POST, "/tokens", &json!({"workspaces": [FOREIGN]})).await;
    assert_eq!(status, 404, "{text}");
    assert_eq!(world.state_of(FOREIGN).await, before);
}

#[tokio::test]
async fn lists_over_all_workspaces_show_ones_own_alone() {
    let world = World::set().await;
    let ids = |list: &Value, key: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap_or_default().to_owned()).collect()
    };
    for user in ["vera", "arthur", "wanda"] {
        let token = world.shows(user);
        assert_eq!(ids(&world.get(token, "/workspaces").await.1, "id"), [OWN]);
        assert_eq!(ids(&world.get(token, "/runs").await.1, "workspace"), [OWN]);
        for path in ["/runs?workspace=", "/catalogue?workspace="] {
            let (status, body) = world.get(token, &format!("{path}{FOREIGN}")).await;
            assert_eq!((status, &body["error"]["code"]), (404, &json!("not-found")), "{path}");
            let (_, missing) = world.get(token, &format!("{path}nowhere")).await;
            assert_eq!(body.to_string(), missing.to_string().replace("nowhere", FOREIGN));
        }
        let (status, _) = world.get(token, &format!("/runs?workspace={OWN}&workspace={FOREIGN}")).await;
        assert_eq!(status, 400, "two workspaces at once are none");
    }
    let nora = world.shows("nora");
    assert_eq!(world.get(nora, "/workspaces").await.1, json!([]));
    assert_eq!(world.get(nora, "/runs").await.1, json!([]));
    let ann = world.shows("ann");
    assert_eq!(ids(&world.get(ann, "/workspaces").await.1, "id"), [OWN, FOREIGN]);
    assert_eq!(world.get(ann, "/runs").await.1.as_array().unwrap().len(), 2);
    // The log as well.
    for workspace in [OWN, FOREIGN] {
        let path = format!("/workspaces/{workspace}/settings");
        world.root(Method::PUT, &path, &json!({"retention_days": 7})).await;
    }
    let seen = ids(&world.get(world.shows("wanda"), "/audit").await.1, "workspace");
    assert!(!seen.is_empty() && seen.iter().all(|workspace| workspace == OWN), "{seen:?}");
    let (status, _) = world.get(world.shows("wanda"), &format!("/audit?workspace={FOREIGN}")).await;
    assert_eq!(status, 404);
    let members = world.get(world.shows("wanda"), &format!("/workspaces/{OWN}/members")).await.1;
    assert!(!members.to_string().contains("carl@example.com"), "{members}");
}

#[tokio::test]
async fn whoever_only_looks_or_tries_gets_at_no_credential() {
    let world = World::set().await;
    let path = format!("/workspaces/{OWN}/connections/prefinery");
    let address = |body: &Value| body["webhook_path"].as_str().unwrap().to_owned();
    let (_, looked) = world.get(world.shows("vera"), &path).await;
    let (_, worked) = world.get(world.shows("arthur"), &path).await;
    assert!(address(&worked).starts_with("/webhooks/partner/"), "{worked}");
    assert!(!address(&looked).contains("/webhooks/"), "the address is the proof of some partners: {looked}");
    let (_, listed) = world.get(world.shows("vera"), &format!("/workspaces/{OWN}/connections")).await;
    assert!(!listed.to_string().contains("/webhooks/partner/"), "{listed}");

    // The stored credential would go where an author says.
    let before = world.state_of(OWN).await;
    let moved = json!({"base_url": "https://attacker.example.com"});
    let (status, text) = world.ask(world.shows("arthur"), Method::PUT, &path, &moved).await;
    assert_eq!(status, 403, "{text}");
    assert_eq!(world.state_of(OWN).await, before);
    let same = json!({"base_url": worked["base_url"]});
    let (status, text) = world.ask(world.shows("arthur"), Method::PUT, &path, &same).await;
    assert_eq!(status, 200, "{text}");
}

#[tokio::test]
async fn who_decides_is_who_asks_whatever_the_request_says() {
    let world = World::set().await;
    let things = world.things(OWN);
    let path = format!("/workspaces/{OWN}/deletes/{}/keep", things["deletion"]);
    let (status, text) = world.ask(world.shows("wanda"), Method::POST, &path, &json!({"by": "Ann"})).await;
    assert_eq!(status, 200, "{text}");
    let decided: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(decided["decided_by"], "wanda (admin)", "{text}");
}

#[tokio::test]
async fn an_authors_component_is_given_to_nobody_who_names_it_by_its_id() {
    let world = World::set().await;
    let component = contactor_tests::artefacts::component("referrizer").unwrap();
    let install = async |token: &str| {
        let request =
            world.request(token, Method::POST, "/connectors").header("content-type", "application/wasm");
        let answer = request.body(component.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json::<Value>().await.unwrap()
    };
    let drafted = install(world.shows("arthur")).await;
    assert_eq!(drafted["approved"], false);
    let connection = format!("/workspaces/{OWN}/connections/referrizer");
    let enable = async |body: Value| world.ask(world.shows("wanda"), Method::PUT, &connection, &body).await;
    let (status, text) = enable(json!({})).await;
    assert!(status == 404 && text.contains("--digest"), "{status}: {text}");
    // By its digest it is looked at; that its credential is missing is said next.
    let (status, text) = enable(json!({ "digest": drafted["digest"] })).await;
    assert_ne!(status, 404, "{text}");
    assert_eq!(install(contactor_tests::engine::ADMIN_TOKEN).await["approved"], true);
    let (status, text) = enable(json!({})).await;
    assert_ne!(status, 404, "{text}");
}
