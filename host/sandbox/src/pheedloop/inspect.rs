//! The handle: looking at the double, and setting it up.

use std::sync::Arc;

use serde_json::{Value, json};

use super::config::{EventConfig, Guesses};
use super::state::{Organization, Shelf, Welcomes};
use super::{PheedLoop, attendees};
use crate::SandboxError;
use crate::outbox::Outbox;
use crate::people;
use crate::recorder::lock;

/// Setting up.
impl PheedLoop {
    /// Adds an event; an existing one is replaced.
    pub fn add_event(&self, config: EventConfig) {
        lock(&self.organization).add_event(config);
    }

    /// Changes the answers to what is unknown.
    pub fn set_guesses(&self, guesses: Guesses) {
        *lock(&self.guesses) = guesses;
    }

    /// The answers in force.
    pub fn guesses(&self) -> Guesses {
        lock(&self.guesses).clone()
    }

    /// Withdraws the key.
    pub fn revoke_key(&self) {
        *lock(&self.keys) = None;
    }

    /// Adds `count` sample people to an event as attendees, without webhooks and mails. People whom PheedLoop would refuse (no
    /// email, no last name) are skipped, so fewer may come back.
    ///
    /// # Errors
    /// When the event is unknown.
    pub fn load(&self, event: &str, count: usize) -> Result<Vec<String>, SandboxError> {
        let seed = self.seed;
        let loaded = self.change("", false, |change| {
            change.event(event)?;
            let codes = people::people(seed).take(count).filter_map(|person| {
                let fields = json!({
                    "first_name": person.first_name, "last_name": person.last_name.unwrap_or_default(),
                    "email": person.email.unwrap_or_default(), "organization": person.company.unwrap_or_default(),
                    "address_phone": person.phone.unwrap_or_default(),
                    "address_city": person.city.unwrap_or_default(), "tags": person.tags,
                });
                let row = attendees::insert(change, event, fields.as_object()?).ok()?;
                row["code"].as_str().map(str::to_owned)
            });
            let codes = codes.collect::<Vec<_>>();
            change.events.clear();
            Ok(codes)
        });
        loaded.map_err(|_| SandboxError::Unknown { what: "event", id: event.to_owned() })
    }

    pub(crate) fn reset(&self) {
        let mut organization = lock(&self.organization);
        for event in organization.events.values() {
            for hook in event.hooks.iter() {
                self.outbox.set_target(&hook["id"].to_string(), None);
            }
        }
        *organization = Organization::new(&self.config);
        let keys = (self.config.api_key.clone(), self.config.api_secret.clone());
        *lock(&self.keys) = Some(keys);
        lock(&self.recent).clear();
        self.outbox.clear();
        self.outbox.clear_faults();
    }
}

/// Looking.
impl PheedLoop {
    /// The organisation's code.
    pub fn organization(&self) -> &str {
        &self.config.organization
    }

    /// The key, sent as `X-API-KEY`.
    pub fn api_key(&self) -> &str {
        &self.config.api_key
    }

    /// The secret, sent as `X-API-SECRET`.
    pub fn api_secret(&self) -> &str {
        &self.config.api_secret
    }

    /// Codes of the events, in order.
    pub fn events(&self) -> Vec<String> {
        lock(&self.organization).events.keys().cloned().collect()
    }

    /// Code of the first event.
    pub fn first_event(&self) -> String {
        self.events().into_iter().next().unwrap_or_default()
    }

    /// The webhook secret of an event.
    pub fn webhook_secret(&self, event: &str) -> Option<String> {
        Some(lock(&self.organization).events.get(event)?.config.webhook_secret.clone())
    }

    /// The outgoing webhooks. A target is the number of a REST hook.
    pub fn webhooks(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// The attendees of an event, oldest first. Empty when the event is unknown.
    pub fn attendees(&self, event: &str) -> Vec<Value> {
        lock(&self.organization).events.get(event).map(|event| event.attendees.to_json()).unwrap_or_default()
    }

    /// The first attendee of an event with this code or email.
    pub fn attendee(&self, event: &str, code_or_email: &str) -> Option<Value> {
        let is = |row: &Value, name: &str| {
            row[name].as_str().is_some_and(|own| own.eq_ignore_ascii_case(code_or_email))
        };
        self.attendees(event).into_iter().find(|row| is(row, "code") || is(row, "email"))
    }

    /// The registrations of an event, oldest first.
    pub fn registrations(&self, event: &str) -> Vec<Value> {
        let organization = lock(&self.organization);
        organization.events.get(event).map(|event| event.registrations.to_json()).unwrap_or_default()
    }

    /// The REST hooks of an event.
    pub fn hooks(&self, event: &str) -> Vec<Value> {
        lock(&self.organization).events.get(event).map(|event| event.hooks.to_json()).unwrap_or_default()
    }

    /// The members of the organisation, oldest first.
    pub fn members(&self) -> Vec<Value> {
        lock(&self.organization).shelves.get("members").map(Shelf::to_json).unwrap_or_default()
    }

    /// The welcome mails the vendor would have sent.
    pub fn welcomes(&self) -> Welcomes {
        lock(&self.organization).welcomes
    }

    /// The whole state as JSON.
    pub fn snapshot(&self) -> Value {
        lock(&self.organization).to_json()
    }
}
