//! Strangers at the door, and a provider that is down or not there.

use contactor_engine::{LOGIN_CALLBACK, LoginSetup};
use contactor_highlevel::http::{Options, client};
use contactor_sandbox::faults::{Effect, Fault};
use contactor_tests::engine::Stand;
use jiff::SignedDuration;

use super::world::{SESSION, World};

#[tokio::test]
async fn garbage_keeps_nobody_out_and_fills_neither_the_log_nor_the_providers_day() {
    let world = World::set().await;
    world.comes("bob");
    let browser = world.browser();
    let answer = browser.to_provider("/console").await.unwrap();
    let state = answer.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let asked = world.stand.sandbox.recorder().requests("identity.");
    let (stranger, other) = (world.browser(), world.browser());
    other.to_begin().await;
    // More of each kind than logins are ended in a minute.
    for _ in 0..70 {
        for (who, state) in [(&stranger, "b"), (&stranger, state.as_str()), (&other, state.as_str())] {
            let url = format!("{}{LOGIN_CALLBACK}?code=a&state={state}", world.url());
            let (status, words) = who.come_back(&url.parse().unwrap()).await;
            assert_eq!(status, 400, "{words}");
        }
    }
    assert_eq!(world.stand.sandbox.recorder().requests("identity."), asked, "nobody was asked");
    let refused = world.on_record().await.len();
    assert!((1..=40).contains(&refused), "{refused}");
    assert_eq!(browser.come_back(&answer).await, (303, "/console".to_owned()));
}

#[tokio::test]
async fn logins_that_come_back_are_paced_together() {
    let world = World::set().await;
    let (mut exchanged, issuer) = (0, world.provider().issuer());
    loop {
        let browser = world.browser();
        let state = browser.to_begin().await;
        let url = format!("{}{LOGIN_CALLBACK}?code=made-up&state={state}&iss={issuer}", world.url());
        let (status, words) = browser.come_back(&url.parse().unwrap()).await;
        if status == 429 {
            break;
        }
        assert!(status == 400 && exchanged < 1_000, "{status} {words}");
        exchanged += 1;
    }
    assert!(exchanged >= 60, "{exchanged}");
    assert_eq!(world.stand.sandbox.recorder().count_of("identity.oauth.token").requests, exchanged);
}

#[tokio::test]
async fn a_provider_that_is_down_is_asked_once_in_a_while_whoever_wants_to_log_in() {
    let world = World::set().await;
    let describe = "identity.oauth.describe";
    world.stand.sandbox.faults().add(Fault::always(describe, Effect::refuse(503)));
    let looks = || world.stand.sandbox.recorder().count_of(describe).requests;
    for _ in 0..3 {
        let (status, words) = world.browser().to_provider("/").await.unwrap_err();
        assert!(status == 502 && words.contains("does not answer as it should"), "{status} {words}");
    }
    assert_eq!(looks(), 1);
    world.stand.sandbox.faults().clear();
    assert_eq!(world.browser().to_provider("/").await.unwrap_err().0, 502);
    assert_eq!(looks(), 1);
    world.stand.advance(SignedDuration::from_secs(10));
    world.logged_in("bob").await;
    assert_eq!(looks(), 2);
}

#[tokio::test]
async fn without_a_provider_nobody_logs_in_and_a_provider_that_is_down_is_said_to_be() {
    let stand = Stand::serve().await.unwrap();
    let http = client(&Options::default()).unwrap();
    for path in ["/login", "/login/callback?code=a&state=b"] {
        let answer = http.get(format!("{}{path}", stand.url().unwrap())).send().await.unwrap();
        assert_eq!(answer.status(), 404);
    }
    let cookie = format!("{SESSION}=cts_{}_{}", "0".repeat(16), "0".repeat(64));
    let url = format!("{}/api/v1/whoami", stand.url().unwrap());
    assert_eq!(http.get(url).header("cookie", cookie).send().await.unwrap().status(), 401);

    let world = World::set_with(|setup| setup.issuer = "http://127.0.0.1:9/identity".to_owned()).await;
    let (status, words) = world.browser().to_provider("/").await.unwrap_err();
    assert_eq!(status, 502, "{words}");
    let world = World::set_with(|setup| setup.issuer += "/").await;
    let (status, _) = world.browser().to_provider("/").await.unwrap_err();
    assert_eq!(status, 502, "it describes another issuer");
    // A provider's address that only this host can reach is not asked.
    let world = World::set().await;
    let closed = LoginSetup { issuer: "https://169.254.169.254/".to_owned(), ..world.setup() };
    let refused = world.stand.engine.log_in_by(closed).unwrap_err().to_string();
    assert!(refused.contains("login.oidc.issuer"), "{refused}");
}
