//! What an event is about.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::envelope::Envelope;
use crate::ids::{AppointmentId, ContactId, NoteId, TaskId};
use crate::model::Contact;

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// It is new.
    Created,
    /// It changed.
    Updated,
    /// It is gone; for a contact perhaps merged into another one, for which there is no event.
    Deleted,
    /// A task was done. Editing a task, or reopening it, fires nothing.
    Completed,
    /// A contact's tags changed. The payload has the resulting set, not the difference.
    TagsUpdated,
    /// A contact's outgoing do-not-disturb settings changed. Its own opt-out is not among them.
    DndUpdated,
}

/// An event, as far as it concerns this product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something happened to a contact.
    Contact {
        /// What.
        change: Change,
        /// To which contact.
        id: ContactId,
    },
    /// Something happened to a task.
    Task {
        /// What.
        change: Change,
        /// To which task.
        id: TaskId,
        /// Its contact. Real `TaskCreate` payloads lack it: look it up by the location's task search.
        contact: Option<ContactId>,
    },
    /// Something happened to a note.
    Note {
        /// What.
        change: Change,
        /// To which note.
        id: NoteId,
        /// Its contact.
        contact: Option<ContactId>,
    },
    /// Something happened to an appointment.
    Appointment {
        /// What.
        change: Change,
        /// To which appointment.
        id: AppointmentId,
        /// Its contact.
        contact: Option<ContactId>,
    },
    /// The location's own data changed; its settings may have as well.
    LocationChanged,
    /// The app was installed, in a location or in a whole agency.
    Installed,
    /// The app was uninstalled.
    Uninstalled,
    /// An event of a kind that is known here, without the id of its record.
    WithoutId,
    /// Any other event.
    Other,
}

impl Event {
    /// The contact that the event concerns, when it names one.
    pub fn contact(&self) -> Option<&ContactId> {
        match self {
            Self::Contact { id, .. } => Some(id),
            Self::Task { contact, .. } | Self::Note { contact, .. } | Self::Appointment { contact, .. } => {
                contact.as_ref()
            }
            _ => None,
        }
    }

    /// What happened to the record, if it is about one.
    pub fn change(&self) -> Option<Change> {
        match self {
            Self::Contact { change, .. }
            | Self::Task { change, .. }
            | Self::Note { change, .. }
            | Self::Appointment { change, .. } => Some(*change),
            _ => None,
        }
    }

    pub(super) fn classify(envelope: &Envelope) -> Self {
        let body = &envelope.body;
        let contact = || text(body, "contactId").map(ContactId::from);
        let found = match envelope.kind.as_str() {
            "INSTALL" => Some(Self::Installed),
            "UNINSTALL" => Some(Self::Uninstalled),
            "LocationUpdate" => Some(Self::LocationChanged),
            "AppointmentCreate" => appointment(body, Change::Created),
            "AppointmentUpdate" => appointment(body, Change::Updated),
            "AppointmentDelete" => appointment(body, Change::Deleted),
            kind => match contact_change(kind) {
                Some(change) => text(body, "id").map(|id| Self::Contact { change, id: id.into() }),
                None => match kind {
                    "TaskCreate" => task(body, Change::Created, contact()),
                    "TaskComplete" => task(body, Change::Completed, contact()),
                    "TaskDelete" => task(body, Change::Deleted, contact()),
                    "NoteCreate" => note(body, Change::Created, contact()),
                    "NoteUpdate" => note(body, Change::Updated, contact()),
                    "NoteDelete" => note(body, Change::Deleted, contact()),
                    _ => return Self::Other,
                },
            },
        };
        found.unwrap_or(Self::WithoutId)
    }
}

fn contact_change(kind: &str) -> Option<Change> {
    match kind {
        "ContactCreate" => Some(Change::Created),
        "ContactUpdate" => Some(Change::Updated),
        "ContactDelete" => Some(Change::Deleted),
        "ContactTagUpdate" => Some(Change::TagsUpdated),
        "ContactDndUpdate" => Some(Change::DndUpdated),
        _ => None,
    }
}

fn task(body: &Map<String, Value>, change: Change, contact: Option<ContactId>) -> Option<Event> {
    Some(Event::Task { change, id: text(body, "id")?.into(), contact })
}

fn note(body: &Map<String, Value>, change: Change, contact: Option<ContactId>) -> Option<Event> {
    Some(Event::Note { change, id: text(body, "id")?.into(), contact })
}

fn appointment(body: &Map<String, Value>, change: Change) -> Option<Event> {
    let nested = body.get("appointment")?.as_object()?;
    let contact = text(nested, "contactId").map(ContactId::from);
    Some(Event::Appointment { change, id: text(nested, "id")?.into(), contact })
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// A contact as an event carries it: the same flat fields as [`Contact::fields`], so that an echo of our own write can
/// be recognised. It lacks `dateUpdated`, and it is no replacement for reading the contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The contact.
    pub id: ContactId,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its fields; custom fields as `customFields.<id>`.
    pub fields: BTreeMap<String, Value>,
}

/// Members of the envelope, which are no fields of the contact. The contact's own `type` is not in the payload.
const ENVELOPE: &[&str] =
    &["type", "companyId", "appId", "versionId", "webhookId", "timestamp", "payloadTooLarge", "traceId"];

impl Snapshot {
    pub(super) fn of(envelope: &Envelope) -> Option<Self> {
        contact_change(&envelope.kind)?;
        if envelope.payload_too_large {
            return None;
        }
        let mut body = envelope.body.clone();
        body.retain(|name, _| !ENVELOPE.contains(&name.as_str()));
        let contact = Contact::from_json(Value::Object(body)).ok()?;
        let fields = contact.fields();
        Some(Self { id: contact.id, tags: contact.tags, fields })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(value: &Value) -> Event {
        Envelope::parse(value.to_string().as_bytes()).unwrap().event()
    }

    #[test]
    fn every_kind_has_its_change_and_its_contact() {
        let table = [
            ("ContactCreate", Change::Created),
            ("ContactUpdate", Change::Updated),
            ("ContactDelete", Change::Deleted),
            ("ContactTagUpdate", Change::TagsUpdated),
            ("ContactDndUpdate", Change::DndUpdated),
        ];
        for (kind, change) in table {
            let found = event(&json!({"type": kind, "id": "c"}));
            assert_eq!(found, Event::Contact { change, id: "c".into() });
            assert_eq!((found.contact(), found.change()), (Some(&"c".into()), Some(change)));
        }
        let task = event(&json!({"type": "TaskComplete", "id": "t", "contactId": "c"}));
        assert_eq!(
            task,
            Event::Task { change: Change::Completed, id: "t".into(), contact: Some("c".into()) }
        );
        let note = event(&json!({"type": "NoteDelete", "id": "n", "contactId": "c"}));
        assert_eq!(note, Event::Note { change: Change::Deleted, id: "n".into(), contact: Some("c".into()) });
        let appointment =
            event(&json!({"type": "AppointmentDelete", "appointment": {"id": "a", "contactId": "c"}}));
        let expected =
            Event::Appointment { change: Change::Deleted, id: "a".into(), contact: Some("c".into()) };
        assert_eq!(appointment, expected);
    }

    #[test]
    fn a_task_without_its_contact_says_so() {
        let found = event(&json!({"type": "TaskCreate", "id": "t", "title": "call"}));
        assert_eq!(found, Event::Task { change: Change::Created, id: "t".into(), contact: None });
        assert_eq!(found.contact(), None);
    }

    #[test]
    fn installs_have_their_own_words_and_strangers_are_accepted() {
        assert_eq!(event(&json!({"type": "INSTALL"})), Event::Installed);
        assert_eq!(event(&json!({"type": "UNINSTALL"})), Event::Uninstalled);
        assert_eq!(event(&json!({"type": "VoiceAiCallEnd", "id": "x"})), Event::Other);
        assert_eq!(event(&json!({"id": "x"})), Event::Other);
        assert_eq!(event(&json!({"type": "ContactUpdate"})), Event::WithoutId);
        assert_eq!(event(&json!({"type": "AppointmentCreate", "id": "a"})), Event::WithoutId);
    }

    #[test]
    fn a_snapshot_has_the_same_fields_as_the_contact_that_was_read() {
        let fields = json!({"firstName": "Ada", "email": "ada@b.example", "dnd": true, "tags": ["vip"],
            "dateAdded": "2021-11-26T12:41:02.193Z", "dateOfBirth": "2000-01-05T00:00:00.000Z",
            "customFields": [{"id": "f1", "value": "gold"}]});
        let with = |extra: Value| {
            let mut all = fields.as_object().unwrap().clone();
            all.extend(extra.as_object().unwrap().clone());
            Value::Object(all)
        };
        let read = Contact::from_json(with(json!({"id": "c", "locationId": "l"}))).unwrap();
        let sent = with(
            json!({"type": "ContactUpdate", "id": "c", "locationId": "l", "webhookId": "w", "appId": "a",
            "versionId": "v", "timestamp": "2026-11-21T08:00:00Z"}),
        );
        let snapshot = Envelope::parse(sent.to_string().as_bytes()).unwrap().snapshot().unwrap();
        assert_eq!(snapshot.fields, read.fields());
        assert_eq!(snapshot.tags, read.tags);
        assert_eq!(snapshot.id, read.id);
    }

    #[test]
    fn a_cut_payload_or_another_record_has_no_snapshot() {
        let parse = |value: Value| Envelope::parse(value.to_string().as_bytes()).unwrap().snapshot();
        assert_eq!(parse(json!({"type": "ContactUpdate", "id": "c", "payloadTooLarge": true})), None);
        assert_eq!(parse(json!({"type": "NoteCreate", "id": "n"})), None);
    }
}
