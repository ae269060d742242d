//! The account: contacts, visits, loyalty rewards, redemptions, and the messages that the vendor would have sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::config::{ContactOrder, CustomShape, ReferrizerGuesses};
use crate::clock::{Millis, iso_millis};
use crate::random::Random;

/// A person.
#[derive(Clone, Debug, Default)]
pub(super) struct Contact {
    pub(super) id: String,
    /// `firstName`, `lastName`, `email`, phone and status, by the account's own names for them.
    pub(super) fields: Map<String, Value>,
    pub(super) custom: BTreeMap<String, String>,
    pub(super) points: i64,
    /// Position among all changes, for the order of the list.
    pub(super) created: u64,
    pub(super) changed: u64,
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
}

/// A visit of a contact.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) id: String,
    pub(super) contact: String,
    pub(super) points: i64,
    pub(super) at: Millis,
}

/// A loyalty reward: an id and the members that were written.
#[derive(Clone, Debug)]
pub(super) struct Reward {
    pub(super) id: String,
    pub(super) fields: Map<String, Value>,
}

/// A redemption; it has no id of its own.
#[derive(Clone, Debug)]
pub(super) struct Redemption {
    pub(super) reward: String,
    pub(super) contact: String,
    pub(super) points: i64,
    pub(super) at: Millis,
    pub(super) employee: Option<String>,
    pub(super) note: Option<String>,
}

/// Messages that the vendor would have sent to customers: the proof that a connector sent none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Messages {
    /// Invitations, one for each call of the invite operation.
    pub invitations: u64,
    /// Notifications of visits that were added without a date.
    pub visit_notifications: u64,
}

/// Everything in the account.
#[derive(Debug)]
pub(super) struct State {
    pub(super) contacts: BTreeMap<String, Contact>,
    pub(super) visits: Vec<Visit>,
    pub(super) rewards: Vec<Reward>,
    pub(super) redemptions: Vec<Redemption>,
    pub(super) custom_fields: BTreeSet<String>,
    pub(super) messages: Messages,
    ticks: u64,
    contact_ids: Random,
    reward_ids: Random,
    visit_ids: Random,
}

impl State {
    pub(super) fn new(seed: u64, custom_fields: &[String]) -> Self {
        Self {
            contacts: BTreeMap::new(),
            visits: Vec::new(),
            rewards: Vec::new(),
            redemptions: Vec::new(),
            custom_fields: custom_fields.iter().cloned().collect(),
            messages: Messages::default(),
            ticks: 0,
            contact_ids: Random::new(seed, "referrizer contacts"),
            reward_ids: Random::new(seed, "referrizer rewards"),
            visit_ids: Random::new(seed, "referrizer visits"),
        }
    }

    /// 32 lower-case hexadecimal characters, as the vendor's ids. Each kind has its own sequence, so that the id of the first
    /// contact of a seed is always the same.
    pub(super) fn new_contact_id(&mut self) -> String {
        self.contact_ids.hex(32)
    }

    pub(super) fn new_reward_id(&mut self) -> String {
        self.reward_ids.hex(32)
    }

    pub(super) fn new_visit_id(&mut self) -> String {
        self.visit_ids.hex(32)
    }

    pub(super) fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// By email, ignoring case.
    pub(super) fn by_email(&self, email: &str) -> Option<&Contact> {
        self.contacts.values().find(|contact| contact.text("email").eq_ignore_ascii_case(email))
    }

    /// All contacts in the order of the list.
    pub(super) fn listed(&self, order: ContactOrder) -> Vec<&Contact> {
        let mut contacts: Vec<&Contact> = self.contacts.values().collect();
        match order {
            ContactOrder::Created => contacts.sort_by_key(|contact| contact.created),
            ContactOrder::CreatedLast => contacts.sort_by_key(|contact| u64::MAX - contact.created),
            ContactOrder::ChangedLast => contacts.sort_by_key(|contact| u64::MAX - contact.changed),
        }
        contacts
    }

    pub(super) fn reward_json(&self, reward: &Reward) -> Value {
        let mut shown = json!({
            "id": reward.id, "title": null, "points": null, "quantity": {"total": null, "perContact": null},
            "available": null, "startDate": null, "expiredDate": null, "expires": false, "type": null,
            "value": null, "itemId": null, "itemName": null,
        });
        for (name, value) in &reward.fields {
            shown[name] = value.clone();
        }
        if let Some(total) = shown["quantity"]["total"].as_u64() {
            shown["available"] = json!(total.saturating_sub(self.redeemed(&reward.id, None)));
        }
        shown
    }

    /// How often a reward was redeemed, by everybody or by one contact.
    pub(super) fn redeemed(&self, reward: &str, contact: Option<&str>) -> u64 {
        let counts =
            |one: &&Redemption| one.reward == reward && contact.is_none_or(|contact| one.contact == contact);
        self.redemptions.iter().filter(counts).count() as u64
    }
}

impl Contact {
    /// A text; empty when it has none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn to_json(&self, guesses: &ReferrizerGuesses) -> Value {
        let mut shown = json!({"id": self.id, "loyaltyPoints": self.points});
        for name in member_names(guesses) {
            shown[name] = self.fields.get(name).cloned().unwrap_or(Value::Null);
        }
        shown[&guesses.custom_key] = match guesses.custom_shape {
            CustomShape::Object => json!(self.custom),
            CustomShape::List => {
                let each = |(name, value): (&String, &String)| json!({"name": name, "value": value});
                self.custom.iter().map(each).collect()
            }
        };
        if guesses.shows_times {
            shown["createdAt"] = json!(iso_millis(self.created_at));
            shown["updatedAt"] = json!(iso_millis(self.updated_at));
        }
        shown
    }
}

/// The members of a contact that are texts and can be written.
pub(super) fn member_names(guesses: &ReferrizerGuesses) -> [&str; 5] {
    ["firstName", "lastName", "email", &guesses.phone_key, &guesses.status_key]
}

impl Visit {
    pub(super) fn to_json(&self) -> Value {
        json!({"id": self.id, "contactId": self.contact, "points": self.points, "date": iso_millis(self.at)})
    }
}

impl Redemption {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "loyaltyRewardId": self.reward, "contactId": self.contact, "points": self.points,
            "date": iso_millis(self.at), "employeeId": self.employee, "note": self.note,
        })
    }
}
