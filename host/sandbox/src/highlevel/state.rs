//! The records of one location and the indexes that keep them quick to find.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::config::{LocationConfig, MatchBy};
use super::index::SearchIndex;
use crate::clock::Millis;
use crate::random::Random;

/// A contact as stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contact {
    pub(crate) id: String,
    /// Plain text members by wire name (`firstName`, `email`, …); a member without a value is absent.
    pub(crate) text: BTreeMap<&'static str, String>,
    pub(crate) tags: Vec<String>,
    /// Custom values by field id.
    pub(crate) custom: BTreeMap<String, Value>,
    pub(crate) dnd: bool,
    /// By channel, with the names of v2 (`Call`, `Email`, …).
    pub(crate) dnd_settings: Map<String, Value>,
    pub(crate) inbound_dnd: Map<String, Value>,
    pub(crate) additional_emails: Vec<String>,
    pub(crate) additional_phones: Vec<String>,
    pub(crate) followers: Vec<String>,
    pub(crate) business_id: Option<String>,
    pub(crate) campaigns: BTreeSet<String>,
    pub(crate) workflows: BTreeSet<String>,
    /// Client id of the app that created it, or `None` for a person.
    pub(crate) created_by: Option<String>,
    pub(crate) date_added: Millis,
    pub(crate) date_updated: Millis,
    /// Deletion is soft: a person can restore for 60 days, counted from `date_updated`.
    pub(crate) deleted: bool,
    /// The contact it was merged into; a merge cannot be undone.
    pub(crate) merged_into: Option<String>,
}

impl Contact {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.text.get(name).map(String::as_str)
    }

    /// First and last name.
    pub(crate) fn name(&self) -> String {
        let parts = [self.get("firstName"), self.get("lastName")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn emails(&self) -> impl Iterator<Item = String> {
        self.get("email")
            .into_iter()
            .chain(self.additional_emails.iter().map(String::as_str))
            .map(str::to_lowercase)
    }

    fn phones(&self) -> impl Iterator<Item = String> {
        self.get("phone")
            .into_iter()
            .chain(self.additional_phones.iter().map(String::as_str))
            .map(str::to_owned)
    }
}

/// A task. HighLevel shows no dates of its own on it.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) assigned_to: Option<String>,
    pub(crate) due: Millis,
    pub(crate) completed: bool,
    pub(crate) added: Millis,
}

/// A note.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) user_id: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) color: Option<String>,
    pub(crate) pinned: Option<bool>,
    pub(crate) added: Millis,
}

/// An appointment.
#[derive(Clone, Debug)]
pub(crate) struct Appointment {
    pub(crate) id: String,
    pub(crate) calendar_id: String,
    pub(crate) contact_id: String,
    pub(crate) title: String,
    pub(crate) status: String,
    pub(crate) assigned_user_id: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) start: Millis,
    pub(crate) end: Millis,
    pub(crate) added: Millis,
    pub(crate) updated: Millis,
    pub(crate) deleted: bool,
}

/// A custom field definition.
#[derive(Clone, Debug)]
pub(crate) struct CustomField {
    pub(crate) id: String,
    pub(crate) name: String,
    /// `contact.x`
    pub(crate) key: String,
    pub(crate) data_type: String,
    pub(crate) model: String,
    pub(crate) options: Vec<String>,
    pub(crate) position: usize,
}

impl CustomField {
    pub(crate) fn to_json(&self, location_id: &str) -> Value {
        json!({
            "id": self.id, "name": self.name, "fieldKey": self.key, "dataType": self.data_type, "model": self.model,
            "picklistOptions": self.options, "position": self.position, "locationId": location_id, "placeholder": "",
        })
    }
}

/// Everything one location holds.
#[derive(Debug)]
pub(crate) struct LocationState {
    pub(crate) config: LocationConfig,
    /// False while the sub-account is suspended.
    pub(crate) active: bool,
    contacts: HashMap<String, Arc<Contact>>,
    by_email: HashMap<String, Vec<String>>,
    by_phone: HashMap<String, Vec<String>>,
    /// By contact, in the order of creation.
    pub(crate) tasks: HashMap<String, Vec<Task>>,
    pub(crate) notes: HashMap<String, Vec<Note>>,
    pub(crate) appointments: BTreeMap<String, Appointment>,
    /// The tag dictionary: name to id.
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) custom_fields: Vec<CustomField>,
    pub(crate) index: SearchIndex,
    random: Random,
}

impl LocationState {
    pub(crate) fn new(config: LocationConfig, seed: u64) -> Self {
        let random = Random::new(seed, &config.id);
        Self {
            config,
            active: true,
            contacts: HashMap::new(),
            by_email: HashMap::new(),
            by_phone: HashMap::new(),
            tasks: HashMap::new(),
            notes: HashMap::new(),
            appointments: BTreeMap::new(),
            tags: BTreeMap::new(),
            custom_fields: Vec::new(),
            index: SearchIndex::default(),
            random,
        }
    }

    /// A new 20-character id.
    pub(crate) fn new_id(&mut self) -> String {
        self.random.id(20)
    }

    /// A new id in the shape of a UUID.
    pub(crate) fn new_uuid(&mut self) -> String {
        self.random.uuid()
    }

    /// A contact that is not deleted.
    pub(crate) fn contact(&self, id: &str) -> Option<&Arc<Contact>> {
        self.contacts.get(id).filter(|contact| !contact.deleted)
    }

    /// A contact, deleted or not.
    pub(crate) fn contact_or_tombstone(&self, id: &str) -> Option<&Arc<Contact>> {
        self.contacts.get(id)
    }

    /// All contacts that are not deleted, oldest first.
    pub(crate) fn contacts(&self) -> Vec<&Arc<Contact>> {
        let mut all: Vec<_> = self.contacts.values().filter(|contact| !contact.deleted).collect();
        all.sort_by(|a, b| (a.date_added, &a.id).cmp(&(b.date_added, &b.id)));
        all
    }

    /// Stores a contact in place of its former self and keeps the indexes true.
    pub(crate) fn put(&mut self, contact: Contact, now: Millis, searchable_from: Option<Millis>) {
        if let Some(old) = self.contacts.get(&contact.id).map(Arc::clone) {
            for email in old.emails() {
                forget(&mut self.by_email, &email, &old.id);
            }
            for phone in old.phones() {
                forget(&mut self.by_phone, &phone, &old.id);
            }
        }
        if !contact.deleted {
            for email in contact.emails() {
                self.by_email.entry(email).or_default().push(contact.id.clone());
            }
            for phone in contact.phones() {
                self.by_phone.entry(phone).or_default().push(contact.id.clone());
            }
        }
        let contact = Arc::new(contact);
        self.contacts.insert(contact.id.clone(), Arc::clone(&contact));
        self.index.announce(contact, now, searchable_from);
    }

    /// The oldest contact with this email (primary or additional) or E.164 phone, other than `except`.
    pub(crate) fn find(&self, by: MatchBy, value: &str, except: Option<&str>) -> Option<&Arc<Contact>> {
        let ids = match by {
            MatchBy::Email => self.by_email.get(&value.to_lowercase()),
            MatchBy::Phone => self.by_phone.get(value),
        };
        let others = ids.into_iter().flatten().filter(|id| Some(id.as_str()) != except);
        others
            .filter_map(|id| self.contact(id))
            .min_by(|a, b| (a.date_added, &a.id).cmp(&(b.date_added, &b.id)))
    }

    /// Adds to the dictionary what is not in it yet: tags come into being on first use.
    pub(crate) fn know_tags(&mut self, tags: &[String]) {
        for tag in tags {
            if !self.tags.contains_key(tag) {
                let id = self.new_id();
                self.tags.insert(tag.clone(), id);
            }
        }
    }

    /// A definition by id or by key, with or without the `contact.` in front.
    pub(crate) fn custom_field(&self, id_or_key: &str) -> Option<&CustomField> {
        let bare = id_or_key.strip_prefix("contact.").unwrap_or(id_or_key);
        self.custom_fields.iter().find(|field| {
            field.id == id_or_key || field.key.strip_prefix("contact.").unwrap_or(&field.key) == bare
        })
    }
}

fn forget(index: &mut HashMap<String, Vec<String>>, key: &str, id: &str) {
    if let Some(ids) = index.get_mut(key) {
        ids.retain(|known| known != id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}
