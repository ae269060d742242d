//! Tokens and the values of sessions as they are shown: `ctk_` or `cts_`, the id, and the secret.
//!
//! The beginning is the same for all of a kind, so that scanners of code and logs recognise a token that got there. The secret is 256 random bits:
//! as nobody can try that many, its SHA-256 is kept, and no slow hash (argon2id is for passwords, which people choose).

use contactor_store::SecretHash;
use rand::random;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How a token begins.
pub(crate) const TOKEN: &str = "ctk_";
/// How the value of a session begins.
pub const SESSION: &str = "cts_";
const ID: usize = 16;
const SECRET: usize = 64;

/// A token or the value of a session that somebody shows.
pub struct Shown {
    /// By which it is looked for; no secret.
    pub id: String,
    hash: SecretHash,
}

impl Shown {
    /// Takes it apart; `None` when it cannot be one.
    pub fn parse(kind: &str, text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(kind)?.split_once('_')?;
        let is_hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        (is_hex(id, ID) && is_hex(secret, SECRET)).then(|| Self { id: id.to_owned(), hash: hash(secret) })
    }

    /// Whether it is the one of which this is kept. Takes the same time wherever the two differ.
    pub fn is(&self, kept: Option<SecretHash>) -> bool {
        let against = kept.unwrap_or(SecretHash([0; 32]));
        bool::from(self.hash.0.ct_eq(&against.0)) && kept.is_some()
    }
}

/// What is kept of a secret that the host made.
pub(crate) fn hash(secret: &str) -> SecretHash {
    SecretHash(Sha256::digest(secret.as_bytes()).into())
}

/// A new one of a kind: its id, what is kept of it, and what its user is shown once.
pub(crate) fn fresh(kind: &str) -> (String, SecretHash, SecretString) {
    let id = hex::encode(random::<[u8; ID / 2]>());
    let secret = Zeroizing::new(hex::encode(Zeroizing::new(random::<[u8; SECRET / 2]>()).as_slice()));
    let shown = SecretString::from(format!("{kind}{id}_{}", secret.as_str()));
    (id, hash(&secret), shown)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_new_token_is_recognised_by_what_is_kept_of_it_and_no_other_is() {
        let (id, kept, shown) = fresh(TOKEN);
        let text = shown.expose_secret();
        let parsed = Shown::parse(TOKEN, text).unwrap();
        assert_eq!(parsed.id, id);
        assert!(parsed.is(Some(kept)));
        assert!(!parsed.is(None) && !parsed.is(Some(fresh(TOKEN).1)));
        let last = if text.ends_with('0') { "1" } else { "0" };
        let other = format!("{}{last}", &text[..text.len() - 1]);
        assert!(!Shown::parse(TOKEN, &other).unwrap().is(Some(kept)));
        assert!(!text.contains(&hex::encode(kept.0)), "what is kept is not what is shown");
    }

    #[test]
    fn what_cannot_be_a_token_is_not_looked_up() {
        let (_, _, shown) = fresh(TOKEN);
        let text = shown.expose_secret();
        for wrong in [
            "",
            "ctk_",
            "ctk__",
            "fake-admin-token",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}0"),
            &text.to_uppercase(),
            &text.replacen(TOKEN, SESSION, 1),
            &text.replacen('_', "-", 2),
        ] {
            assert!(Shown::parse(TOKEN, wrong).is_none(), "{wrong}");
        }
    }
}
