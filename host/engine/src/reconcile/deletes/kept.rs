//! What is kept so that it can be undone what a policy did. It may be a whole record, so it is sealed like a credential.

use contactor_store::{Deletion, FailureClass, Purpose};
use contactor_sync::{Fields, Value};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::decided_meanwhile;
use crate::error::EngineError;
use crate::failure::Failure;
use crate::reconcile::sides::RunContext;
use crate::vault::secret_json;

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

impl RunContext {
    fn purpose(&self, deletion: &Deletion) -> Purpose {
        Purpose::undo(&self.active.workspace.id, &deletion.connection, deletion.id)
    }

    /// Seals what is kept for a deletion, and notes with it that a run is about to act.
    pub(super) async fn begin(&self, deletion: &Deletion, kept: &Kept) -> Result<Deletion, Failure> {
        // Nothing is deleted that could not be brought back.
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(FailureClass::Host, format!("what an undo needs cannot be kept: {error}"))
        };
        let text = secret_json(kept).map_err(|error| failed(&error))?;
        let store = self.engine.store();
        let keep = |sealed| store.begin_deletion(deletion, sealed);
        let begun = self.engine.credentials().keys().keep(&self.purpose(deletion), &text, keep).await;
        begun.map_err(|error| match error {
            EngineError::Store(error) => decided_meanwhile(error),
            other => failed(&other),
        })
    }

    /// What was kept for a deletion, unless it was forgotten.
    pub(super) async fn kept(&self, deletion: &Deletion) -> Result<Option<Kept>, Failure> {
        let Some(sealed) = deletion.kept.clone() else { return Ok(None) };
        let failed = |why: &dyn std::fmt::Display| {
            Failure::new(
                FailureClass::Config,
                format!("what was kept for deletion {} cannot be read: {why}", deletion.id),
            )
        };
        let store = self.engine.store();
        let again = || async { Ok(store.deletion(deletion.id).await?.and_then(|deletion| deletion.kept)) };
        let opened = self.engine.credentials().keys().open(&self.purpose(deletion), sealed, again).await;
        let Some(text) = opened.map_err(|error| failed(&error))? else { return Ok(None) };
        // A parse error must not quote the record.
        let kept = serde_json::from_str(text.expose_secret());
        kept.map(Some).map_err(|_| failed(&"another version of this host wrote it"))
    }
}
