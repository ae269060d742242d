//! What of a connection's credential is kept from whom.
//!
//! A connector is given the partner's answers without the credential's secret parts, so that it can hold none; what a run keeps is
//! without all of its parts. The first is exact and spares short secrets, because what a connector reads is written to the other side.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use contactor_highlevel::redact::SHORTEST as SHORTEST_GIVEN;
pub(crate) use contactor_highlevel::redact::{REDACTED, Redactor};
use contactor_manifest::{Auth, Scheme};
use contactor_runtime::bindings::partner::Response;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::auth::{joined, render};
use super::plain::{is_plain, parts};
use super::{PartnerApi, Secrets};

/// Shorter parts are no secrets, and replacing them would make every text unreadable.
pub(crate) const SHORTEST_KEPT: usize = 4;
/// Tokens of a login that are remembered: what was sent with an earlier one may still be answered.
const TOKENS: usize = 4;

/// A connection's credential, to be taken out of texts.
pub struct Hidden {
    kept: Redactor,
    given: Redactor,
    tokens: Mutex<(VecDeque<SecretString>, Arc<Redactor>)>,
}

impl Hidden {
    /// Of a way to authenticate with these values; what was entered as a secret is one, whatever the way says of it now. `webhook` is the
    /// secret that the partner signs with: its answers may list it among the webhooks that it sends.
    pub fn new(auth: &Auth, secrets: &Secrets, webhook: Option<&SecretString>) -> Self {
        let secret = parts(secrets).filter(|(name, _)| !is_plain(secrets, auth, name));
        let mut given: Vec<SecretString> = secret.map(|(_, part)| part).chain(webhook).cloned().collect();
        let mut kept: Vec<SecretString> =
            parts(secrets).map(|(_, part)| part).chain(webhook).cloned().collect();
        if let Scheme::Basic { user, password } = &auth.scheme
            && let (Ok(user), Ok(password)) = (render(user, secrets), render(password, secrets))
        {
            let pair = joined(&[&user, ":", &password]);
            let pair = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(&*pair));
            for pair in [pair.as_str(), pair.trim_end_matches('=')] {
                kept.push(SecretString::from(pair));
                given.push(SecretString::from(pair));
            }
        }
        Self {
            kept: Redactor::new(&kept, SHORTEST_KEPT),
            given: Redactor::new(&given, SHORTEST_GIVEN),
            tokens: Mutex::default(),
        }
    }

    /// A login answered this token.
    pub fn note(&self, token: &SecretString) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.0.push_front(token.clone());
        tokens.0.truncate(TOKENS);
        tokens.1 = Arc::new(Redactor::new(&tokens.0, SHORTEST_GIVEN));
    }

    fn tokens(&self) -> Arc<Redactor> {
        Arc::clone(&self.tokens.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// A text that is kept.
    pub fn kept(&self, text: String) -> String {
        self.kept.text(self.tokens().text(text))
    }

    /// A text that a connector reads or answers.
    pub fn given(&self, text: String) -> String {
        self.given.text(self.tokens().text(text))
    }

    /// A body that a connector reads.
    pub(super) fn given_bytes(&self, body: Vec<u8>) -> Vec<u8> {
        self.given.bytes(self.tokens().bytes(body))
    }

    /// An answer as a connector reads it.
    pub fn given_answer(&self, answer: Response) -> Response {
        let mut headers = answer.headers;
        for header in &mut headers {
            header.value = self.given(std::mem::take(&mut header.value));
        }
        Response { headers, body: self.given_bytes(answer.body), ..answer }
    }
}

impl PartnerApi {
    /// A text without the credential, for what is kept of a run.
    pub(crate) fn redacted(&self, text: String) -> String {
        self.credential.kept(text)
    }

    /// A text without the credential's secrets, for what a connector reads and for what it answers.
    pub(crate) fn given(&self, text: String) -> String {
        self.credential.given(text)
    }

    /// A webhook's body without the credential's secrets.
    pub(crate) fn given_bytes(&self, body: Vec<u8>) -> Vec<u8> {
        self.credential.given_bytes(body)
    }
}

/// For values that one run is given.
pub(crate) fn of_values(values: &[SecretString]) -> Redactor {
    Redactor::new(values, SHORTEST_KEPT)
}

#[cfg(test)]
mod tests {
    use contactor_manifest::Credential;

    use super::*;
    use crate::partner::plain::enter;
    use crate::partner::testing::{api_by, template};

    #[test]
    fn a_secret_is_redacted_in_every_spelling_in_which_a_partner_may_repeat_it() {
        let secret = "fake/key+with \"quotes\"==";
        let basic = Scheme::Basic { user: template("{token}"), password: template("x") };
        let api = api_by(basic, secret, "https://api.example.com/v2", 4_096);
        let spellings = [
            secret,
            "fake%2Fkey%2Bwith+%22quotes%22%3D%3D",
            "fake%2Fkey%2Bwith%20%22quotes%22%3D%3D",
            r#"fake/key+with \"quotes\"=="#,
            r#"fake\/key+with \"quotes\"=="#,
            // `fake/key+with "quotes"==:x` in base64.
            "ZmFrZS9rZXkrd2l0aCAicXVvdGVzIj09Ong=",
        ];
        for spelling in spellings {
            assert_eq!(api.redacted(format!("<{spelling}>")), "<[redacted]>");
        }
    }

    #[test]
    fn a_user_name_and_a_short_secret_stay_in_what_a_connector_reads() {
        let part = |name: &str, secret| Credential { name: name.to_owned(), title: name.to_owned(), secret };
        let auth = Auth {
            id: "basic".to_owned(),
            title: "Basic".to_owned(),
            scheme: Scheme::Basic { user: template("{user}"), password: template("{word}") },
            credentials: vec![part("user", false), part("word", true), part("pin", true)],
            help: None,
        };
        let secrets = [("user", "ada@example.com"), ("word", "fake-password"), ("pin", "123456")];
        let entered = secrets.map(|(name, value)| (name.to_owned(), SecretString::from(value))).into();
        let mut secrets = Secrets::new();
        enter(&mut secrets, entered, &auth);
        let hidden = Hidden::new(&auth, &secrets, None);
        let text = || "ada@example.com 123456 fake-password".to_owned();
        assert_eq!(hidden.given(text()), "ada@example.com 123456 [redacted]");
        assert_eq!(hidden.kept(text()), "[redacted] [redacted] [redacted]");
    }
}
