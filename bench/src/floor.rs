//! The bare floor of a durable accept: axum, one Ed25519 verification, one insert per webhook, group commit with
//! `synchronous=FULL`, and 200 after the commit. No parsing, no de-duplication, no marks.
//!
//! `floor DATABASE PUBLIC-KEY-HEX` prints the address that it serves on.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use ed25519_dalek::{Signature, VerifyingKey};
use tokio::sync::{mpsc, oneshot};

/// Webhooks that share a commit at most; the same as the host's.
const BATCH: usize = 256;

struct Floor {
    key: VerifyingKey,
    writer: mpsc::Sender<(Bytes, oneshot::Sender<bool>)>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let database = arguments.next().context("expected a database file")?;
    let key = arguments.next().context("expected a public key in hex")?;
    let key: Vec<u8> = (0..key.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&key[i..i + 2], 16))
        .collect::<Result<_, _>>()?;
    let key = VerifyingKey::from_bytes(key.as_slice().try_into()?)?;
    let (writer, requests) = mpsc::channel(4_096);
    let connection = rusqlite::Connection::open(database)?;
    std::thread::spawn(move || write(&connection, requests));
    let app =
        Router::new().route("/webhooks/highlevel", post(accept)).with_state(Arc::new(Floor { key, writer }));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    announce(&format!("listening on http://{}", listener.local_addr()?))?;
    axum::serve(listener, app).await?;
    Ok(())
}

fn announce(line: &str) -> Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

async fn accept(State(floor): State<Arc<Floor>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers
        .get("x-ghl-signature")
        .and_then(|value| base64::engine::general_purpose::STANDARD.decode(value.as_bytes()).ok())
        .and_then(|bytes| Signature::from_slice(&bytes).ok());
    let Some(signature) = signature else { return StatusCode::UNAUTHORIZED };
    if floor.key.verify_strict(&body, &signature).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let (answer, committed) = oneshot::channel();
    if floor.writer.send((body, answer)).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    match committed.await {
        Ok(true) => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn write(connection: &rusqlite::Connection, mut requests: mpsc::Receiver<(Bytes, oneshot::Sender<bool>)>) {
    let commit = |batch: &[(Bytes, oneshot::Sender<bool>)]| -> rusqlite::Result<()> {
        let transaction = connection.unchecked_transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO events (body) VALUES (?1)")?;
            for (body, _) in batch {
                insert.execute([body.as_ref()])?;
            }
        }
        transaction.commit()
    };
    let prepared = connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    );
    if prepared.is_err() {
        return;
    }
    let mut batch = Vec::with_capacity(BATCH);
    while requests.blocking_recv_many(&mut batch, BATCH) > 0 {
        let committed = commit(&batch).is_ok();
        for (_, answer) in batch.drain(..) {
            // Who gave up waiting needs no answer.
            let _ = answer.send(committed);
        }
    }
}
