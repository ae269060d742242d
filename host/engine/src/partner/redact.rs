//! Takes the credential out of what a run keeps. A partner may repeat it in an answer (a link to the next page, an echo of the
//! request), as it was sent or in another spelling.

use base64::Engine as _;
use contactor_manifest::{Auth, Scheme};
use secrecy::{ExposeSecret, SecretString};

use super::Secrets;
use super::auth::render;

pub(super) const REDACTED: &str = "[redacted]";
/// Shorter parts are no secrets, and replacing them would make every text unreadable.
const SHORTEST: usize = 4;

/// What must not be kept, in every spelling that it may have.
#[derive(Default)]
pub(crate) struct Redactor(Vec<SecretString>);

impl Redactor {
    /// For a connection's credential.
    pub(super) fn new(auth: &Auth, secrets: &Secrets) -> Self {
        let mut hidden: Vec<SecretString> = secrets.values().flat_map(spellings).collect();
        if let Scheme::Basic { user, password } = &auth.scheme
            && let (Ok(user), Ok(password)) = (render(user, secrets), render(password, secrets))
        {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            hidden.extend(spellings(&SecretString::from(pair)));
        }
        Self::in_order(hidden)
    }

    /// For values that one run is given.
    pub(crate) fn of_values(values: &[SecretString]) -> Self {
        Self::in_order(values.iter().flat_map(spellings).collect())
    }

    /// The longest first: a part may lie within another one.
    fn in_order(mut hidden: Vec<SecretString>) -> Self {
        hidden.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Self(hidden)
    }

    /// A text without the credential, and without a login's token.
    pub(super) fn text(&self, mut text: String, token: Option<&SecretString>) -> String {
        let token = token.map(spellings).unwrap_or_default();
        for secret in token.iter().chain(&self.0).map(ExposeSecret::expose_secret) {
            if text.contains(secret) {
                text = text.replace(secret, REDACTED);
            }
        }
        text
    }

    /// A text without these values.
    pub(crate) fn hide(&self, text: String) -> String {
        self.text(text, None)
    }
}

/// As it is, percent-encoded, and as JSON writes it with and without escaped slashes.
fn spellings(secret: &SecretString) -> Vec<SecretString> {
    let plain = secret.expose_secret();
    if plain.len() < SHORTEST {
        return Vec::new();
    }
    let encoded: String = url::form_urlencoded::byte_serialize(plain.as_bytes()).collect();
    let json = serde_json::Value::from(plain).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let mut all =
        vec![plain.to_owned(), encoded.replace('+', "%20"), encoded, json.replace('/', "\\/"), json];
    all.sort();
    all.dedup();
    all.into_iter().map(SecretString::from).collect()
}
