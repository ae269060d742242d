//! What each kind of receiver is sent. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use contactor_store::DestinationKind;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The beginning of a signing secret, as Standard Webhooks writes it.
const PREFIX: &str = "whsec_";

/// A message as it was handed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// What it is about: `task.completed`.
    pub(crate) kind: String,
    /// One line.
    pub(crate) title: String,
    /// Plain text.
    pub(crate) text: String,
    /// The data behind it.
    pub(crate) data: Map<String, Json>,
    /// When it was handed over.
    pub(crate) at: Timestamp,
}

impl Content {
    pub(crate) fn read(stored: &Json) -> Result<Self, serde_json::Error> {
        Self::deserialize(stored)
    }

    /// The body of a POST.
    pub(super) fn body(&self, kind: DestinationKind) -> Json {
        match kind {
            // Slack-compatible chats take one text; their markup is switched off by escaping its three characters.
            DestinationKind::Chat => {
                json!({ "text": format!("*{}*\n{}", escaped(&self.title), escaped(&self.text)).trim_end() })
            }
            // A card as Trello's API takes it.
            DestinationKind::Board => json!({
                "name": self.title,
                "desc": self.text,
                "due": self.due(),
                "labels": self.labels(),
            }),
            DestinationKind::Webhook | DestinationKind::Email => json!({
                "type": self.kind,
                "timestamp": self.at.to_string(),
                "data": self.data,
                "title": self.title,
                "text": self.text,
            }),
        }
    }

    fn due(&self) -> Option<&str> {
        ["due", "dueDate", "due_date"].iter().find_map(|name| self.data.get(*name)?.as_str())
    }

    fn labels(&self) -> Vec<&str> {
        let labels = self.data.get("labels").or_else(|| self.data.get("tags"));
        labels.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The signature of a webhook by the Standard Webhooks scheme: `v1,<base64>` over `<id>.<seconds>.<body>`.
pub(super) fn signature(secret: &SecretString, id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let key = key(secret)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
}

/// The key of a signing secret: 24 to 64 bytes, as the scheme demands.
pub(super) fn key(secret: &SecretString) -> Option<Zeroizing<Vec<u8>>> {
    let encoded = secret.expose_secret().strip_prefix(PREFIX)?;
    let key = Zeroizing::new(BASE64.decode(encoded).ok()?);
    (24..=64).contains(&key.len()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        Content {
            kind: "task.completed".to_owned(),
            title: "Call <Ada> & co".to_owned(),
            text: "It is done.".to_owned(),
            data: json!({ "dueDate": "2026-12-01T09:00:00Z", "labels": ["lead", 7, "vip"] })
                .as_object()
                .unwrap()
                .clone(),
            at: "2026-11-21T09:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn each_receiver_is_sent_what_it_can_read() {
        assert_eq!(
            content().body(DestinationKind::Chat),
            json!({ "text": "*Call &lt;Ada&gt; &amp; co*\nIt is done." })
        );
        assert_eq!(
            content().body(DestinationKind::Board),
            json!({ "name": "Call <Ada> & co", "desc": "It is done.", "due": "2026-12-01T09:00:00Z", "labels": ["lead", "vip"] })
        );
        let webhook = content().body(DestinationKind::Webhook);
        assert_eq!(
            (&webhook["type"], &webhook["timestamp"]),
            (&json!("task.completed"), &json!("2026-11-21T09:00:00Z"))
        );
        assert_eq!(webhook["data"]["labels"], json!(["lead", 7, "vip"]));
        let bare = Content { data: Map::new(), text: String::new(), ..content() };
        assert_eq!(bare.body(DestinationKind::Board)["due"], Json::Null);
        assert_eq!(bare.body(DestinationKind::Chat)["text"], "*Call &lt;Ada&gt; &amp; co*");
    }

    /// Checked against an independent calculation (Python's `hmac`), with a secret that protects nothing.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = SecretString::from(format!("whsec_{}", BASE64.encode([7_u8; 32])));
        let signed = signature(&secret, "msg_1", 1_700_000_000, br#"{"a":1}"#).unwrap();
        assert_eq!(signed, "v1,LInk7lWC3DLGgRP3k/Xpm933fgj/SEGrik4mpkLgnKE=");
    }

    #[test]
    fn a_secret_of_another_shape_is_none() {
        for bad in
            ["", "whsec_", "whsec_c2hvcnQ=", "c2VjcmV0LW9mLXRoaXJ0eS10d28tYnl0ZXMtb2theQ==", "whsec_%%%"]
        {
            assert!(key(&SecretString::from(bad)).is_none(), "{bad}");
        }
    }
}
