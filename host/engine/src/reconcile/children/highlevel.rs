//! HighLevel's half of a list: read in one call, written child by child.

use std::collections::BTreeMap;

use contactor_highlevel::{self as highlevel, ContactId, EventTime};
use contactor_store::{FailureClass, RecordId};
use contactor_sync::{Child, Fields, Value};
use jiff::tz::TimeZone;

use super::list::Kind;
use crate::convert;
use crate::failure::{self, Failure};
use crate::reconcile::sides::RunContext;

impl RunContext {
    /// The contact's children; `None` when HighLevel does not know the contact.
    pub(crate) async fn read_children(
        &self,
        kind: Kind,
        contact: &RecordId,
    ) -> Result<Option<Vec<Child>>, Failure> {
        let id = ContactId::new(contact.as_str());
        let read = match kind {
            Kind::Task => self.location.tasks(&id).await.map(|list| list.iter().map(task_child).collect()),
            Kind::Note => self.location.notes(&id).await.map(|list| list.iter().map(note).collect()),
            Kind::Appointment => {
                let zone =
                    self.active.workspace.timezone.as_deref().and_then(|name| TimeZone::get(name).ok());
                self.location.appointments_of(&id).await.map(|list| {
                    let kept = list.iter().filter(|one| !one.is_deleted());
                    kept.map(|one| appointment(one, zone.as_ref())).collect()
                })
            }
        };
        match read {
            Ok(children) => Ok(Some(children)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(failure::of_highlevel(&error)),
        }
    }

    /// Creates a child and answers it as HighLevel keeps it.
    pub(crate) async fn create_child(
        &self,
        kind: Kind,
        contact: &RecordId,
        fields: &Fields,
    ) -> Result<Child, Failure> {
        let contact = ContactId::new(contact.as_str());
        let mut fields = sendable(fields);
        let created = match kind {
            Kind::Task => {
                // HighLevel wants a date of every task; one that has none is due when it is first seen.
                fields.entry("dueDate".to_owned()).or_insert_with(|| self.started_at.to_string().into());
                let draft =
                    highlevel::TaskDraft::from_fields(fields).map_err(|p| failure::of_problems(&p))?;
                self.location.create_task(&contact, &draft).await.map(|created| task_child(&created))
            }
            Kind::Note => {
                let draft =
                    highlevel::NoteDraft::from_fields(fields).map_err(|p| failure::of_problems(&p))?;
                self.location.create_note(&contact, &draft).await.map(|created| note(&created))
            }
            Kind::Appointment => return Err(no_appointments()),
        };
        created.map_err(|error| failure::of_highlevel_create(&error))
    }

    /// Writes some fields of a child and answers it as HighLevel keeps it.
    pub(crate) async fn update_child(
        &self,
        kind: Kind,
        contact: &RecordId,
        before: &Child,
        fields: &Fields,
    ) -> Result<Child, Failure> {
        let contact = ContactId::new(contact.as_str());
        let id = before.id.as_deref().unwrap_or_default();
        let fields = sendable(fields);
        if fields.is_empty() {
            return Ok(before.clone());
        }
        let updated = match kind {
            Kind::Task => {
                let id = highlevel::TaskId::new(id);
                match (fields.len(), fields.get("completed").and_then(serde_json::Value::as_bool)) {
                    (1, Some(completed)) => self.location.set_task_completed(&contact, &id, completed).await,
                    _ => {
                        let patch = highlevel::TaskPatch::from_fields(fields)
                            .map_err(|p| failure::of_problems(&p))?;
                        self.location.update_task(&contact, &id, &patch).await
                    }
                }
                .map(|updated| task_child(&updated))
            }
            Kind::Note => {
                let patch =
                    highlevel::NotePatch::from_fields(fields).map_err(|p| failure::of_problems(&p))?;
                let id = highlevel::NoteId::new(id);
                self.location.update_note(&contact, &id, &patch).await.map(|updated| note(&updated))
            }
            Kind::Appointment => return Err(no_appointments()),
        };
        updated.map_err(|error| failure::of_highlevel(&error))
    }
}

/// What HighLevel wants before it creates a child of this kind, if it is missing.
pub(crate) fn missing(kind: Kind, fields: &Fields) -> Option<&'static str> {
    let wanted = match kind {
        Kind::Task => "title",
        Kind::Note => "body",
        Kind::Appointment => return None,
    };
    fields.get(wanted).is_none_or(Value::is_empty).then_some(wanted)
}

/// Neither tasks nor notes have a field that can be cleared: no value is not sent.
fn sendable(fields: &Fields) -> BTreeMap<String, serde_json::Value> {
    let kept = fields.iter().filter(|(_, value)| **value != Value::Null);
    kept.map(|(name, value)| (name.clone(), convert::value_to_json(value))).collect()
}

/// A task as a list of its contact has it.
pub(crate) fn task_child(task: &highlevel::Task) -> Child {
    let mut fields = convert::fields_from_json(task.fields());
    fields.insert("completed".to_owned(), Value::Boolean(task.is_completed()));
    Child { id: Some(task.id.to_string()), fields, updated_at: None }
}

fn note(note: &highlevel::Note) -> Child {
    Child {
        id: Some(note.id.to_string()),
        fields: convert::fields_from_json(note.fields()),
        updated_at: None,
    }
}

/// Times are instants where the location's zone is known; without it they stay as the vendor wrote them.
fn appointment(one: &highlevel::Appointment, zone: Option<&TimeZone>) -> Child {
    let mut fields = convert::fields_from_json(one.fields());
    let mut rename = |from: &str, to: &str, value: Option<Value>| {
        let raw = fields.remove(from);
        if let Some(value) = value.or(raw) {
            fields.insert(to.to_owned(), value);
        }
    };
    let instant = |time: Option<EventTime>| {
        let instant = match (time?, zone) {
            (EventTime::Instant(instant), _) => instant,
            (local, Some(zone)) => local.at(zone)?,
            (EventTime::Local(_), None) => return None,
        };
        Some(Value::Text(instant.to_string()))
    };
    rename("startTime", "start", instant(one.start));
    rename("endTime", "end", instant(one.end));
    rename("appointmentStatus", "status", one.status.clone().map(Value::Text));
    Child { id: Some(one.id.to_string()), fields, updated_at: None }
}

fn no_appointments() -> Failure {
    Failure::new(FailureClass::Config, "appointments are made in HighLevel only")
}
