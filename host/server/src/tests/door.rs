//! What strangers can do at the door: nothing that costs much, nothing that lasts, nothing that a browser could be used for.

use std::io::ErrorKind;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{COOKIE, ORIGIN};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ServerConfig;
use crate::cookies::SESSION;
use crate::testing::{TOKEN, TestServer, answer, config};

/// Reads the head of one answer.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn every_answer_tells_a_browser_to_show_load_and_keep_nothing() {
    let server = TestServer::start().await;
    let answers = [
        (server.request(Method::GET, "/healthz"), 200),
        (server.request(Method::GET, "/metrics"), 200),
        (server.request(Method::GET, "/webhooks/highlevel"), 200),
        (server.request(Method::POST, "/webhooks/highlevel").body("{}"), 401),
        (server.request(Method::POST, "/webhooks/partner/nobody").body("{}"), 404),
        (server.request(Method::POST, "/webhooks/highlevel").body("x".repeat(300 * 1024)), 413),
        (server.request(Method::GET, "/oauth/highlevel/callback?code=a&state=b"), 400),
        (server.request(Method::GET, "/api/v1/workspaces"), 401),
        (server.admin(Method::GET, "/api/v1/workspaces"), 200),
        (server.admin(Method::GET, "/api/v1/openapi.json"), 200),
        (server.request(Method::GET, "/nowhere"), 404),
        (server.request(Method::DELETE, "/healthz"), 405),
    ];
    for (request, status) in answers {
        let answer = request.send().await.unwrap();
        let (headers, path) = (answer.headers(), answer.url().path());
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(
            headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'",
            "{path}"
        );
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(!headers.contains_key("strict-transport-security"), "{path}: nobody said that there is TLS");
        assert!(
            !headers.contains_key("access-control-allow-origin"),
            "{path}: no other page reads an answer"
        );
        assert!(!headers.contains_key("server"), "{path}");
    }
}

#[tokio::test]
async fn tls_is_insisted_on_where_the_operator_says_so() {
    let year = Duration::from_hours(365 * 24);
    let server = TestServer::start_with(ServerConfig { strict_transport: Some(year), ..config() }).await;
    for path in ["/healthz", "/nowhere"] {
        let answer = server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    }
}

#[tokio::test]
async fn a_cookie_that_is_no_session_opens_nothing_wherever_it_comes_from() {
    let server = TestServer::start().await;
    let made_up = format!("{SESSION}=cts_{}_{}", "0".repeat(16), "0".repeat(64));
    for cookie in [
        format!("token={TOKEN}"),
        format!("Authorization=Bearer {TOKEN}"),
        TOKEN.to_owned(),
        format!("{SESSION}={TOKEN}"),
        made_up,
    ] {
        for (method, path) in [(Method::GET, "/api/v1/workspaces"), (Method::POST, "/api/v1/workspaces")] {
            let own = format!("http://{}", server.address);
            for origin in [own.as_str(), "https://evil.example", "null"] {
                let request =
                    server.request(method.clone(), path).header(COOKIE, &cookie).header(ORIGIN, origin);
                assert_eq!(answer(request).await.0, 401, "{method} {cookie} from {origin}");
            }
        }
    }
    let body = serde_json::json!({"id": "acme"}).to_string();
    let form = server
        .request(Method::POST, "/api/v1/workspaces")
        .header(COOKIE, format!("token={TOKEN}"))
        .body(body);
    assert_eq!(answer(form).await.0, 401);
    assert_eq!(answer(server.admin(Method::GET, "/api/v1/workspaces")).await, (200, serde_json::json!([])));
}

#[tokio::test]
async fn a_webhook_for_an_address_that_nobody_has_is_refused_before_its_body_is_read() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = "POST /webhooks/partner/nobody HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 404 ") && head.contains("connection: close\r\n"), "{head}");
}

#[tokio::test]
async fn the_bodies_of_all_webhooks_together_have_so_much_room() {
    let limits = ServerConfig { webhook_body_cap: 1024, webhook_bodies_cap: 1024, ..config() };
    let server = TestServer::start_with(limits).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let request =
        "POST /webhooks/highlevel HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n";
    slow.write_all(request.as_bytes()).await.unwrap();
    // Its body is waited for by now, so it has its room.
    assert!(head(&mut slow).await.starts_with("HTTP/1.1 100 "));
    let crowded = server.webhook("{}").send().await.unwrap();
    assert_eq!((crowded.status().as_u16(), &crowded.headers()["retry-after"]), (503, &"30".parse().unwrap()));
    slow.write_all(b"none").await.unwrap();
    assert!(head(&mut slow).await.starts_with("HTTP/1.1 401 "));
    assert_eq!(answer(server.webhook("[]")).await.0, 400, "there is room again");
}

#[tokio::test]
async fn the_bodies_of_the_admin_api_together_have_so_much_room() {
    let kib = 1024;
    let limits =
        ServerConfig { json_body_cap: kib, component_body_cap: kib, component_bodies_cap: kib, ..config() };
    let server = TestServer::start_with(limits).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let request = format!(
        "POST /api/v1/connectors HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/wasm\r\n\
         content-length: 4\r\nexpect: 100-continue\r\n\r\n"
    );
    slow.write_all(request.as_bytes()).await.unwrap();
    // Its body is waited for by now, so it has its room.
    assert!(head(&mut slow).await.starts_with("HTTP/1.1 100 "));
    let upload = |body: String| {
        let request = server.admin(Method::POST, "/api/v1/connectors");
        request.header("content-type", "application/wasm").body(body).send()
    };
    let crowded = upload("none".to_owned()).await.unwrap();
    assert_eq!((crowded.status().as_u16(), &crowded.headers()["retry-after"]), (503, &"30".parse().unwrap()));
    assert_eq!(crate::testing::json(crowded).await["error"]["code"], "crowded");
    // What is refused for its size needs no room, what has no body neither, and JSON has room of its own.
    assert_eq!(upload("x".repeat(kib + 1)).await.unwrap().status(), 413);
    assert_eq!(answer(server.admin(Method::GET, "/api/v1/users")).await, (200, serde_json::json!([])));
    let user = serde_json::json!({ "id": "bob" });
    assert_eq!(answer(server.admin(Method::POST, "/api/v1/users").json(&user)).await.0, 201);
    slow.write_all(b"none").await.unwrap();
    assert!(head(&mut slow).await.starts_with("HTTP/1.1 422 "));
    assert_eq!(upload("none".to_owned()).await.unwrap().status(), 422, "there is room again");
    let (_, log) = answer(server.admin(Method::GET, "/api/v1/audit")).await;
    let began: Vec<_> = log.as_array().unwrap().iter().map(|entry| &entry["status"]).collect();
    assert_eq!(began, [422, 201, 422], "nothing of the others was begun: {log}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(256 * 1024));
    // The server may have gone before it was sent to its end.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = [0; 12];
    match stream.read_exact(&mut answer).await {
        Ok(_) => assert_eq!(&answer, b"HTTP/1.1 431"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[tokio::test]
async fn who_asks_and_never_reads_gives_back_the_place_of_the_connection() {
    let limits = ServerConfig { write_timeout: Duration::from_millis(50), max_connections: 1, ..config() };
    let server = TestServer::start_with(limits).await;
    let mut greedy = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(64);
    // Without a time-out this goes on until both ends' buffers are full, and then waits for ever.
    while greedy.write_all(&request).await.is_ok() {}
    let next = server.request(Method::GET, "/healthz").send().await.unwrap();
    assert_eq!(next.status(), 200, "the only place is free again");
}
