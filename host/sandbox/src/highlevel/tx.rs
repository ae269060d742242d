//! One change to one location: the records, the instant, who does it, and the webhooks it causes.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::config::{Habits, SearchLag};
use super::refusal::{Answer, Refusal, text};
use super::state::{Contact, LocationState, Note, Task};
use super::wire::{self, Version};
use crate::clock::{Millis, iso_millis};
use crate::http::{Call, Reply};

/// Who makes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actor<'a> {
    /// A client of the API; the client id, or the text `private` for a private token.
    Api(&'a str),
    /// A person in HighLevel's own interface.
    Person,
}

/// A change in progress. Webhooks are collected and leave when it is over.
pub(crate) struct Tx<'a> {
    pub(crate) state: &'a mut LocationState,
    pub(crate) now: Millis,
    pub(crate) actor: Actor<'a>,
    pub(crate) habits: Habits,
    pub(crate) lag: SearchLag,
    pub(crate) events: Vec<(Cow<'static, str>, Map<String, Value>)>,
}

/// A request that has passed the gateway.
pub(crate) struct Request<'a> {
    pub(crate) call: &'a Call,
    /// The parts of the path that stand for ids, in order.
    pub(crate) params: Vec<&'a str>,
    pub(crate) version: Version,
    pub(crate) trace_id: &'a str,
}

impl Request<'_> {
    /// The id at `position` in the path.
    pub(crate) fn id(&self, position: usize) -> &str {
        self.params.get(position).copied().unwrap_or_default()
    }

    /// An answer with the trace id every HighLevel body carries.
    #[expect(clippy::unnecessary_wraps, reason = "handlers end with it, and a handler may refuse")]
    pub(crate) fn reply(&self, status: u16, mut body: Value) -> Answer {
        body["traceId"] = json!(self.trace_id);
        Ok(Reply::json(status, &body))
    }

    /// `{succeded, succeeded}`: the service answers with both spellings.
    pub(crate) fn success(&self, status: u16) -> Answer {
        self.reply(status, json!({"succeded": true, "succeeded": true}))
    }
}

impl Tx<'_> {
    pub(crate) fn location_id(&self) -> String {
        self.state.config.id.clone()
    }

    /// Refuses a location that is not the token's.
    pub(crate) fn same_location(&self, id: &str) -> Result<(), Refusal> {
        if id == self.state.config.id { Ok(()) } else { Err(Refusal::forbidden(text::WRONG_LOCATION)) }
    }

    /// A living contact.
    pub(crate) fn contact(&self, id: &str) -> Result<Arc<Contact>, Refusal> {
        self.state.contact(id).cloned().ok_or_else(|| Refusal::no_contact(id))
    }

    /// Stores a contact; search sees it after the lag.
    pub(crate) fn store(&mut self, contact: Contact) {
        let searchable = match self.lag {
            SearchLag::Millis(lag) => Some(self.now + i64::from(lag)),
            SearchLag::UntilReleased => None,
        };
        self.state.put(contact, self.now, searchable);
    }

    /// Stores a changed contact under a new `dateUpdated`.
    pub(crate) fn store_changed(&mut self, mut contact: Contact) -> Arc<Contact> {
        contact.date_updated = self.now;
        let id = contact.id.clone();
        self.store(contact);
        self.state.contact_or_tombstone(&id).cloned().unwrap_or_default()
    }

    fn emit(&mut self, event: impl Into<Cow<'static, str>>, body: Map<String, Value>) {
        if self.actor == Actor::Person || self.habits.echoes_api_writes {
            self.events.push((event.into(), body));
        }
    }

    pub(crate) fn emit_contact(&mut self, event: &'static str, contact: &Contact) {
        self.emit(event, wire::snapshot(contact, event == "ContactDndUpdate"));
    }

    /// The events of a changed contact: its own for tags and for DND, and ContactUpdate for everything else. Inbound
    /// DND fires nothing (vendor issue 264).
    pub(crate) fn emit_change(&mut self, before: &Contact, after: &Contact) {
        let tags = before.tags != after.tags;
        let dnd = before.dnd != after.dnd || before.dnd_settings != after.dnd_settings;
        if tags {
            self.emit_contact("ContactTagUpdate", after);
        }
        if dnd {
            self.emit_contact("ContactDndUpdate", after);
        }
        let inbound_only = before.inbound_dnd != after.inbound_dnd
            && before.text == after.text
            && before.custom == after.custom
            && !tags
            && !dnd;
        let special_only = (tags || dnd) && before.text == after.text && before.custom == after.custom;
        if !inbound_only && (!special_only || self.habits.special_change_also_updates) {
            self.emit_contact("ContactUpdate", after);
        }
    }

    /// Note events carry an allow-list (vendor issue 312).
    pub(crate) fn emit_note(&mut self, event: impl Into<Cow<'static, str>>, note: &Note, contact_id: &str) {
        let body = json!({
            "id": note.id, "body": note.body, "contactId": contact_id, "dateAdded": iso_millis(note.added),
        });
        self.emit(event, object(body));
    }

    /// Task events; a real TaskCreate lacks `contactId` and `body` (vendor issue 332).
    pub(crate) fn emit_task(&mut self, event: impl Into<Cow<'static, str>>, task: &Task, contact_id: &str) {
        let event = event.into();
        let mut body = object(json!({
            "id": task.id, "title": task.title, "dateAdded": iso_millis(task.added), "dueDate": iso_millis(task.due),
        }));
        if let Some(user) = &task.assigned_to {
            body.insert("assignedTo".into(), json!(user));
        }
        if !(event == "TaskCreate" && self.habits.task_create_lacks_contact) {
            body.insert("contactId".into(), json!(contact_id));
            if let Some(text) = &task.body {
                body.insert("body".into(), json!(text));
            }
        }
        self.emit(event, body);
    }

    /// Appointment events nest under `appointment`.
    pub(crate) fn emit_appointment(&mut self, event: impl Into<Cow<'static, str>>, appointment: &Value) {
        self.emit(event, object(json!({"appointment": appointment})));
    }

    /// The client id that `createdBy` names.
    pub(crate) fn client_id(&self) -> Option<String> {
        match self.actor {
            Actor::Api(id) => Some(id.to_owned()),
            Actor::Person => None,
        }
    }
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
