//! Tokens as they are shown: `ctk_`, the id, and the secret.
//!
//! The beginning is the same for all, so that scanners of code and logs recognise a token that got there. The secret is 256 random bits:
//! as nobody can try that many, its SHA-256 is kept, and no slow hash (argon2id is for passwords, which people choose).

use contactor_store::{SecretHash, TokenId};
use rand::random;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const PREFIX: &str = "ctk_";
const ID: usize = 16;
const SECRET: usize = 64;

/// A token that somebody shows.
pub(crate) struct Shown {
    pub(crate) id: TokenId,
    hash: SecretHash,
}

impl Shown {
    /// Takes it apart; `None` when it cannot be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        (is_hex(id, ID) && is_hex(secret, SECRET)).then(|| Self { id: TokenId::new(id), hash: hash(secret) })
    }

    /// Whether it is the one of which this is kept. Takes the same time wherever the two differ.
    pub(crate) fn is(&self, kept: Option<SecretHash>) -> bool {
        let against = kept.unwrap_or(SecretHash([0; 32]));
        bool::from(self.hash.0.ct_eq(&against.0)) && kept.is_some()
    }
}

fn hash(secret: &str) -> SecretHash {
    SecretHash(Sha256::digest(secret.as_bytes()).into())
}

/// A new token: its id, what is kept of it, and what its user is shown once.
pub(crate) fn fresh() -> (TokenId, SecretHash, SecretString) {
    let id = hex::encode(random::<[u8; ID / 2]>());
    let secret = Zeroizing::new(hex::encode(Zeroizing::new(random::<[u8; SECRET / 2]>()).as_slice()));
    let shown = SecretString::from(format!("{PREFIX}{id}_{}", secret.as_str()));
    (TokenId::new(id), hash(&secret), shown)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_new_token_is_recognised_by_what_is_kept_of_it_and_no_other_is() {
        let (id, kept, shown) = fresh();
        let text = shown.expose_secret();
        let parsed = Shown::parse(text).unwrap();
        assert_eq!(parsed.id, id);
        assert!(parsed.is(Some(kept)));
        assert!(!parsed.is(None) && !parsed.is(Some(fresh().1)));
        let last = if text.ends_with('0') { "1" } else { "0" };
        let other = format!("{}{last}", &text[..text.len() - 1]);
        assert!(!Shown::parse(&other).unwrap().is(Some(kept)));
        assert!(!text.contains(&hex::encode(kept.0)), "what is kept is not what is shown");
    }

    #[test]
    fn what_cannot_be_a_token_is_not_looked_up() {
        let (_, _, shown) = fresh();
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
            &text.replacen('_', "-", 2),
        ] {
            assert!(Shown::parse(wrong).is_none(), "{wrong}");
        }
    }
}
