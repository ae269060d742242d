//! What comes back: read within bounds, whatever the other side says of its length.

use http::{HeaderMap, StatusCode};

use super::Failed;

/// Headers of an answer, and bytes of their names and values together. A client of HTTP/1.1 gives up at as many by itself.
const HEADERS: usize = 100;
const HEADER_BYTES: usize = 64 * 1024;

/// An answer that was read to its end, or whose body nobody wanted.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// Reads an answer, and of its body at most `cap` bytes; none of it when `cap` is none.
pub(super) async fn read(mut response: reqwest::Response, cap: Option<usize>) -> Result<Answer, Failed> {
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > HEADERS || size > HEADER_BYTES {
        return Err(Failed::Headers { count: HEADERS, bytes: HEADER_BYTES });
    }
    let mut body = Vec::new();
    if let Some(cap) = cap {
        // Who announces too much is not read at all. Who announces less than comes is believed: the rest is never looked at.
        if response.content_length().is_some_and(|length| length > cap as u64) {
            return Err(Failed::TooLarge { cap });
        }
        while let Some(chunk) = response.chunk().await.map_err(|error| Failed::of(&error.without_url()))? {
            if body.len() + chunk.len() > cap {
                return Err(Failed::TooLarge { cap });
            }
            body.extend_from_slice(&chunk);
        }
    }
    Ok(Answer { status, headers, body })
}
