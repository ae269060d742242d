//! A key for one file outside of the database: an answer that waits there to be stored.

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::aead::{self, Binding};
use super::key::random;
use super::{SecretKey, VaultError};

/// 256 bits from the operating system, in hex: nobody guesses them, and comparing them needs no slow hash.
pub fn random_secret() -> Result<SecretString, VaultError> {
    let mut bytes = Zeroizing::new([0; 32]);
    random(bytes.as_mut_slice())?;
    Ok(SecretString::from(hex::encode(bytes.as_slice())))
}

/// A key that is itself kept as a credential, as the text that [`random_secret`] makes.
#[derive(Debug)]
pub struct FileKey(SecretKey);

impl FileKey {
    /// The key of this text; none when the text is no key.
    pub fn of(text: &SecretString) -> Option<Self> {
        let bytes = Zeroizing::new(hex::decode(text.expose_secret()).ok()?);
        SecretKey::from_bytes(&bytes).map(Self)
    }

    /// Seals the contents of a file of this name.
    pub fn seal(&self, name: &str, contents: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(aead::seal(&self.0, &binding(name), contents)?.bytes)
    }

    /// Opens what was sealed for this name.
    pub fn open(&self, name: &str, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        aead::open(&self.0, &binding(name), bytes)
            .map_err(|problem| VaultError::Unusable { name: name.to_owned(), problem })
    }
}

fn binding(name: &str) -> Binding {
    Binding::of("contactor file 1").and(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_with_its_key_under_its_name_and_no_other() {
        let [one, other] = [(); 2].map(|()| FileKey::of(&random_secret().unwrap()).unwrap());
        let sealed = one.seal("a", b"fake-secret-words").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(one.open("a", &sealed).unwrap().as_slice(), b"fake-secret-words");
        assert!(one.open("b", &sealed).is_err() && other.open("a", &sealed).is_err());
        assert!(one.open("a", &sealed[..20]).is_err());
        for text in ["", "00ff", "no hex"] {
            assert!(FileKey::of(&SecretString::from(text.to_owned())).is_none(), "{text}");
        }
    }
}
