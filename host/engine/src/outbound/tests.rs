//! The way out with real sockets. Of this machine's many addresses one is opened and stands for the public; `127.0.0.1` stays closed, and
//! a listener there counts who came.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;

const OPEN: &str = "127.0.0.2";
const CLOSED: &str = "127.0.0.1";
/// Longer than any test takes.
const LONG: Duration = Duration::from_mins(1);

/// Answers names as a test says, each look with the next answer; the last one stays.
#[derive(Default)]
struct Names {
    answers: HashMap<&'static str, Vec<Vec<&'static str>>>,
    looks: Mutex<HashMap<String, usize>>,
}

impl Names {
    fn of(answers: &[(&'static str, &[&[&'static str]])]) -> Arc<Self> {
        let answers =
            answers.iter().map(|(name, answers)| (*name, answers.iter().map(|one| one.to_vec()).collect()));
        Arc::new(Self { answers: answers.collect(), looks: Mutex::default() })
    }

    fn looks(&self, name: &str) -> usize {
        self.looks.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let mut looks = self.looks.lock().unwrap();
        let look = looks.entry(name.to_owned()).or_default();
        let answers = self.answers.get(name).ok_or_else(|| io::Error::other("no such name"))?;
        let answer = answers[(*look).min(answers.len() - 1)].iter().map(|address| address.parse().unwrap());
        *look += 1;
        Ok(answer.collect())
    }
}

fn config() -> OutboundConfig {
    OutboundConfig { allow: vec![OPEN.parse().unwrap()], ..OutboundConfig::default() }
}

fn out(names: &Arc<Names>) -> Outbound {
    Outbound::with_lookup(config(), Arc::clone(names) as Arc<dyn Lookup>).unwrap()
}

fn plain() -> Outbound {
    out(&Names::of(&[]))
}

fn outgoing(url: &str) -> Outgoing<'static> {
    Outgoing {
        method: Method::GET,
        url: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: None,
        timeout: LONG,
        cap: Some(1_000),
        lane: None,
    }
}

/// Two listeners on one port: at the open address, and at the closed one.
async fn twins() -> (TcpListener, TcpListener, u16) {
    loop {
        let open = TcpListener::bind((OPEN, 0)).await.unwrap();
        let port = open.local_addr().unwrap().port();
        // Another test may have that port at the other address.
        if let Ok(closed) = TcpListener::bind((CLOSED, port)).await {
            return (open, closed, port);
        }
    }
}

fn nobody_came(listener: &TcpListener) -> bool {
    listener.accept().now_or_never().is_none()
}

/// Reads a request up to the end of its headers.
async fn request(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => heard.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(heard).unwrap()
}

/// Answers every request with these bytes and hangs up; tells what was heard.
async fn answering(bytes: impl Into<Vec<u8>>) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind((OPEN, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let bytes = bytes.into();
    let (tell, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tell.send(request(&mut stream).await);
            let _ = stream.write_all(&bytes).await;
        }
    });
    (address, heard)
}

async fn ask(address: SocketAddr) -> Result<Answer, Failed> {
    plain().send(outgoing(&format!("http://{address}/x"))).await
}

#[tokio::test]
async fn a_name_that_changes_between_two_looks_leads_to_the_address_that_was_checked() {
    let (open, closed, port) = twins().await;
    let names = Names::of(&[("rebind.example", &[&[OPEN], &[CLOSED]])]);
    let out = out(&names);
    let url = format!("http://rebind.example:{port}/x");
    let serve = async {
        let (mut stream, _) = open.accept().await.unwrap();
        request(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
            .await
            .unwrap();
    };
    let (answer, ()) = tokio::join!(out.send(outgoing(&url)), serve);
    assert_eq!(answer.unwrap().body, b"ok");
    assert_eq!(names.looks("rebind.example"), 1, "the client looks up nothing by itself");

    // The connection is closed, so that the next request is another one, with a look of its own.
    let refused = out.send(outgoing(&url)).await.unwrap_err();
    assert!(matches!(refused, Failed::Closed(_)), "{refused:?}");
    assert_eq!(names.looks("rebind.example"), 2);
    assert!(nobody_came(&closed));
}

#[tokio::test]
async fn one_closed_address_among_open_ones_refuses_the_name() {
    let (open, closed, port) = twins().await;
    let mixed: [&[&str]; 3] = [&[OPEN, CLOSED], &[CLOSED, OPEN], &[OPEN, "::ffff:127.0.0.1"]];
    for answer in mixed {
        let names = Names::of(&[("mixed.example", &[answer])]);
        let refused = out(&names).send(outgoing(&format!("http://mixed.example:{port}/"))).await.unwrap_err();
        let said = refused.to_string();
        assert!(matches!(refused, Failed::Closed(_)), "{said}");
        for words in ["mixed.example stands for 127.0.0.1", "this machine", "allow = [\"127.0.0.1/32\"]"] {
            assert!(said.contains(words), "`{words}` is not in: {said}");
        }
    }
    assert!(nobody_came(&open) && nobody_came(&closed));
}

#[tokio::test]
async fn an_address_in_the_url_is_checked_although_nobody_is_asked_for_it() {
    let (_open, closed, port) = twins().await;
    let names = Names::of(&[]);
    for host in
        ["127.0.0.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "%31%32%37.0.0.1"]
    {
        let refused = out(&names).send(outgoing(&format!("http://{host}:{port}/"))).await.unwrap_err();
        assert!(matches!(refused, Failed::Closed(_)), "{host}: {refused:?}");
        assert_eq!(names.looks(host), 0);
    }
    assert!(nobody_came(&closed));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_nothing_follows_it() {
    let (_open, closed, port) = twins().await;
    for status in [301, 302, 303, 307, 308] {
        let answer =
            format!("HTTP/1.1 {status} X\r\nlocation: http://{CLOSED}:{port}/\r\ncontent-length: 0\r\n\r\n");
        let (address, _heard) = answering(answer).await;
        let answer = ask(address).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.headers["location"].is_empty()), (status, false));
    }
    assert!(nobody_came(&closed));
}

#[tokio::test]
async fn what_is_sent_names_no_referer_and_no_cookie_and_asks_for_no_compression() {
    let (address, mut heard) =
        answering("HTTP/1.1 200 OK\r\nset-cookie: a=b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .await;
    let out = plain();
    for _ in 0..2 {
        out.send(outgoing(&format!("http://{address}/x"))).await.unwrap();
        let heard = heard.recv().await.unwrap().to_lowercase();
        for name in ["referer:", "cookie:", "accept-encoding:"] {
            assert!(!heard.contains(name), "{heard}");
        }
    }
}

#[tokio::test]
async fn an_answer_is_read_within_its_bounds_whatever_it_says_of_its_length() {
    let headers = |number: usize| "x-a: 1\r\n".repeat(number);
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1_000));
    let broke = |failed: &Failed| matches!(failed, Failed::BrokeOff(_));
    let large = |failed: &Failed| matches!(failed, Failed::TooLarge { cap: 1_000 });
    let heads = |failed: &Failed| matches!(failed, Failed::Headers { .. } | Failed::BrokeOff(_));
    type Expected<'e> = &'e dyn Fn(&Failed) -> bool;
    let table: [(&str, String, Expected<'_>); 9] = [
        ("announces too much", "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n".to_owned(), &large),
        (
            "announces more than there is",
            "HTTP/1.1 200 OK\r\ncontent-length: 999999999999999\r\n\r\nx".to_owned(),
            &large,
        ),
        ("ends before its length", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx".to_owned(), &broke),
        (
            "has two lengths",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 9\r\n\r\nx".to_owned(),
            &broke,
        ),
        (
            "goes on in pieces",
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk.repeat(1_000)),
            &large,
        ),
        ("goes on until it hangs up", format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000)), &large),
        ("has many headers", format!("HTTP/1.1 200 OK\r\n{}\r\n", headers(200)), &heads),
        (
            "has large headers",
            format!("HTTP/1.1 200 OK\r\nx-a: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(70_000)),
            &heads,
        ),
        ("has no end of a header", format!("HTTP/1.1 200 OK\r\nx-a: {}", "x".repeat(10_000_000)), &heads),
    ];
    for (what, bytes, expected) in table {
        let (address, _heard) = answering(bytes).await;
        let failed = ask(address).await.map(|answer| answer.body.len()).expect_err(what);
        assert!(expected(&failed), "{what}: {failed:?}");
    }
    let (address, _heard) = answering(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1_000))).await;
    assert_eq!(ask(address).await.unwrap().body.len(), 1_000, "exactly as much as may be");
}

#[tokio::test]
async fn what_comes_after_the_announced_end_is_no_part_of_this_answer_nor_of_the_next() {
    let smuggled =
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngoodHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let (address, _heard) = answering(smuggled).await;
    let out = plain();
    let first = out.send(outgoing(&format!("http://{address}/x"))).await.unwrap();
    assert_eq!(first.body, b"good");
    for _ in 0..3 {
        // It may meet the connection that is being closed.
        if let Ok(answer) = out.send(outgoing(&format!("http://{address}/x"))).await {
            assert_eq!(answer.body, b"good");
        }
    }
}

#[tokio::test]
async fn who_answers_drop_by_drop_has_as_long_as_everybody() {
    let listener = TcpListener::bind((OPEN, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        // Each byte would start a time-out anew that only waits for the next one.
        while stream.write_all(b"x").await.is_ok() {}
    });
    let url = format!("http://{address}/x");
    let slow = Outgoing { timeout: Duration::from_millis(200), cap: Some(usize::MAX), ..outgoing(&url) };
    let failed = plain().send(slow).await.unwrap_err();
    assert!(matches!(failed, Failed::TimedOut), "{failed:?}");
}

#[tokio::test]
async fn who_is_not_there_was_sent_nothing_and_an_unknown_name_as_well() {
    let closed = TcpListener::bind((OPEN, 0)).await.unwrap().local_addr().unwrap();
    let failed = ask(closed).await.unwrap_err();
    assert!(matches!(failed, Failed::NoConnection(_)), "{failed:?}");
    let names = Names::of(&[("empty.example", &[&[]])]);
    for host in ["unknown.example", "empty.example"] {
        let failed = out(&names).send(outgoing(&format!("http://{host}/"))).await.unwrap_err();
        assert!(matches!(failed, Failed::NoConnection(_)), "{host}: {failed:?}");
    }
}

/// A receiver that holds every request until it is told to answer; counts those that it holds.
async fn holding() -> (SocketAddr, Arc<AtomicUsize>, Arc<tokio::sync::Semaphore>, Arc<tokio::sync::Notify>) {
    let listener = TcpListener::bind((OPEN, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (held, go) = (Arc::<AtomicUsize>::default(), Arc::new(tokio::sync::Semaphore::new(0)));
    let came = Arc::<tokio::sync::Notify>::default();
    let (count, gate, tell) = (Arc::clone(&held), Arc::clone(&go), Arc::clone(&came));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (count, gate, tell) = (Arc::clone(&count), Arc::clone(&gate), Arc::clone(&tell));
            tokio::spawn(async move {
                request(&mut stream).await;
                count.fetch_add(1, Ordering::SeqCst);
                tell.notify_one();
                gate.acquire().await.unwrap().forget();
                count.fetch_sub(1, Ordering::SeqCst);
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                    .await;
            });
        }
    });
    (address, held, go, came)
}

#[tokio::test]
async fn a_connection_and_a_host_have_so_many_requests_at_one_time_and_the_others_wait() {
    let (address, held, go, came) = holding().await;
    let config = OutboundConfig { requests_per_host: 3, requests_per_connection: 2, ..config() };
    let out = Outbound::with_lookup(config, Names::of(&[])).unwrap();
    let lanes = [out.lane(), out.lane()];
    let requests = (0..8).map(|number| {
        let (out, lane) = (out.clone(), lanes[number % 2].clone());
        tokio::spawn(async move {
            let request = Outgoing { lane: Some(&lane), ..outgoing(&format!("http://{address}/x")) };
            out.send(request).await.map(|answer| answer.status.as_u16())
        })
    });
    let requests: Vec<_> = requests.collect();
    let until = async |number: usize| {
        while held.load(Ordering::SeqCst) < number {
            came.notified().await;
        }
    };
    until(3).await;
    // Whoever could come has had every occasion to.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(held.load(Ordering::SeqCst), 3, "two of the one connection, one of the other");
    go.add_permits(8);
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap(), 200);
    }
}

#[tokio::test]
async fn who_waits_for_a_place_waits_no_longer_than_for_an_answer_and_was_sent_nowhere() {
    let (address, held, go, came) = holding().await;
    let out =
        Outbound::with_lookup(OutboundConfig { requests_per_host: 1, ..config() }, Names::of(&[])).unwrap();
    let url = format!("http://{address}/x");
    let first = tokio::spawn({
        let (out, request) = (out.clone(), outgoing(&url));
        async move { out.send(request).await.map(|answer| answer.status.as_u16()) }
    });
    came.notified().await;
    let second = Outgoing { timeout: Duration::from_millis(50), ..outgoing(&url) };
    let failed = out.send(second).await.unwrap_err();
    assert!(matches!(failed, Failed::NoPlace), "{failed:?}");
    assert_eq!(held.load(Ordering::SeqCst), 1);
    go.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap(), 200);
}

#[test]
fn a_host_has_to_be_named_by_the_connector_or_by_the_operator() {
    let hosts = [
        ("acme".to_owned(), vec![OpenHost::try_from("acme.internal.example".to_owned()).unwrap()]),
        ("*".to_owned(), vec![OpenHost::try_from("10.0.0.7".to_owned()).unwrap()]),
    ];
    let out = Outbound::new(OutboundConfig { hosts: hosts.into(), ..OutboundConfig::default() }).unwrap();
    let named: Vec<HostPattern> =
        ["api.acme.example", "*.acme.example"].map(|text| text.to_owned().try_into().unwrap()).into();
    let check = |connector: &str, url: &str| out.check_host(connector, &named, &url.parse().unwrap());
    for good in [
        "https://api.acme.example/v1",
        "https://API.ACME.example:8443",
        "https://eu.acme.example",
        "https://acme.internal.example",
        "https://10.0.0.7",
        "https://0xa.7",
    ] {
        assert_eq!(check("acme", good), Ok(()), "{good}");
    }
    for bad in [
        "https://acme.example",
        "https://api.acme.example.",
        "https://api.acme.example.evil.example",
        "https://evil-acme.example",
        "https://аpi.acme.example.evil",
        "https://api.аcme.example",
        "https://10.0.0.8",
        "https://[::1]",
    ] {
        let why = check("acme", bad).unwrap_err();
        assert!(why.contains("api.acme.example, *.acme.example, acme.internal.example, 10.0.0.7"), "{why}");
        assert!(why.contains("`acme = [\"") && why.contains("`outbound.hosts`"), "{why}");
    }
    assert!(check("other", "https://acme.internal.example").is_err(), "opened for another connector");
    assert!(check("acme", "https://[::1]").unwrap_err().contains("`acme = [\"::1\"]`"));
}
