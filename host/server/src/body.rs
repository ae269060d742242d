//! Reading a request's body without trusting its sender.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const KIB: usize = 1024;

/// Of the room for bodies of the admin API one of its users may take a quarter: nobody keeps the others out by sending slowly.
const PART: usize = 4;
/// Users that are remembered; beyond, those that send nothing are forgotten.
const NAMES: usize = 1_000;

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

/// What bodies may take of the memory, all of them together. Each connection may bring one, and connections are many.
pub(crate) struct Bodies {
    /// In KiB.
    left: Arc<Semaphore>,
}

/// The bodies of others take up all there is for them.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too many bodies are on their way at once")]
pub(crate) struct Crowded;

/// What one body takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Room(#[expect(dead_code, reason = "given back when it is dropped")] OwnedSemaphorePermit);

impl Bodies {
    /// With so many bytes, and always with room for one of the largest.
    pub(crate) fn new(bytes: usize, largest: usize) -> Self {
        let kib = bytes.max(largest).div_ceil(KIB).min(Semaphore::MAX_PERMITS);
        Self { left: Arc::new(Semaphore::new(kib)) }
    }

    /// Room for the body that these headers announce, of which at most `cap` bytes are read; for so many, when they say nothing.
    pub(crate) fn room(&self, headers: &HeaderMap, cap: usize) -> Result<Room, Crowded> {
        let cap = cap as u64;
        let bytes = announced(headers).unwrap_or(cap).min(cap);
        let kib = u32::try_from(bytes.div_ceil(KIB as u64)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.left).try_acquire_many_owned(kib).map_err(|_| Crowded)?;
        Ok(Room(room))
    }
}

/// The same for a kind of body of the admin API, of which each user has a part at most.
pub(crate) struct BodiesOfUsers {
    all: Bodies,
    bytes: usize,
    /// Of one body.
    largest: usize,
    /// What is left of their parts to those who are sending.
    parts: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl BodiesOfUsers {
    /// With so many bytes for all, and always with room for one of the largest.
    pub(crate) fn new(bytes: usize, largest: usize) -> Self {
        Self { all: Bodies::new(bytes, largest), bytes, largest, parts: Mutex::default() }
    }

    /// Room for the body that somebody announces, as [`Bodies::room`].
    pub(crate) fn room(&self, who: &str, headers: &HeaderMap) -> Result<[Room; 2], Crowded> {
        let own = self.part_of(who).room(headers, self.largest)?;
        Ok([own, self.all.room(headers, self.largest)?])
    }

    fn part_of(&self, who: &str) -> Bodies {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.len() >= NAMES {
            parts.retain(|_, left| left.strong_count() > 0);
        }
        if let Some(left) = parts.get(who).and_then(Weak::upgrade) {
            return Bodies { left };
        }
        let part = Bodies::new(self.bytes / PART, self.largest);
        // Each room holds it, so it is there for as long as anything is taken of it.
        parts.insert(who.to_owned(), Arc::downgrade(&part.left));
        part
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses a body that announces itself as too large.
pub(crate) fn fits(headers: &HeaderMap, cap: usize) -> Result<(), BodyError> {
    if announced(headers).is_some_and(|length| length > cap as u64) {
        return Err(BodyError::TooLarge(cap));
    }
    Ok(())
}

/// Reads a body of at most `cap` bytes. A body that arrives in one piece, as webhooks do, is not copied.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    cap: usize,
    patience: Duration,
) -> Result<Bytes, BodyError> {
    fits(headers, cap)?;
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

    fn announcing(length: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_LENGTH, length.parse().unwrap())])
    }

    async fn read_it(headers: &HeaderMap, body: Body, cap: usize) -> Result<Bytes, BodyError> {
        read(headers, body, cap, Duration::from_secs(5)).await
    }

    #[test]
    fn all_bodies_together_have_so_much_room_and_who_says_nothing_needs_the_most() {
        let bodies = Bodies::new(6 * KIB, 4 * KIB);
        let of = |length: &str| bodies.room(&announcing(length), 4 * KIB);
        let unsaid = bodies.room(&HeaderMap::new(), 4 * KIB).unwrap();
        let small = of("1025").unwrap();
        assert_eq!(of("1").unwrap_err(), Crowded);
        assert!(of("0").is_ok());
        drop(small);
        assert!(of("2048").is_ok());
        drop(unsaid);
        assert!(of("99999999").is_ok(), "no more than is read of it");
        let least = Bodies::new(0, 4 * KIB);
        assert!(least.room(&HeaderMap::new(), 4 * KIB).is_ok(), "one body always has room");
    }

    #[test]
    fn who_sends_much_keeps_nobody_else_out() {
        let bodies = BodiesOfUsers::new(8 * KIB, KIB);
        let send = |who: &str| bodies.room(who, &announcing("1024"));
        let of_bob = [send("bob").unwrap(), send("bob").unwrap()];
        assert_eq!(send("bob").unwrap_err(), Crowded, "a quarter of it");
        let others: Vec<_> =
            ["ann", "eve", "dora"].map(|who| [send(who).unwrap(), send(who).unwrap()]).into();
        assert_eq!(send("carl").unwrap_err(), Crowded, "all of it is taken");
        drop(others);
        assert!(send("carl").is_ok());
        assert_eq!(send("bob").unwrap_err(), Crowded);
        drop(of_bob);
        assert!(send("bob").is_ok(), "there is room again");
        let large = BodiesOfUsers::new(KIB, 4 * KIB);
        assert!(large.room("bob", &HeaderMap::new()).is_ok(), "one body always has room");
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
