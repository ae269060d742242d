//! Logins by an identity provider, and what a session in a browser opens: against a provider's double that signs for real, by a real
//! server, as a browser would.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Mutex;

use contactor_engine::{CreateUsers, LOGIN_CALLBACK, LoginSetup};
use contactor_highlevel::http::{Options, client};
use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::identity::{Algorithm, Forgery, IdentityProvider, Person};
use contactor_store::{AuditFilter, AuditPhase, Role};
use contactor_tests::engine::{ADMIN_TOKEN, Stand, WORKSPACE};
use jiff::SignedDuration;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use url::Url;

const SESSION: &str = "__Host-contactor-session";

/// A host with a provider, and users who may log in.
struct World {
    stand: Stand,
    http: reqwest::Client,
}

impl World {
    /// Ann is a platform admin, Bob a viewer; both have an address.
    async fn set() -> Self {
        Self::set_with(|_| {}).await
    }

    async fn set_with(change: impl FnOnce(&mut LoginSetup)) -> Self {
        let stand = Stand::serve().await.unwrap();
        let world = Self { stand, http: client(&Options::default()).unwrap() };
        let mut setup = world.setup();
        world.provider().redirects_to(setup.redirect_url.as_str());
        // The quick ones; RSA has its own test.
        world.provider().signs_with(Algorithm::EdDsa);
        change(&mut setup);
        world.stand.engine.log_in_by(setup).unwrap();
        for (id, admin) in [("ann", true), ("bob", false)] {
            let user = json!({"id": id, "email": format!("{id}@example.com"), "platform_admin": admin});
            world.root(Method::POST, "/users", &user).await;
        }
        let member = format!("/workspaces/{WORKSPACE}/members/bob");
        world.root(Method::PUT, &member, &json!({"role": "viewer"})).await;
        world
    }

    fn setup(&self) -> LoginSetup {
        let provider = self.provider();
        LoginSetup {
            issuer: provider.issuer(),
            client_id: provider.client_id().to_owned(),
            client_secret: Some(provider.client_secret().to_owned().into()),
            redirect_url: format!("{}{LOGIN_CALLBACK}", self.url()).parse().unwrap(),
            scopes: vec!["email".to_owned()],
            algorithms: Vec::new(),
            email_claim: "email".to_owned(),
            email_is_verified: false,
            require: BTreeMap::new(),
            create: None,
            idle: SignedDuration::from_mins(60),
            lasts: SignedDuration::from_hours(12),
        }
    }

    fn url(&self) -> &str {
        self.stand.url().unwrap()
    }

    fn provider(&self) -> &IdentityProvider {
        self.stand.sandbox.identity()
    }

    fn browser(&self) -> Browser<'_> {
        Browser { world: self, cookies: Mutex::default() }
    }

    /// Somebody of this name, with the address of the user.
    fn comes(&self, user: &str) {
        self.provider().present(Some(Person::new(&format!("sub-{user}"), &format!("{user}@example.com"))));
    }

    async fn root(&self, method: Method, path: &str, body: &Value) {
        let url = format!("{}/api/v1{path}", self.url());
        let sent = self.http.request(method, url).bearer_auth(ADMIN_TOKEN).json(body).send().await.unwrap();
        assert!(sent.status().is_success(), "{path}: {}", sent.text().await.unwrap());
    }

    /// A new browser in which a user has logged in.
    async fn logged_in(&self, user: &str) -> Browser<'_> {
        self.comes(user);
        let browser = self.browser();
        let (status, words) = browser.log_in().await;
        assert_eq!(status, 303, "{words}");
        browser
    }

    /// The status that a login ends with, in a new browser, and the reason on record.
    async fn refusal(&self) -> (u16, String) {
        let browser = self.browser();
        let (status, words) = browser.log_in().await;
        assert!(status >= 400 && browser.cookie(SESSION).is_none(), "{status} {words}");
        let found = self.on_record().await;
        let (phase, _, detail) = found.last().unwrap();
        assert_eq!(*phase, AuditPhase::Refused);
        (status, detail.clone())
    }

    /// Logins on record, the oldest first: phase, actor, detail.
    async fn on_record(&self) -> Vec<(AuditPhase, String, String)> {
        let filter = AuditFilter { limit: 10_000, ..AuditFilter::default() };
        let mut found = self.stand.engine.store().audit(filter).await.unwrap();
        found.reverse();
        let logins = found.into_iter().filter(|change| change.row.entry.action == "login");
        logins
            .map(|change| {
                let entry = change.row.entry;
                (entry.phase, entry.actor.to_string(), format!("{} {}", entry.detail, change.told))
            })
            .collect()
    }

    fn looks_for_keys(&self) -> u64 {
        self.stand.sandbox.recorder().count_of("identity.oauth.keys").requests
    }
}

/// What a browser does of itself: it keeps cookies, and goes where it is sent.
struct Browser<'w> {
    world: &'w World,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser<'_> {
    fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    fn header(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    async fn go(&self, url: &str) -> Response {
        let mut request = self.world.http.get(url);
        // The provider is another host to a browser; here it has another port.
        if url.starts_with(self.world.url()) {
            request = request.header("cookie", self.header());
        }
        let response = request.send().await.unwrap();
        for set in response.headers().get_all("set-cookie") {
            let set = set.to_str().unwrap();
            assert!(set.contains("; Secure; HttpOnly; SameSite=Lax") && !set.contains("Domain"), "{set}");
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            if set.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    /// Begins a login and leaves it at that; answers its state.
    async fn to_begin(&self) -> String {
        let begun = self.go(&format!("{}/login", self.world.url())).await;
        let page: Url = begun.headers()["location"].to_str().unwrap().parse().unwrap();
        page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
    }

    /// To the provider and as far as its answer, which is not taken back yet.
    async fn to_provider(&self, to: &str) -> Result<Url, (u16, String)> {
        let begun = self.go(&format!("{}/login?to={to}", self.world.url())).await;
        if begun.status() != 303 {
            return Err((begun.status().as_u16(), begun.text().await.unwrap()));
        }
        let page = begun.headers()["location"].to_str().unwrap().to_owned();
        assert!(page.starts_with(&self.world.provider().issuer()), "{page}");
        let answered = self.go(&page).await;
        assert_eq!(answered.status(), 302, "the provider shows no login page");
        Ok(answered.headers()["location"].to_str().unwrap().parse().unwrap())
    }

    async fn come_back(&self, answer: &Url) -> (u16, String) {
        let ended = self.go(answer.as_str()).await;
        let to = ended.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (ended.status().as_u16(), to.unwrap_or(ended.text().await.unwrap()))
    }

    /// A whole login; answers its status, and where it leads or what it says.
    async fn log_in(&self) -> (u16, String) {
        match self.to_provider("/console").await {
            Ok(answer) => self.come_back(&answer).await,
            Err(refused) => refused,
        }
    }

    /// A request of a page of this host, with these headers besides the cookies.
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}/api/v1{path}", self.world.url());
        let mut request = self.world.http.request(method.clone(), url).header("cookie", self.header());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if method != Method::GET {
            request = request.json(&json!({}));
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, &[]).await
    }

    /// The token that a page of this host is told.
    async fn csrf_token(&self) -> String {
        self.get("/session").await.1["csrf_token"].as_str().unwrap().to_owned()
    }

    /// A change as a page of this host makes it.
    async fn change(&self, method: Method, path: &str) -> (u16, Value) {
        let token = self.csrf_token().await;
        self.ask(method, path, &[("origin", self.world.url()), ("x-csrf-token", &token)]).await
    }
}

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
