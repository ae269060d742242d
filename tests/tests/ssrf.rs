//! Whoever may name an address (an admin, a connector's author, the owner of a name in the DNS) reaches nothing with it that only this
//! host can reach. Requests to partners and messages alike: what is refused has connected to nobody.
//!
//! `127.0.0.2` is opened and stands for the public; the other addresses of this machine stay closed, and listeners count who came.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use contactor_engine::{EnableConnection, EngineConfig, Lookup, NewDestination, Outbound, OutboundConfig};
use contactor_manifest::embed;
use contactor_sandbox::SandboxConfig;
use contactor_sandbox::highlevel::PersonAct;
use contactor_store::{ConnectionId, DestinationKind, FailureClass, RecordId, Side, WorkspaceId};
use contactor_tests::artefacts;
use contactor_tests::engine::{Stand, WORKSPACE};
use serde_json::json;
use tokio::net::TcpListener;

const MANIFEST: &str = include_str!("../guest-operations/connector.toml");
/// The partner, and what is below it, may be spoken with as far as the manifest is concerned.
const HOSTS: &str = "hosts = [\"partner.example\", \"*.partner.example\"]";
const OPEN: &str = "127.0.0.2";
const CLOSED: [&str; 3] = ["127.0.0.1", "127.1.2.3", "::1"];

/// Addresses, and what is wrong with each. `PORT` is a port where somebody listens, at every address.
const LITERALS: [(&str, &str); 40] = [
    ("https://127.0.0.1:PORT/", "this machine"),
    ("http://127.0.0.1:PORT/", "without TLS"),
    ("https://127.1.2.3:PORT/", "all of 127.0.0.0/8 is this machine"),
    ("https://127.1:PORT/", "short form"),
    ("https://127.0.1:PORT/", "three parts"),
    ("https://2130706433:PORT/", "one number"),
    ("https://0x7f000001:PORT/", "hexadecimal"),
    ("https://0x7f.0.0.1:PORT/", "a hexadecimal part"),
    ("https://0177.0.0.1:PORT/", "octal"),
    ("https://0177.0.0x0.01:PORT/", "mixed"),
    ("https://127.0.0.1.:PORT/", "a point at the end"),
    ("https://%31%32%37.0.0.1:PORT/", "percent-encoded"),
    ("https://%30x7f.1:PORT/", "percent-encoded and hexadecimal"),
    ("https://１２７.0.0.1:PORT/", "full-width digits"),
    ("https://127。0。0。1:PORT/", "ideographic full stops"),
    ("https://①②⑦.0.0.1:PORT/", "digits in circles"),
    ("https://0.0.0.0:PORT/", "unspecified, which is this machine"),
    ("https://0:PORT/", "unspecified as a number"),
    ("https://[::1]:PORT/", "this machine in IPv6"),
    ("https://[0:0:0:0:0:0:0:1]:PORT/", "written out"),
    ("https://[::]:PORT/", "unspecified in IPv6"),
    ("https://[::ffff:127.0.0.1]:PORT/", "mapped"),
    ("https://[::ffff:7f00:1]:PORT/", "mapped in hexadecimal"),
    ("https://[0000:0000:0000:0000:0000:ffff:7f00:0001]:PORT/", "mapped and written out"),
    ("https://[::127.0.0.1]:PORT/", "compatible"),
    ("https://[64:ff9b::127.0.0.1]:PORT/", "translated"),
    ("https://[2002:7f00:1::]:PORT/", "6to4"),
    ("https://[fe80::1]:PORT/", "link-local in IPv6"),
    ("https://[fd00::1]:PORT/", "unique local"),
    ("https://[fec0::1]:PORT/", "site-local"),
    ("https://[ff02::1]:PORT/", "multicast"),
    ("https://10.0.0.1:PORT/", "private"),
    ("https://172.16.0.1:PORT/", "private"),
    ("https://192.168.0.1:PORT/", "private"),
    ("https://100.64.0.1:PORT/", "shared by carriers"),
    ("https://169.254.169.254/latest/meta-data", "metadata"),
    ("https://[fd00:ec2::254]/latest/meta-data", "metadata in IPv6"),
    ("https://168.63.129.16/", "metadata at a public address"),
    ("https://255.255.255.255:PORT/", "broadcast"),
    ("https://127.0.0.1:PORT\\@partner.example/", "a backslash ends the host"),
];

/// Names, what they stand for at one look after the other, and what is wrong with each.
const NAMES: [(&str, &[&[&str]], &str); 17] = [
    ("a.partner.example", &[&["127.0.0.1"]], "this machine"),
    ("A.PARTNER.EXAMPLE", &[&["127.0.0.1"]], "upper case"),
    ("b.partner.example", &[&["::1"]], "this machine in IPv6"),
    ("c.partner.example", &[&["::ffff:127.0.0.1"]], "mapped"),
    ("d.partner.example", &[&["10.0.0.7"]], "private"),
    ("e.partner.example", &[&["192.168.1.1"]], "private"),
    ("f.partner.example", &[&["172.31.255.255"]], "private"),
    ("g.partner.example", &[&["100.127.0.1"]], "shared by carriers"),
    ("h.partner.example", &[&["169.254.169.254"]], "metadata"),
    ("i.partner.example", &[&["fd00:ec2::254"]], "metadata in IPv6"),
    ("j.partner.example", &[&["0.0.0.0"]], "unspecified"),
    ("k.partner.example", &[&["fe80::1"]], "link-local"),
    ("l.partner.example", &[&["64:ff9b::a00:7"]], "private, translated"),
    ("m.partner.example", &[&[OPEN, "127.0.0.1"]], "an open one first"),
    ("n.partner.example", &[&["127.0.0.1", OPEN]], "an open one last"),
    ("o.partner.example", &[&["127.0.0.1"], &[OPEN]], "closed at first"),
    ("xn--prtner-cva.partner.example", &[&["127.0.0.1"]], "of another script"),
];

/// What is no address of a partner or receiver at all.
const FORMS: [(&str, &str); 9] = [
    ("https://partner.example@127.0.0.1:PORT/", "the partner as a user"),
    ("https://partner.example:443@127.0.0.1:PORT/", "the partner as a user with a password"),
    ("https://user:password@a.partner.example:PORT/", "a credential"),
    ("http://open.partner.example:PORT/", "a name without TLS"),
    ("ftp://open.partner.example:PORT/", "another scheme"),
    ("file:///etc/passwd", "a file"),
    ("gopher://127.0.0.1:PORT/_x", "a scheme of old"),
    ("//127.0.0.1:PORT/", "no scheme"),
    ("https://", "nothing"),
];

/// How often a name was looked up, and what it stands for at one look after the other.
type Answers = (usize, Vec<Vec<IpAddr>>);

#[derive(Default)]
struct Names(Mutex<HashMap<String, Answers>>);

impl Names {
    fn say(&self, name: &str, answers: &[&[&str]]) {
        let parsed = answers.iter().map(|one| one.iter().map(|address| address.parse().unwrap()).collect());
        self.0.lock().unwrap().insert(name.to_lowercase(), (0, parsed.collect()));
    }

    fn looks(&self, name: &str) -> usize {
        self.0.lock().unwrap().get(name).map_or(0, |(looks, _)| *looks)
    }
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let mut names = self.0.lock().unwrap();
        let (looks, answers) = names.get_mut(name).ok_or_else(|| io::Error::other("no such name"))?;
        let answer = answers[(*looks).min(answers.len() - 1)].clone();
        *looks += 1;
        Ok(answer)
    }
}

/// Listeners on one port of every address of this machine that the tests know.
struct Here {
    port: u16,
    open: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

impl Here {
    async fn listen() -> Self {
        loop {
            let open = TcpListener::bind((OPEN, 0)).await.unwrap();
            let port = open.local_addr().unwrap().port();
            let mut closed = Vec::new();
            for address in CLOSED {
                match TcpListener::bind((address, port)).await {
                    Ok(listener) => closed.push(listener),
                    // A machine without IPv6 has one address less.
                    Err(error) if error.kind() != io::ErrorKind::AddrInUse => {}
                    Err(_) => break,
                }
            }
            // Another test may have that port at one of them.
            if closed.len() >= 2 {
                let count = |listeners: Vec<TcpListener>| {
                    let counted = Arc::<AtomicUsize>::default();
                    for listener in listeners {
                        let counted = Arc::clone(&counted);
                        tokio::spawn(async move {
                            while listener.accept().await.is_ok() {
                                counted.fetch_add(1, Ordering::SeqCst);
                            }
                        });
                    }
                    counted
                };
                return Self { port, open: count(vec![open]), closed: count(closed) };
            }
        }
    }

    fn url(&self, url: &str) -> String {
        url.replace("PORT", &self.port.to_string())
    }

    /// Nobody came to a closed address, and so many to the open one.
    #[track_caller]
    fn assert_came(&self, open: usize, what: &str) {
        assert_eq!(self.closed.load(Ordering::SeqCst), 0, "{what}: somebody came to a closed address");
        assert_eq!(self.open.load(Ordering::SeqCst), open, "{what}");
    }
}

struct Stage {
    stand: Stand,
    names: Arc<Names>,
    here: Here,
}

impl Stage {
    async fn start() -> Self {
        Self::start_with(OutboundConfig { allow: vec![OPEN.parse().unwrap()], ..OutboundConfig::default() })
            .await
    }

    async fn start_with(config: OutboundConfig) -> Self {
        let names = Arc::<Names>::default();
        let outbound = Outbound::with_lookup(config, Arc::clone(&names) as Arc<dyn Lookup>).unwrap();
        let mut sandbox = SandboxConfig::for_tests();
        sandbox.highlevel.limits = None;
        let stand = Stand::start_outbound(sandbox, EngineConfig::default(), outbound).await.unwrap();
        let component = component(HOSTS);
        stand.engine.install_connector(component).await.unwrap();
        Self { stand, names, here: Here::listen().await }
    }

    /// Lets a connector send a request to its partner at this address; answers why it was not sent, or was not answered.
    async fn ask_partner(&self, url: &str) -> Result<(), String> {
        let request = EnableConnection {
            workspace: WORKSPACE.to_owned(),
            connector: "operations".to_owned(),
            base_url: Some(url.to_owned()),
            credentials: [("token".to_owned(), "fake-partner-token".to_owned().into())].into(),
            ..EnableConnection::default()
        };
        let connection =
            self.stand.engine.enable_connection(request).await.map_err(|error| error.to_string())?;
        let input = json!({ "method": "get", "path": "/x", "query": [], "headers": [] });
        let answer = self.stand.run(&connection.id, "partner.send", &input).await.unwrap();
        let run = self.stand.last_run(&connection.id).await.unwrap();
        match answer["error"]["case"].as_str() {
            None => Ok(()),
            Some("denied") => {
                assert_eq!(run.calls[0].class, Some(FailureClass::Config), "{:?}", run.calls);
                Err(answer["error"]["detail"].as_str().unwrap().to_owned())
            }
            Some(_) => Err(answer["error"]["detail"].to_string()),
        }
    }

    /// Sends a message to this address.
    async fn send_message(&self, url: &str) -> Result<(), String> {
        let new = NewDestination {
            workspace: WORKSPACE.to_owned(),
            name: "team".to_owned(),
            kind: DestinationKind::Chat,
            to: Vec::new(),
            url: Some(url.to_owned().into()),
            secret: None,
        };
        let engine = &self.stand.engine;
        engine.put_destination(new).await.map_err(|error| error.to_string())?;
        engine.test_destination(&WorkspaceId::new(WORKSPACE), "team").await.map_err(|error| error.to_string())
    }

    async fn both(&self, url: &str) -> [(&'static str, Result<(), String>); 2] {
        [("partner", self.ask_partner(url).await), ("message", self.send_message(url).await)]
    }
}

fn component(hosts: &str) -> Vec<u8> {
    let manifest = MANIFEST.replace("[partner]", &format!("[partner]\n{hosts}"));
    let manifest = manifest.replace("https://partner.example/v1", "https://partner.example");
    embed(&artefacts::component("guest-operations").unwrap(), &manifest).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_not_public_is_refused_in_every_spelling_and_nobody_is_connected_to() {
    let stage = Stage::start().await;
    for (url, what) in LITERALS {
        let url = stage.here.url(url);
        for (way, result) in stage.both(&url).await {
            let why = result.expect_err(what);
            assert!(why.contains("section `outbound"), "{what}, {url}, {way}: {why}");
        }
        stage.here.assert_came(0, what);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_stands_for_an_address_that_is_not_public_is_refused_and_nobody_is_connected_to() {
    let stage = Stage::start().await;
    for (name, answers, what) in NAMES {
        let url = format!("https://{name}:{}/", stage.here.port);
        for way in ["partner", "message"] {
            stage.names.say(name, answers);
            let result = match way {
                "partner" => stage.ask_partner(&url).await,
                _ => stage.send_message(&url).await,
            };
            let why = result.expect_err(what);
            for words in [
                &format!("the host {} stands for ", name.to_lowercase()),
                "allow = [\"",
                "section `outbound`",
            ] {
                assert!(why.contains(words), "{what}, {way}: `{words}` is not in: {why}");
            }
            assert_eq!(stage.names.looks(&name.to_lowercase()), 1, "{what}, {way}");
        }
        stage.here.assert_came(0, what);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_address_of_a_partner_or_receiver_is_refused_as_it_is_written() {
    let stage = Stage::start().await;
    stage.names.say("open.partner.example", &[&[OPEN]]);
    stage.names.say("a.partner.example", &[&[OPEN]]);
    for (url, what) in FORMS {
        let url = stage.here.url(url);
        for (way, result) in stage.both(&url).await {
            let why = result.expect_err(what);
            assert!(!why.contains("password@") && !why.contains("/etc/"), "{what}, {way}: {why}");
        }
        stage.here.assert_came(0, what);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_changes_between_the_check_and_the_connection_leads_where_the_check_looked() {
    let stage = Stage::start().await;
    let url = format!("https://rebind.partner.example:{}/", stage.here.port);
    for (came, way) in [(1, "partner"), (2, "message")] {
        stage.names.say("rebind.partner.example", &[&[OPEN], &["127.0.0.1"]]);
        let result = match way {
            "partner" => stage.ask_partner(&url).await,
            _ => stage.send_message(&url).await,
        };
        // Whoever listens there speaks no TLS; that it was reached is what counts.
        let why = result.unwrap_err();
        assert!(!why.contains("outbound"), "{way}: {why}");
        assert_eq!(stage.names.looks("rebind.partner.example"), 1, "{way}");
        stage.here.assert_came(came, way);
    }
    // The next connection looks anew, and finds what it must not.
    let why = stage.ask_partner(&url).await.unwrap_err();
    assert!(why.contains("stands for 127.0.0.1"), "{why}");
    stage.here.assert_came(2, "the second look");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_goes_only_to_hosts_that_its_connector_names_or_the_operator_opens() {
    let mut config = OutboundConfig { allow: vec![OPEN.parse().unwrap()], ..OutboundConfig::default() };
    let opened = ["own.internal.example", OPEN].map(|host| host.to_owned().try_into().unwrap());
    config.hosts.insert("operations".to_owned(), opened.into());
    let stage = Stage::start_with(config).await;
    for other in [
        "evil.example",
        "partner.example.evil.example",
        "evilpartner.example",
        "evil-partner.example",
        "partner.example.",
        "x.partner.example.",
        "pаrtner.example",
        "partner。example。evil。example",
        "93.184.215.14",
        "localhost",
    ] {
        let why = stage.ask_partner(&format!("https://{other}:{}/", stage.here.port)).await.unwrap_err();
        for words in ["partner.example, *.partner.example, own.internal.example", "section `outbound.hosts`"]
        {
            assert!(why.contains(words), "{other}: `{words}` is not in: {why}");
        }
    }
    stage.here.assert_came(0, "hosts that nobody named");
    let named = [
        "partner.example",
        "PARTNER.example",
        "eu.partner.example",
        "partner。example",
        "own.internal.example",
        OPEN,
    ];
    for (number, host) in named.into_iter().enumerate() {
        stage.names.say(&host.replace('。', "."), &[&[OPEN]]);
        let why = stage.ask_partner(&format!("https://{host}:{}/", stage.here.port)).await.unwrap_err();
        assert!(!why.contains("outbound"), "{host}: {why}");
        stage.here.assert_came(number + 1, host);
    }

    // A build that does not name the host any more is not given the connection.
    let present = stage.ask_partner(&format!("https://eu.partner.example:{}/", stage.here.port)).await;
    assert!(!present.unwrap_err().contains("outbound"));
    let narrower =
        stage.stand.engine.install_connector(component("hosts = [\"partner.example\"]")).await.unwrap();
    let request = EnableConnection {
        workspace: WORKSPACE.to_owned(),
        connector: "operations".to_owned(),
        digest: Some(narrower.digest.to_string()),
        ..EnableConnection::default()
    };
    let refused = stage.stand.engine.enable_connection(request).await.unwrap_err().to_string();
    assert!(refused.contains("and not with eu.partner.example"), "{refused}");
    assert_eq!(narrower.hosts, ["partner.example", "own.internal.example", OPEN]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_told_to_the_connector_and_followed_by_nobody() {
    let mut config = OutboundConfig { allow: vec![OPEN.parse().unwrap()], ..OutboundConfig::default() };
    // A network may be open, and this machine's own address for doubles; the other one is not.
    config.allow.push("127.0.0.3".parse().unwrap());
    config.hosts.insert("*".to_owned(), vec!["127.0.0.3".to_owned().try_into().unwrap()]);
    let stage = Stage::start_with(config).await;
    let socket = TcpListener::bind("127.0.0.3:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let location = format!("http://127.0.0.1:{}/x", stage.here.port);
    let router = axum::Router::new().fallback(move || {
        let location = location.clone();
        async move { (http::StatusCode::TEMPORARY_REDIRECT, [("location", location)]) }
    });
    tokio::spawn(async move { axum::serve(socket, router).await });
    assert_eq!(stage.ask_partner(&url).await, Ok(()), "a redirect is an answer");
    let run = stage.stand.last_run(&ConnectionId::new("acme/operations")).await.unwrap();
    let asked: Vec<_> = run.calls.iter().filter(|call| call.target == "partner").collect();
    assert_eq!((asked.len(), asked[0].status), (1, Some(307)));
    let why = stage.send_message(&url).await.unwrap_err();
    assert!(why.contains("answered 307"), "{why}");
    stage.here.assert_came(0, "a redirect");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_whose_partner_is_not_open_is_parked_as_a_fault_of_the_setup() {
    let stage = Stage::start().await;
    stage.names.say("older.prefinery.com", &[&["10.0.0.7"]]);
    let stand = &stage.stand;
    stand.engine.install_connector(artefacts::component("prefinery").unwrap()).await.unwrap();
    let request = EnableConnection {
        workspace: WORKSPACE.to_owned(),
        connector: "prefinery".to_owned(),
        base_url: Some("https://older.prefinery.com/api/v2".to_owned()),
        credentials: [("key".to_owned(), "fake-key-0123456789".to_owned().into())].into(),
        settings: json!({ "beta_id": "1" }),
        ..EnableConnection::default()
    };
    let connection = stand.engine.enable_connection(request).await.unwrap();
    assert_eq!(connection.hosts, ["api.prefinery.com", "*.prefinery.com"]);
    let location = stand.sandbox.highlevel().first_location();
    let fields = json!({ "firstName": "Ada", "email": "ada@example.com" });
    let ada = stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    let ada = RecordId::new(ada["id"].as_str().unwrap());
    stand.engine.sync_record(&connection.id, "contact", Side::Highlevel, &ada).await.unwrap();
    stand.settle().await.unwrap();
    let parked = stand.engine.parked(&WorkspaceId::new(WORKSPACE)).await.unwrap();
    let run = stand.last_run(&connection.id).await.unwrap();
    assert_eq!(parked.len(), 1, "{run:?}");
    for entry in parked {
        assert_eq!(entry.class, FailureClass::Config, "{}", entry.reason);
        for words in ["prefinery: ", "older.prefinery.com stands for 10.0.0.7", "allow = [\"10.0.0.7/32\"]"] {
            assert!(entry.reason.contains(words), "`{words}` is not in: {}", entry.reason);
        }
    }
    // The check of the connection says the same.
    let report = stand.engine.check_connection(&connection.id).await.unwrap();
    assert!(report.problems.iter().any(|problem| problem.contains("10.0.0.7/32")), "{report:?}");
}
