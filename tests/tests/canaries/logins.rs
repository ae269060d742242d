//! People who log in by the identity provider, who are refused, and who log out; the provider repeats what it is shown.
//!
//! Some of what a login is made of has to be told to the browser that logs in. Of these answers exactly that is left out of the search, and
//! all the rest of them is in it: the values of the cookies that the host sets; state and nonce in the one address that leads to the
//! provider, for which they are; and the token of the host's pages in the one answer by which such a page learns it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use contactor_sandbox::identity::{Algorithm, Forgery, Person};
use contactor_tests::host::Host;
use reqwest::header::{COOKIE, HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use url::Url;

use super::mirror::{Echo, OPENID_TOKEN};
use super::needles::Canary;
use super::world::{PUBLIC, World};

const SESSION: &str = "__Host-contactor-session";
const LOGIN: &str = "__Host-contactor-login";

/// Logins of each kind, and what is done with a session. Answers a browser in which somebody is still logged in.
pub(crate) async fn logins(world: &mut World, host: &Host) -> Browser {
    world.post(host, "/users", json!({ "id": "lena", "email": "lena@example.com" })).await;
    let path = "/workspaces/acme/members/lena";
    world.done(host, Method::PUT, path, &json!({ "role": "workspace-admin" })).await;
    let lena = Person::new("sub-lena", "lena@example.com");
    world.sandbox.identity().signs_with(Algorithm::EdDsa);
    world.sandbox.identity().present(Some(lena.clone()));
    for echo in [
        Echo::Json(400),
        Echo::Word(400),
        Echo::Word(401),
        Echo::Page(500),
        Echo::Redirect,
        // A success without a token in it.
        Echo::Json(200),
    ] {
        let status = refused(world, host, Some(echo)).await;
        assert!(status >= 400, "{echo:?}: {status}");
    }
    world.sandbox.identity().forges(Some(Forgery::OtherKey));
    assert_eq!(refused(world, host, None).await, 403);
    world.sandbox.identity().forges(None);
    world.sandbox.identity().claims_are(|claims| claims["nonce"] = json!("another"));
    assert_eq!(refused(world, host, None).await, 403);
    world.sandbox.identity().claims_are_true();
    world.sandbox.identity().present(Some(Person::new("sub-nobody", "nobody@example.com")));
    assert_eq!(refused(world, host, None).await, 403);
    world.sandbox.identity().present(None);
    assert_eq!(refused(world, host, None).await, 400);

    world.sandbox.identity().present(Some(lena));
    let mut browser = Browser::default();
    let back = browser.begin_at_provider(world, host).await;
    let (mut another, mut again) = (Browser::default(), browser.clone());
    assert_eq!(another.come_back(world, host, &back).await, 400, "in another browser");
    assert_eq!(browser.come_back(world, host, &back).await, 303);
    assert_eq!(again.come_back(world, host, &back).await, 400, "a second time");
    session(world, host, &mut browser).await;

    let mut stays = Browser::default();
    let back = stays.begin_at_provider(world, host).await;
    assert_eq!(stays.come_back(world, host, &back).await, 303);
    assert_eq!(stays.ask(world, host, Method::GET, "/whoami", &[]).await, 200);
    stays
}

/// A login that does not succeed, by a provider that repeats what it is shown if it is told to; answers how it ends.
pub(crate) async fn refused(world: &mut World, host: &Host, echo: Option<Echo>) -> u16 {
    let mut browser = Browser::default();
    let back = browser.begin_at_provider(world, host).await;
    if let Some(echo) = echo {
        world.mirror.echo_once(OPENID_TOKEN, echo);
    }
    let status = browser.come_back(world, host, &back).await;
    assert!(!world.mirror.is_due(OPENID_TOKEN), "{echo:?}: the provider was not asked");
    assert!(!browser.cookies.contains_key(SESSION), "{echo:?}: {status}");
    status
}

/// What somebody does who is logged in, and what others try, until the session ends.
async fn session(world: &mut World, host: &Host, browser: &mut Browser) {
    let token = browser.csrf_token(world, host).await;
    for path in ["/whoami", "/workspaces", "/users", "/workspaces/acme/connections"] {
        browser.ask(world, host, Method::GET, path, &[]).await;
    }
    let act = "/workspaces/acme/actions/basic.partner.send";
    let (here, shown) = (("origin", PUBLIC), ("x-csrf-token", token.as_str()));
    let foreign: [&[(&str, &str)]; 4] =
        [&[], &[here], &[here, ("x-csrf-token", "0")], &[("origin", "https://evil.example"), shown]];
    for headers in foreign {
        assert_eq!(browser.ask(world, host, Method::POST, act, headers).await, 403, "{headers:?}");
    }
    world.mirror.echo_once("/basic/betas", Echo::Json(400));
    browser.ask(world, host, Method::POST, act, &[here, shown]).await;
    assert!(!world.mirror.is_due("/basic/betas"), "the session lets its user act");

    let made_up = "cafe".repeat(16);
    world.met.push(Canary::new("a session's secret", &made_up));
    let cookie = format!("cts_{}_{made_up}", "0".repeat(16));
    let mut stranger = Browser { cookies: BTreeMap::from([(SESSION.to_owned(), cookie)]) };
    assert_eq!(stranger.ask(world, host, Method::GET, "/whoami", &[]).await, 401);

    let mut before = browser.clone();
    assert_eq!(browser.ask(world, host, Method::DELETE, "/session", &[here, shown]).await, 204);
    assert!(!browser.cookies.contains_key(SESSION), "the browser forgets it");
    assert_eq!(before.ask(world, host, Method::GET, "/whoami", &[]).await, 401);
}

/// What a browser does of itself: it keeps cookies, and shows them to the host.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// From the host to the provider and as far as its answer, which is not taken back yet.
    async fn begin_at_provider(&mut self, world: &mut World, host: &Host) -> Url {
        let begin = world.request(Method::GET, host.at("/login?to=/console"));
        let mut begun = self.send(begin).await;
        assert_eq!(begun.status, 303, "{}", begun.body);
        let page: Url = begun.headers[LOCATION].to_str().unwrap().parse().unwrap();
        for name in ["state", "nonce"] {
            world.met.push(Canary::new(format!("a login's {name}"), parameter(&page, name).unwrap()));
        }
        world.met.push(Canary::new("a login's cookie", &self.cookies[LOGIN]));
        let others = page.query_pairs().filter(|(name, _)| name != "state" && name != "nonce");
        let mut open = page.clone();
        open.query_pairs_mut().clear().extend_pairs(others);
        begun.headers.insert(LOCATION, open.as_str().parse().unwrap());
        begun.keep(world);

        // The provider is another host to a browser: it is shown no cookies.
        let answered = world.request(Method::GET, page.to_string()).send().await.unwrap();
        assert_eq!(answered.status().as_u16(), 302, "the provider shows no login page");
        let back: Url = answered.headers()[LOCATION].to_str().unwrap().parse().unwrap();
        if let Some(code) = parameter(&back, "code") {
            world.met.push(Canary::new("a login's code", code));
        }
        back
    }

    /// Back to the host with the provider's answer; answers the status.
    async fn come_back(&mut self, world: &mut World, host: &Host, back: &Url) -> u16 {
        let path = back.as_str().strip_prefix(PUBLIC).unwrap();
        let ended = self.send(world.request(Method::GET, host.at(path))).await;
        if let Some(session) = self.cookies.get(SESSION) {
            // What stands before it is an id, by which the audit log calls the session.
            world.met.push(Canary::new("a session's secret", session.rsplit_once('_').unwrap().1));
        }
        ended.keep(world);
        ended.status
    }

    /// The token that a page of this host is told.
    async fn csrf_token(&mut self, world: &mut World, host: &Host) -> String {
        let mut told = self.send(world.request(Method::GET, host.at("/api/v1/session"))).await;
        assert_eq!(told.status, 200, "{}", told.body);
        let mut session: Value = serde_json::from_str(&told.body).unwrap();
        let token = session.as_object_mut().unwrap().remove("csrf_token").unwrap();
        let token = token.as_str().unwrap().to_owned();
        world.met.push(Canary::new("a page's token", &token));
        told.body = session.to_string();
        told.keep(world);
        token
    }

    /// A request of the admin API with these headers beside the cookies; answers the status.
    pub(crate) async fn ask(
        &mut self,
        world: &mut World,
        host: &Host,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> u16 {
        let mut request = world.request(method.clone(), host.at(&format!("/api/v1{path}")));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if method == Method::POST {
            request = request.json(&json!({ "input": { "method": "get", "path": "/betas" } }));
        }
        let answer = self.send(request).await;
        answer.keep(world);
        answer.status
    }

    /// Asks the host with the cookies, and keeps those that it sets.
    async fn send(&mut self, request: RequestBuilder) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for set in headers.get_all(SET_COOKIE) {
            let (name, value, _) = parts(set);
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Answer { status, headers, body: response.text().await.unwrap() }
    }
}

/// What the host answers to a browser.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    /// Keeps it for the search, but for the values of cookies.
    fn keep(&self, world: &mut World) {
        let mut kept = format!("{}\n", self.status);
        for (name, value) in &self.headers {
            if *name == SET_COOKIE {
                let (cookie, _, attributes) = parts(value);
                writeln!(kept, "{name}: {cookie}=;{attributes}").unwrap();
            } else {
                writeln!(kept, "{name}: {}", value.to_str().unwrap()).unwrap();
            }
        }
        kept.push_str(&self.body);
        world.answers.extend(kept.into_bytes());
    }
}

/// Name, value and attributes of a cookie that is set.
fn parts(set: &HeaderValue) -> (&str, &str, &str) {
    let (name, rest) = set.to_str().unwrap().split_once('=').unwrap();
    let (value, attributes) = rest.split_once(';').unwrap();
    (name, value, attributes)
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}
