//! What HighLevel's token endpoint answers: a pair of tokens that can be used, or a refusal that repeats no secret and loses a grant
//! only when it says so.
//!
//! Input: a line with the status, then the body; `@@` in it stands for the refresh token that was sent, `##` for the client's secret.

use std::sync::LazyLock;
use std::time::Duration;

use contactor_highlevel::Config;
use contactor_highlevel::oauth::{Answered, OAuthApp, OAuthClient, OAuthErrorKind, TokenRequest, UserType};
use secrecy::{ExposeSecret as _, SecretString};

use crate::input::lines;

const TOKEN: &str = "fake-refresh-token-0f1e2d3c";
const CLIENT: &str = "fake-client-secret-4b5a6978";
const YEAR: Duration = Duration::from_hours(366 * 24);
/// Bytes of a refusal that a person reads.
const WORDS: usize = 2_000;

static CLIENT_OF_THE_APP: LazyLock<OAuthClient> = LazyLock::new(|| {
    let http = contactor_highlevel::http::client(&contactor_highlevel::http::Options::default()).unwrap();
    let app = OAuthApp {
        client_id: "fake-app-1".to_owned(),
        client_secret: SecretString::from(CLIENT),
        redirect_url: "https://host.example/oauth/highlevel/callback".parse().unwrap(),
    };
    OAuthClient::new(http, &Config::default(), app).unwrap()
});

pub(crate) fn run(input: &[u8]) {
    let ([status], body) = lines::<1>(input);
    let Some(status) = std::str::from_utf8(status).ok().and_then(|text| text.parse::<u16>().ok()) else {
        return;
    };
    let body = String::from_utf8_lossy(body).replace("@@", TOKEN).replace("##", CLIENT);
    let answered = serde_json::json!({ "status": status, "retry_after": null, "body": body.as_bytes() });
    let answered: Answered = serde_json::from_value(answered).unwrap();
    let token = SecretString::from(TOKEN);
    match CLIENT_OF_THE_APP.read(&answered, &TokenRequest::Refresh(&token, UserType::Location)) {
        Ok(tokens) => {
            assert!((200..300).contains(&status), "{status} is no success");
            assert!(!tokens.access.expose_secret().is_empty() && tokens.expires_in <= YEAR);
            assert!(tokens.refresh.is_none_or(|token| !token.expose_secret().is_empty()));
            assert!(tokens.scopes.iter().all(|scope| !scope.is_empty()));
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.len() <= WORDS, "{said}");
            assert!(
                ![said, format!("{error:?}")]
                    .iter()
                    .any(|said| said.contains(TOKEN) || said.contains(CLIENT))
            );
            let lost = matches!(error.kind, OAuthErrorKind::Refused { .. });
            assert!(!lost || matches!(status, 400 | 401), "{status} is no refusal of the grant");
        }
    }
}
