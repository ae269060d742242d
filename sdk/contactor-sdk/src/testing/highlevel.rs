//! HighLevel for a [`MockHost`](super::MockHost): one location in memory.

use std::collections::BTreeMap;

use super::MockHost;
use crate::appointments::{Appointment, Appointments};
use crate::bulk::{Bulk, BulkOutcome, TagMode};
use crate::campaigns::Campaigns;
use crate::contacts::{Contact, ContactPage, Contacts, Filter, Operator, SearchRequest, UpsertOutcome};
use crate::notes::{Note, Notes};
use crate::tags::{TagChange, Tags};
use crate::tasks::{Task, Tasks};
use crate::values::set;
use crate::workflows::Workflows;
use crate::{Error, Named, NamedValue, Result, Value};

#[derive(Default)]
pub(super) struct Location {
    pub(super) contacts: BTreeMap<String, Contact>,
    pub(super) tasks: Vec<Task>,
    pub(super) notes: Vec<Note>,
    pub(super) appointments: Vec<Appointment>,
}

impl Location {
    fn contact(&mut self, id: &str) -> Result<&mut Contact> {
        self.contacts.get_mut(id).ok_or_else(|| Error::NotFound(format!("contact {id}")))
    }

    fn task(&mut self, contact: &str, id: &str) -> Result<&mut Task> {
        let found = self.tasks.iter_mut().find(|task| task.contact_id == contact && task.id == id);
        found.ok_or_else(|| Error::NotFound(format!("task {id} of contact {contact}")))
    }

    fn note(&mut self, contact: &str, id: &str) -> Result<&mut Note> {
        let found = self.notes.iter_mut().find(|note| note.contact_id == contact && note.id == id);
        found.ok_or_else(|| Error::NotFound(format!("note {id} of contact {contact}")))
    }

    /// The contact that has this email or, failing that, this phone.
    fn twin(&self, email: Option<&str>, phone: Option<&str>) -> Option<&Contact> {
        let same = |one: Option<&str>, other: Option<&str>| {
            one.zip(other).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
        };
        let by_email = self.contacts.values().find(|contact| same(contact.email(), email));
        by_email.or_else(|| self.contacts.values().find(|contact| same(contact.phone(), phone)))
    }
}

/// Writes fields as the vendor does: an empty value clears the field.
fn write(values: &mut Vec<NamedValue>, fields: &[NamedValue]) {
    for NamedValue { name, value } in fields {
        match value {
            Value::Empty => values.retain(|own| own.name != *name),
            value => set(values, name.clone(), value.clone()),
        }
    }
}

fn clean(tags: &[String]) -> Vec<String> {
    tags.iter().map(|tag| tag.trim().to_lowercase()).filter(|tag| !tag.is_empty()).collect()
}

fn add(contact: &mut Contact, tags: &[String]) -> TagChange {
    let mut changed = clean(tags);
    changed.retain(|tag| !contact.tags.contains(tag));
    contact.tags.extend(changed.iter().cloned());
    contact.tags.sort();
    contact.tags.dedup();
    TagChange { tags: contact.tags.clone(), changed }
}

fn remove(contact: &mut Contact, tags: &[String]) -> TagChange {
    let mut changed = clean(tags);
    changed.retain(|tag| contact.tags.contains(tag));
    contact.tags.retain(|tag| !changed.contains(tag));
    TagChange { tags: contact.tags.clone(), changed }
}

fn matches(contact: &Contact, filter: &Filter) -> Result<bool> {
    let wanted = serde_json::from_str::<serde_json::Value>(&filter.value).unwrap_or_default();
    let own = match filter.field.as_str() {
        "id" => Some(Value::from(contact.id.as_str())),
        "tags" => Some(Value::Texts(contact.tags.clone())),
        field => contact.value(field).cloned(),
    };
    let has = |own: &Value| match own {
        Value::Texts(texts) => texts.iter().any(|text| wanted == **text),
        own => own.to_json().is_ok_and(|own| own == wanted),
    };
    let contains = |own: &Value| match own {
        Value::Text(text) => wanted.as_str().is_some_and(|wanted| text.contains(wanted)),
        own => has(own),
    };
    Ok(match filter.operator {
        Operator::Eq => own.as_ref().is_some_and(has),
        Operator::NotEq => !own.as_ref().is_some_and(has),
        Operator::Contains => own.as_ref().is_some_and(contains),
        Operator::NotContains => !own.as_ref().is_some_and(contains),
        Operator::Exists => own.is_some(),
        Operator::NotExists => own.is_none(),
        Operator::Range => return Err(Error::Unsupported("the mock host compares no ranges".into())),
    })
}

/// One page; the cursor is the id of the last contact of the page before.
fn page(contacts: Vec<&Contact>, limit: u32, cursor: Option<&str>) -> ContactPage {
    let total = contacts.len() as u64;
    let mut rest =
        contacts.into_iter().filter(|contact| cursor.is_none_or(|after| contact.id.as_str() > after));
    let contacts: Vec<_> = rest.by_ref().take(limit as usize).cloned().collect();
    let next = rest.next().and(contacts.last()).map(|last| last.id.clone());
    ContactPage { contacts, next, total: Some(total) }
}

impl Contacts for MockHost {
    fn search(&self, request: &SearchRequest) -> Result<ContactPage> {
        self.record("contacts.search", format!("{request:?}"), false)?;
        let location = self.location.borrow();
        let mut found = Vec::new();
        for contact in location.contacts.values() {
            let fits =
                request.filters.iter().map(|filter| matches(contact, filter)).collect::<Result<Vec<_>>>()?;
            if fits.into_iter().all(|fits| fits) && has_text(contact, request.query.as_deref()) {
                found.push(contact);
            }
        }
        Ok(page(found, request.limit, request.cursor.as_deref()))
    }

    fn find_duplicate(&self, email: Option<&str>, phone: Option<&str>) -> Result<Option<Contact>> {
        self.record("contacts.find_duplicate", format!("{email:?}, {phone:?}"), false)?;
        Ok(self.location.borrow().twin(email, phone).cloned())
    }

    fn get(&self, id: &str) -> Result<Contact> {
        self.record("contacts.get", format!("{id:?}"), false)?;
        self.location.borrow_mut().contact(id).cloned()
    }

    fn create(&self, fields: &[NamedValue], tags: &[String]) -> Result<Contact> {
        self.record("contacts.create", format!("{}, {tags:?}", shown(fields)), true)?;
        if fields.email().is_none() && fields.phone().is_none() {
            return Err(Error::invalid("email", "a contact needs an email or a phone"));
        }
        let mut location = self.location.borrow_mut();
        if let Some(twin) = location.twin(fields.email(), fields.phone()) {
            return Err(Error::Duplicate(twin.id.clone()));
        }
        let mut contact = Contact { id: self.next_id("contact"), tags: Vec::new(), fields: Vec::new() };
        write(&mut contact.fields, fields);
        add(&mut contact, tags);
        location.contacts.insert(contact.id.clone(), contact.clone());
        Ok(contact)
    }

    fn update(&self, id: &str, fields: &[NamedValue]) -> Result<Contact> {
        self.record("contacts.update", format!("{id:?}, {}", shown(fields)), true)?;
        if fields.value("tags").is_some() {
            return Err(Error::invalid("tags", "tags change by tags.add and tags.remove"));
        }
        let mut location = self.location.borrow_mut();
        let contact = location.contact(id)?;
        write(&mut contact.fields, fields);
        Ok(contact.clone())
    }

    fn delete(&self, id: &str) -> Result<()> {
        self.record("contacts.delete", format!("{id:?}"), true)?;
        let mut location = self.location.borrow_mut();
        location.contact(id)?;
        location.contacts.remove(id);
        Ok(())
    }

    fn upsert(&self, fields: &[NamedValue], create_new_if_duplicate_allowed: bool) -> Result<UpsertOutcome> {
        let arguments = format!("{}, {create_new_if_duplicate_allowed}", shown(fields));
        self.record("contacts.upsert", arguments, true)?;
        let mut location = self.location.borrow_mut();
        let twin = location.twin(fields.email(), fields.phone()).map(|twin| twin.id.clone());
        let created = twin.is_none();
        let id = twin.unwrap_or_else(|| self.next_id("contact"));
        let fresh = || Contact { id: id.clone(), tags: Vec::new(), fields: Vec::new() };
        let contact = location.contacts.entry(id.clone()).or_insert_with(fresh);
        write(&mut contact.fields, fields);
        Ok(UpsertOutcome { created, contact: contact.clone() })
    }

    fn list_page(&self, query: Option<&str>, limit: u32, cursor: Option<&str>) -> Result<ContactPage> {
        self.record("contacts.list_page", format!("{query:?}, {limit}, {cursor:?}"), false)?;
        let location = self.location.borrow();
        let found = location.contacts.values().filter(|contact| has_text(contact, query)).collect();
        Ok(page(found, limit.min(100), cursor))
    }
}

fn has_text(contact: &Contact, query: Option<&str>) -> bool {
    let has = |text: &str, query: &str| text.to_lowercase().contains(&query.to_lowercase());
    query.is_none_or(|query| {
        contact.fields.iter().any(|named| matches!(&named.value, Value::Text(text) if has(text, query)))
    })
}

/// Fields as tests write them in expectations: `email=ada@example.com`.
fn shown(fields: &[NamedValue]) -> String {
    let one = |named: &NamedValue| match named.value.to_json() {
        Ok(value) => format!("{}={value}", named.name),
        Err(_) => format!("{}={:?}", named.name, named.value),
    };
    format!("{{{}}}", fields.iter().map(one).collect::<Vec<_>>().join(", "))
}

impl Tags for MockHost {
    fn list_all(&self, contact_id: &str) -> Result<Vec<String>> {
        self.record("tags.list_all", format!("{contact_id:?}"), false)?;
        Ok(self.location.borrow_mut().contact(contact_id)?.tags.clone())
    }

    fn add(&self, contact_id: &str, tags: &[String]) -> Result<TagChange> {
        self.record("tags.add", format!("{contact_id:?}, {tags:?}"), true)?;
        Ok(add(self.location.borrow_mut().contact(contact_id)?, tags))
    }

    fn remove(&self, contact_id: &str, tags: &[String]) -> Result<TagChange> {
        self.record("tags.remove", format!("{contact_id:?}, {tags:?}"), true)?;
        Ok(remove(self.location.borrow_mut().contact(contact_id)?, tags))
    }
}

impl Tasks for MockHost {
    fn list_all(&self, contact_id: &str) -> Result<Vec<Task>> {
        self.record("tasks.list_all", format!("{contact_id:?}"), false)?;
        let mut location = self.location.borrow_mut();
        location.contact(contact_id)?;
        Ok(location.tasks.iter().filter(|task| task.contact_id == contact_id).cloned().collect())
    }

    fn create(&self, contact_id: &str, completed: bool, fields: &[NamedValue]) -> Result<Task> {
        self.record("tasks.create", format!("{contact_id:?}, {completed}, {}", shown(fields)), true)?;
        for field in ["title", "dueDate"] {
            if fields.text(field).is_none() {
                return Err(Error::invalid(field, format!("{field} must be a string")));
            }
        }
        let mut location = self.location.borrow_mut();
        location.contact(contact_id)?;
        let task = Task {
            id: self.next_id("task"),
            contact_id: contact_id.into(),
            completed,
            fields: fields.to_vec(),
        };
        location.tasks.push(task.clone());
        Ok(task)
    }

    fn get(&self, contact_id: &str, id: &str) -> Result<Task> {
        self.record("tasks.get", format!("{contact_id:?}, {id:?}"), false)?;
        self.location.borrow_mut().task(contact_id, id).cloned()
    }

    fn update(&self, contact_id: &str, id: &str, fields: &[NamedValue]) -> Result<Task> {
        self.record("tasks.update", format!("{contact_id:?}, {id:?}, {}", shown(fields)), true)?;
        let mut location = self.location.borrow_mut();
        let task = location.task(contact_id, id)?;
        write(&mut task.fields, fields);
        Ok(task.clone())
    }

    fn delete(&self, contact_id: &str, id: &str) -> Result<()> {
        self.record("tasks.delete", format!("{contact_id:?}, {id:?}"), true)?;
        let mut location = self.location.borrow_mut();
        location.task(contact_id, id)?;
        location.tasks.retain(|task| task.id != id);
        Ok(())
    }

    fn set_completed(&self, contact_id: &str, id: &str, completed: bool) -> Result<Task> {
        self.record("tasks.set_completed", format!("{contact_id:?}, {id:?}, {completed}"), true)?;
        let mut location = self.location.borrow_mut();
        let task = location.task(contact_id, id)?;
        task.completed = completed;
        Ok(task.clone())
    }
}

impl Notes for MockHost {
    fn list_all(&self, contact_id: &str) -> Result<Vec<Note>> {
        self.record("notes.list_all", format!("{contact_id:?}"), false)?;
        let mut location = self.location.borrow_mut();
        location.contact(contact_id)?;
        Ok(location.notes.iter().filter(|note| note.contact_id == contact_id).cloned().collect())
    }

    fn create(&self, contact_id: &str, body: &str, fields: &[NamedValue]) -> Result<Note> {
        self.record("notes.create", format!("{contact_id:?}, {body:?}, {}", shown(fields)), true)?;
        let mut location = self.location.borrow_mut();
        location.contact(contact_id)?;
        let (id, body) = (self.next_id("note"), body.to_owned());
        let note = Note { id, contact_id: contact_id.into(), body, fields: fields.to_vec() };
        location.notes.push(note.clone());
        Ok(note)
    }

    fn get(&self, contact_id: &str, id: &str) -> Result<Note> {
        self.record("notes.get", format!("{contact_id:?}, {id:?}"), false)?;
        self.location.borrow_mut().note(contact_id, id).cloned()
    }

    fn update(&self, contact_id: &str, id: &str, fields: &[NamedValue]) -> Result<Note> {
        self.record("notes.update", format!("{contact_id:?}, {id:?}, {}", shown(fields)), true)?;
        let mut location = self.location.borrow_mut();
        let note = location.note(contact_id, id)?;
        let (body, others): (Vec<_>, Vec<_>) = fields.iter().cloned().partition(|named| named.name == "body");
        if let Some(body) = body.text("body") {
            body.clone_into(&mut note.body);
        }
        write(&mut note.fields, &others);
        Ok(note.clone())
    }

    fn delete(&self, contact_id: &str, id: &str) -> Result<()> {
        self.record("notes.delete", format!("{contact_id:?}, {id:?}"), true)?;
        let mut location = self.location.borrow_mut();
        location.note(contact_id, id)?;
        location.notes.retain(|note| note.id != id);
        Ok(())
    }
}

impl Appointments for MockHost {
    fn list_all(&self, contact_id: &str) -> Result<Vec<Appointment>> {
        self.record("appointments.list_all", format!("{contact_id:?}"), false)?;
        let mut location = self.location.borrow_mut();
        location.contact(contact_id)?;
        let own = location.appointments.iter().filter(|appointment| appointment.contact_id == contact_id);
        Ok(own.cloned().collect())
    }
}

impl Bulk for MockHost {
    fn update_tags(&self, mode: TagMode, contact_ids: &[String], tags: &[String]) -> Result<BulkOutcome> {
        self.record("bulk.update_tags", format!("{mode:?}, {contact_ids:?}, {tags:?}"), true)?;
        let mut location = self.location.borrow_mut();
        let mut outcome = BulkOutcome { errors: 0, responses: Vec::new() };
        for id in contact_ids {
            let change = location.contact(id).map(|contact| match mode {
                TagMode::Add => add(contact, tags),
                TagMode::Remove => remove(contact, tags),
                TagMode::RemoveAll => remove(contact, &contact.tags.clone()),
            });
            outcome.errors += u32::from(change.is_err());
            let answer = serde_json::json!({ "contactId": id, "type": if change.is_ok() { "success" } else { "error" } });
            outcome.responses.push(answer.to_string());
        }
        Ok(outcome)
    }
}

impl Campaigns for MockHost {
    fn add(&self, contact_id: &str, campaign_id: &str) -> Result<()> {
        self.record("campaigns.add", format!("{contact_id:?}, {campaign_id:?}"), true)?;
        self.location.borrow_mut().contact(contact_id).map(drop)
    }

    fn remove(&self, contact_id: &str, campaign_id: &str) -> Result<()> {
        self.record("campaigns.remove", format!("{contact_id:?}, {campaign_id:?}"), true)?;
        self.location.borrow_mut().contact(contact_id).map(drop)
    }

    fn remove_all(&self, contact_id: &str) -> Result<()> {
        self.record("campaigns.remove_all", format!("{contact_id:?}"), true)?;
        self.location.borrow_mut().contact(contact_id).map(drop)
    }
}

impl Workflows for MockHost {
    fn add(&self, contact_id: &str, workflow_id: &str, event_start_time: Option<&str>) -> Result<()> {
        let arguments = format!("{contact_id:?}, {workflow_id:?}, {event_start_time:?}");
        self.record("workflows.add", arguments, true)?;
        self.location.borrow_mut().contact(contact_id).map(drop)
    }

    fn remove(&self, contact_id: &str, workflow_id: &str, event_start_time: Option<&str>) -> Result<()> {
        let arguments = format!("{contact_id:?}, {workflow_id:?}, {event_start_time:?}");
        self.record("workflows.remove", arguments, true)?;
        self.location.borrow_mut().contact(contact_id).map(drop)
    }
}
