//! The account: contacts and what the vendor computes about them, events, exports, imports, and mails to customers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::config::{CustomField, EventDefinition};
use super::exports::{Export, Import};
use crate::clock::{Millis, iso_millis};
use crate::random::Random;

/// A person.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contact {
    pub(super) id: String,
    /// As it was first written; compared in lower case.
    pub(super) email: String,
    /// Writable built-in values and custom fields.
    pub(super) values: Map<String, Value>,
    pub(super) purchases: Vec<Purchase>,
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Purchase {
    pub(super) at: Millis,
    pub(super) amount: f64,
}

/// A contact as the API shows it, now and before the lag of the last writes is over.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) contact: Contact,
    /// What is shown while the lag lasts; `None` is nothing at all.
    before: Option<Contact>,
    lag: Lag,
}

/// How long the API shows what was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lag {
    None,
    Until(Millis),
    UntilReleased,
}

/// An event that arrived.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReceivedEvent {
    /// The event's id.
    pub event: String,
    /// Whose it is.
    pub email: String,
    /// The body.
    pub body: Value,
    /// When, RFC 3339.
    pub at: String,
}

/// What the vendor's workflows would have sent to customers: the proof that a connector caused nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Messages {
    /// Mails that welcome somebody whose newsletter subscription began.
    pub welcome_mails: u64,
    /// Text messages that welcome somebody whose SMS subscription began.
    pub welcome_texts: u64,
    /// Mails to an address that had been banned or had bounced, and was declared active again.
    pub reactivations: u64,
}

/// The account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) custom_fields: Vec<CustomField>,
    pub(super) definitions: Vec<EventDefinition>,
    /// By lower-cased email.
    pub(super) contacts: BTreeMap<String, Stored>,
    pub(super) events: Vec<ReceivedEvent>,
    pub(super) exports: BTreeMap<String, Export>,
    pub(super) imports: BTreeMap<String, Import>,
    pub(super) messages: Messages,
    pub(super) random: Random,
    /// Their own, so that the first ones are the same whatever else happened.
    pub(super) export_ids: Random,
    pub(super) import_ids: Random,
}

impl Account {
    pub(super) fn new(custom_fields: Vec<CustomField>, definitions: Vec<EventDefinition>, seed: u64) -> Self {
        Self {
            custom_fields,
            definitions,
            contacts: BTreeMap::new(),
            events: Vec::new(),
            exports: BTreeMap::new(),
            imports: BTreeMap::new(),
            messages: Messages::default(),
            random: Random::new(seed, "connectif"),
            export_ids: Random::new(seed, "connectif exports"),
            import_ids: Random::new(seed, "connectif imports"),
        }
    }

    /// The contact as it truly is.
    pub(super) fn contact(&self, email: &str) -> Option<&Contact> {
        self.contacts.get(&email.trim().to_lowercase()).map(|stored| &stored.contact)
    }

    /// Every contact as the API shows it now.
    pub(super) fn visible(&self, now: Millis) -> impl Iterator<Item = &Contact> {
        self.contacts.values().filter_map(move |stored| stored.shown(now))
    }

    /// Puts a contact in place.
    pub(super) fn put(&mut self, contact: Contact, lag: Lag, now: Millis) {
        let key = contact.email.to_lowercase();
        let before = self.contacts.get(&key).and_then(|stored| stored.shown(now)).cloned();
        self.contacts.insert(key, Stored { contact, before, lag });
    }

    /// Shows every contact as it is.
    pub(super) fn release(&mut self) {
        self.contacts.values_mut().for_each(|stored| stored.lag = Lag::None);
    }
}

impl Stored {
    /// What a read shows.
    pub(super) fn shown(&self, now: Millis) -> Option<&Contact> {
        match self.lag {
            Lag::UntilReleased => self.before.as_ref(),
            Lag::Until(until) if now < until => self.before.as_ref(),
            Lag::None | Lag::Until(_) => Some(&self.contact),
        }
    }
}

impl Contact {
    pub(super) fn new(id: String, email: &str, now: Millis) -> Self {
        let values = Map::from_iter(
            ["_newsletterSubscriptionStatus", "_smsSubscriptionStatus"]
                .map(|name| (name.to_owned(), json!("none"))),
        );
        let email = email.to_owned();
        Self { id, email, values, purchases: Vec::new(), created_at: now, updated_at: now }
    }

    /// The contact as the API shows it. What has no value is left out.
    pub(super) fn to_json(&self, now: Millis) -> Value {
        let mut shown = self.values.clone();
        shown.extend(self.computed(now));
        for (name, value) in [
            ("id", json!(self.id)),
            ("_email", json!(self.email)),
            ("_createdAt", json!(iso_millis(self.created_at))),
            ("_updatedAt", json!(iso_millis(self.updated_at))),
            ("_isAnonymous", json!(false)),
            ("_hasPushSubscriptions", json!(false)),
            ("_emailSoftBounces", json!(0)),
        ] {
            shown.insert(name.to_owned(), value);
        }
        Value::Object(shown)
    }

    /// What the vendor works out from purchases. Its formulas are not known: these are plain ones that move as the
    /// vendor's would.
    fn computed(&self, now: Millis) -> Map<String, Value> {
        const DAY: Millis = 86_400_000;
        let mut computed = Map::new();
        let mut set = |name: &str, value: Value| computed.insert(name.to_owned(), value);
        let count = self.purchases.len();
        set("_totalPurchases", json!(count));
        let times = || self.purchases.iter().map(|purchase| purchase.at);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return computed };
        let total: f64 = self.purchases.iter().map(|purchase| purchase.amount).sum();
        #[expect(clippy::cast_precision_loss, reason = "a test has few purchases")]
        let average = total / count as f64;
        let days = (now - last).max(0) / DAY;
        let band = |value: f64, steps: [f64; 4]| 1 + steps.iter().filter(|step| value >= **step).count();
        #[expect(clippy::cast_precision_loss, reason = "days and counts are small")]
        let (recency, frequency, churn) = (
            6 - band(days as f64, [7.0, 30.0, 90.0, 180.0]),
            band(count as f64, [2.0, 3.0, 5.0, 10.0]),
            (days.min(365) as f64 / 365.0 * 100.0).round() / 100.0,
        );
        let monetary = band(total, [50.0, 100.0, 500.0, 1000.0]);
        set("_firstPurchaseDate", json!(iso_millis(first)));
        set("_lastPurchaseDate", json!(iso_millis(last)));
        set("_totalPurchasesAmount", json!(total));
        set("_averagePurchasesAmount", json!(average));
        set("_recency", json!(recency));
        set("_frequency", json!(frequency));
        set("_monetary", json!(monetary));
        set("_rfm", json!(format!("{recency}{frequency}{monetary}")));
        set("_clv", json!((total * 1.5 * 100.0).round() / 100.0));
        set("_churnRate", json!(churn));
        set("_pAlive", json!(((1.0 - churn) * 100.0).round() / 100.0));
        set("_expectedPurchases", json!(((1.0 - churn) * 2.0 * 100.0).round() / 100.0));
        computed
    }
}
