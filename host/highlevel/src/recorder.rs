//! What a call leaves behind: the caller's run log implements [`Recorder`].

use std::time::Duration;

use crate::quota::Quota;

/// Longest request or response body that a record keeps; the rest is cut at a character boundary.
pub const BODY_LIMIT: usize = 16 * 1024;

/// One HTTP exchange with HighLevel. It never holds a token; bodies hold the customer's data.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// The operation, for example `contacts.get`.
    pub operation: &'static str,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Whether the operation changes something at the vendor.
    pub write: bool,
    /// The HTTP status; none when no answer came.
    pub status: Option<u16>,
    /// The quota that the vendor reported with the answer.
    pub quota: Option<Quota>,
    /// Time from sending to the end of the answer.
    pub duration: Duration,
    /// Time spent waiting for the quota before sending.
    pub waited: Duration,
    /// The request's JSON, at most [`BODY_LIMIT`] bytes.
    pub request_body: Option<String>,
    /// The answer's body, at most [`BODY_LIMIT`] bytes.
    pub response_body: Option<String>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// The vendor's id of the exchange, for a support case.
    pub trace_id: Option<String>,
}

/// Takes note of calls. Called once for each exchange, also for those that failed; must not block.
pub trait Recorder: Send + Sync {
    /// Takes note of one exchange.
    fn record(&self, call: CallRecord);
}

/// Cuts a body to [`BODY_LIMIT`] bytes without splitting a character.
pub(crate) fn capped(body: &[u8]) -> String {
    let kept = &body[..body.len().min(BODY_LIMIT)];
    let mut text = String::from_utf8_lossy(kept).into_owned();
    if body.len() > BODY_LIMIT {
        while text.ends_with('\u{FFFD}') {
            text.pop();
        }
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let long = "é".repeat(BODY_LIMIT);
        let kept = capped(&long.as_bytes()[1..]);
        assert!(kept.len() <= BODY_LIMIT + "…".len() + "\u{FFFD}".len());
        assert!(kept.ends_with("é…"));
        assert_eq!(capped(b"short"), "short");
    }
}
