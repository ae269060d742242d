//! Signed tokens: JSON Web Signatures in their compact form, and the keys that they are verified with.
//!
//! The algorithms are those of [`Algorithm`] and no others: `none` is not one of them, and neither are the symmetric ones, for which a
//! provider's public key would be a secret that everybody knows. An algorithm belongs to a kind of key; a token that names another one
//! than the key is of fits none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// Bytes of a token: those of providers with many groups have some thousands.
const LONGEST: usize = 32 * 1024;
/// Keys of a provider that are looked at.
const KEYS: usize = 64;

/// How a token may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSA with PKCS #1 v1.5 and SHA-256; of 2,048 bits at least, like all of RSA here.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA with PSS and SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA over P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rs256, Self::Ps256, Self::Es256, Self::Es384, Self::EdDsa];

    fn named(name: &str) -> Option<Self> {
        Self::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(name)).ok()
    }
}

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// It does not have the form of one, or is too long.
    #[error("it is no signed token")]
    Malformed,
    /// By an algorithm that nobody should use for it; so much of its name as can be shown.
    #[error("it is signed with `{0}`, which is not allowed here")]
    Algorithm(String),
    /// Whoever does not know them must not believe it.
    #[error("it demands extensions that are not known here")]
    Critical,
    /// No key of its name and kind, or several that it could be of.
    #[error("the provider has no key of that name for it")]
    UnknownKey,
    /// Somebody else signed it, or something else was signed.
    #[error("its signature does not fit")]
    Wrong,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// Reads an object. A list of its members' values, which serde takes for one as well, is none.
fn object<'j, T: Deserialize<'j>>(json: &'j [u8]) -> Option<T> {
    json.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(json).ok())?
}

/// A token whose signature was not verified yet.
pub struct Token<'t> {
    algorithm: Algorithm,
    kid: Option<String>,
    signed: &'t str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Token<'t> {
    /// Takes a token apart, if it is signed in a way that is allowed.
    ///
    /// # Errors
    /// It is no token, or not one of these ways.
    pub fn parse(text: &'t str, allowed: &[Algorithm]) -> Result<Self, Unsigned> {
        let parts = || {
            let (signed, signature) = text.rsplit_once('.')?;
            let (header, claims) = signed.split_once('.')?;
            let header = URL_SAFE_NO_PAD.decode(header).ok()?;
            let header: Header = object(&header)?;
            let (claims, signature) =
                (URL_SAFE_NO_PAD.decode(claims).ok()?, URL_SAFE_NO_PAD.decode(signature).ok()?);
            Some((signed, header, claims, signature))
        };
        let short = Some(text).filter(|text| text.len() <= LONGEST);
        let (signed, header, claims, signature) = short.and_then(|_| parts()).ok_or(Unsigned::Malformed)?;
        let named = Algorithm::named(&header.alg).filter(|algorithm| allowed.contains(algorithm));
        let shown = || header.alg.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        let algorithm = named.ok_or_else(|| Unsigned::Algorithm(shown()))?;
        if header.crit.is_some() {
            return Err(Unsigned::Critical);
        }
        Ok(Self { algorithm, kid: header.kid, signed, claims, signature })
    }

    /// The claims, once one of the keys has signed them. Keys of another name are not tried, and a token that names none is believed
    /// only if there is one key that it can be of.
    ///
    /// # Errors
    /// No key, or not just one, fits its name and algorithm, or the signature does not.
    pub fn verified(&self, keys: &KeySet) -> Result<&[u8], Unsigned> {
        let mut fitting = keys.0.iter().filter(|key| {
            self.kid.as_ref().is_none_or(|kid| key.kid.as_ref() == Some(kid)) && key.serves(self.algorithm)
        });
        let (Some(key), None) = (fitting.next(), fitting.next()) else { return Err(Unsigned::UnknownKey) };
        if key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature) {
            Ok(&self.claims)
        } else {
            Err(Unsigned::Wrong)
        }
    }
}

/// A key as a provider publishes it.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

#[derive(Clone)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Clone)]
struct Key {
    kid: Option<String>,
    /// The one algorithm that the provider uses it for, if it says so.
    only: Option<Algorithm>,
    material: Material,
}

/// The keys of a provider that a token can be verified with.
#[derive(Clone, Default)]
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// Reads a provider's keys. What is of no use here is passed over: encryption keys, other curves, symmetric keys.
    pub fn parse(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Published {
            keys: Vec<serde_json::Value>,
        }
        let published: Published = object(json)?;
        let keys = published.keys.into_iter().take(KEYS).filter(serde_json::Value::is_object);
        Some(Self(keys.filter_map(|key| Key::of(serde_json::from_value(key).ok()?)).collect()))
    }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Self> {
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        // The uncompressed form of a point; each coordinate has its full length.
        let point = |length: usize| {
            let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
            (x.len() == length && y.len() == length).then(|| [&[4], x.as_slice(), &y].concat())
        };
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => {
                let unpadded = |bytes: Vec<u8>| bytes.into_iter().skip_while(|byte| *byte == 0).collect();
                Material::Rsa { n: unpadded(bytes(&jwk.n)?), e: unpadded(bytes(&jwk.e)?) }
            }
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&jwk.x)?),
            _ => return None,
        };
        let only = match &jwk.alg {
            None => None,
            // A key for something else is none for this.
            Some(name) => Some(Algorithm::named(name)?),
        };
        Some(Self { kid: jwk.kid, only, material })
    }

    fn serves(&self, algorithm: Algorithm) -> bool {
        let of_kind = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => matches!(self.material, Material::Rsa { .. }),
            Algorithm::Es256 => matches!(self.material, Material::P256(_)),
            Algorithm::Es384 => matches!(self.material, Material::P384(_)),
            Algorithm::EdDsa => matches!(self.material, Material::Ed25519(_)),
        };
        of_kind && self.only.is_none_or(|only| only == algorithm)
    }

    fn verifies(&self, algorithm: Algorithm, message: &[u8], signed: &[u8]) -> bool {
        let rsa = |parameters, n: &[u8], e: &[u8]| {
            RsaPublicKeyComponents { n, e }.verify(parameters, message, signed).is_ok()
        };
        let unparsed = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(message, signed).is_ok()
        };
        match (algorithm, &self.material) {
            (Algorithm::Rs256, Material::Rsa { n, e }) => {
                rsa(&signature::RSA_PKCS1_2048_8192_SHA256, n.as_slice(), e.as_slice())
            }
            (Algorithm::Ps256, Material::Rsa { n, e }) => {
                rsa(&signature::RSA_PSS_2048_8192_SHA256, n.as_slice(), e.as_slice())
            }
            (Algorithm::Es256, Material::P256(key)) => unparsed(&signature::ECDSA_P256_SHA256_FIXED, key),
            (Algorithm::Es384, Material::P384(key)) => unparsed(&signature::ECDSA_P384_SHA384_FIXED, key),
            (Algorithm::EdDsa, Material::Ed25519(key)) => unparsed(&signature::ED25519, key),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;

    fn encode(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn ed25519() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn okp(kid: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encode(ed25519().public_key())})
    }

    fn keys(keys: &[Value]) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn token(header: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let signed = format!("{}.{}", encode(header.to_string()), encode(r#"{"sub":"ann"}"#));
        let signature = encode(sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn verify(token: &str, keys: &KeySet) -> Result<Vec<u8>, Unsigned> {
        Token::parse(token, &Algorithm::ALL)?.verified(keys).map(<[u8]>::to_vec)
    }

    fn by_ed25519(header: &Value) -> String {
        token(header, |message| ed25519().sign(message).as_ref().to_vec())
    }

    #[test]
    fn a_token_of_the_key_that_it_names_is_believed() {
        let good = by_ed25519(&json!({"alg": "EdDSA", "kid": "a", "typ": "JWT"}));
        assert_eq!(verify(&good, &keys(&[okp("b"), okp("a")])).unwrap(), br#"{"sub":"ann"}"#);
        assert_eq!(verify(&good, &keys(&[okp("b")])), Err(Unsigned::UnknownKey));
        let nameless = by_ed25519(&json!({"alg": "EdDSA"}));
        assert!(verify(&nameless, &keys(&[okp("b")])).is_ok());
        assert_eq!(verify(&nameless, &keys(&[okp("a"), okp("b")])), Err(Unsigned::UnknownKey));
    }

    #[test]
    fn every_character_counts() {
        let (good, keys) = (by_ed25519(&json!({"alg": "EdDSA", "kid": "a"})), keys(&[okp("a")]));
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(verify(&String::from_utf8(bytes).unwrap(), &keys).is_err(), "at {at}");
        }
    }

    #[test]
    fn algorithms_that_anybody_could_use_are_not_allowed() {
        let keys = keys(&[okp("a"), json!({"kty": "oct", "kid": "a", "k": encode("secret")})]);
        for alg in ["none", "None", "HS256", "HS512", "eddsa", "RS1", "", "ES256K"] {
            for forged in [
                token(&json!({"alg": alg, "kid": "a"}), |_| Vec::new()),
                by_ed25519(&json!({"alg": alg, "kid": "a"})),
            ] {
                assert_eq!(verify(&forged, &keys), Err(Unsigned::Algorithm(alg.to_owned())));
            }
        }
        // Another kind of key than the algorithm's.
        for alg in ["RS256", "PS256", "ES256", "ES384"] {
            assert_eq!(
                verify(&by_ed25519(&json!({"alg": alg, "kid": "a"})), &keys),
                Err(Unsigned::UnknownKey)
            );
        }
        let good = by_ed25519(&json!({"alg": "EdDSA", "kid": "a"}));
        let not_listed = Token::parse(&good, &[Algorithm::Rs256]).map(drop);
        assert_eq!(not_listed, Err(Unsigned::Algorithm("EdDSA".to_owned())));
    }

    #[test]
    fn a_key_is_used_for_what_it_is_published_for() {
        let good = by_ed25519(&json!({"alg": "EdDSA", "kid": "a"}));
        for (member, value) in
            [("use", "enc"), ("alg", "ES256"), ("alg", "RSA-OAEP"), ("kty", "EC"), ("x", "AA=")]
        {
            let mut key = okp("a");
            key[member] = json!(value);
            assert_eq!(verify(&good, &keys(&[key])), Err(Unsigned::UnknownKey), "{member}={value}");
        }
        let mut key = okp("a");
        (key["use"], key["alg"]) = (json!("sig"), json!("EdDSA"));
        assert!(verify(&good, &keys(&[key])).is_ok());
    }

    #[test]
    fn ecdsa_has_one_form_of_point_and_signature() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        let jwk = |x: &[u8], y: &[u8]| json!({"kty": "EC", "crv": "P-256", "kid": "a", "x": encode(x), "y": encode(y)});
        let sign = |message: &[u8]| pair.sign(&random, message).unwrap().as_ref().to_vec();
        let good = token(&json!({"alg": "ES256", "kid": "a"}), sign);
        assert!(verify(&good, &keys(&[jwk(&point[1..33], &point[33..])])).is_ok());
        assert_eq!(verify(&good, &keys(&[jwk(&point[1..32], &point[32..])])), Err(Unsigned::UnknownKey));
        assert_eq!(verify(&good, &keys(&[jwk(&[1; 32], &[1; 32])])), Err(Unsigned::Wrong));
        let zero = token(&json!({"alg": "ES256", "kid": "a"}), |_| vec![0; 64]);
        assert_eq!(verify(&zero, &keys(&[jwk(&point[1..33], &point[33..])])), Err(Unsigned::Wrong));
    }

    #[test]
    fn what_is_no_token_is_said_to_be_none() {
        let good = by_ed25519(&json!({"alg": "EdDSA", "kid": "a"}));
        let long = "a".repeat(LONGEST);
        for wrong in [
            "",
            ".",
            "..",
            "a.b.c",
            &good[1..],
            &format!("{good}."),
            &format!("{good}="),
            &format!("{good}.{long}"),
        ] {
            assert_eq!(Token::parse(wrong, &Algorithm::ALL).map(drop), Err(Unsigned::Malformed), "{wrong}");
        }
        let critical = by_ed25519(&json!({"alg": "EdDSA", "kid": "a", "crit": ["exp"]}));
        assert_eq!(Token::parse(&critical, &Algorithm::ALL).map(drop), Err(Unsigned::Critical));
        let twice = format!("{}.e30.AA", encode(r#"{"alg":"none","alg":"EdDSA"}"#));
        assert_eq!(Token::parse(&twice, &Algorithm::ALL).map(drop), Err(Unsigned::Malformed));
        assert!(KeySet::parse(b"{}").is_none() && KeySet::parse(b"{\"keys\": 1}").is_none());
    }

    #[test]
    fn a_list_is_taken_for_no_object() {
        let good = by_ed25519(&json!({"alg": "EdDSA", "kid": "a"}));
        let listed = by_ed25519(&json!(["EdDSA", "a", null]));
        assert_eq!(verify(&listed, &keys(&[okp("a")])), Err(Unsigned::Malformed));
        let key = json!(["OKP", "a", null, null, "Ed25519", null, null, encode(ed25519().public_key())]);
        assert_eq!(verify(&good, &keys(&[key])), Err(Unsigned::UnknownKey));
        assert!(KeySet::parse(json!([[okp("a")]]).to_string().as_bytes()).is_none());
    }
}
