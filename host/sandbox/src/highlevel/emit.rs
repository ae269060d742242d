//! An event by its name: signed and posted like any other, about a record that is there.
//!
//! Events of contacts, tasks, notes and appointments show a record as the double itself would; one that is missing is added
//! without notice. Any other event has the body that the caller gives, with the ids in it bound to this location and to a contact
//! of it.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::state::Contact;
use super::tx::{Actor, Tx, object};
use super::{HighLevel, appointments, contacts, notes, tasks, wire};
use crate::SandboxError;

impl HighLevel {
    /// Sends a webhook of this kind. `body` counts only for kinds whose records the double does not have. `TaskUpdate`, of
    /// which the vendor tells nobody, edits a task and sends nothing. Returns the webhooks that were queued.
    ///
    /// # Errors
    /// When the location is unknown.
    pub fn emit(&self, location: &str, event: &str, body: Value) -> Result<Value, SandboxError> {
        let location = self.location(location)?;
        let now = self.clock.millis();
        let first = self.outbox.next_sequence();
        let done = self.change(&location, now, Actor::Person, |tx| {
            let about = happen(tx, event, object(body))?;
            if event == "TaskUpdate" {
                tx.events.clear();
            }
            Ok(about)
        });
        let about = done.map_err(|refusal| SandboxError::Refused(refusal.message()))?;
        let queued = self.outbox.webhooks().into_iter().filter(|webhook| webhook.sequence >= first);
        let queued: Vec<Value> = queued.map(|webhook| webhook.summary()).collect();
        Ok(json!({ "about": about, "webhooks": queued }))
    }
}

/// Queues the event and answers the id of the record that it is about.
fn happen(tx: &mut Tx<'_>, event: &str, mut body: Map<String, Value>) -> Result<Value, Refusal> {
    let contact = some_contact(tx)?;
    let quiet = tx.events.len();
    let about = match event {
        "ContactCreate" | "ContactUpdate" | "ContactDelete" | "ContactTagUpdate" | "ContactDndUpdate" => {
            let shown = wire::snapshot(&contact, event == "ContactDndUpdate");
            tx.events.push((Cow::Owned(event.to_owned()), shown));
            json!(contact.id)
        }
        "TaskCreate" | "TaskComplete" | "TaskDelete" => {
            let task = some_task(tx, &contact)?;
            tx.events.truncate(quiet);
            tx.emit_task(event.to_owned(), &task, &contact.id);
            json!(task.id)
        }
        "TaskUpdate" => {
            let task = some_task(tx, &contact)?;
            let title = json!({ "title": format!("Sample task, edited at {}", tx.now) });
            tasks::change(tx, &contact.id, &task.id, &object(title))?;
            json!(task.id)
        }
        "NoteCreate" | "NoteUpdate" | "NoteDelete" => {
            let known = tx.state.notes.get(&contact.id).and_then(|notes| notes.first().cloned());
            let note = match known {
                Some(note) => note,
                None => notes::insert(tx, &contact.id, &object(json!({ "body": "Sample note" })))?,
            };
            tx.events.truncate(quiet);
            tx.emit_note(event.to_owned(), &note, &contact.id);
            json!(note.id)
        }
        "AppointmentCreate" | "AppointmentUpdate" | "AppointmentDelete" => {
            let known = tx
                .state
                .appointments
                .values()
                .find(|one| one.contact_id == contact.id && !one.deleted)
                .cloned();
            let appointment = match known {
                Some(appointment) => appointment,
                None => appointments::insert(
                    tx,
                    &object(json!({
                        "locationId": tx.location_id(), "calendarId": "calendar-1", "contactId": contact.id,
                        "title": "Sample", "startTime": "2026-12-01T10:00:00Z", "endTime": "2026-12-01T10:30:00Z",
                    })),
                )?,
            };
            tx.events.truncate(quiet);
            let shown = wire::webhook_event(&appointment, &tx.state.config);
            tx.emit_appointment(event.to_owned(), &shown);
            json!(appointment.id)
        }
        _ => {
            bind(&mut body, &tx.location_id(), &contact.id);
            tx.events.push((Cow::Owned(event.to_owned()), body));
            Value::Null
        }
    };
    Ok(about)
}

/// The oldest contact of the location, or a new one of which nobody is told.
fn some_contact(tx: &mut Tx<'_>) -> Result<Contact, Refusal> {
    let known = tx
        .state
        .contacts()
        .into_iter()
        .min_by_key(|contact| (contact.date_added, contact.id.clone()))
        .cloned();
    if let Some(contact) = known {
        return Ok(Contact::clone(&contact));
    }
    let fields = json!({ "firstName": "Sam", "lastName": "Sample", "email": "sam.sample@example.com" });
    let contact = contacts::insert(tx, &object(fields))?;
    tx.events.clear();
    Ok(Contact::clone(&contact))
}

fn some_task(tx: &mut Tx<'_>, contact: &Contact) -> Result<super::state::Task, Refusal> {
    let known = tx.state.tasks.get(&contact.id).and_then(|tasks| tasks.first().cloned());
    match known {
        Some(task) => Ok(task),
        None => {
            let fields =
                json!({ "title": "Sample task", "dueDate": "2026-12-01T09:00:00Z", "completed": false });
            tasks::insert(tx, &contact.id, &object(fields))
        }
    }
}

/// Ids in a body from elsewhere, bound to what is here.
fn bind(body: &mut Map<String, Value>, location: &str, contact: &str) {
    for (name, value) in body.iter_mut() {
        match (name.as_str(), value) {
            ("locationId", value) => *value = json!(location),
            ("contactId", value) => *value = json!(contact),
            ("contactDetails" | "contactSnapshot", Value::Object(inner)) => {
                inner.insert("id".into(), json!(contact));
            }
            _ => {}
        }
    }
}
