//! What every event carries.

use std::fmt;

use http::HeaderMap;
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::event::{Event, Snapshot};
use crate::ids::LocationId;

/// An event: its envelope taken apart, the rest as it came. Event fields lie flat beside the envelope's; only
/// appointments nest theirs.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// `type`; empty when there is none, as with products and invoices.
    pub kind: String,
    /// The location; none for events of an agency.
    pub location: Option<LocationId>,
    /// The agency.
    pub company: Option<String>,
    /// The app that the event is for: the part of the client id before the dash.
    pub app: Option<String>,
    /// The vendor's id of the event, the same for every attempt to deliver it.
    pub webhook_id: Option<String>,
    /// When it happened.
    pub timestamp: Option<Timestamp>,
    /// The payload was longer than 256 KB and was cut: read the record.
    pub payload_too_large: bool,
    /// The whole body.
    pub body: Map<String, Value>,
}

/// Whose an event is, as one app sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfApp {
    /// It names this app.
    This,
    /// It names another one.
    Another,
    /// It names none.
    Unnamed,
}

/// A body that is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the webhook's body is no JSON object")]
pub struct EnvelopeError;

impl Envelope {
    /// Reads a body. Every member can be missing or of an unexpected type.
    ///
    /// # Errors
    /// Only when it is no JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, EnvelopeError> {
        let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return Err(EnvelopeError) };
        let text = |name: &str| body.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(Self {
            kind: text("type").unwrap_or_default(),
            location: text("locationId").map(LocationId::new),
            company: text("companyId"),
            app: text("appId"),
            webhook_id: text("webhookId"),
            timestamp: timestamp(&body),
            payload_too_large: body
                .get("payloadTooLarge")
                .is_some_and(|flag| flag.as_bool().unwrap_or(!flag.is_null())),
            body,
        })
    }

    /// Whose it is, as the app with this id sees it. The vendor signs the events of every app with the same key: a good signature does
    /// not say for whom an event is.
    pub fn of_app(&self, id: &str) -> OfApp {
        match self.app.as_deref() {
            Some(app) if app == id => OfApp::This,
            Some(_) => OfApp::Another,
            None => OfApp::Unnamed,
        }
    }

    /// What it is about.
    pub fn event(&self) -> Event {
        Event::classify(self)
    }

    /// The contact as it was when the event happened; only events of contacts carry one, and a cut payload none.
    pub fn snapshot(&self) -> Option<Snapshot> {
        Snapshot::of(self)
    }

    /// What tells this event from others, for ignoring repeated deliveries: the vendor's id, or a digest of the body
    /// (retries send the same bytes).
    pub fn dedupe_key(&self, raw_body: &[u8]) -> String {
        self.webhook_id.clone().unwrap_or_else(|| {
            let digest = ring::digest::digest(&ring::digest::SHA256, raw_body);
            format!("sha256:{}", hex::encode(digest))
        })
    }
}

/// The header that repeats with every attempt to deliver an event. The vendor documents `deliveryId`; how it is spelt on
/// the wire is not established, so it is read if present and never needed.
pub fn delivery_id(headers: &HeaderMap) -> Option<String> {
    let spellings = ["deliveryid", "delivery-id", "x-delivery-id", "x-ghl-delivery-id", "x-wh-delivery-id"];
    let found = spellings.iter().find_map(|name| headers.get(*name))?;
    found.to_str().ok().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The instant in a body whose signature was verified.
pub(super) fn signed_timestamp(body: &[u8]) -> Option<Timestamp> {
    let Stamped(timestamp) = serde_json::from_slice(body).ok()?;
    read_timestamp(&timestamp)
}

/// A body's timestamp, without the rest of it. One that is there twice counts as its last, as it does in the [`Envelope`]: the age of
/// an event is judged by the instant that everybody else reads.
struct Stamped(Value);

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Timestamp,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Stamped {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Stamped;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Stamped, A::Error> {
                let mut timestamp = Value::Null;
                while let Some(member) = members.next_key()? {
                    match member {
                        Member::Timestamp => timestamp = members.next_value()?,
                        Member::Other => drop(members.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Stamped(timestamp))
            }
        }
        from.deserialize_map(Members)
    }
}

fn timestamp(body: &Map<String, Value>) -> Option<Timestamp> {
    read_timestamp(body.get("timestamp")?)
}

/// An ISO text; epoch milliseconds are read as well.
fn read_timestamp(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => Timestamp::from_millisecond(number.as_i64()?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: &Value) -> Envelope {
        Envelope::parse(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_envelope_is_read_and_may_be_missing() {
        let full =
            parse(&json!({"type": "ContactUpdate", "locationId": "l", "companyId": "co", "appId": "app",
            "webhookId": "w", "timestamp": "2026-11-21T08:00:00.000Z", "versionId": "v", "id": "c"}));
        assert_eq!((full.kind.as_str(), full.webhook_id.as_deref()), ("ContactUpdate", Some("w")));
        assert_eq!(full.location, Some(LocationId::new("l")));
        assert_eq!(full.timestamp, "2026-11-21T08:00:00Z".parse().ok());
        let empty = parse(&json!({"timestamp": "soon", "locationId": 5, "type": null}));
        assert_eq!((empty.kind.as_str(), empty.location, empty.timestamp), ("", None, None));
        assert_eq!(Envelope::parse(b"[]"), Err(EnvelopeError));
        assert_eq!(Envelope::parse(b"{"), Err(EnvelopeError));
    }

    #[test]
    fn a_repeated_delivery_has_the_same_key_and_another_event_has_not() {
        let with_id = parse(&json!({"webhookId": "w"}));
        assert_eq!(with_id.dedupe_key(b"1"), "w");
        let without = parse(&json!({}));
        assert_eq!(without.dedupe_key(b"1"), without.dedupe_key(b"1"));
        assert_ne!(without.dedupe_key(b"1"), without.dedupe_key(b"2"));
    }

    #[test]
    fn an_event_says_of_which_app_it_is_or_does_not_say() {
        let of = |body: Value| parse(&body).of_app("app");
        assert_eq!(of(json!({"appId": "app"})), OfApp::This);
        for other in ["ap", "app-suffix", "APP", "other"] {
            assert_eq!(of(json!({ "appId": other })), OfApp::Another, "{other}");
        }
        for none in [json!({}), json!({"appId": ""}), json!({"appId": null}), json!({"appId": 5})] {
            assert_eq!(of(none.clone()), OfApp::Unnamed, "{none}");
        }
    }

    #[test]
    fn a_cut_payload_says_so() {
        assert!(parse(&json!({"payloadTooLarge": true})).payload_too_large);
        assert!(!parse(&json!({"payloadTooLarge": false})).payload_too_large);
        assert!(!parse(&json!({})).payload_too_large);
    }

    #[test]
    fn the_delivery_id_is_found_whatever_its_case() {
        let mut headers = HeaderMap::new();
        assert_eq!(delivery_id(&headers), None);
        headers.insert(http::HeaderName::from_bytes(b"deliveryId").unwrap(), "d1".parse().unwrap());
        assert_eq!(delivery_id(&headers), Some("d1".to_owned()));
    }
}
