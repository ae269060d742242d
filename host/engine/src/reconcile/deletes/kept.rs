//! What is kept so that it can be undone what a policy did. It may be a whole record, so it is sealed like a credential.

use contactor_store::{Deletion, FailureClass, Sealed};
use contactor_sync::{Fields, Value};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::reconcile::sides::RunContext;

/// What is needed for an undo.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kept {
    /// A tag: it was not there before.
    Tag {
        /// Otherwise it is somebody else's, and stays.
        added: bool,
    },
    /// A field says that the record is archived.
    Field {
        /// What it held before.
        before: Value,
    },
    /// A record was deleted.
    Record {
        /// All of its fields, by the names of its side.
        fields: Fields,
    },
}

/// What it is sealed for: no other deletion opens it.
fn name(deletion: &Deletion) -> String {
    format!("{}/deletion/{}", deletion.connection, deletion.id)
}

impl RunContext {
    /// Seals what is kept for a deletion.
    pub(super) fn seal(&self, deletion: &Deletion, kept: &Kept) -> Result<Sealed, Failure> {
        let text = SecretString::from(serde_json::to_string(kept).unwrap_or_default());
        let sealed = self.engine.credentials().seal(&self.active.workspace.id, &name(deletion), &text);
        // Nothing is deleted that could not be brought back.
        sealed.map_err(|error| {
            Failure::new(FailureClass::Host, format!("what an undo needs cannot be kept: {error}"))
        })
    }

    /// What was kept for a deletion, unless it was forgotten.
    pub(super) fn kept(&self, deletion: &Deletion) -> Result<Option<Kept>, Failure> {
        let Some(sealed) = &deletion.kept else { return Ok(None) };
        let failed = |why: &dyn std::fmt::Display| {
            Failure::new(
                FailureClass::Config,
                format!("what was kept for deletion {} cannot be read: {why}", deletion.id),
            )
        };
        let text = self.engine.credentials().unseal(&self.active.workspace.id, &name(deletion), sealed);
        let text = text.map_err(|error| failed(&error))?;
        // A parse error must not quote the record.
        let kept = serde_json::from_str(text.expose_secret());
        kept.map(Some).map_err(|_| failed(&"another version of this host wrote it"))
    }
}
