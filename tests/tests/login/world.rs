//! A host with an identity provider, and browsers as people use them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use contactor_engine::{LOGIN_CALLBACK, LoginSetup};
use contactor_highlevel::http::{Options, client};
use contactor_sandbox::identity::{Algorithm, IdentityProvider, Person};
use contactor_store::{AuditFilter, AuditPhase};
use contactor_tests::engine::{ADMIN_TOKEN, Stand, WORKSPACE};
use jiff::SignedDuration;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use url::Url;

pub(crate) const SESSION: &str = "__Host-contactor-session";

/// A host with a provider, and users who may log in.
pub(crate) struct World {
    pub(crate) stand: Stand,
    pub(crate) http: reqwest::Client,
}

impl World {
    /// Ann is a platform admin, Bob a viewer; both have an address.
    pub(crate) async fn set() -> Self {
        Self::set_with(|_| {}).await
    }

    pub(crate) async fn set_with(change: impl FnOnce(&mut LoginSetup)) -> Self {
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

    pub(crate) fn setup(&self) -> LoginSetup {
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

    pub(crate) fn url(&self) -> &str {
        self.stand.url().unwrap()
    }

    pub(crate) fn provider(&self) -> &IdentityProvider {
        self.stand.sandbox.identity()
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { world: self, cookies: Mutex::default() }
    }

    /// Somebody of this name, with the address of the user.
    pub(crate) fn comes(&self, user: &str) {
        self.provider().present(Some(Person::new(&format!("sub-{user}"), &format!("{user}@example.com"))));
    }

    pub(crate) async fn root(&self, method: Method, path: &str, body: &Value) {
        let url = format!("{}/api/v1{path}", self.url());
        let sent = self.http.request(method, url).bearer_auth(ADMIN_TOKEN).json(body).send().await.unwrap();
        assert!(sent.status().is_success(), "{path}: {}", sent.text().await.unwrap());
    }

    /// A new browser in which a user has logged in.
    pub(crate) async fn logged_in(&self, user: &str) -> Browser<'_> {
        self.comes(user);
        let browser = self.browser();
        let (status, words) = browser.log_in().await;
        assert_eq!(status, 303, "{words}");
        browser
    }

    /// The status that a login ends with, in a new browser, and the reason on record.
    pub(crate) async fn refusal(&self) -> (u16, String) {
        let browser = self.browser();
        let (status, words) = browser.log_in().await;
        assert!(status >= 400 && browser.cookie(SESSION).is_none(), "{status} {words}");
        let found = self.on_record().await;
        let (phase, _, detail) = found.last().unwrap();
        assert_eq!(*phase, AuditPhase::Refused);
        (status, detail.clone())
    }

    /// Logins on record, the oldest first: phase, actor, detail.
    pub(crate) async fn on_record(&self) -> Vec<(AuditPhase, String, String)> {
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

    pub(crate) fn looks_for_keys(&self) -> u64 {
        self.stand.sandbox.recorder().count_of("identity.oauth.keys").requests
    }
}

/// What a browser does of itself: it keeps cookies, and goes where it is sent.
pub(crate) struct Browser<'w> {
    world: &'w World,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser<'_> {
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub(crate) fn header(&self) -> String {
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
    pub(crate) async fn to_begin(&self) -> String {
        let begun = self.go(&format!("{}/login", self.world.url())).await;
        let page: Url = begun.headers()["location"].to_str().unwrap().parse().unwrap();
        page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
    }

    /// To the provider and as far as its answer, which is not taken back yet.
    pub(crate) async fn to_provider(&self, to: &str) -> Result<Url, (u16, String)> {
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

    pub(crate) async fn come_back(&self, answer: &Url) -> (u16, String) {
        let ended = self.go(answer.as_str()).await;
        let to = ended.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (ended.status().as_u16(), to.unwrap_or(ended.text().await.unwrap()))
    }

    /// A whole login; answers its status, and where it leads or what it says.
    pub(crate) async fn log_in(&self) -> (u16, String) {
        match self.to_provider("/console").await {
            Ok(answer) => self.come_back(&answer).await,
            Err(refused) => refused,
        }
    }

    /// A request of a page of this host, with these headers besides the cookies.
    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
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

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, &[]).await
    }

    /// The token that a page of this host is told.
    pub(crate) async fn csrf_token(&self) -> String {
        self.get("/session").await.1["csrf_token"].as_str().unwrap().to_owned()
    }

    /// A change as a page of this host makes it.
    pub(crate) async fn change(&self, method: Method, path: &str) -> (u16, Value) {
        let token = self.csrf_token().await;
        self.ask(method, path, &[("origin", self.world.url()), ("x-csrf-token", &token)]).await
    }
}
