//! The audit log, for the server that writes it and for those who look at it.

use contactor_store::{
    Actor, AuditFilter, AuditHash, AuditPhase, AuditVerdict, AuditedChange, ConnectionId, NewAudit,
    WorkspaceId,
};

use crate::engine::Engine;
use crate::error::EngineError;

/// The status that a request for the same would have been answered with.
const DONE: u16 = 200;

impl Engine {
    /// Puts an entry on record; answers its place.
    ///
    /// # Errors
    /// The store cannot keep it: then what it is about must not be done.
    pub async fn record_audit(&self, entry: NewAudit) -> Result<i64, EngineError> {
        Ok(self.store().append_audit(entry).await?)
    }

    /// Puts on record what the host did with a version on trial by itself, under the operation by which somebody could have asked for it:
    /// `rollouts.adopt`. It is done already, so a store that cannot keep the entry undoes nothing: the process's own log has it then. That
    /// a connection, a grant or an installation changed, the store puts on record with the change.
    ///
    /// `detail` says what came of it, as the operation's own entries do.
    pub async fn note_host_change(&self, connection: &ConnectionId, action: &str, detail: &str) {
        let (workspace, connector) = connection.as_str().split_once('/').unwrap_or((connection.as_str(), ""));
        let begun = NewAudit {
            phase: AuditPhase::Begun,
            began: None,
            actor: Actor::Host,
            token: None,
            workspace: Some(WorkspaceId::new(workspace)),
            action: action.to_owned(),
            target: format!("connector={connector}"),
            status: None,
            detail: String::new(),
        };
        let noted = async {
            let began = Some(self.store().append_audit(begun.clone()).await?);
            let ended = NewAudit {
                phase: AuditPhase::Ended,
                began,
                status: Some(DONE),
                detail: detail.to_owned(),
                ..begun.clone()
            };
            self.store().append_audit(ended).await
        };
        if let Err(error) = noted.await {
            tracing::error!(%connection, action, detail, %error, "a change that the host made is not on record");
        }
    }

    /// Changes that were asked for, newest first.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn audit(&self, filter: AuditFilter) -> Result<Vec<AuditedChange>, EngineError> {
        Ok(self.store().audit(filter).await?)
    }

    /// Follows the chain of the whole log.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn verify_audit(&self, noted: Option<AuditHash>) -> Result<AuditVerdict, EngineError> {
        Ok(self.store().verify_audit(noted).await?)
    }
}
