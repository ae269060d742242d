//! Every credential is a canary, a whole life is lived with vendors that repeat what they are sent, and then all that the product ever
//! wrote or said is searched for canaries: files, log, answers, commands, metrics, and the memory of guests.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

mod logins;
mod mail;
mod mirror;
mod needles;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_tests::host::Host;
use mirror::{Echo, OPENID_TOKEN, SAID};
use needles::{Canary, Needles};
use reqwest::Method;
use serde_json::{Value, json};
use world::{AGENCY, SCHEMES, World};

/// A person's name, which is in every place that holds what happened: whoever searches for it there has to find it.
const OPEN: &str = "Planted-In-The-Open";
/// Words of a component, which are in what is made of it.
const WORDS: &str = "there is no function `";
/// Where alerts go that leave by HTTP.
const TOLD: [&str; 3] = ["/chat/", "/hook/", "/board/"];

/// What was written or said, by its place.
type Places = BTreeMap<String, Vec<u8>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_anything_that_the_product_wrote_or_said_nor_in_a_guests_memory() {
    let mut world = World::new().await;
    let host = Host::start(world.dir()).await.unwrap();
    begin(&mut world, &host).await;
    let hooks = world.connect_all(&host).await;
    sync(&mut world, &host).await;
    let contact = contacts(&world)[0].clone();
    partners(&mut world, &host, &contact).await;
    webhooks(&mut world, &host, &hooks).await;
    highlevel(&mut world, &host, &contact).await;
    messages(&mut world, &host).await;
    people(&mut world, &host).await;
    let mut browser = logins::logins(&mut world, &host).await;
    keys(&mut world, &host).await;
    looked_at(&mut world, &host, &contact).await;
    alerts(&mut world, &host).await;
    // What nobody else needs any more is spent: an answer that is not understood, with the tokens in it.
    world.sandbox.highlevel().withdraw_access(&world.sandbox.highlevel().first_location());
    world.mirror.echo_once("/highlevel/oauth/token", Echo::Json(200));
    world.act(&host, "highlevel.contacts.get", json!({ "contactId": contact })).await;
    world.get(&host, "/oauth/grants").await;

    let mut places = Places::new();
    files(world.dir(), world.dir(), "while it runs: ", &mut places);
    assert!(
        places.keys().any(|place| place.ends_with("-wal")),
        "the database has a log: {:?}",
        places.keys()
    );
    host.stop().await.unwrap();
    // Another start, with lines for people.
    let config = world.path("contactor.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("format = \"json\"", "format = \"text\"");
    std::fs::write(config, text).unwrap();
    let host = Host::start(world.dir()).await.unwrap();
    world.act(&host, "basic.partner.send", json!({ "method": "get", "path": "/x" })).await;
    let mirror = world.mirror.clone();
    host.until("all are told of the alert", async || Ok(!TOLD.iter().any(|path| mirror.is_due(path))))
        .await
        .unwrap();
    assert_eq!(
        browser.ask(&mut world, &host, Method::GET, "/whoami", &[]).await,
        200,
        "it is still logged in"
    );
    assert!(logins::refused(&mut world, &host, Some(Echo::Word(400))).await >= 400);
    for path in ["/audit", "/workspaces/acme/alerts", "/workspaces/acme/destinations"] {
        world.get(&host, path).await;
    }
    host.stop().await.unwrap();
    files(world.dir(), world.dir(), "after it: ", &mut places);
    places.insert("answers".to_owned(), std::mem::take(&mut world.answers));
    places.insert("commands".to_owned(), std::mem::take(&mut world.printed));
    places.insert("guests' memory".to_owned(), world.mirror.memory());

    nothing_is_found(&world, &places);
    the_search_finds_what_is_not_protected(&places);
    each_went_where_it_belongs(&world);
    world.sandbox.shutdown().await;
}

/// Workspaces that are opened in each way: by a location's consent, a private token, and its agency's consent.
async fn begin(world: &mut World, host: &Host) {
    let location = world.sandbox.highlevel().first_location();
    world.post(host, "/workspaces", json!({ "id": "acme", "location": location })).await;
    world.consent(host, "/workspaces/acme/consents", &location).await;
    let token = "cnry-private/+integration=token";
    world
        .post(host, "/workspaces", json!({ "id": "pit", "location": "SandboxLocation00002", "token": token }))
        .await;
    world.post(host, "/workspaces", json!({ "id": "branch", "location": "SandboxLocation00003" })).await;
    world.consent(host, "/oauth/consents", "company").await;
    for workspace in ["pit", "branch"] {
        let path = format!("/workspaces/{workspace}/actions/highlevel.contacts.search");
        let (status, answer) =
            world.ask(host, Method::POST, &path, &json!({ "input": { "limit": 1 } })).await;
        assert_eq!(status, 200, "{workspace}: {answer}");
    }
}

fn contacts(world: &World) -> Vec<String> {
    let highlevel = world.sandbox.highlevel();
    let all = highlevel.contacts(&highlevel.first_location());
    all.iter().map(|contact| contact["id"].as_str().unwrap().to_owned()).collect()
}

/// People come, change and go on both sides, while the partner fails and says with what it was asked.
async fn sync(world: &mut World, host: &Host) {
    let location = world.sandbox.highlevel().first_location();
    let project = world.sandbox.prefinery().first_project();
    let fields = json!({ "firstName": OPEN, "email": "ann@example.com", "phone": "+12125550100" });
    world.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    let fields = json!({ "email": "bob@example.com", "profile": { "first_name": "Bob", "last_name": OPEN } });
    world.sandbox.prefinery().act(project, ProjectAct::CreateTester { fields }).unwrap();
    for path in ["preview", "sync", "poll"] {
        let path = format!("/workspaces/acme/connections/prefinery/{path}");
        world.ask(host, Method::POST, &path, &json!({})).await;
    }
    in_step(world, host, 2).await;
    for (number, echo) in
        [Echo::Json(400), Echo::Page(500), Echo::Redirect, Echo::Json(422)].into_iter().enumerate()
    {
        world.mirror.echo_once("/prefinery", echo);
        // Somebody new each time: one whose record is parked waits.
        let fields = json!({ "firstName": OPEN, "email": format!("person{number}@example.com") });
        world.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
        let mirror = world.mirror.clone();
        host.until("the partner has said it", async || Ok(mirror.has_echoed())).await.unwrap();
    }
    for (path, body) in [("preview", json!({})), ("check", json!({})), ("poll", json!({}))] {
        world.mirror.echo_once("/prefinery", Echo::Page(401));
        let path = format!("/workspaces/acme/connections/prefinery/{path}");
        world.ask(host, Method::POST, &path, &body).await;
        world.mirror.be_quiet();
    }
}

async fn in_step(world: &World, host: &Host, people: usize) {
    let (sandbox, project) = (&world.sandbox, world.sandbox.prefinery().first_project());
    host.until("everybody is on both sides", async || {
        let testers = sandbox.prefinery().testers(project).len();
        Ok(testers == people
            && sandbox.highlevel().contacts(&sandbox.highlevel().first_location()).len() == people)
    })
    .await
    .unwrap();
}

/// Guests ask partners that repeat everything, and then send what is in their memory.
async fn partners(world: &mut World, host: &Host, contact: &str) {
    for scheme in &SCHEMES {
        let (name, mut calls) = (scheme.connector, Vec::new());
        let mut send = |method: &str, echo: Option<Echo>| {
            if let Some(echo) = echo {
                world.mirror.echo_once(&format!("/{name}/betas"), echo);
            }
            let body = (method == "post").then_some("{\"a\":1}");
            let input = json!({ "method": method, "path": "/betas", "query": [{ "name": "page", "value": "1" }], "body": body });
            calls.push(json!({ "function": "partner.send", "input": input }));
        };
        send("get", None);
        for echo in [Echo::Json(200), Echo::Json(400), Echo::Page(403), Echo::Page(500), Echo::Redirect] {
            send("get", Some(echo));
        }
        // The login's token is refused, fetched anew and refused again.
        for _ in 0..2 {
            send("get", Some(Echo::Json(401)));
        }
        // A session's token may go into a form, and this is none: the host refuses by itself.
        send("post", Some(Echo::Json(422)));
        for (function, input) in [
            ("contacts.get", json!({ "id": contact })),
            ("settings.all", json!({})),
            ("state.compare-and-set", json!({ "key": "k", "expected": 0, "value": "v" })),
            ("state.keys", json!({ "prefix": "" })),
            (
                "notifications.send",
                json!({ "destination": "nobody", "kind": "k", "title": "t", "text": "t", "data": "{}" }),
            ),
            ("clock.now", json!({})),
            ("memory.send", json!({})),
        ] {
            calls.push(json!({ "function": function, "input": input }));
        }
        let answer = world.act(host, &format!("{name}.script.run"), json!({ "calls": calls })).await;
        let text = answer.to_string();
        assert!(text.contains(SAID) && text.contains("[redacted]"), "{name}: {text}");
        assert!(text.contains("bytes"), "{name}: the memory was sent: {text}");
        world.mirror.be_quiet();
        // Once more in a preview, and a login that fails.
        let path = format!("/workspaces/acme/actions/{name}.partner.send");
        let input = json!({ "method": "post", "path": "/betas", "body": "{}" });
        world.ask(host, Method::POST, &path, &json!({ "input": input, "preview": true })).await;
        // Loaded anew, it has no session; what it is told then says why there is none.
        world
            .ask(host, Method::POST, &format!("/workspaces/acme/connections/{name}/disable"), &json!({}))
            .await;
        world.done(host, Method::PUT, &format!("/workspaces/acme/connections/{name}"), &json!({})).await;
        world.mirror.echo_once(&format!("/{name}/login"), Echo::Json(403));
        world.act(host, &format!("{name}.partner.send"), input).await;
        world.mirror.be_quiet();
    }
    // What an action is told as a secret.
    world.met.push(Canary::new("an action's password", "cnry-an-actions/+password"));
    let input = json!({ "key": "k2", "expected": 0, "value": "v", "password": "cnry-an-actions/+password" });
    world.act(host, "basic.state.compare-and-set", input).await;
}

/// Good, forged and broken, each with everything in it that both sides share.
async fn webhooks(world: &mut World, host: &Host, paths: &BTreeMap<&'static str, String>) {
    for scheme in &SCHEMES {
        let path = &paths[scheme.connector];
        let gossip = World::gossip(scheme);
        let send = json!({ "function": "partner.send", "input": { "method": "post", "path": "/automation", "body": "{}" }, "try": true });
        let fail = json!({ "function": "contacts.get", "input": { "id": "nobody" } });
        for (number, calls) in [json!([send]), json!([send, fail])].into_iter().enumerate() {
            let echo = if number == 0 { Echo::Json(200) } else { Echo::Page(500) };
            world.mirror.echo_once(&format!("/{}/automation", scheme.connector), echo);
            let id = format!("{}-{number}", scheme.connector);
            let body =
                json!({ "event": "happened", "id": id, "colour": gossip, "open": OPEN, "calls": calls })
                    .to_string();
            assert_eq!(world.webhook(host, path, scheme, &body, true).await, 200);
            assert_eq!(world.webhook(host, path, scheme, &body, false).await, 401);
        }
        let mirror = world.mirror.clone();
        host.until("the automations have run", async || Ok(mirror.has_echoed())).await.unwrap();
        assert_eq!(world.webhook(host, path, scheme, &format!("no JSON: {gossip}"), true).await, 200);
        let unknown =
            path.rsplit_once('/').unwrap().0.to_owned() + "/" + &gossip.replace(['/', ' ', '<', '>'], "-");
        world.webhook(host, &unknown, scheme, &gossip, true).await;
    }
    host.until("all webhooks were read", async || {
        Ok(host.get("/health").await?["counts"]["unread_events"] == 0)
    })
    .await
    .unwrap();
    let body = "{\"type\":\"ContactUpdate\"";
    let signature = world.sandbox.highlevel().sign(b"another");
    let request =
        world.request(Method::POST, host.webhooks()).header("x-ghl-signature", signature).body(body);
    assert_eq!(world.ask_as("", request).await.0, 401);
}

/// HighLevel repeats its tokens, also while they are renewed.
async fn highlevel(world: &mut World, host: &Host, contact: &str) {
    let location = world.sandbox.highlevel().first_location();
    for (workspace, echoes) in [
        ("acme", &[Echo::Json(400), Echo::Page(500), Echo::Redirect, Echo::Json(200), Echo::Json(403)][..]),
        ("pit", &[Echo::Json(400), Echo::Page(503), Echo::Json(422)]),
        ("branch", &[Echo::Json(404), Echo::Page(500)]),
    ] {
        for echo in echoes {
            world.mirror.echo_once("/highlevel/contacts", *echo);
            let path = format!("/workspaces/{workspace}/actions/highlevel.contacts.get");
            let request = json!({ "input": { "contactId": contact } });
            world.ask(host, Method::POST, &path, &request).await;
            assert!(world.mirror.has_echoed(), "{workspace}: it was asked");
        }
    }
    for echo in [Echo::Json(503), Echo::Page(500), Echo::Json(401), Echo::Redirect] {
        world.sandbox.highlevel().withdraw_access(&location);
        world.mirror.echo_once("/highlevel/oauth/token", echo);
        world.act(host, "highlevel.contacts.get", json!({ "contactId": contact })).await;
        assert!(world.mirror.has_echoed(), "{echo:?}: it was asked");
        world.post(host, "/oauth/grants/renew", json!({ "grant": format!("location/{location}") })).await;
    }
    for echo in [Echo::Json(400), Echo::Page(500)] {
        world.sandbox.highlevel().withdraw_access("SandboxLocation00003");
        world.mirror.echo_once("/highlevel/oauth/locationToken", echo);
        let path = "/workspaces/branch/actions/highlevel.contacts.get";
        world.ask(host, Method::POST, path, &json!({ "input": { "contactId": contact } })).await;
        world.mirror.be_quiet();
    }
    world.post(host, "/oauth/grants/renew", json!({ "grant": format!("company/{AGENCY}") })).await;
    let get = json!({ "input": { "contactId": contact } });
    let (status, answer) =
        world.ask(host, Method::POST, "/workspaces/acme/actions/highlevel.contacts.get", &get).await;
    assert_eq!(status, 200, "it works again: {answer}");
}

/// Messages to receivers that repeat how they were reached.
async fn messages(world: &mut World, host: &Host) {
    for (name, destination) in world.destinations() {
        world.mirror.echo_once(&format!("/{name}"), Echo::Page(500));
        let path = format!("/workspaces/acme/destinations/{name}");
        world.done(host, Method::PUT, &path, &destination).await;
        let (status, answer) = world.ask(host, Method::POST, &format!("{path}/test"), &json!({})).await;
        assert_ne!(status, 200, "the first one fails: {name}: {answer}");
        world.mirror.be_quiet();
        world.post(host, &format!("{path}/test"), json!({})).await;
        let path = "/workspaces/acme/actions/basic.notifications.send";
        let message = json!({ "destination": name, "kind": "k", "title": OPEN, "text": "t", "data": "{}" });
        world.mirror.echo_once(&format!("/{name}"), Echo::Json(410));
        world.ask(host, Method::POST, path, &json!({ "input": message })).await;
    }
    host.until("the messages were tried", async || Ok(host.get("/health").await?["counts"]["messages"] == 0))
        .await
        .unwrap();
    world.mirror.be_quiet();
}

/// A connection is stopped, and all destinations are to be told, which repeat how they were reached. They are told when the host looks the
/// next time: that is the first thing of its next start, at the latest.
async fn alerts(world: &mut World, host: &Host) {
    for (name, destination) in world.destinations() {
        // Anew, because those that answered 410 were stopped.
        world.done(host, Method::PUT, &format!("/workspaces/acme/destinations/{name}"), &destination).await;
    }
    for path in TOLD {
        world.mirror.echo_once(path, Echo::Page(500));
    }
    let rules = json!({ "to": ["chat", "hook", "board", "mail"] });
    world.done(host, Method::PUT, "/workspaces/acme/alerts/rules", &rules).await;
    let mirror = world.mirror.clone();
    host.until("the connection is stopped", async || {
        let connection = "/workspaces/acme/connections/prefinery";
        if host.get(connection).await?["state"] == "needs-reconnect" {
            return Ok(true);
        }
        // Again, should somebody hear it whom a refused credential does not stop: a look for matches goes on.
        if !mirror.is_due("/prefinery") {
            mirror.echo_once("/prefinery", Echo::Page(401));
            host.post(&format!("{connection}/poll"), &json!({})).await?;
        }
        Ok(false)
    })
    .await
    .unwrap();
}

/// Users with tokens, and those who have none that is good.
async fn people(world: &mut World, host: &Host) {
    world.post(host, "/users", json!({ "id": "vera", "email": "vera@example.com" })).await;
    let path = "/workspaces/acme/members/vera";
    world.done(host, Method::PUT, path, &json!({ "role": "viewer" })).await;
    // Whoever makes a token is shown it, once: the one answer that is not kept.
    let made = host.post("/tokens", &json!({ "user": "vera" })).await.unwrap();
    let secret = made["secret"].as_str().unwrap().to_owned();
    world.met.push(Canary::new("a user's token", &secret));
    world.met.push(Canary::new("a token that is none", "cnry-no-token-of-anybody-012345678901"));
    for path in
        ["/whoami", "/workspaces", "/health", "/users", "/workspaces/acme/actions/highlevel.contacts.get"]
    {
        for token in [&secret, "cnry-no-token-of-anybody-012345678901", ""] {
            for method in [Method::GET, Method::POST] {
                let request = world.request(method, host.at(&format!("/api/v1{path}")));
                world.ask_as(token, request.json(&json!({}))).await;
            }
        }
    }
    let id = made["id"].as_str().unwrap();
    world.done(host, Method::DELETE, &format!("/tokens/{id}"), &Value::Null).await;
    let request = world.request(Method::GET, host.at("/api/v1/whoami"));
    assert_eq!(world.ask_as(&secret, request).await.0, 401);
    // Requests with a secret where none belongs are refused without it.
    for (path, body) in [
        (
            "/workspaces",
            json!({ "id": "new", "location": "x", "token": "cnry-private/+integration=token", "tokn": 1 }),
        ),
        ("/workspaces", json!({ "id": "pit", "location": "x", "token": "cnry-private/+integration=token" })),
    ] {
        assert!(world.ask(host, Method::POST, path, &body).await.0 >= 400);
    }
    let wrong = json!({ "credentials": { "token": "cnry-prefinery/+key" } });
    assert!(world.ask(host, Method::PUT, "/workspaces/acme/connections/prefinery", &wrong).await.0 >= 400);
}

/// Both layers of keys are exchanged; copies of the database are made before and after.
async fn keys(world: &mut World, host: &Host) {
    let copy = |world: &World, name: &str| world.path(name).to_str().unwrap().to_owned();
    let (before, after) = (copy(world, "before.backup"), copy(world, "after.backup"));
    world.run(host, &["backup", "--to", &before]).await;
    // Remembered while they are in the file, which a rotation may change.
    world.met.extend(
        world.canaries().into_iter().filter(|canary| canary.name.contains("vault")).collect::<Vec<_>>(),
    );
    world.run(host, &["vault", "new-key"]).await;
    world.run(host, &["vault", "rotate"]).await;
    world.run(host, &["vault", "status"]).await;
    world.run(host, &["backup", "--to", &after]).await;
    world.run(host, &["vault", "drill", "--backup", &after]).await;
}

/// Everything that a person can be shown, by the API and by commands.
async fn looked_at(world: &mut World, host: &Host, contact: &str) {
    let runs = world.get(host, "/runs?limit=500").await;
    let runs: Vec<String> =
        runs.as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect();
    for run in &runs {
        world.get(host, &format!("/runs/{run}")).await;
        let (status, _) = world.ask(host, Method::GET, &format!("/runs/{run}/recording"), &Value::Null).await;
        if status == 200 {
            world.ask(host, Method::POST, &format!("/runs/{run}/replay"), &json!({})).await;
        }
    }
    let events = world.get(host, "/workspaces/acme/events?limit=500").await;
    for event in events.as_array().unwrap() {
        world.get(host, &format!("/workspaces/acme/events/{}", event["seq"])).await;
    }
    let groups = world.get(host, "/workspaces/acme/parked/groups").await;
    assert!(!groups.as_array().unwrap().is_empty(), "automations that fail are parked");
    for group in groups.as_array().unwrap() {
        world.get(host, &format!("/workspaces/acme/parked/groups/{}", group["id"].as_str().unwrap())).await;
    }
    for path in [
        "/health",
        "/whoami",
        "/vault",
        "/users",
        "/tokens",
        "/audit",
        "/audit/verify",
        "/workspaces",
        "/workspaces/acme",
        "/workspaces/acme/grants",
        "/oauth/grants",
        "/oauth/installations",
        "/workspaces/acme/quota",
        "/workspaces/acme/alerts",
        "/workspaces/acme/destinations",
        "/catalogue?workspace=acme",
        "/connectors",
        "/workspaces/acme/connections",
        "/workspaces/acme/connections/prefinery/mapping",
        "/workspaces/acme/connections/prefinery/match",
        "/workspaces/acme/connections/prefinery/sync",
        "/workspaces/acme/guard",
        "/workspaces/acme/parked",
        "/workspaces/acme/conflicts",
        "/workspaces/acme/deletes",
    ] {
        world.ask(host, Method::GET, path, &Value::Null).await;
    }
    world.get(host, &format!("/workspaces/acme/contacts/{contact}/timeline")).await;
    world
        .ask(host, Method::GET, &format!("/workspaces/acme/contacts/{contact}/fields/lastName"), &Value::Null)
        .await;
    for path in ["/metrics", "/readyz", "/healthz", "/nowhere"] {
        let request = world.request(Method::GET, host.at(path));
        world.ask_as(host.token(), request).await;
    }
    let run = runs[0].clone();
    for arguments in [
        &["runs", "show", &run][..],
        &["runs", "list", "--workspace", "acme"],
        &["runs", "replay", &run],
        &["timeline", "acme", contact],
        &["timeline", "acme", contact, "--field", "lastName"],
        &["events", "list", "acme"],
        &["parked", "list", "acme", "--records"],
        &["connection", "list", "acme"],
        &["connection", "show", "acme", "basic"],
        &["connection", "check", "acme", "login"],
        &["connector", "list"],
        &["destination", "list", "acme"],
        &["destination", "test", "acme", "mail"],
        &["oauth", "list"],
        &["oauth", "renew", "acme"],
        &["workspace", "show", "acme"],
        &["user", "list"],
        &["token", "list"],
        &["audit", "list"],
        &["audit", "verify"],
        &["alerts", "list", "acme"],
        &["quota", "acme"],
        &["health"],
        &["whoami"],
        &["catalog", "--workspace", "acme"],
        &["mapping", "show", "acme", "prefinery"],
        &["run", "acme", "query.partner.send", "--input", "{\"method\":\"get\",\"path\":\"/x\"}"],
        &["run", "acme", "highlevel.contacts.get", "--input", &json!({ "contactId": contact }).to_string()],
        &["sync", "acme", "prefinery", "--preview"],
        &["match", "start", "acme", "prefinery", "--no-wait"],
        // A secret on the command line is refused, and not repeated.
        &["connection", "enable", "acme", "prefinery", "--credential", "key=cnry-prefinery/+key"],
    ] {
        world.run(host, arguments).await;
    }
}

/// Reads every file below a directory that is not for keys.
fn files(dir: &Path, below: &Path, when: &str, places: &mut Places) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(dir, &path, when, places);
        } else if !World::is_key_file(&path) {
            let name = path.strip_prefix(dir).unwrap().display();
            places.insert(format!("{when}{name}"), std::fs::read(&path).unwrap());
        }
    }
}

/// Each kind of place, and something in it that is no secret: a search that does not find it there would find no leak there.
fn the_search_finds_what_is_not_protected(places: &Places) {
    for (place, open) in [
        ("contactor.db", OPEN),
        ("contactor.db-wal", OPEN),
        ("before.backup", OPEN),
        ("after.backup", OPEN),
        ("host.log", "acme/prefinery"),
        ("host.log", "a login was refused"),
        ("contactor.toml", "client.secret"),
        ("aot-cache", WORDS),
        ("artefacts", WORDS),
        ("couriers", ""),
        ("answers", OPEN),
        ("answers", "contactor_"),
        ("answers", "__Host-contactor-session=;"),
        ("answers", "code_challenge="),
        ("answers", "idle_until"),
        ("answers", "Not logged in"),
        ("answers", SAID),
        ("commands", OPEN),
        ("guests' memory", OPEN),
        ("guests' memory", SAID),
    ] {
        let of_kind = || places.iter().filter(|(name, _)| name.contains(place));
        assert!(of_kind().next().is_some(), "there is no {place}: {:?}", places.keys());
        if open.is_empty() {
            continue;
        }
        let needles = Needles::of([&Canary::new("open", open)]);
        assert!(
            of_kind().any(|(_, bytes)| !needles.within(bytes).is_empty()),
            "{open} is not found in {place}"
        );
    }
}

fn nothing_is_found(world: &World, places: &Places) {
    let canaries = world.canaries();
    for kind in [
        "access token",
        "refresh token",
        "a login's token",
        "vault",
        "the code of",
        "a user's token",
        "a login's state",
        "a login's nonce",
        "a login's cookie",
        "a login's code",
        "a PKCE verifier",
        "an ID token",
        "the provider's access token",
        "a session's secret",
        "a page's token",
    ] {
        assert!(canaries.iter().any(|canary| canary.name.contains(kind)), "there is no {kind}");
    }
    let needles = Needles::of(&canaries);
    let leaks: Vec<String> = places
        .iter()
        .flat_map(|(place, bytes)| {
            needles.told(bytes).into_iter().map(move |what| format!("in {place}: {what}"))
        })
        .collect();
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}

/// What is asked of whom carries that one's own credential and no other.
fn each_went_where_it_belongs(world: &World) {
    let seen = world.mirror.seen();
    for canary in world.canaries() {
        let needles = Needles::of([&canary]);
        let went: BTreeSet<&str> = seen
            .iter()
            .filter(|(_, raw)| !needles.within(raw).is_empty())
            .map(|(path, _)| path.as_str())
            .collect();
        let may: &[&str] = match canary.name.as_str() {
            "the app's client secret" => &["/highlevel/oauth/token"],
            "HighLevel's private token" => &["/highlevel/"],
            "Prefinery's key" => &["/prefinery/"],
            "the address of chat" => &["/chat/"],
            "the address of hook" => &["/hook/"],
            "the address of board" => &["/board/"],
            "the client's secret at the identity provider" | "a login's code" => &[OPENID_TOKEN],
            // By the browser, which is sent there with both.
            "a login's state" | "a login's nonce" => &["/identity/authorize"],
            name if name.starts_with("a PKCE verifier") => &[OPENID_TOKEN],
            "a login's token" => &["/login/"],
            name if name.starts_with("a login's token") => &["/login/"],
            name if name.starts_with("the code of") => &["/highlevel/oauth/token"],
            name if name.starts_with("HighLevel's refresh token") => &["/highlevel/oauth/token"],
            name if name.starts_with("HighLevel's access token") => &["/highlevel/"],
            name if name.ends_with("webhook secret") || name.contains("signing") => &[],
            name => {
                match SCHEMES.iter().find(|scheme| name.starts_with(&format!("{}: ", scheme.connector))) {
                    Some(scheme) => &[scheme.connector],
                    None => &[],
                }
            }
        };
        let belongs = |path: &&str| {
            may.iter().any(|may| {
                path.starts_with(may) || path.trim_start_matches('/').starts_with(&format!("{may}/"))
            })
        };
        let strayed: Vec<_> = went.iter().filter(|path| !belongs(path)).collect();
        assert!(strayed.is_empty(), "{} went to {strayed:?}", canary.name);
        // A token may be given out and never used: the next one came before.
        let is_optional = canary.name.contains("token ") || may.is_empty();
        assert!(is_optional || !went.is_empty(), "{} was never sent", canary.name);
    }
    let tokens = world.mirror.tokens();
    for kind in ["HighLevel's access token", "HighLevel's refresh token", "a login's token"] {
        let of_kind: Vec<_> = tokens.iter().filter(|canary| canary.name.starts_with(kind)).collect();
        let needles = Needles::of(of_kind);
        assert!(seen.iter().any(|(_, raw)| !needles.within(raw).is_empty()), "no {kind} was ever sent");
    }
    let mail = Needles::of([&Canary::new("the mail server's password", "cnry-smtp/+password")]);
    assert!(!mail.within(world.mail.heard().as_bytes()).is_empty(), "{}", world.mail.heard());
}
