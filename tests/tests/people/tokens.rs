//! What tokens open, and until when.

use contactor_store::{TokenId, UserId};
use contactor_tests::engine::ADMIN_TOKEN;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{FOREIGN, OWN, World};

fn id_of(token: &str) -> &str {
    token.split('_').nth(1).unwrap()
}

async fn whoami(world: &World, token: &str) -> (u16, Value) {
    world.get(token, "/whoami").await
}

#[tokio::test]
async fn a_token_counts_until_it_expires_is_revoked_or_its_user_is_switched_off() {
    let world = World::set().await;
    let told = |body: &Value| body["error"]["message"].as_str().unwrap().to_owned();
    let short = world.token_of(&json!({"user": "carl", "days": 1})).await;
    let long = world.token_of(&json!({"user": "carl"})).await;
    assert_eq!(whoami(&world, &short).await.0, 200);
    world.stand.advance(SignedDuration::from_hours(25));
    let (status, body) = whoami(&world, &short).await;
    assert_eq!((status, told(&body).contains("has expired")), (401, true), "{body}");
    assert_eq!(whoami(&world, &long).await.0, 200);
    world.stand.advance(SignedDuration::from_hours(24 * 90));
    assert_eq!(whoami(&world, &long).await.0, 401, "90 days unless somebody says otherwise");

    let (one, other) =
        (world.token_of(&json!({"user": "carl"})).await, world.token_of(&json!({"user": "carl"})).await);
    world.root(Method::DELETE, &format!("/tokens/{}", id_of(&one)), &Value::Null).await;
    let (status, body) = whoami(&world, &one).await;
    assert_eq!((status, told(&body).contains("was revoked")), (401, true), "{body}");
    assert_eq!(whoami(&world, &other).await.0, 200);
    world.root(Method::POST, "/users/carl/disable", &Value::Null).await;
    let (status, body) = whoami(&world, &other).await;
    assert_eq!((status, told(&body).contains("disabled")), (401, true), "{body}");
    world.root(Method::POST, "/users/carl/enable", &Value::Null).await;
    assert_eq!(whoami(&world, &other).await.0, 200);
}

#[tokio::test]
async fn what_is_taken_from_a_user_is_taken_from_the_tokens_at_once() {
    let world = World::set().await;
    let (vera, path) = (world.shows("vera"), format!("/workspaces/{OWN}"));
    assert_eq!(world.get(vera, &path).await.0, 200);
    world.root(Method::DELETE, &format!("{path}/members/vera"), &Value::Null).await;
    assert_eq!(world.get(vera, &path).await.0, 404);
    world.root(Method::PUT, &format!("/workspaces/{FOREIGN}/members/vera"), &json!({"role": "author"})).await;
    assert_eq!(world.get(vera, &format!("/workspaces/{FOREIGN}")).await.0, 200);
    let ann = world.shows("ann");
    assert_eq!(world.get(ann, "/users").await.0, 200);
    world.root(Method::DELETE, "/users/ann/platform-admin", &Value::Null).await;
    assert_eq!(world.get(ann, "/users").await.0, 403);
}

#[tokio::test]
async fn a_narrowed_token_opens_no_more_and_makes_no_wider_one() {
    let world = World::set().await;
    let looks = world.token_of(&json!({"user": "wanda", "role": "viewer"})).await;
    let settings = format!("/workspaces/{OWN}/settings");
    let change = json!({"retention_days": 9});
    assert_eq!(world.get(&looks, &format!("/workspaces/{OWN}")).await.0, 200);
    let (status, text) = world.ask(&looks, Method::PUT, &settings, &change).await;
    assert_eq!((status, text.contains("your token narrows it")), (403, true), "{text}");

    let here = world.token_of(&json!({"user": "ann", "workspaces": [OWN]})).await;
    assert_eq!(world.ask(&here, Method::PUT, &settings, &change).await.0, 200);
    assert_eq!(world.get(&here, &format!("/workspaces/{FOREIGN}")).await.0, 404);
    assert_eq!(world.get(&here, "/users").await.0, 403);

    for wider in [json!({"role": "workspace-admin"}), json!({"role": "platform-admin"})] {
        assert_eq!(world.ask(&looks, Method::POST, "/tokens", &wider).await.0, 403, "{wider}");
    }
    let (status, text) = world.ask(&looks, Method::POST, "/tokens", &json!({})).await;
    assert_eq!(status, 201, "{text}");
    let child: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&child["role"], &child["made_with"]), (&json!("viewer"), &json!(id_of(&looks))));
    let child = child["secret"].as_str().unwrap();
    assert_eq!(world.ask(child, Method::PUT, &settings, &change).await.0, 403);
    for other in [json!({"user": "ann"}), json!({"user": "nobody"})] {
        assert_eq!(world.ask(&looks, Method::POST, "/tokens", &other).await.0, 403, "{other}");
    }
    // It ends with the one that it was made with.
    let answer = world.root(Method::DELETE, &format!("/tokens/{}", id_of(&looks)), &Value::Null).await;
    assert_eq!(answer["revoked"], 2);
    assert_eq!(whoami(&world, child).await.0, 401);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_nowhere() {
    let world = World::set().await;
    let token = world.token_of(&json!({"user": "carl", "name": "laptop"})).await;
    assert!(token.starts_with("ctk_") && token.len() == 85, "{token}");
    assert_eq!(world.get(&token, "/whoami").await.1["token"]["name"], "laptop");
    let secret = token.rsplit('_').next().unwrap();
    assert!(!world.stand.keeps(secret).unwrap(), "the database holds a secret");
    let (_, listed) = world.get(ADMIN_TOKEN, "/tokens").await;
    assert!(!listed.to_string().contains(secret) && !listed.to_string().contains("hash"), "{listed}");
    let users: Vec<&str> =
        listed.as_array().unwrap().iter().map(|one| one["user"].as_str().unwrap()).collect();
    assert!(users.contains(&"carl") && users.contains(&"vera"));
    let (_, own) = world.get(&token, "/tokens").await;
    assert!(own.as_array().unwrap().iter().all(|one| one["user"] == "carl"), "{own}");
    assert_eq!(world.get(&token, "/tokens?user=vera").await.0, 403);
}

#[tokio::test]
async fn the_last_use_of_a_token_is_known_to_the_hour() {
    let world = World::set().await;
    let (store, vera) = (world.stand.engine.store(), world.shows("vera"));
    let id = TokenId::new(id_of(vera));
    let used = async || store.token(&id).await.unwrap().unwrap().used_at;
    assert_eq!(used().await, None);
    whoami(&world, vera).await;
    let first = used().await.unwrap();
    world.stand.advance(SignedDuration::from_mins(59));
    whoami(&world, vera).await;
    assert_eq!(used().await, Some(first), "no commit for each request");
    world.stand.advance(SignedDuration::from_mins(2));
    whoami(&world, vera).await;
    assert!(used().await > Some(first));
}

#[tokio::test]
async fn tokens_and_users_that_make_no_sense_are_refused() {
    let world = World::set().await;
    for (path, body, expected) in [
        ("/tokens", json!({"user": "vera", "days": 0}), 400),
        ("/tokens", json!({"user": "vera", "days": 400}), 400),
        ("/tokens", json!({}), 400),
        ("/tokens", json!({"user": "nobody"}), 404),
        ("/tokens", json!({"user": "vera", "workspaces": ["nowhere"]}), 404),
        ("/users", json!({"id": "Vera Smith"}), 400),
        ("/users", json!({"id": "admin-token-file"}), 400),
        ("/users", json!({"id": "the-host"}), 400),
        ("/users", json!({"id": "command-line"}), 400),
        ("/users", json!({"id": "dora", "email": "dora"}), 400),
        ("/users", json!({"id": "vera"}), 409),
    ] {
        let (status, text) = world.ask(ADMIN_TOKEN, Method::POST, path, &body).await;
        assert_eq!(status, expected, "{path} {body}: {text}");
    }
    let member = format!("/workspaces/{OWN}/members/vera");
    let platform = json!({"role": "platform-admin"});
    assert_eq!(world.ask(ADMIN_TOKEN, Method::PUT, &member, &platform).await.0, 400);
    assert!(world.stand.engine.store().user(&UserId::new("dora")).await.unwrap().is_none());
}
