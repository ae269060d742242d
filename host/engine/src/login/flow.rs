//! A login that is under way, from the way to the provider until the browser comes back.
//!
//! Anybody may begin one, so the host keeps nothing of it: all there is lies in a cookie of the browser that began it, under a code that
//! only this process can make. So a login ends in the browser in which it began (an answer that somebody else slips to a browser ends
//! nowhere), within its time, and once. Nonce and PKCE verifier are derived from the state with the same key: whoever reads the cookie or
//! the addresses knows neither of a login but their own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contactor_store::{VaultError, random_secret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How long a person may take at the provider.
pub(super) const LASTS: SignedDuration = SignedDuration::from_mins(10);
/// Bytes of a path to come back to.
const LONGEST_PATH: usize = 512;

/// The key of this process's logins, and the states that came back.
pub struct Flows {
    key: SecretString,
    /// With when they would have expired. The gate paces how many are ended, so they are few.
    spent: Mutex<HashMap<String, Timestamp>>,
}

/// A login that begins.
pub struct Begun {
    /// For the provider, which gives it back with the browser.
    pub state: String,
    /// For the provider, which writes it into the token.
    pub nonce: String,
    /// What of the PKCE verifier the provider is told for now.
    pub challenge: String,
    /// For the browser.
    pub cookie: SecretString,
}

/// A login that came back.
pub struct Returned {
    /// What the token has to name.
    pub nonce: String,
    /// What the provider is shown with the code.
    pub verifier: SecretString,
    /// Where the person wanted to go.
    pub to: String,
    state: String,
    until: Timestamp,
}

impl Flows {
    /// With a new key.
    ///
    /// # Errors
    /// The machine has no random numbers.
    pub fn new() -> Result<Self, VaultError> {
        Ok(Self { key: random_secret()?, spent: Mutex::default() })
    }

    /// Begins a login that leads to a path.
    ///
    /// # Errors
    /// The machine has no random numbers.
    pub fn begin(&self, to: &str, now: Timestamp) -> Result<Begun, VaultError> {
        let state = random_secret()?.expose_secret().to_owned();
        let until = (now + LASTS).as_second();
        let text = format!("{state}.{until}.{}", URL_SAFE_NO_PAD.encode(to));
        let cookie = SecretString::from(format!("{text}.{}", self.code("cookie", &text)));
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier(&state).expose_secret()));
        Ok(Begun { nonce: self.code("nonce", &state), challenge, state, cookie })
    }

    /// The login that this browser began and the provider answers, unless it was ended already. Looking changes nothing, and costs one
    /// code when there is none: anybody may come with anything.
    pub fn find(&self, cookie: &str, state: &str, now: Timestamp) -> Option<Returned> {
        let (text, code) = cookie.rsplit_once('.')?;
        let own = self.code("cookie", text);
        let mut parts = text.split('.');
        let (begun, until, to) = (parts.next()?, parts.next()?, parts.next()?);
        let same = code.as_bytes().ct_eq(own.as_bytes()) & begun.as_bytes().ct_eq(state.as_bytes());
        let until = Timestamp::from_second(until.parse().ok()?).ok()?;
        if !bool::from(same) || now >= until {
            return None;
        }
        let to = String::from_utf8(URL_SAFE_NO_PAD.decode(to).ok()?).ok()?;
        if self.spent.lock().unwrap_or_else(PoisonError::into_inner).contains_key(state) {
            return None;
        }
        let (nonce, verifier) = (self.code("nonce", state), self.verifier(state));
        Some(Returned { nonce, verifier, to, state: state.to_owned(), until })
    }

    /// Ends a login that came back; false when it was ended already.
    pub fn end(&self, returned: &Returned, now: Timestamp) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|_, until| *until > now);
        spent.insert(returned.state.clone(), returned.until).is_none()
    }

    fn verifier(&self, state: &str) -> SecretString {
        SecretString::from(self.code("verifier", state))
    }

    /// What only this process can make of a text, for one purpose.
    fn code(&self, purpose: &str, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose_secret().as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(text.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

/// A path of this host to go to after the login. What a browser could take for another host is none.
pub fn own_path(to: &str) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~?=&%".contains(&b);
    let own =
        to.starts_with('/') && !to.starts_with("//") && to.len() <= LONGEST_PATH && to.bytes().all(plain);
    own.then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_248_000 + seconds).unwrap()
    }

    #[test]
    fn a_login_ends_once_with_what_it_began_with() {
        let flows = Flows::new().unwrap();
        let begun = flows.begin("/console?tab=a", at(0)).unwrap();
        let find = |now| flows.find(begun.cookie.expose_secret(), &begun.state, now);
        let returned = find(at(599)).unwrap();
        assert_eq!((returned.nonce.as_str(), returned.to.as_str()), (begun.nonce.as_str(), "/console?tab=a"));
        let verifier = returned.verifier.expose_secret();
        // RFC 7636: 43 to 128 characters, and the challenge is their SHA-256.
        assert!((43..=128).contains(&verifier.len()));
        assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), begun.challenge);
        let meanwhile = find(at(1)).unwrap();
        assert!(flows.end(&returned, at(599)), "to be found ends nothing");
        assert!(find(at(599)).is_none() && !flows.end(&meanwhile, at(599)), "a second time");
        for secret in [verifier, &begun.nonce] {
            assert!(!begun.cookie.expose_secret().contains(secret) && *secret != begun.state);
        }
    }

    #[test]
    fn nothing_else_comes_back() {
        let flows = Flows::new().unwrap();
        let [mine, other] = [(); 2].map(|()| flows.begin("/", at(0)).unwrap());
        let cookie = mine.cookie.expose_secret();
        let found = |cookie: &str, state: &str, now| flows.find(cookie, state, now).is_some();
        assert!(!found(cookie, &mine.state, at(600)), "too late");
        assert!(!found(cookie, &other.state, at(0)), "the answer to another browser's login");
        assert!(!found(other.cookie.expose_secret(), &mine.state, at(0)));
        assert!(!found("", &mine.state, at(0)) && !found("...", "", at(0)));
        for at_byte in 0..cookie.len() {
            let mut bytes = cookie.to_owned().into_bytes();
            bytes[at_byte] = if bytes[at_byte] == b'0' { b'1' } else { b'0' };
            assert!(!found(&String::from_utf8(bytes).unwrap(), &mine.state, at(0)), "byte {at_byte}");
        }
        let restarted = Flows::new().unwrap();
        assert!(restarted.find(cookie, &mine.state, at(0)).is_none(), "another process has another key");
        assert!(found(cookie, &mine.state, at(0)), "what was tried in vain took nothing");
    }

    #[test]
    fn only_a_path_of_this_host_is_gone_to() {
        for own in ["/", "/console", "/console/runs?workspace=acme&limit=5", "/a%2Fb"] {
            assert_eq!(own_path(own), Some(own));
        }
        let long = format!("/{}", "a".repeat(LONGEST_PATH));
        for foreign in [
            "",
            "console",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            " /",
            "/a\r\nset-cookie: x",
            "/é",
            "javascript:alert(1)",
            "/a#b",
            "/@evil.example",
            &long,
        ] {
            assert_eq!(own_path(foreign), None, "{foreign}");
        }
    }
}
