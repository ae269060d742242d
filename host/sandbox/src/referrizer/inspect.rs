//! The handle: looking at the double, and setting it up.

use serde_json::{Value, json};

use super::config::{ContactOrder, ReferrizerGuesses};
use super::state::{Messages, State};
use super::{Referrizer, contacts};
use crate::people;
use crate::recorder::lock;

/// Setting up.
impl Referrizer {
    /// Changes the answers to what is unknown.
    pub fn set_guesses(&self, guesses: ReferrizerGuesses) {
        *lock(&self.guesses) = guesses;
    }

    /// The answers in force.
    pub fn guesses(&self) -> ReferrizerGuesses {
        lock(&self.guesses).clone()
    }

    /// Withdraws the token.
    pub fn revoke_token(&self) {
        *lock(&self.token) = None;
    }

    /// Adds `count` sample people. Those whom Referrizer would refuse (no email, a malformed one) are skipped, so fewer may
    /// come back.
    pub fn load(&self, count: usize) -> Vec<String> {
        self.change(|change| {
            let mut ids = Vec::new();
            for person in people::people(self.seed).take(count) {
                let mut fields = json!({
                    "firstName": person.first_name, "lastName": person.last_name, "email": person.email,
                });
                fields[&change.guesses.phone_key] = json!(person.phone);
                let fields = fields.as_object().cloned().unwrap_or_default();
                ids.extend(contacts::insert(change, &fields).ok().map(|contact| contact.id));
            }
            ids
        })
    }

    pub(crate) fn reset(&self) {
        *lock(&self.state) = State::new(self.seed, &self.config.custom_fields);
        *lock(&self.token) = Some(self.config.token.clone());
        lock(&self.times).clear();
    }
}

/// Looking.
impl Referrizer {
    /// The API token.
    pub fn token(&self) -> &str {
        &self.config.token
    }

    /// Every contact as the API shows it, oldest first.
    pub fn contacts(&self) -> Vec<Value> {
        let guesses = self.guesses();
        let state = lock(&self.state);
        state.listed(ContactOrder::Created).into_iter().map(|contact| contact.to_json(&guesses)).collect()
    }

    /// A contact by id or email.
    pub fn contact(&self, id_or_email: &str) -> Option<Value> {
        let guesses = self.guesses();
        let state = lock(&self.state);
        let contact = state.contacts.get(id_or_email).or_else(|| state.by_email(id_or_email));
        contact.map(|contact| contact.to_json(&guesses))
    }

    /// Every visit, in the order in which they were recorded. The API has no list of them that is known.
    pub fn visits(&self) -> Vec<Value> {
        lock(&self.state).visits.iter().map(super::state::Visit::to_json).collect()
    }

    /// Every loyalty reward.
    pub fn rewards(&self) -> Vec<Value> {
        let state = lock(&self.state);
        state.rewards.iter().map(|reward| state.reward_json(reward)).collect()
    }

    /// Every redemption, oldest first.
    pub fn redemptions(&self) -> Vec<Value> {
        lock(&self.state).redemptions.iter().map(super::state::Redemption::to_json).collect()
    }

    /// The messages that the vendor would have sent to customers.
    pub fn messages(&self) -> Messages {
        lock(&self.state).messages
    }

    /// The whole state as JSON.
    pub fn snapshot(&self) -> Value {
        json!({
            "contacts": self.contacts(), "visits": self.visits(), "rewards": self.rewards(),
            "redemptions": self.redemptions(), "custom_fields": lock(&self.state).custom_fields,
            "messages": self.messages(),
        })
    }
}
