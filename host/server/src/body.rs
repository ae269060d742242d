//! Reading a request's body without trusting its sender.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, header};

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

/// Reads a body of at most `cap` bytes. A body that arrives in one piece, as webhooks do, is not copied.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    cap: usize,
    patience: Duration,
) -> Result<Bytes, BodyError> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    if announced.is_some_and(|length: u64| length > cap as u64) {
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
