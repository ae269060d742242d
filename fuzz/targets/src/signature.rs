//! Signatures of publishers in a component: those that are read are genuine and cover every byte before them, one more is added and
//! nothing else, and nothing that was changed is still signed.
//!
//! Input: the bytes of a component. In the corpus there are signatures of the key of RFC 8410 (10.3), which is this target's own, of that of
//! RFC 8032 (7.1, test 2), and of keys whose bytes are all the same.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contactor_manifest::{SIGNATURE_SECTION, custom_section, embed};
use contactor_signature::{MAX_SIGNATURES, SecretKey, SignatureError, Signed, read, sign};
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};

const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
/// A version, a public key, a signature.
const CONTENT: usize = 1 + 32 + 64;

static KEY: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::from_pem(PEM).unwrap());

pub(crate) fn run(input: &[u8]) {
    let found = match read(input) {
        Ok(found) => found,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!(sign(input, &KEY), Err(error), "what is bad is not signed over");
            return;
        }
    };
    genuine(input, &found);
    let other = embed(input, "# another manifest").expect("what can be read can be written");
    assert!(read(&other).expect("a component").signers.is_empty(), "they were of other bytes");
    let public = KEY.public();
    let signed = match sign(input, &KEY) {
        Ok(signed) => signed,
        Err(error) => {
            assert_eq!((error, found.signers.len()), (SignatureError::TooMany, MAX_SIGNATURES));
            return;
        }
    };
    if found.signers.contains(&public) {
        assert_eq!(signed, input, "who has signed signs once");
    } else {
        assert!(signed.starts_with(input));
        let signers = [found.signers.as_slice(), &[public]].concat();
        assert_eq!(read(&signed), Ok(Signed { digest: found.digest, signers }));
    }
    spoilt(&signed, &found);
}

/// The signatures are where they have to be and what they say: computed by other code than the host's.
fn genuine(input: &[u8], found: &Signed) {
    let length = custom_section(SIGNATURE_SECTION, &[0; CONTENT]).len();
    let (body, signatures) = input.split_at(input.len() - found.signers.len() * length);
    assert_eq!(digest(&SHA256, body).as_ref(), found.digest.as_slice());
    let message = [b"contactor:signature 1\0".as_slice(), &found.digest].concat();
    for (section, signer) in signatures.chunks(length).zip(&found.signers) {
        let content = &section[length - CONTENT..];
        assert_eq!(section, custom_section(SIGNATURE_SECTION, content));
        let (key, signature) = content[1..].split_at(32);
        assert_eq!(signer.to_string(), format!("ed25519:{}", STANDARD.encode(key)));
        let verified = UnparsedPublicKey::new(&ED25519, key).verify(&message, signature);
        assert!(verified.is_ok(), "{signer} did not sign this");
    }
}

/// Whatever is done to what is signed: it is noticed, or nobody has signed what is left. Only the last signatures can be cut off.
fn spoilt(signed: &[u8], found: &Signed) {
    let [first, second, bit, ..] = found.digest;
    let at = usize::from(u16::from_be_bytes([first, second])) % signed.len();
    let mut flipped = signed.to_vec();
    flipped[at] ^= 1 << (bit % 8);
    if let Ok(left) = read(&flipped) {
        assert!(left.signers.is_empty(), "bit {} of byte {at}", bit % 8);
    }
    if let Ok(left) = read(&signed[..at]) {
        let is_whole = left.digest == found.digest;
        assert!(is_whole || left.signers.is_empty(), "the first {at} bytes");
    }
    for more in [b"\0".as_slice(), &custom_section("hidden", b"payload"), &signed[at..]] {
        assert!(read(&[signed, more].concat()).is_err(), "{} bytes behind it", more.len());
    }
}
