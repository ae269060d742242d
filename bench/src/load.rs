//! A load of signed webhooks over keep-alive connections. Everything is signed before the clock starts, so that the
//! generator costs little beside the server that it shares the cores with.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use contactor_sandbox::highlevel::HighLevel;
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

/// What became of a load whose server may die under it.
struct Sent {
    /// Position and latency of what was answered with 200.
    accepted: Vec<(usize, Duration)>,
    /// Why a connection gave up.
    broke: Option<anyhow::Error>,
}

impl Load {
    /// Webhooks with these bodies, signed by the double as HighLevel signs its own.
    pub(crate) fn of<B: AsRef<[u8]>>(highlevel: &HighLevel, bodies: impl IntoIterator<Item = B>) -> Self {
        Self { requests: bodies.into_iter().map(|body| request(highlevel, body.as_ref())).collect() }
    }

    /// `count` different ContactUpdate webhooks of one location, each for a contact of its own. `name` tells them from
    /// those of other rounds.
    pub(crate) fn made_up(highlevel: &HighLevel, location: &str, name: &str, count: usize) -> Self {
        let now = jiff::Timestamp::now().to_string();
        let bodies = (0..count).map(|i| {
            json!({
                "type": "ContactUpdate", "locationId": location, "timestamp": now,
                "webhookId": webhook_id(name, i), "appId": "bench", "versionId": "bench",
                "id": format!("contact-{name}-{i}"), "email": format!("person{i}@example.com"),
                "firstName": "Ada", "lastName": "Lovelace", "name": "Ada Lovelace", "phone": "+12025550101",
                "address1": "1 Example Street", "city": "Springfield", "country": "US", "dnd": false,
                "dateAdded": "2026-01-01T00:00:00.000Z", "tags": ["lead", "newsletter"], "customFields": [],
            })
            .to_string()
        });
        Self::of(highlevel, bodies)
    }

    /// Sends everything over so many connections and measures each answer.
    ///
    /// # Errors
    /// When anything is not answered with 200.
    pub(crate) async fn run(self, address: &str, connections: usize) -> Result<Rate> {
        let total = self.requests.len();
        let begun = Instant::now();
        let sent = self.send(address, connections, Arc::default()).await?;
        let elapsed = begun.elapsed();
        if let Some(broke) = sent.broke {
            return Err(broke);
        }
        ensure!(sent.accepted.len() == total, "{} of {total} webhooks were accepted", sent.accepted.len());
        let mut latencies: Vec<Duration> = sent.accepted.into_iter().map(|(_, latency)| latency).collect();
        latencies.sort_unstable();
        Ok(Rate {
            per_second: total as f64 / elapsed.as_secs_f64(),
            p50: latencies[total / 2],
            p99: latencies[total * 99 / 100],
        })
    }

    /// Sends until everything is answered or the server is gone, and answers which webhooks were accepted. `progress`
    /// counts them meanwhile.
    pub(crate) async fn run_until_broken(
        self,
        address: &str,
        connections: usize,
        progress: Arc<AtomicUsize>,
    ) -> Result<Vec<usize>> {
        let sent = self.send(address, connections, progress).await?;
        Ok(sent.accepted.into_iter().map(|(position, _)| position).collect())
    }

    async fn send(self, address: &str, connections: usize, progress: Arc<AtomicUsize>) -> Result<Sent> {
        let mut shares: Vec<Vec<(usize, Vec<u8>)>> = (0..connections).map(|_| Vec::new()).collect();
        for (i, request) in self.requests.into_iter().enumerate() {
            shares[i % connections].push((i, request));
        }
        let mut tasks = Vec::with_capacity(connections);
        for share in shares {
            let stream =
                TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
            stream.set_nodelay(true)?;
            tasks.push(tokio::spawn(client(stream, share, Arc::clone(&progress))));
        }
        let mut sent = Sent { accepted: Vec::new(), broke: None };
        for task in tasks {
            let share = task.await?;
            sent.accepted.extend(share.accepted);
            sent.broke = sent.broke.or(share.broke);
        }
        Ok(sent)
    }
}

/// The id by which the host knows a made-up webhook again.
pub(crate) fn webhook_id(name: &str, number: usize) -> String {
    format!("bench-{name}-{number}")
}

fn request(highlevel: &HighLevel, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST /webhooks/highlevel HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
         x-ghl-signature: {}\r\ncontent-length: {}\r\n\r\n",
        highlevel.sign(body),
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

async fn client(mut stream: TcpStream, requests: Vec<(usize, Vec<u8>)>, progress: Arc<AtomicUsize>) -> Sent {
    let mut sent = Sent { accepted: Vec::with_capacity(requests.len()), broke: None };
    let mut buffer = vec![0; 4_096];
    for (position, request) in requests {
        let begun = Instant::now();
        match exchange(&mut stream, &request, &mut buffer).await {
            Ok(()) => sent.accepted.push((position, begun.elapsed())),
            Err(error) => {
                sent.broke = Some(error);
                break;
            }
        }
        progress.fetch_add(1, Ordering::Relaxed);
    }
    sent
}

async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut [u8]) -> Result<()> {
    stream.write_all(request).await?;
    let mut filled = 0;
    while !complete(&buffer[..filled]) {
        let read = stream.read(&mut buffer[filled..]).await?;
        ensure!(read > 0, "the server closed the connection");
        filled += read;
    }
    ensure!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..filled]));
    Ok(())
}

/// Whether a whole answer with a `content-length` is there.
fn complete(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    answer.len() >= end + 4 + length.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_with_its_last_byte() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert!(complete(answer));
        for length in 0..answer.len() {
            assert!(!complete(&answer[..length]), "{length}");
        }
    }

    #[test]
    fn an_answer_without_a_body_ends_with_its_head() {
        assert!(complete(b"HTTP/1.1 200 OK\r\n\r\n"));
    }
}
