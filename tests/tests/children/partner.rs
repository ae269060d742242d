//! A partner in memory, behind the connector's interface: people with any fields, found by email.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use contactor_engine::{Capabilities, Guest};
use contactor_runtime::bindings::adapter::{Account, Decision, PartnerRecord};
use contactor_runtime::bindings::automations::Outcome;
use contactor_runtime::bindings::triggers::{Change, ChangeKind, PollPage};
use contactor_runtime::bindings::types::{Error, NamedValue, Value};
use contactor_runtime::{CallError, Invocation, Reply};
use serde_json::{Map, Value as Json, json};

/// The manifest of its connector: children in fields of the person. `#CONTACT` and `#TASK` stand for further lines of those entities.
pub(crate) const MANIFEST: &str = r#"
[connector]
id = "people"
name = "People"
version = "0.1.0"
minimum_host = "0.1.0"
summary = "People in memory; for tests only."

[partner]
name = "People"
base_url = "https://partner.example/v1"

[[auth]]
id = "token"
title = "Access token"
kind = "bearer"
token = "{token}"
credential = [{ name = "token", title = "Access token" }]

[[scope]]
name = "contacts.readonly"
why = "Reads contacts."

[[scope]]
name = "contacts.write"
why = "Writes contacts."

[[scope]]
name = "notifications"
why = "The component that lends its code asks for it."

[[entity]]
name = "contact"
partner_name = "person"
support = "native"
direction = "both"
natural_keys = [{ partner = "email", highlevel = "email", unique = true }]
#CONTACT

[[entity]]
name = "task"
support = "projected"
projected_into = "todos"
direction = "both"
notes = "A list in a field."
#TASK

[[entity]]
name = "note"
support = "projected"
projected_into = "memos"
direction = "both"
notes = "A list in a field."

[[entity]]
name = "appointment"
support = "projected"
projected_into = "visits"
direction = "to-partner"
notes = "A list in a field."

[[field]]
entity = "contact"
name = "email"
type = "email"
title = "Email"

[[field]]
entity = "contact"
name = "first"
type = "text"
title = "First name"

[[field]]
entity = "contact"
name = "todos"
type = "json"
title = "Tasks"

[[field]]
entity = "contact"
name = "memos"
type = "json"
title = "Notes"

[[field]]
entity = "contact"
name = "visits"
type = "json"
title = "Appointments"

[[field]]
entity = "contact"
name = "open"
type = "integer"
title = "Open tasks"

[[field]]
entity = "task"
name = "subject"
type = "text"
title = "Subject"

[[field]]
entity = "task"
name = "done"
type = "boolean"
title = "Done"

[[field]]
entity = "task"
name = "due"
type = "instant"
title = "Due"

[[field]]
entity = "note"
name = "text"
type = "text"
title = "Text"

[[field]]
entity = "appointment"
name = "what"
type = "text"
title = "Title"

[[field]]
entity = "appointment"
name = "start"
type = "instant"
title = "Start"

[[mapping]]
entity = "contact"
partner = "email"
highlevel = "email"

[[mapping]]
entity = "contact"
partner = "first"
highlevel = "firstName"

[[mapping]]
entity = "task"
partner = "subject"
highlevel = "title"

[[mapping]]
entity = "task"
partner = "done"
highlevel = "completed"

[[mapping]]
entity = "task"
partner = "due"
highlevel = "dueDate"

[[mapping]]
entity = "tasks"
partner = "open"
highlevel = "tasks"
direction = "to-partner"
to_partner = "tasks|rejectattr('completed')|list|length"

[[mapping]]
entity = "note"
partner = "text"
highlevel = "body"

[[mapping]]
entity = "appointment"
partner = "what"
highlevel = "title"
direction = "to-partner"

[[mapping]]
entity = "appointment"
partner = "start"
highlevel = "start"
direction = "to-partner"

[[trigger]]
name = "TaskUpdate"
title = "A task changed"
source = "highlevel"

[[trigger]]
name = "AppointmentCreate"
title = "An appointment was booked"
source = "highlevel"

[[trigger]]
name = "AppointmentUpdate"
title = "An appointment changed"
source = "highlevel"

[[stream]]
name = "people"
entity = "contact"
interval_seconds = 60
"#;

/// What the partner keeps, and what it was asked.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) people: BTreeMap<String, Map<String, Json>>,
    /// Who is announced by the next poll.
    pub(crate) changed: Vec<String>,
    /// Streams that answer nothing but this.
    pub(crate) ill: BTreeMap<String, Error>,
    /// How often each stream was asked.
    pub(crate) polls: BTreeMap<String, u32>,
    /// Events that it was told to handle: the kind and the contact.
    pub(crate) events: Vec<(String, Option<String>)>,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    /// The id of a person is its email.
    pub(crate) by_email: bool,
    /// When each was changed, where that is known.
    pub(crate) times: BTreeMap<String, String>,
    /// The next update takes effect, and its answer is lost.
    pub(crate) lose_next_update: bool,
    /// In this many of a hundred calls something goes wrong, before or after the call took effect.
    pub(crate) trouble: u64,
    random: u64,
    next: u64,
}

#[derive(Clone, Default)]
pub(crate) struct People(Arc<Mutex<State>>);

impl People {
    pub(crate) fn state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    /// A field of the one person.
    pub(crate) fn field(&self, name: &str) -> Json {
        self.state(|state| {
            assert_eq!(state.people.len(), 1, "{:?}", state.people.keys());
            state.people.values().next().unwrap().get(name).cloned().unwrap_or_default()
        })
    }

    /// Somebody edits a field of a person; the next poll tells.
    pub(crate) fn edit(&self, id: &str, name: &str, value: Json) {
        self.state(|state| {
            state.people.get_mut(id).unwrap().insert(name.to_owned(), value);
            state.changed.push(id.to_owned());
        });
    }

    /// The id of the one person.
    pub(crate) fn only(&self) -> String {
        self.state(|state| state.people.keys().next().cloned().unwrap())
    }
}

impl State {
    /// Repeatable chance: a linear congruential generator.
    fn chance(&mut self, of_a_hundred: u64) -> bool {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % 100 < of_a_hundred
    }

    fn record(&self, id: &str) -> Result<PartnerRecord, Error> {
        let mut fields = self.people.get(id).cloned().ok_or_else(|| Error::NotFound(id.to_owned()))?;
        for list in ["todos", "memos", "visits"] {
            fields.entry(list).or_insert(Json::Null);
        }
        let fields = fields.iter().map(|(name, json)| NamedValue { name: name.clone(), value: to_wit(json) });
        Ok(PartnerRecord {
            id: id.to_owned(),
            fields: fields.collect(),
            updated_at: self.times.get(id).cloned(),
        })
    }

    fn with_email(&self, email: &str) -> Vec<String> {
        let same = self.people.iter().filter(|(_, fields)| fields.get("email") == Some(&json!(email)));
        same.map(|(id, _)| id.clone()).collect()
    }

    fn answer(&mut self, call: &Invocation) -> Reply {
        match call {
            Invocation::Check => Reply::Check(Ok(Account {
                id: "1".to_owned(),
                name: "People".to_owned(),
                details: Vec::new(),
            })),
            Invocation::Admit { .. } => Reply::Admit(Ok(Decision::Accept)),
            Invocation::Read { id, .. } => {
                self.reads += 1;
                Reply::Read(self.record(id))
            }
            Invocation::Find { key, .. } => {
                let Value::Text(email) = &key.value else { return Reply::Find(Ok(Vec::new())) };
                Reply::Find(self.with_email(email).iter().map(|id| self.record(id)).collect())
            }
            Invocation::Create { fields, .. } => {
                self.writes += 1;
                let fields: Map<_, _> = fields.iter().map(|f| (f.name.clone(), of_wit(&f.value))).collect();
                let email = fields.get("email").and_then(Json::as_str).unwrap_or_default().to_owned();
                if let Some(id) = self.with_email(&email).pop() {
                    return Reply::Create(Err(Error::Duplicate(id)));
                }
                self.next += 1;
                let id = if self.by_email { email } else { format!("p{}", self.next) };
                self.people.insert(id.clone(), fields);
                Reply::Create(self.record(&id))
            }
            Invocation::Update { id, fields, .. } => {
                self.writes += 1;
                let Some(mut person) = self.people.remove(id) else {
                    return Reply::Update(Err(Error::NotFound(id.clone())));
                };
                person.extend(fields.iter().map(|f| (f.name.clone(), of_wit(&f.value))));
                let email = person.get("email").and_then(Json::as_str).unwrap_or_default().to_owned();
                let id = if self.by_email { email } else { id.clone() };
                self.people.insert(id.clone(), person);
                Reply::Update(self.record(&id))
            }
            Invocation::Poll { stream, .. } => {
                *self.polls.entry(stream.clone()).or_default() += 1;
                if let Some(error) = self.ill.get(stream) {
                    return Reply::Poll(Err(error.clone()));
                }
                let changed = std::mem::take(&mut self.changed);
                let change = |id: &String| Change {
                    entity: "contact".to_owned(),
                    id: id.clone(),
                    kind: ChangeKind::Updated,
                    event: String::new(),
                    snapshot: self.record(id).ok(),
                    fields: Vec::new(),
                };
                let changes = changed.iter().map(change).collect();
                Reply::Poll(Ok(PollPage { changes, cursor: None, more: false }))
            }
            Invocation::Handle(event) => {
                self.events.push((event.kind.clone(), event.contact_id.clone()));
                Reply::Handle(Ok(Outcome::Done(String::new())))
            }
            other => unreachable!("nobody asks for {other:?}"),
        }
    }
}

#[async_trait]
impl Guest for People {
    async fn call(&self, _host: Capabilities, call: Invocation) -> Result<Reply, CallError> {
        Ok(self.state(|state| {
            let trouble = Error::Unavailable("the partner has a bad day".to_owned());
            let trouble_of = state.trouble;
            let failed = |call: &Invocation| match call {
                Invocation::Read { .. } => Some(Reply::Read(Err(trouble.clone()))),
                Invocation::Create { .. } => Some(Reply::Create(Err(trouble.clone()))),
                Invocation::Update { .. } => Some(Reply::Update(Err(trouble.clone()))),
                _ => None,
            };
            if state.chance(trouble_of)
                && let Some(reply) = failed(&call)
            {
                return reply;
            }
            let reply = state.answer(&call);
            let lost =
                matches!(call, Invocation::Update { .. }) && std::mem::take(&mut state.lose_next_update);
            match failed(&call) {
                Some(lost_reply) if lost => lost_reply,
                Some(lost) if state.chance(trouble_of) => lost,
                _ => reply,
            }
        }))
    }
}

fn to_wit(json: &Json) -> Value {
    match json {
        Json::Null => Value::Empty,
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(number) => Value::Integer(number.as_i64().unwrap_or_default()),
        Json::Bool(yes) => Value::Boolean(*yes),
        other => Value::Json(other.to_string()),
    }
}

fn of_wit(value: &Value) -> Json {
    match value {
        Value::Empty => Json::Null,
        Value::Text(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Number(number) => json!(number),
        Value::Boolean(yes) => json!(yes),
        Value::Texts(texts) => json!(texts),
        Value::Json(text) => serde_json::from_str(text).unwrap(),
    }
}
