//! Clients that are slow, many, or in the middle of something when the server stops.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ServerConfig;
use crate::testing::{TestServer, config};

/// Sends pieces over a connection of its own and reads until the server closes it.
pub(super) async fn exchange(address: SocketAddr, pieces: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for piece in pieces {
        stream.write_all(piece.as_bytes()).await.unwrap();
    }
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end: the server did not read what it had refused.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_is_cut_off() {
    let server =
        TestServer::start_with(ServerConfig { header_timeout: Duration::from_millis(10), ..config() }).await;
    let answered = exchange(server.address, &["GET /healthz HTTP/1.1\r\nhost: h\r\nx-slow: "]).await;
    assert!(!answered.contains("200"), "{answered}");
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_a_place() {
    let server = TestServer::start_with(ServerConfig { max_connections: 1, ..config() }).await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n";
    let mut first = TcpStream::connect(server.address).await.unwrap();
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second.write_all(request).await.unwrap();
    // While the first is served again and again, the server would have had every chance to serve the second.
    for _ in 0..20 {
        first.write_all(request).await.unwrap();
        assert!(first.read(&mut [0; 1_024]).await.unwrap() > 0);
    }
    let early = second.try_read(&mut [0; 1_024]).map_err(|error| error.kind());
    assert_eq!(
        early,
        Err(std::io::ErrorKind::WouldBlock),
        "the second connection was served beside the first"
    );
    drop(first);
    let mut answer = [0; 12];
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_server_that_stops_lets_a_request_in_flight_end() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head =
        b"POST /webhooks/highlevel HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head).await.unwrap();
    // The interim answer proves that the handler has begun to read the body.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100"));
    server.stop.cancel();
    stream.write_all(b"{}").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    server.serving.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "a stopped server still accepts connections");
}

#[tokio::test]
async fn a_server_that_stops_waits_for_nobody_beyond_its_limit() {
    let server =
        TestServer::start_with(ServerConfig { drain_timeout: Duration::from_millis(10), ..config() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head =
        b"POST /webhooks/highlevel HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head).await.unwrap();
    stream.read_exact(&mut [0; 25]).await.unwrap();
    server.stop.cancel();
    server.serving.await.unwrap();
}
