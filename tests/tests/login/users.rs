//! Who it is that logs in, and who does not.

use std::collections::BTreeMap;

use contactor_engine::{CreateUsers, LoginSetup};
use contactor_sandbox::identity::Person;
use contactor_store::Role;
use contactor_tests::engine::WORKSPACE;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::World;

#[tokio::test]
async fn a_user_is_bound_to_who_logged_in_first_whatever_address_comes_later() {
    let world = World::set().await;
    world.logged_in("bob").await;
    // The provider gives Bob another address: that of Ann, who may do more.
    world.provider().present(Some(Person::new("sub-bob", "ann@example.com")));
    let browser = world.browser();
    assert_eq!(browser.log_in().await.0, 303);
    assert_eq!(browser.get("/whoami").await.1["actor"], "bob");
    // And Bob's address to somebody else.
    world.provider().present(Some(Person::new("sub-eve", "bob@example.com")));
    let (status, why) = world.refusal().await;
    assert!(status == 403 && why.contains("bound to somebody else"), "{why}");
    assert_eq!(world.on_record().await.pop().unwrap().1, "bob", "it is on record at whose door it was");

    world.root(Method::DELETE, "/users/bob/identity", &json!({})).await;
    assert_eq!(browser.get("/whoami").await.0, 401, "the sessions end with it");
    let eve = world.browser();
    assert_eq!(eve.log_in().await.0, 303);
    assert_eq!(eve.get("/whoami").await.1["actor"], "bob");
}

#[tokio::test]
async fn whoever_is_no_user_does_not_log_in() {
    let world = World::set().await;
    world.root(Method::POST, "/users", &json!({"id": "carl", "email": "shared@example.com"})).await;
    world.root(Method::POST, "/users", &json!({"id": "cleo", "email": "shared@example.com"})).await;
    world.root(Method::POST, "/users", &json!({"id": "dora", "email": "dora@example.com"})).await;
    world.root(Method::POST, "/users/dora/disable", &json!({})).await;
    let known = Person::new("s", "bob@example.com");
    for (person, words) in [
        (Person::new("s", "nobody@example.com"), "no user has the address"),
        (Person { email: None, ..known.clone() }, "names no address"),
        (Person { email_verified: false, ..known.clone() }, "has not verified the address"),
        (Person::new("s", "shared@example.com"), "several users"),
        (Person::new("s", "dora@example.com"), "is disabled"),
    ] {
        world.provider().present(Some(person));
        let (status, why) = world.refusal().await;
        assert!(status == 403 && why.contains(words), "{why}");
        assert!(!why.contains('@'), "no address stands in the log: {why}");
    }
    // A case that a person would not notice.
    world.provider().present(Some(Person::new("s", "Bob@Example.com")));
    assert_eq!(world.browser().log_in().await.0, 303);
}

#[tokio::test]
async fn an_address_that_people_write_themselves_is_believed_on_the_operators_word_alone() {
    let world = World::set_with(|setup| {
        setup.email_claim = "preferred_username".to_owned();
        setup.email_is_verified = true;
    })
    .await;
    world.provider().present(Some(Person::new("s", "eve@example.com")));
    assert!(world.refusal().await.1.contains("names no address"), "the claim is another one");
    world.provider().claims_are(|claims| claims["preferred_username"] = json!("bob@example.com"));
    let browser = world.browser();
    assert_eq!(browser.log_in().await.0, 303);
    assert_eq!(browser.get("/whoami").await.1["actor"], "bob");

    let unvouched = LoginSetup { email_claim: "preferred_username".to_owned(), ..world.setup() };
    let refused = world.stand.engine.log_in_by(unvouched).unwrap_err().to_string();
    assert!(refused.contains("login.oidc.email-claim"), "{refused}");
}

#[tokio::test]
async fn an_operator_may_require_a_claim_and_let_users_be_made() {
    let world = World::set_with(|setup| {
        setup.require = BTreeMap::from([("groups".to_owned(), vec!["ops".to_owned()])]);
        setup.create = Some(CreateUsers {
            domains: vec!["example.com".to_owned()],
            workspace: WORKSPACE.to_owned(),
            role: Role::Author,
        });
    })
    .await;
    let person = |email: &str, groups: &[&str]| Person {
        groups: groups.iter().map(ToString::to_string).collect(),
        ..Person::new(&format!("sub of {email}"), email)
    };
    world.provider().present(Some(person("bob@example.com", &["staff"])));
    let (status, why) = world.refusal().await;
    assert!(status == 403 && why.contains("requires"), "{why}");
    world.provider().present(Some(person("eve@example.com.evil.example", &["ops"])));
    assert_eq!(world.refusal().await.0, 403);

    for (email, id) in [("Fay.Smith@example.com", "fay-smith"), ("ann.@example.com", "ann-2")] {
        world.provider().present(Some(person(email, &["staff", "ops"])));
        let browser = world.browser();
        assert_eq!(browser.log_in().await, (303, "/console".to_owned()));
        let (_, who) = browser.get("/whoami").await;
        assert_eq!((&who["actor"], &who["roles"][0]["role"]), (&json!(id), &json!("author")));
        assert_eq!(who["everywhere"], Value::Null);
    }
}
