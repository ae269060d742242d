//! REST hooks: subscribing, and the webhooks that follow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use super::Change;
use super::config::{Envelope, Signing};
use super::error::{Answer, Fault};
use super::records;
use super::state::{Object, text};
use crate::clock::Millis;
use crate::http::{Call, Reply};
use crate::outbox::{Dialect, Outcome, Verdict, Webhook};
use crate::recorder::lock;

/// Actions that can be subscribed to. Two names are known, `registration.created` and `attendee.updated`; the others follow their
/// pattern and the vendor's sentence that registrations, attendees, check-ins and similar are announced.
pub(super) const ACTIONS: [&str; 9] = [
    "registration.created",
    "registration.updated",
    "registration.deleted",
    "attendee.created",
    "attendee.updated",
    "attendee.deleted",
    "checkin.created",
    "checkin.deleted",
    "session.updated",
];

/// Attempts before a webhook is given up; nothing is known, so this is few.
const ATTEMPTS: u32 = 4;

/// Secret and use of it, by hook.
pub(super) type Secrets = Arc<Mutex<BTreeMap<String, (String, Signing)>>>;

pub(super) fn list(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    let rows = change.event(ids[0])?.hooks.to_json();
    change.page(call, rows)
}

pub(super) fn get(change: &mut Change<'_>, _call: &Call, ids: &[&str]) -> Answer {
    let hook = change.event(ids[0])?.hooks.get(ids[1]).ok_or(Fault::NotFound)?;
    Ok(Reply::json(200, &Value::Object(hook.clone())))
}

pub(super) fn create(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    change.event(ids[0])?;
    let (action, endpoint) = subscription(&records::body(call)?)?;
    let (id, hook) =
        change.organization.add_hook(ids[0], &action, endpoint.as_str()).ok_or(Fault::NotFound)?;
    change.retargeted.push((id.to_string(), Some(endpoint)));
    Ok(Reply::json(201, &Value::Object(hook)))
}

/// Subscribes an address to every action of an event to which it does not listen yet.
pub(super) fn subscribe(change: &mut Change<'_>, event: &str, endpoint: &Url) -> Result<(), Fault> {
    for action in ACTIONS {
        let listens =
            |hook: &Object| text(hook, "action") == action && text(hook, "endpoint") == endpoint.as_str();
        if change.event(event)?.hooks.iter().any(listens) {
            continue;
        }
        let (id, _) =
            change.organization.add_hook(event, action, endpoint.as_str()).ok_or(Fault::NotFound)?;
        change.retargeted.push((id.to_string(), Some(endpoint.clone())));
    }
    Ok(())
}

pub(super) fn replace(change: &mut Change<'_>, call: &Call, ids: &[&str]) -> Answer {
    change.event(ids[0])?.hooks.get(ids[1]).ok_or(Fault::NotFound)?;
    let (action, endpoint) = subscription(&records::body(call)?)?;
    let hook = change.event_mut(ids[0])?.hooks.get_mut(ids[1]).ok_or(Fault::NotFound)?;
    hook.insert("action".into(), json!(action));
    hook.insert("endpoint".into(), json!(endpoint.as_str()));
    let hook = hook.clone();
    change.retargeted.push((ids[1].to_owned(), Some(endpoint)));
    Ok(Reply::json(200, &Value::Object(hook)))
}

pub(super) fn delete(change: &mut Change<'_>, _call: &Call, ids: &[&str]) -> Answer {
    change.event_mut(ids[0])?.hooks.remove(ids[1]).ok_or(Fault::NotFound)?;
    change.retargeted.push((ids[1].to_owned(), None));
    Ok(records::no_content())
}

fn subscription(body: &Object) -> Result<(String, Url), Fault> {
    let action = text(body, "action");
    if !ACTIONS.contains(&action) {
        return Err(Fault::invalid("action", format!("\"{action}\" is not a valid choice.")));
    }
    match text(body, "endpoint").parse::<Url>() {
        Ok(endpoint) if matches!(endpoint.scheme(), "http" | "https") => Ok((action.to_owned(), endpoint)),
        _ => Err(Fault::invalid("endpoint", "Enter a valid URL.")),
    }
}

/// The body of one webhook, in the configured shape: the vendor's own is unknown.
pub(super) fn body(envelope: Envelope, hook: &Object, action: &str, record: &Value) -> Value {
    match envelope {
        Envelope::Bare => record.clone(),
        Envelope::Named => json!({
            "action": action, "organization_code": hook["organization"], "event_code": hook["event"], "data": record,
        }),
        Envelope::RestHook => json!({ "hook": hook, "data": record }),
        Envelope::Mention => json!({ "action": action, "event_code": hook["event"], "code": record["code"] }),
    }
}

/// Signs as configured and retries a little.
pub(super) struct PheedLoopDialect {
    pub(super) secrets: Secrets,
}

impl Dialect for PheedLoopDialect {
    fn signature(&self, target: &str, body: &[u8], _now: Millis) -> Vec<(&'static str, String)> {
        let Some((secret, signing)) = lock(&self.secrets).get(target).cloned() else { return Vec::new() };
        match signing {
            Signing::None => Vec::new(),
            Signing::Header => vec![("x-pheedloop-secret", secret)],
            Signing::Hmac => {
                // HMAC takes a key of any length, so this cannot fail.
                let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
                    return Vec::new();
                };
                mac.update(body);
                vec![("x-pheedloop-signature", hex::encode(mac.finalize().into_bytes()))]
            }
        }
    }

    fn headers(&self, _webhook: &Webhook) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Only 2xx counts; 410 ends the subscription, as REST hooks commonly do.
    fn verdict(&self, attempt: u32, _age: Duration, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Status(200..=299) => Verdict::Delivered,
            Outcome::Status(410) => Verdict::Unsubscribed,
            _ if attempt < ATTEMPTS => Verdict::RetryIn(Duration::from_mins(u64::from(attempt) * 5)),
            _ => Verdict::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_used_as_configured() {
        let secrets = Secrets::default();
        let dialect = PheedLoopDialect { secrets: Arc::clone(&secrets) };
        let headers = |signing| {
            lock(&secrets).insert("1".into(), ("secret".into(), signing));
            dialect.signature("1", b"{}", 0)
        };
        assert!(headers(Signing::None).is_empty());
        assert_eq!(headers(Signing::Header), [("x-pheedloop-secret", "secret".to_owned())]);
        // `printf '{}' | openssl dgst -sha256 -hmac secret`
        let expected = "77325902caca812dc259733aacd046b73817372c777b8d95b402647474516e13";
        assert_eq!(headers(Signing::Hmac), [("x-pheedloop-signature", expected.to_owned())]);
    }
}
