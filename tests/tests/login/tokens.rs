//! What a provider's token must be for a login to be believed, and which of its keys count.

use contactor_sandbox::identity::{Algorithm, Forgery};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::world::World;

#[tokio::test]
async fn a_token_of_every_kind_of_key_is_believed_when_the_key_has_signed_it() {
    let world = World::set().await;
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        world.provider().signs_with(algorithm);
        world.provider().forges(None);
        world.logged_in("bob").await;
        for (forgery, words) in [
            (Forgery::None, "`none`, which is not allowed"),
            (Forgery::PublicKeyAsSecret, "`HS256`, which is not allowed"),
            (Forgery::OtherKey, "signature does not fit"),
            (Forgery::UnknownKey, "no key of that name"),
        ] {
            world.provider().forges(Some(forgery));
            let (status, why) = world.refusal().await;
            assert!(status == 403 && why.contains(words), "{algorithm:?} {forgery:?}: {status} {why}");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_not_for_this_login_is_not_believed() {
    let world = World::set().await;
    world.comes("bob");
    let now = world.stand.engine.now().as_second();
    for (claim, value, words) in [
        ("nonce", json!("another"), "another login"),
        ("nonce", Value::Null, "another login"),
        ("aud", json!("somebody-else"), "another client"),
        ("aud", json!(["contactor", "somebody-else"]), "given to another client"),
        ("azp", json!("somebody-else"), "given to another client"),
        ("iss", json!("https://id.example.com"), "another issuer"),
        ("exp", json!(now - 61), "time is over"),
        ("iat", json!(now + 600), "time has not come"),
        ("iat", json!(now - 3_600), "too old"),
        ("sub", json!(""), "names nobody"),
        ("sub", Value::Null, "cannot be read"),
    ] {
        let (name, told) = (claim, value.clone());
        world.provider().claims_are(move |claims| claims[name] = told.clone());
        let (status, why) = world.refusal().await;
        assert!(status == 403 && why.contains(words), "{claim}={value}: {status} {why}");
    }
    world.provider().claims_are_true();
    world.logged_in("bob").await;
}

#[tokio::test]
async fn new_keys_are_looked_for_once() {
    let world = World::set().await;
    world.logged_in("bob").await;
    world.logged_in("ann").await;
    assert_eq!(world.looks_for_keys(), 1);
    world.provider().rotate();
    world.logged_in("bob").await;
    assert_eq!(world.looks_for_keys(), 2, "a key that is not known may be new");
    world.provider().forges(Some(Forgery::UnknownKey));
    for _ in 0..3 {
        assert_eq!(world.refusal().await.0, 403);
    }
    assert_eq!(world.looks_for_keys(), 3, "and nobody makes the host ask again and again");
    world.stand.advance(SignedDuration::from_mins(1));
    assert_eq!(world.refusal().await.0, 403);
    assert_eq!(world.looks_for_keys(), 4);
    world.provider().forges(None);
    world.stand.advance(SignedDuration::from_hours(1));
    world.logged_in("bob").await;
    assert_eq!(world.looks_for_keys(), 5, "an hour old");
}
