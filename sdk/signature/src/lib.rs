//! Who vouches for a component: signatures of publishers, written into it and read without running it.
//!
//! A signature is a custom section `contactor:signature` of the outermost component: a version, the publisher's public key, and an
//! Ed25519 signature. Several publishers may sign, each in a section of its own. What is signed is
//!
//! ```text
//! "contactor:signature 1\0" ‖ SHA-256(the component up to the first signature)
//! ```
//!
//! and nothing may follow signatures but signatures. So a signature covers every byte that is not itself one: the preamble, every
//! section, nested components and the manifest with the connector's id and version. It fits no other component, and nothing can be put
//! before, between or behind signatures without either breaking them or being refused. A signature section has one form only, so there
//! is no room in it either; one that lies in a nested component is bytes like any other, and counts for nothing.
//!
//! [`read`] holds *every* signature to that, also those of strangers: one that does not fit means that the bytes were changed, whoever
//! else has signed. Which keys are trusted, and for which connectors, is for the host to say.
//!
//! Rejected: a signature in a file of its own (it gets lost, and an installed component could not be checked at each load); a signature
//! over sections one by one (what lies between them is nobody's); signing the digest of the file (it would change by being signed).

mod key;

use contactor_manifest::{SIGNATURE_SECTION, SectionError, custom_section, sections};
use sha2::{Digest as _, Sha256};

pub use key::{KeyError, PublicKey, SecretKey};

/// Keeps what is signed here apart from whatever else the same key may sign.
const DOMAIN: &[u8] = b"contactor:signature 1\0";
/// The form of a section's content: this byte, the public key, the signature.
const VERSION: u8 = 1;
const CONTENT: usize = 1 + PublicKey::BYTES + key::SIGNATURE_BYTES;
/// More publishers than this have no reason to sign one component, and each costs a verification.
pub const MAX_SIGNATURES: usize = 8;

/// Why a component's signatures cannot be read, or cannot be added to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The bytes are no component, or a damaged one.
    #[error(transparent)]
    Section(#[from] SectionError),
    /// A section has the name of a signature and not its form.
    #[error(
        "the signature at byte {offset} has a form that is not known here: build the component anew, and sign it with this version"
    )]
    Malformed {
        /// Where the section begins.
        offset: usize,
    },
    /// Something else follows a signature.
    #[error(
        "bytes were added behind the signatures, at byte {offset}: build the component anew and sign it as the last step"
    )]
    Followed {
        /// Where it begins.
        offset: usize,
    },
    /// One key has signed twice.
    #[error("{0} has signed more than once: build the component anew and sign it once")]
    Repeated(PublicKey),
    /// There are more signatures than [`MAX_SIGNATURES`].
    #[error("the component has more than {MAX_SIGNATURES} signatures")]
    TooMany,
    /// A signature is not of these bytes.
    #[error("the signature of {0} is not of these bytes: they were changed after they were signed")]
    Wrong(PublicKey),
}

/// A component whose signatures are all good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// SHA-256 of what is signed: it stays the same whoever signs, unlike the digest of the file.
    pub digest: [u8; 32],
    /// Whose signatures it has, in the order of the file; none when it is unsigned.
    pub signers: Vec<PublicKey>,
}

/// Reads and verifies all signatures of a component. A component without any is unsigned, and no error.
///
/// # Errors
/// Any [`SignatureError`].
pub fn read(component: &[u8]) -> Result<Signed, SignatureError> {
    let mut end = component.len();
    let mut found: Vec<(PublicKey, [u8; key::SIGNATURE_BYTES])> = Vec::new();
    for section in sections(component)? {
        let section = section?;
        let Some(content) = section.custom(SIGNATURE_SECTION) else {
            if found.is_empty() {
                continue;
            }
            return Err(SignatureError::Followed { offset: section.offset });
        };
        let malformed = SignatureError::Malformed { offset: section.offset };
        // Of all the ways to write the same lengths one counts: nothing can be varied in a section without being noticed.
        if section.whole != custom_section(SIGNATURE_SECTION, content) {
            return Err(malformed);
        }
        let Some((key, signature)) = parse(content) else { return Err(malformed) };
        if found.is_empty() {
            end = section.offset;
        }
        if found.iter().any(|(known, _)| *known == key) {
            return Err(SignatureError::Repeated(key));
        }
        if found.len() == MAX_SIGNATURES {
            return Err(SignatureError::TooMany);
        }
        found.push((key, signature));
    }
    let digest = Sha256::digest(&component[..end]).into();
    let message = message(&digest);
    let verified = found.into_iter().map(|(key, signature)| {
        if key.verifies(&message, &signature) { Ok(key) } else { Err(SignatureError::Wrong(key)) }
    });
    Ok(Signed { digest, signers: verified.collect::<Result<_, _>>()? })
}

/// Adds a signature to a component. One that the key has signed already is answered as it is.
///
/// # Errors
/// Any [`SignatureError`]: what has a bad signature is not signed over, for whoever adds one vouches for what is there.
pub fn sign(component: &[u8], key: &SecretKey) -> Result<Vec<u8>, SignatureError> {
    let Signed { digest, signers } = read(component)?;
    let public = key.public();
    if signers.contains(&public) {
        return Ok(component.to_owned());
    }
    if signers.len() == MAX_SIGNATURES {
        return Err(SignatureError::TooMany);
    }
    let content = [&[VERSION], public.as_bytes().as_slice(), &key.sign(&message(&digest))].concat();
    Ok([component, &custom_section(SIGNATURE_SECTION, &content)].concat())
}

fn message(digest: &[u8; 32]) -> Vec<u8> {
    [DOMAIN, digest].concat()
}

fn parse(content: &[u8]) -> Option<(PublicKey, [u8; key::SIGNATURE_BYTES])> {
    let (&version, rest) = content.split_first()?;
    let (key, signature) = rest.split_first_chunk::<{ PublicKey::BYTES }>()?;
    let fits = version == VERSION && content.len() == CONTENT;
    Some((PublicKey::from_bytes(*key).ok()?, signature.try_into().ok()?)).filter(|_| fits)
}

#[cfg(test)]
mod tests;
