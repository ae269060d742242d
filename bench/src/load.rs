//! A load of signed webhooks over keep-alive connections. Everything is signed before the clock starts, so that the
//! generator costs little beside the server that it shares two cores with.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Requests as they go over the wire.
pub(crate) struct Load {
    requests: Vec<Vec<u8>>,
}

/// What a load measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Load {
    /// `count` different ContactUpdate webhooks of one location, each for a contact of its own.
    pub(crate) fn signed(key: &SigningKey, location: &str, count: usize, round: usize) -> Self {
        let now = jiff::Timestamp::now().to_string();
        let requests = (0..count)
            .map(|i| {
                let body = json!({
                    "type": "ContactUpdate", "locationId": location, "timestamp": now,
                    "webhookId": format!("bench-{round}-{i}"), "appId": "bench", "versionId": "bench",
                    "id": format!("contact{round}x{i}"), "email": format!("person{i}@example.com"),
                    "firstName": "Ada", "lastName": "Lovelace", "name": "Ada Lovelace", "phone": "+16502530000",
                    "address1": "1 Example Street", "city": "Springfield", "country": "US", "dnd": false,
                    "dateAdded": "2026-01-01T00:00:00.000Z", "tags": ["lead", "newsletter"], "customFields": [],
                })
                .to_string();
                let signature = base64::engine::general_purpose::STANDARD.encode(key.sign(body.as_bytes()).to_bytes());
                format!(
                    "POST /webhooks/highlevel HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
                     x-ghl-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
                .into_bytes()
            })
            .collect();
        Self { requests }
    }

    /// Sends everything over so many connections and measures each answer.
    pub(crate) async fn run(self, address: &str, connections: usize) -> Result<Rate> {
        let total = self.requests.len();
        let mut shares: Vec<Vec<Vec<u8>>> = (0..connections).map(|_| Vec::new()).collect();
        for (i, request) in self.requests.into_iter().enumerate() {
            shares[i % connections].push(request);
        }
        let mut streams = Vec::with_capacity(connections);
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await.context("connect")?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let begun = Instant::now();
        let tasks: Vec<_> =
            streams.into_iter().zip(shares).map(|(stream, share)| tokio::spawn(client(stream, share))).collect();
        let mut latencies = Vec::with_capacity(total);
        for task in tasks {
            latencies.extend(task.await??);
        }
        let elapsed = begun.elapsed();
        latencies.sort_unstable();
        Ok(Rate {
            per_second: total as f64 / elapsed.as_secs_f64(),
            p50: latencies[total / 2],
            p99: latencies[total * 99 / 100],
        })
    }
}

async fn client(mut stream: TcpStream, requests: Vec<Vec<u8>>) -> Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(requests.len());
    let mut buffer = vec![0; 4_096];
    for request in requests {
        let begun = Instant::now();
        stream.write_all(&request).await?;
        let mut filled = 0;
        loop {
            let read = stream.read(&mut buffer[filled..]).await?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
            if complete(&buffer[..filled]) {
                break;
            }
        }
        ensure!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..filled]));
        latencies.push(begun.elapsed());
    }
    Ok(latencies)
}

/// Whether a whole answer with a `content-length` is there.
fn complete(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())
        .unwrap_or(0);
    answer.len() >= end + 4 + length
}
