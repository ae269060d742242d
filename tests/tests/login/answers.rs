//! What a provider's answer ends, and where a login leads.

use jiff::SignedDuration;
use url::Url;

use super::world::{SESSION, World};

#[tokio::test]
async fn an_answer_ends_one_login_of_one_browser_once() {
    let world = World::set().await;
    world.comes("bob");
    let browser = world.browser();
    let answer = browser.to_provider("/console").await.unwrap();
    let (status, words) = world.browser().come_back(&answer).await;
    assert!(status == 400 && words.contains("not known in this browser"), "no cookie: {words}");
    let other = world.browser();
    let others = other.to_provider("/").await.unwrap();
    assert_eq!(other.come_back(&answer).await.0, 400, "the answer to another browser's login");
    let with = |answer: &Url, name: &str, value: &str| {
        let pairs: Vec<_> = answer.query_pairs().filter(|(known, _)| known != name).collect();
        let mut changed = answer.clone();
        changed.query_pairs_mut().clear().extend_pairs(pairs).append_pair(name, value);
        changed
    };
    assert_eq!(browser.come_back(&with(&answer, "state", "0".repeat(64).as_str())).await.0, 400);
    assert_eq!(browser.come_back(&with(&answer, "code", &"x".repeat(5_000))).await.0, 400, "too long");

    let cookies = browser.header();
    assert_eq!(browser.come_back(&answer).await, (303, "/console".to_owned()));
    // As somebody would who kept the address and the cookie of before.
    let again = world.http.get(answer.clone()).header("cookie", &cookies).send().await.unwrap();
    assert_eq!(again.status(), 400, "a state that came back");
    // The other login with a code that was used: the provider gives a code out once.
    let code = answer.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let (status, _) = other.come_back(&with(&others, "code", &code)).await;
    assert_eq!((status, other.cookie(SESSION)), (400, None));

    let late = world.browser();
    let answer = late.to_provider("/").await.unwrap();
    world.stand.advance(SignedDuration::from_mins(10));
    assert_eq!(late.come_back(&answer).await.0, 400, "too late");
}

#[tokio::test]
async fn an_answer_of_another_provider_and_one_that_says_no_end_nothing() {
    let world = World::set().await;
    world.comes("bob");
    for issuer in [Some("https://id.example.com"), None] {
        let browser = world.browser();
        let answer = browser.to_provider("/").await.unwrap();
        let pairs: Vec<_> = answer.query_pairs().filter(|(name, _)| name != "iss").collect();
        let mut mixed_up = answer.clone();
        mixed_up.query_pairs_mut().clear().extend_pairs(pairs);
        if let Some(issuer) = issuer {
            mixed_up.query_pairs_mut().append_pair("iss", issuer);
        }
        let exchanged = world.stand.sandbox.recorder().count_of("identity.oauth.token").requests;
        assert_eq!(browser.come_back(&mixed_up).await.0, 403, "{issuer:?}");
        let after = world.stand.sandbox.recorder().count_of("identity.oauth.token").requests;
        assert_eq!(after, exchanged, "the code of one provider is shown to no other");
    }
    world.provider().present(None);
    let (status, why) = world.refusal().await;
    assert!(status == 400 && why.contains("access_denied"), "{why}");
}

#[tokio::test]
async fn a_login_leads_to_this_host_alone() {
    let world = World::set().await;
    world.comes("bob");
    for foreign in ["//evil.example", "https://evil.example", "%2F%5Cevil.example", "evil", "/a%0D%0Ax:y"] {
        let (status, words) = world.browser().to_provider(foreign).await.unwrap_err();
        assert_eq!(status, 400, "{foreign}: {words}");
        assert!(!words.contains("evil"), "{words}");
    }
    let browser = world.browser();
    let answer = browser.to_provider("/console?a=1%26b=2").await.unwrap();
    assert_eq!(browser.come_back(&answer).await, (303, "/console?a=1&b=2".to_owned()));
    // The provider sends nobody to an address that is not registered.
    let page = world.http.get(format!("{}/login", world.url())).send().await.unwrap();
    let page = page.headers()["location"].to_str().unwrap().replace("127.0.0.1", "evil.example");
    let page = page.replacen("evil.example", "127.0.0.1", 1);
    assert_eq!(world.http.get(page).send().await.unwrap().status(), 400);
}
