//! Errors of a call that say whose turn it is.

use contactor_server::dto::ErrorBody;
use reqwest::StatusCode;
use url::Url;

/// Why a call did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody answers.
    #[error(
        "no host answers at {url} ({reason})\n\
         start one with `contactor serve`, or name a running one with --server URL"
    )]
    Unreachable { url: Url, reason: String },
    /// There is no such thing.
    #[error("{0}", with_hint(message, hint.as_deref()))]
    NotFound { message: String, hint: Option<String> },
    /// The host says no.
    #[error("{0}", with_hint(message, hint.as_deref()))]
    Refused { message: String, hint: Option<String> },
    /// The answer is not one of the admin API.
    #[error("{url} answered {what}; is it a Contactor host of this version?")]
    Unexpected { url: Url, what: String },
    /// No HTTP client.
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(#[source] reqwest::Error),
}

fn with_hint(message: &str, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{message}\n{hint}"),
        None => message.to_owned(),
    }
}

/// What an answer that is no success means.
pub(super) fn refusal(status: StatusCode, url: Url, text: &str) -> ClientError {
    let Ok(ErrorBody { error }) = serde_json::from_str(text) else {
        return ClientError::Unexpected { url, what: format!("{status} without an explanation") };
    };
    match error.code.as_str() {
        "not-found" => ClientError::NotFound { message: error.message, hint: error.hint },
        "no-such-path" => ClientError::Unexpected { url, what: format!("{status}: {}", error.message) },
        _ => ClientError::Refused { message: error.message, hint: error.hint },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_words_reach_the_operator() {
        let url: Url = "http://127.0.0.1/api/v1/workspaces/x".parse().unwrap();
        let text = r#"{"error":{"code":"not-found","message":"no workspace `x`","hint":"list them"}}"#;
        let error = refusal(StatusCode::NOT_FOUND, url.clone(), text);
        assert!(matches!(error, ClientError::NotFound { .. }));
        assert_eq!(error.to_string(), "no workspace `x`\nlist them");
        let stranger = refusal(StatusCode::NOT_FOUND, url, "<html>");
        assert!(matches!(stranger, ClientError::Unexpected { .. }));
    }
}
