//! SHA-256 of canonical values.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Value;

/// SHA-256 in lower-case hex of what one side of a record offers. Equal for equal content, on every platform and in
/// every process.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// A fingerprint that was stored as text.
    pub fn from_stored(hex: impl Into<String>) -> Self {
        Self(hex.into())
    }

    /// The 64 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", self.0)
    }
}

/// Hashes a sequence of texts and values so that no two sequences look alike: every part is preceded by its length.
pub(crate) struct Hasher(Sha256);

impl Hasher {
    /// `purpose` keeps hashes of different things apart and carries the version of their layout.
    pub(crate) fn new(purpose: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.text(purpose);
        hasher
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    pub(crate) fn value(&mut self, value: &Value) {
        let kind = match value {
            Value::Null => "null",
            Value::Text(_) => "text",
            Value::Integer(_) => "integer",
            Value::Number(_) => "number",
            Value::Boolean(_) => "boolean",
            Value::Set(_) => "set",
            Value::Json(_) => "json",
        };
        self.text(kind);
        self.text(&value.to_json().to_string());
    }

    pub(crate) fn finish(self) -> Fingerprint {
        Fingerprint(hex::encode(self.0.finalize()))
    }
}
