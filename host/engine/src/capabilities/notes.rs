//! `notes`: a contact's notes.

use contactor_highlevel as highlevel;
use contactor_highlevel::{ContactId, NoteDraft, NoteId, NotePatch};
use contactor_runtime::bindings::notes::{Host, Note};
use contactor_runtime::bindings::types::{Error, NamedValue};
use contactor_store::JournalEntry;
use serde_json::Value as Json;

use super::{Direct, errors};
use crate::access::Access;
use crate::{convert, journal};

impl Host for Direct {
    async fn list_all(&mut self, contact_id: String) -> Result<Vec<Note>, Error> {
        self.may(Access::Read)?;
        let contact = ContactId::new(contact_id);
        let notes = self.run.location.notes(&contact).await.map_err(errors::of_highlevel)?;
        Ok(notes.iter().map(|note| record(&contact, note)).collect())
    }

    async fn create(
        &mut self,
        contact_id: String,
        body: String,
        fields: Vec<NamedValue>,
    ) -> Result<Note, Error> {
        self.may(Access::Write)?;
        let draft = draft(body, &fields)?;
        let contact = ContactId::new(contact_id);
        let note = self.run.location.create_note(&contact, &draft).await.map_err(errors::of_highlevel)?;
        Ok(record(&contact, &note))
    }

    async fn get(&mut self, contact_id: String, id: String) -> Result<Note, Error> {
        self.may(Access::Read)?;
        let (contact, id) = (ContactId::new(contact_id), NoteId::new(id));
        let note = self.run.location.note(&contact, &id).await.map_err(errors::of_highlevel)?;
        Ok(record(&contact, &note))
    }

    async fn update(
        &mut self,
        contact_id: String,
        id: String,
        fields: Vec<NamedValue>,
    ) -> Result<Note, Error> {
        self.may(Access::Write)?;
        let patch = NotePatch::from_fields(convert::json_fields_from_wit(&fields))
            .map_err(|problems| errors::of_problems(&problems))?;
        let (contact, id) = (ContactId::new(contact_id), NoteId::new(id));
        let note =
            self.run.location.update_note(&contact, &id, &patch).await.map_err(errors::of_highlevel)?;
        Ok(record(&contact, &note))
    }

    async fn delete(&mut self, contact_id: String, id: String) -> Result<(), Error> {
        self.may(Access::Write)?;
        let (contact, id) = (ContactId::new(contact_id), NoteId::new(id));
        self.run.location.delete_note(&contact, &id).await.map_err(errors::of_highlevel)
    }
}

impl Direct {
    /// The note that an attempt whose answer was lost has written: one of this text that is not older and that no other call wrote.
    pub(super) async fn created_note(
        &self,
        call: &JournalEntry,
        contact_id: &str,
        body: &str,
        _fields: &[NamedValue],
    ) -> Result<Option<Note>, Error> {
        self.may(Access::Write)?;
        let contact = ContactId::new(contact_id);
        for note in self.run.location.notes(&contact).await.map_err(errors::of_highlevel)? {
            let same = note.body.as_deref().is_some_and(|found| found.trim() == body.trim());
            let may_be = same && journal::may_be_of(call, note.id.as_str(), note.date_added);
            if may_be && self.is_unclaimed(&["notes.create"], note.id.as_str()).await? {
                return Ok(Some(record(&contact, &note)));
            }
        }
        Ok(None)
    }
}

/// The argument is the text; a field of that name cannot contradict it.
fn draft(body: String, fields: &[NamedValue]) -> Result<NoteDraft, Error> {
    let mut fields = convert::json_fields_from_wit(fields);
    fields.insert("body".to_owned(), Json::String(body));
    NoteDraft::from_fields(fields).map_err(|problems| errors::of_problems(&problems))
}

/// The vendor's answers do not always name the contact: it is the one that was asked for.
fn record(asked: &ContactId, note: &highlevel::Note) -> Note {
    let mut fields = note.fields();
    fields.remove("body");
    Note {
        id: note.id.to_string(),
        contact_id: note.contact_id.as_ref().unwrap_or(asked).to_string(),
        body: note.body.clone().unwrap_or_default(),
        fields: convert::json_fields_to_wit(&fields),
    }
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::types::Value;
    use serde_json::json;

    use super::*;

    fn text(name: &str, value: &str) -> NamedValue {
        NamedValue { name: name.to_owned(), value: Value::Text(value.to_owned()) }
    }

    #[test]
    fn a_note_carries_its_text_once_and_belongs_to_the_contact_that_was_asked_for() {
        let json = json!({"id": "n", "body": "<b>Hi</b>", "bodyText": "Hi"});
        let expected = Note {
            id: "n".into(),
            contact_id: "c".into(),
            body: "<b>Hi</b>".into(),
            fields: vec![text("bodyText", "Hi")],
        };
        assert_eq!(record(&"c".into(), &highlevel::Note::from_json(json).unwrap()), expected);
    }

    #[test]
    fn a_new_note_has_the_argument_as_its_text() {
        let draft = draft("Hi".to_owned(), &[text("body", "other"), text("title", "First")]).unwrap();
        assert_eq!(draft.fields()["body"], "Hi");
        assert_eq!(draft.fields()["title"], "First");
    }

    #[test]
    fn a_field_that_the_vendor_derives_is_refused_by_name() {
        let Err(Error::Invalid(problems)) = draft(String::new(), &[text("bodyText", "Hi")]) else {
            panic!("not refused")
        };
        assert_eq!(problems[0].field, "bodyText");
    }
}
