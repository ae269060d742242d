//! Notes of a contact. There is no listing across contacts: reading them costs one call per contact.

use crate::client::Location;
use crate::draft::{NoteDraft, NotePatch};
use crate::error::Error;
use crate::ids::{ContactId, NoteId};
use crate::model::Note;
use crate::operation as op;
use crate::transport::Call;

impl Location {
    /// `GET /contacts/{contactId}/notes`: all of them, without paging.
    pub async fn notes(&self, contact: &ContactId) -> Result<Vec<Note>, Error> {
        self.call(Call::new(&op::NOTES_LIST, &[contact.as_str()])).await?.list("notes")
    }

    /// `GET /contacts/{contactId}/notes/{id}`.
    pub async fn note(&self, contact: &ContactId, id: &NoteId) -> Result<Note, Error> {
        self.call(Call::new(&op::NOTES_GET, &[contact.as_str(), id.as_str()])).await?.record("note")
    }

    /// `POST /contacts/{contactId}/notes`.
    pub async fn create_note(&self, contact: &ContactId, draft: &NoteDraft) -> Result<Note, Error> {
        let call = Call::new(&op::NOTES_CREATE, &[contact.as_str()]).body(draft.body(self.version()));
        self.call(call).await?.record("note")
    }

    /// `PUT /contacts/{contactId}/notes/{id}` with just these fields. A patch without fields reads the note instead.
    pub async fn update_note(
        &self,
        contact: &ContactId,
        id: &NoteId,
        patch: &NotePatch,
    ) -> Result<Note, Error> {
        if patch.is_empty() {
            return self.note(contact, id).await;
        }
        let call =
            Call::new(&op::NOTES_UPDATE, &[contact.as_str(), id.as_str()]).body(patch.body(self.version()));
        self.call(call).await?.record("note")
    }

    /// `DELETE /contacts/{contactId}/notes/{id}`.
    pub async fn delete_note(&self, contact: &ContactId, id: &NoteId) -> Result<(), Error> {
        self.call(Call::new(&op::NOTES_DELETE, &[contact.as_str(), id.as_str()])).await?.succeeded()
    }
}
