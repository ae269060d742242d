//! Reading a request's body without trusting its sender.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::ServerConfig;

const KIB: usize = 1024;

/// Why a body was not read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// Larger than allowed. At most the cap (and one network read) was buffered.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The client went away or broke the transfer coding.
    #[error("the body broke off")]
    BrokeOff,
}

/// What the bodies of strangers may take of the memory, all of them together. Each connection may bring one, and connections are many.
pub(crate) struct Bodies {
    /// In KiB.
    left: Arc<Semaphore>,
    cap: usize,
}

/// The bodies of others take up all there is for them.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too many bodies are on their way at once")]
pub(crate) struct Crowded;

/// What one body takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Room(#[expect(dead_code, reason = "given back when it is dropped")] OwnedSemaphorePermit);

impl Bodies {
    /// Of the webhooks of a server.
    pub(crate) fn new(config: &ServerConfig) -> Self {
        let cap = config.webhook_body_cap;
        let kib = config.webhook_bodies_cap.max(cap).div_ceil(KIB).min(Semaphore::MAX_PERMITS);
        Self { left: Arc::new(Semaphore::new(kib)), cap }
    }

    /// Room for the body that these headers announce; for the largest, when they say nothing.
    pub(crate) fn room(&self, headers: &HeaderMap) -> Result<Room, Crowded> {
        let cap = self.cap as u64;
        let bytes = announced(headers).unwrap_or(cap).min(cap);
        let kib = u32::try_from(bytes.div_ceil(KIB as u64)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.left).try_acquire_many_owned(kib).map_err(|_| Crowded)?;
        Ok(Room(room))
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body of at most `cap` bytes. A body that arrives in one piece, as webhooks do, is not copied.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    cap: usize,
    patience: Duration,
) -> Result<Bytes, BodyError> {
    if announced(headers).is_some_and(|length| length > cap as u64) {
        return Err(BodyError::TooLarge(cap));
    }
    tokio::time::timeout(patience, collect(body, cap)).await.unwrap_or(Err(BodyError::TooSlow))
}

async fn collect(body: Body, cap: usize) -> Result<Bytes, BodyError> {
    let mut pieces = body.into_data_stream();
    let mut next = async || match pieces.next().await {
        None => Ok(None),
        Some(Ok(piece)) => Ok(Some(piece)),
        Some(Err(_)) => Err(BodyError::BrokeOff),
    };
    let Some(first) = next().await? else { return Ok(Bytes::new()) };
    if first.len() > cap {
        return Err(BodyError::TooLarge(cap));
    }
    let Some(second) = next().await? else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    let mut piece = Some(second);
    while let Some(more) = piece {
        if more.len() > cap - whole.len() {
            return Err(BodyError::TooLarge(cap));
        }
        whole.extend_from_slice(&more);
        piece = next().await?;
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(parts: &[&'static str]) -> Body {
        let parts: Vec<_> =
            parts.iter().map(|p| Ok::<_, std::io::Error>(Bytes::from_static(p.as_bytes()))).collect();
        Body::from_stream(futures_util::stream::iter(parts))
    }

    async fn read_it(headers: &HeaderMap, body: Body, cap: usize) -> Result<Bytes, BodyError> {
        read(headers, body, cap, Duration::from_secs(5)).await
    }

    #[test]
    fn all_bodies_together_have_so_much_room_and_who_says_nothing_needs_the_most() {
        let config = ServerConfig {
            webhook_body_cap: 4 * KIB,
            webhook_bodies_cap: 6 * KIB,
            ..ServerConfig::new("127.0.0.1:0".parse().unwrap(), "fake".to_owned().into())
        };
        let bodies = Bodies::new(&config);
        let of = |length: &str| {
            bodies.room(&HeaderMap::from_iter([(header::CONTENT_LENGTH, length.parse().unwrap())]))
        };
        let unsaid = bodies.room(&HeaderMap::new()).unwrap();
        let small = of("1025").unwrap();
        assert_eq!(of("1").unwrap_err(), Crowded);
        assert!(of("0").is_ok());
        drop(small);
        assert!(of("2048").is_ok());
        drop(unsaid);
        assert!(of("99999999").is_ok(), "no more than is read of it");
        let least = Bodies::new(&ServerConfig { webhook_bodies_cap: 0, ..config });
        assert!(least.room(&HeaderMap::new()).is_ok(), "one body always has room");
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_the_very_same_memory() {
        let original = Bytes::from(vec![7; 64]);
        let read = read_it(&HeaderMap::new(), Body::from(original.clone()), 64).await.unwrap();
        assert_eq!(read.as_ptr(), original.as_ptr());
    }

    #[tokio::test]
    async fn pieces_are_joined_up_to_exactly_the_cap() {
        let none = HeaderMap::new();
        assert_eq!(read_it(&none, pieces(&["ab", "cd", "e"]), 5).await.unwrap(), "abcde");
        assert_eq!(read_it(&none, pieces(&["ab", "cd", "ef"]), 5).await, Err(BodyError::TooLarge(5)));
        assert_eq!(read_it(&none, pieces(&[]), 5).await.unwrap(), "");
    }

    #[tokio::test]
    async fn an_announced_length_beyond_the_cap_is_refused_before_anything_is_read() {
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, http::HeaderValue::from_static("6"))]);
        let unread = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(read_it(&headers, unread, 5).await, Err(BodyError::TooLarge(5)));
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let answer = read(&HeaderMap::new(), endless, 5, Duration::ZERO).await;
        assert_eq!(answer, Err(BodyError::TooSlow));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_shorter_body() {
        let broken =
            futures_util::stream::iter([Ok(Bytes::from_static(b"ab")), Err(std::io::Error::other("gone"))]);
        assert_eq!(read_it(&HeaderMap::new(), Body::from_stream(broken), 5).await, Err(BodyError::BrokeOff));
    }
}
