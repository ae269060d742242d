//! The handle: looking at the double, and setting it up.

use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;

use super::config::{CustomField, EventDefinition, Guesses, Limit, Scopes, WriteLag};
use super::contacts::{Route, upsert};
use super::state::{Account, Messages, ReceivedEvent};
use super::{Connectif, TARGET};
use crate::outbox::Outbox;
use crate::people;
use crate::recorder::lock;

/// Setting up.
impl Connectif {
    /// Sends the calls of workflows to `address`, or to nobody.
    pub fn set_webhook_target(&self, address: Option<Url>) {
        self.outbox.set_target(TARGET, address);
    }

    /// Changes the request limit.
    pub fn set_limit(&self, limit: Option<Limit>) {
        lock(&self.settings).limit = limit;
    }

    /// Changes what the key may do.
    pub fn set_scopes(&self, scopes: Scopes) {
        lock(&self.settings).scopes = scopes;
    }

    /// Changes when writes from now on can be read.
    pub fn set_write_lag(&self, lag: WriteLag) {
        lock(&self.settings).write_lag = lag;
    }

    /// Changes the answers to what is unknown.
    pub fn set_guesses(&self, guesses: Guesses) {
        lock(&self.settings).guesses = guesses;
    }

    /// The answers in force.
    pub fn guesses(&self) -> Guesses {
        lock(&self.settings).guesses.clone()
    }

    /// Adds a custom field to the account; an existing one of this id is replaced.
    pub fn add_custom_field(&self, field: CustomField) {
        let mut account = lock(&self.account);
        account.custom_fields.retain(|own| own.id != field.id);
        account.custom_fields.push(field);
    }

    /// Makes every write readable now.
    pub fn release(&self) {
        lock(&self.account).release();
    }

    /// Withdraws the API key.
    pub fn revoke_key(&self) {
        *lock(&self.key) = None;
    }

    /// Adds `count` sample people, readable at once and without calls of workflows. People without a usable email are
    /// skipped, so fewer may come back.
    pub fn load(&self, count: usize) -> Vec<String> {
        let sample = people::people(self.seed).take(count);
        let loaded = self.change(false, true, |change| {
            let emails = sample.filter_map(|person| {
                let email = person.email?;
                let mut fields = json!({"_name": person.first_name.trim()});
                if let Some(last) = person.last_name {
                    fields["_surname"] = json!(last);
                }
                if let Some(company) = person.company {
                    fields["company"] = json!(company);
                }
                upsert(change, &email, fields.as_object()?, Route::Person).ok().map(|_| email.to_lowercase())
            });
            Ok::<_, super::error::Fault>(emails.collect())
        });
        loaded.unwrap_or_default()
    }

    pub(crate) fn reset(&self) {
        let mut account = lock(&self.account);
        *account = Account::new(account.custom_fields.clone(), account.definitions.clone(), self.seed);
        drop(account);
        *lock(&self.key) = Some(self.api_key());
        *lock(&self.window) = super::Window::default();
        self.outbox.clear();
        self.outbox.clear_faults();
    }
}

/// Looking.
impl Connectif {
    /// The API key, `id:secret`.
    pub fn api_key(&self) -> String {
        format!("{}:{}", self.key_id, self.key_secret)
    }

    /// The two halves of the API key.
    pub fn key_parts(&self) -> (&str, &str) {
        (&self.key_id, &self.key_secret)
    }

    /// The events that the account can receive.
    pub fn event_definitions(&self) -> Vec<EventDefinition> {
        lock(&self.account).definitions.clone()
    }

    /// Path and query of a webhook event below the double's base.
    pub fn event_webhook_path(&self) -> Option<String> {
        let account = lock(&self.account);
        account.definitions.iter().find_map(|event| {
            let integration = event.integration.as_ref()?;
            Some(format!("/integration-type/system/scrippet-notification/{integration}?eventId={}", event.id))
        })
    }

    /// The outgoing calls.
    pub fn webhooks(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Every contact as it is, readable or not, by email.
    pub fn contacts(&self) -> Vec<Value> {
        let now = self.clock.millis();
        lock(&self.account).contacts.values().map(|stored| stored.contact.to_json(now)).collect()
    }

    /// A contact as it is, readable or not.
    pub fn contact(&self, email: &str) -> Option<Value> {
        lock(&self.account).contact(email).map(|contact| contact.to_json(self.clock.millis()))
    }

    /// The events that arrived, oldest first.
    pub fn events(&self) -> Vec<ReceivedEvent> {
        lock(&self.account).events.clone()
    }

    /// What the vendor would have sent to customers.
    pub fn messages(&self) -> Messages {
        lock(&self.account).messages
    }

    /// The whole state as JSON.
    pub fn snapshot(&self) -> Value {
        json!({"contacts": self.contacts(), "events": self.events(), "messages": self.messages()})
    }
}
