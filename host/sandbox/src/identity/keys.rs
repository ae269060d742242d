//! The provider's keys, and the tokens that are signed with them: real ones, and forgeries as attackers make them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Algorithm, Forgery};
use crate::random::Random;

const RSA_BITS: usize = 2048;

/// One key of each kind; they are rotated together.
pub(super) struct Keys {
    /// Counted up with each rotation; part of each key's name.
    generation: u32,
    rsa: Rsa,
    ecdsa: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

struct Rsa {
    pair: RsaKeyPair,
    n: Vec<u8>,
    e: Vec<u8>,
}

impl Keys {
    /// Keys of a generation. None when the machine gives no randomness.
    pub(super) fn new(seed: u64, generation: u32) -> Option<Self> {
        let mut random = Random::new(seed, &format!("identity {generation}"));
        let system = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &system).ok()?;
        let mut secret = [0; 32];
        for chunk in secret.chunks_mut(8) {
            chunk.copy_from_slice(&random.bits().to_le_bytes());
        }
        Some(Self {
            generation,
            rsa: Rsa::new(&mut random)?,
            ecdsa: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &system)
                .ok()?,
            ed25519: Ed25519KeyPair::from_seed_unchecked(&secret).ok()?,
        })
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    fn kid(&self, algorithm: Algorithm) -> String {
        format!("{}-{}", algorithm.name().to_lowercase(), self.generation)
    }

    /// The public halves, as a provider publishes them.
    pub(super) fn published(&self) -> Vec<Value> {
        let point = self.ecdsa.public_key().as_ref();
        vec![
            json!({
                "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid(Algorithm::Rs256),
                "n": encode(&self.rsa.n), "e": encode(&self.rsa.e),
            }),
            json!({
                "kty": "EC", "use": "sig", "crv": "P-256", "kid": self.kid(Algorithm::Es256),
                "x": encode(&point[1..33]), "y": encode(&point[33..]),
            }),
            json!({
                "kty": "OKP", "use": "sig", "crv": "Ed25519", "kid": self.kid(Algorithm::EdDsa),
                "x": encode(self.ed25519.public_key()),
            }),
        ]
    }

    /// A token with these claims. None when the machine gives no randomness.
    pub(super) fn sign(
        &self,
        algorithm: Algorithm,
        claims: &Value,
        forgery: Option<Forgery>,
    ) -> Option<String> {
        let mut header = json!({ "alg": algorithm.name(), "kid": self.kid(algorithm), "typ": "JWT" });
        match forgery {
            Some(Forgery::None) => header["alg"] = json!("none"),
            Some(Forgery::PublicKeyAsSecret) => header["alg"] = json!("HS256"),
            Some(Forgery::UnknownKey) => header["kid"] = json!("nobody-0"),
            Some(Forgery::OtherKey) | None => {}
        }
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let message = signed.as_bytes();
        let signature = match forgery {
            Some(Forgery::None) => Vec::new(),
            // What a library verifies with that takes the algorithm from the token and the key from the provider.
            Some(Forgery::PublicKeyAsSecret) => {
                let secret = self.published()[algorithm as usize].to_string();
                let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
                mac.update(message);
                mac.finalize().into_bytes().to_vec()
            }
            Some(Forgery::OtherKey) => {
                Ed25519KeyPair::from_seed_unchecked(&[1; 32]).ok()?.sign(message).as_ref().to_vec()
            }
            Some(Forgery::UnknownKey) | None => self.real(algorithm, message)?,
        };
        Some(format!("{signed}.{}", encode(signature)))
    }

    fn real(&self, algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
        let system = SystemRandom::new();
        match algorithm {
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.pair.public().modulus_len()];
                self.rsa.pair.sign(&RSA_PKCS1_SHA256, &system, message, &mut signature).ok()?;
                Some(signature)
            }
            Algorithm::Es256 => Some(self.ecdsa.sign(&system, message).ok()?.as_ref().to_vec()),
            Algorithm::EdDsa => Some(self.ed25519.sign(message).as_ref().to_vec()),
        }
    }
}

impl Rsa {
    fn new(random: &mut Random) -> Option<Self> {
        let key = RsaPrivateKey::new(random, RSA_BITS).ok()?;
        let der = key.to_pkcs1_der().ok()?;
        Some(Self {
            pair: RsaKeyPair::from_der(der.as_bytes()).ok()?,
            n: key.n().to_bytes_be(),
            e: key.e().to_bytes_be(),
        })
    }
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
