//! Outgoing calls of workflows. Nothing is documented about them: no signature, and one attempt, are the nastier reading.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::config::WebhookBody;
use crate::clock::Millis;
use crate::outbox::{Dialect, Outcome, Verdict, Webhook};

/// Neither signs nor retries.
pub(super) struct ConnectifDialect;

impl Dialect for ConnectifDialect {
    fn signature(&self, _target: &str, _body: &[u8], _now: Millis) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn headers(&self, _webhook: &Webhook) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn verdict(&self, _attempt: u32, _age: Duration, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Status(200..=299) => Verdict::Delivered,
            Outcome::Status(_) | Outcome::NoAnswer => Verdict::Failed,
        }
    }
}

/// The body of a call about a contact.
pub(super) fn body(shape: WebhookBody, event: &str, contact: &Value, fields: &Map<String, Value>) -> Value {
    match shape {
        WebhookBody::Flat => {
            let mut body = json!({"event": event, "email": contact["_email"], "contact_id": contact["id"]});
            for (name, value) in fields {
                body[name] = value.clone();
            }
            body
        }
        WebhookBody::Nested => {
            let mut data = Value::Object(fields.clone());
            data["contact"] = contact.clone();
            json!({"type": event, "data": data})
        }
    }
}
