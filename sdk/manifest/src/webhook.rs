//! How a partner's webhooks are recognised, as data: the host verifies them before the connector sees one.

use serde::{Deserialize, Serialize};

use crate::Template;

/// `[webhook]`: the partner sends webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// How a webhook proves where it comes from.
    pub signature: Signature,
    /// What tells a repeated delivery from a new event.
    #[serde(default)]
    pub event_id: EventId,
    /// What the admin enters at the partner, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// How a webhook proves where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Signature {
    /// Not at all: only the path of the connection's webhook address cannot be guessed. Such a webhook is a hint and no more.
    None,
    /// HMAC with SHA-256 and a secret that both ends know.
    HmacSha256 {
        /// The header that carries the signature.
        header: String,
        /// The header's value: `{signature}` and perhaps `{timestamp}`, comma-separated, for example
        /// `t={timestamp},v1={signature}`.
        format: Template,
        /// The signed text: `{body}` and perhaps `{timestamp}`, for example `{timestamp}.{body}`.
        signed: Template,
        /// How the signature is written.
        #[serde(default)]
        encoding: Encoding,
        /// How far the timestamp may lie from now, in seconds. Without meaning when the format has no timestamp.
        #[serde(default = "five_minutes")]
        tolerance_seconds: u32,
    },
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Hexadecimal, of either case.
    #[default]
    Hex,
    /// Base64 of the standard alphabet, padded.
    Base64,
}

/// What tells a repeated delivery from a new event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventId {
    /// Equal bodies are one event. For partners that send no id.
    #[default]
    Body,
    /// The header of this name. For webhooks without a signature alone: none covers it.
    Header(String),
    /// The value at this JSON pointer of the body.
    Pointer(String),
}

/// What a signature header holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureParts<'h> {
    /// The timestamp as it was sent, when the format has one.
    pub timestamp: Option<&'h str>,
    /// The signatures, still encoded. There may be several while a secret is being replaced; one has to match.
    pub signatures: Vec<&'h str>,
}

impl Signature {
    /// Takes a signature header apart. Elements that the format does not know are ignored, for example those of an older scheme.
    /// `None` when an element of the format is missing, or when the scheme has no header.
    pub fn read<'h>(&self, header: &'h str) -> Option<SignatureParts<'h>> {
        let Self::HmacSha256 { format, .. } = self else { return None };
        let elements: Vec<&str> = header.split(',').map(str::trim).collect();
        let (mut timestamp, mut signatures) = (None, Vec::new());
        for element in format.as_str().split(',') {
            if let Some(start) = element.trim().strip_suffix("{timestamp}") {
                timestamp = Some(elements.iter().find_map(|text| text.strip_prefix(start))?);
            } else if let Some(start) = element.trim().strip_suffix("{signature}") {
                signatures.extend(elements.iter().filter_map(|text| text.strip_prefix(start)));
            }
        }
        (!signatures.is_empty()).then_some(SignatureParts { timestamp, signatures })
    }
}

fn five_minutes() -> u32 {
    300
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(format: &str) -> Signature {
        Signature::HmacSha256 {
            header: "x-signature".into(),
            format: Template::parse(format).unwrap(),
            signed: Template::parse("{body}").unwrap(),
            encoding: Encoding::Hex,
            tolerance_seconds: 300,
        }
    }

    #[test]
    fn timestamp_and_signatures_are_found_by_their_names_in_any_order() {
        let parts = signature("t={timestamp},v1={signature}");
        assert_eq!(
            parts.read("v0=old, v1=aa, t=1700000000, v1=bb"),
            Some(SignatureParts { timestamp: Some("1700000000"), signatures: vec!["aa", "bb"] })
        );
    }

    #[test]
    fn a_header_that_lacks_an_element_of_the_format_is_refused() {
        let parts = signature("t={timestamp},v1={signature}");
        assert_eq!(parts.read("v1=aa"), None);
        assert_eq!(parts.read("t=1"), None);
        assert_eq!(parts.read(""), None);
    }

    #[test]
    fn a_plain_signature_is_the_whole_header() {
        assert_eq!(signature("sha256={signature}").read("sha256=aa").unwrap().signatures, ["aa"]);
        assert_eq!(signature("{signature}").read("aa").unwrap().signatures, ["aa"]);
    }
}
