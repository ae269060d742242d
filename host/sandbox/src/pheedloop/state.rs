//! The organisation's records. Each kind is a [`Shelf`] of JSON objects, because the vendor's fields are known by name only.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::config::{EventConfig, PheedLoopConfig};
use crate::clock::{Millis, iso_seconds};

pub(super) type Object = Map<String, Value>;

/// Records of one kind in the order of their creation.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    rows: BTreeMap<u64, Object>,
    by_code: HashMap<String, u64>,
}

impl Shelf {
    pub(super) fn get(&self, code: &str) -> Option<&Object> {
        self.rows.get(self.by_code.get(code)?)
    }

    pub(super) fn get_mut(&mut self, code: &str) -> Option<&mut Object> {
        self.rows.get_mut(self.by_code.get(code)?)
    }

    pub(super) fn add(&mut self, code: &str, row: Object) {
        let place = self.rows.last_key_value().map_or(1, |(last, _)| last + 1);
        self.by_code.insert(code.to_owned(), place);
        self.rows.insert(place, row);
    }

    pub(super) fn remove(&mut self, code: &str) -> Option<Object> {
        self.rows.remove(&self.by_code.remove(code)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Object> {
        self.rows.values()
    }

    pub(super) fn to_json(&self) -> Vec<Value> {
        self.rows.values().cloned().map(Value::Object).collect()
    }
}

/// One event.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) config: EventConfig,
    /// What the API shows of it.
    pub(super) shown: Object,
    pub(super) attendees: Shelf,
    pub(super) registrations: Shelf,
    pub(super) sessions: Shelf,
    /// By session: codes of the attendees that are in it.
    pub(super) in_session: BTreeMap<String, Vec<String>>,
    pub(super) transfers: Vec<Value>,
    /// REST hooks by number.
    pub(super) hooks: Shelf,
}

/// What the vendor would have mailed to people: the proof that a connector set nothing off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Welcomes {
    /// `send_app_welcome_email`
    pub app: u64,
    /// `send_attendee_portal_welcome`
    pub portal: u64,
    /// `send_welcome_virtual_portal_email`
    pub virtual_portal: u64,
}

impl Welcomes {
    /// All of them.
    pub fn total(self) -> u64 {
        self.app + self.portal + self.virtual_portal
    }
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Organization {
    pub(super) code: String,
    pub(super) events: BTreeMap<String, Event>,
    /// By the last part of their path: `members`, `contacttags`, ….
    pub(super) shelves: BTreeMap<&'static str, Shelf>,
    pub(super) welcomes: Welcomes,
    counters: BTreeMap<String, u64>,
    next_hook: u64,
}

impl Organization {
    pub(super) fn new(config: &PheedLoopConfig) -> Self {
        let mut own = Self { code: config.organization.clone(), next_hook: 1, ..Self::default() };
        for event in &config.events {
            own.add_event(event.clone());
        }
        own.furnish();
        own
    }

    pub(super) fn add_event(&mut self, config: EventConfig) {
        let id = self.count("event id");
        let shown = json!({
            "id": id, "code": config.code, "custom_slug": config.code.to_lowercase(), "user": "sandbox@example.com",
            "event_name": config.name, "description": "", "date": "2026-12-10", "end_date": "2026-12-11",
            "time_start": "09:00:00", "time_end": "17:00:00", "location": "Example Hall", "timezone": "America/Toronto",
            "virtual_enabled": false, "is_listed": true, "attendee_registration_capacity": null, "topics": [],
            "formats": [], "custom_fields": [],
        });
        let mut event = Event {
            shown: object(shown),
            attendees: Shelf::default(),
            registrations: Shelf::default(),
            sessions: Shelf::default(),
            in_session: BTreeMap::new(),
            transfers: Vec::new(),
            hooks: Shelf::default(),
            config,
        };
        let code = self.new_code("SES");
        let session = json!({
            "code": code, "name": "Opening", "date": "2026-12-10", "time_start": "09:00:00",
            "time_end": "10:00:00", "location": "Main stage", "speakers": [],
        });
        event.sessions.add(&code, object(session));
        self.events.insert(event.config.code.clone(), event);
    }

    /// What an organisation has before we come: tags, tickets, one customer organisation and one membership to begin with, and
    /// another integration's hooks. Their addresses are no loopback ones, so nothing is ever sent there.
    fn furnish(&mut self) {
        for name in ["VIP", "Speaker", "Press"] {
            self.put("contacttags", "TAG", json!({ "name": name }));
        }
        for name in ["General admission", "Workshop"] {
            self.put("tickets", "TIC", json!({ "name": name, "price": "0.00", "description": "" }));
        }
        for name in ["Example Partners Inc.", "Example Suppliers Ltd."] {
            self.put("members/organization", "ORG", json!({ "name": name, "email": "", "notes": "" }));
        }
        for name in ["Gold", "Silver"] {
            self.put("memberships", "MSH", json!({ "name": name, "notes": "", "members": [] }));
        }
        let others: Vec<String> = self.events.keys().cloned().collect();
        for event in others {
            for part in ["crm", "badges"] {
                let endpoint = format!("https://hooks.example.com/{part}");
                self.add_hook(&event, "session.updated", &endpoint);
            }
        }
    }

    fn put(&mut self, shelf: &'static str, prefix: &str, row: Value) {
        let code = self.new_code(prefix);
        let mut row = object(row);
        row.insert("code".into(), json!(code));
        self.shelf(shelf).add(&code, row);
    }

    pub(super) fn shelf(&mut self, name: &'static str) -> &mut Shelf {
        self.shelves.entry(name).or_default()
    }

    /// Adds a REST hook; the number is its id.
    pub(super) fn add_hook(&mut self, event: &str, action: &str, endpoint: &str) -> Option<(u64, Object)> {
        let id = self.next_hook;
        let hook = json!({ "id": id, "action": action, "endpoint": endpoint, "event": event, "organization": self.code });
        let hook = object(hook);
        self.events.get_mut(event)?.hooks.add(&id.to_string(), hook.clone());
        self.next_hook += 1;
        Some((id, hook))
    }

    /// Three letters and a number: the vendor's codes are a prefix and letters or digits.
    pub(super) fn new_code(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", 1_000_000 + self.count(prefix))
    }

    fn count(&mut self, what: &str) -> u64 {
        let counter = self.counters.entry(what.to_owned()).or_default();
        *counter += 1;
        *counter
    }

    pub(super) fn to_json(&self) -> Value {
        let events = self.events.values().map(|event| {
            json!({
                "event": event.shown, "attendees": event.attendees.to_json(),
                "registrations": event.registrations.to_json(), "sessions": event.sessions.to_json(),
                "in_session": event.in_session, "hooks": event.hooks.to_json(),
            })
        });
        let shelves: BTreeMap<_, _> =
            self.shelves.iter().map(|(name, shelf)| (*name, shelf.to_json())).collect();
        json!({
            "organization": self.code, "events": events.collect::<Vec<_>>(), "shelves": shelves,
            "welcomes": self.welcomes,
        })
    }
}

/// The members of a JSON object; nothing for anything else.
pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

/// A text of a record; empty when there is none.
pub(super) fn text<'r>(row: &'r Object, name: &str) -> &'r str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// An instant as the double writes it.
pub(super) fn instant(at: Millis) -> Value {
    json!(iso_seconds(at))
}
